// What a host may do to others: two calls of the rooms' Twirp service, with the host's own token.

export type Verb = 'MutePublishedTrack' | 'RemoveParticipant';

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

// "" when it was done, otherwise why not.
export function refusalOf(status: number, body: unknown): string {
  if (status >= 200 && status < 300) return '';
  const said = isFields(body) && typeof body.msg === 'string' ? body.msg : '';
  if (status === 401 || status === 403) return 'Your invitation does not allow this.';
  if (status === 404) return 'That participant or track is not there any more.';
  return said === '' ? `The server refused (HTTP ${status}).` : `The server refused: ${said}`;
}

async function call(verb: Verb, fields: Fields, token: string): Promise<string> {
  try {
    const response = await fetch(`/twirp/livekit.RoomService/${verb}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(fields),
    });
    return refusalOf(response.status, await response.json().catch(() => null));
  } catch {
    return 'The server does not answer.';
  }
}

export const muteTrack = (room: string, identity: string, trackSid: string, token: string): Promise<string> =>
  call('MutePublishedTrack', { room, identity, trackSid, muted: true }, token);

export const removeParticipant = (room: string, identity: string, token: string): Promise<string> =>
  call('RemoveParticipant', { room, identity }, token);
