// Tokens: where one comes from, and what is written in it. Reading a token proves nothing; only the server
// checks it. Pure.

export interface Grants {
  room: string; // "" when it names none.
  identity: string;
  name: string;
  isHost: boolean; // roomAdmin: may mute and remove.
  mayRename: boolean; // canUpdateOwnMetadata.
  mayCamera: boolean; // What may be sent.
  mayMicrophone: boolean;
  expiresS: number | null; // Seconds since 1970.
}

const kTokenMaxChars = 16_384;

// The token in `#token=…`; "" when there is none.
export function tokenIn(hash: string): string {
  const token = new URLSearchParams(hash.replace(/^#/, '')).get('token')?.trim() ?? '';
  return token.length <= kTokenMaxChars ? token : '';
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function payloadOf(token: string): Fields | null {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  try {
    const binary = atob((parts[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

// Null when it is not a token at all.
export function readGrants(token: string): Grants | null {
  const payload = payloadOf(token);
  if (payload === null) return null;
  const video = isFields(payload.video) ? payload.video : {};
  // A list of sources says more than the right to send at all; an empty one says nothing.
  const sources = Array.isArray(video.canPublishSources) ? video.canPublishSources : [];
  const maySend = (source: string) =>
    sources.length > 0 ? sources.includes(source) : video.canPublish !== false;
  return {
    room: textOf(video.room),
    identity: textOf(payload.sub),
    name: textOf(payload.name),
    isHost: video.roomAdmin === true,
    mayRename: video.canUpdateOwnMetadata === true,
    mayCamera: maySend('camera'),
    mayMicrophone: maySend('microphone'),
    expiresS: typeof payload.exp === 'number' && Number.isFinite(payload.exp) ? payload.exp : null,
  };
}

// Why a token cannot be used for this room, as far as one can see without its secret; "" when nothing speaks
// against it.
export function obstacleOf(token: string, room: string, nowS: number): string {
  const grants = readGrants(token);
  if (grants === null)
    return 'This link’s token is damaged: perhaps a part of the address was lost. Ask for a new link.';
  if (grants.room !== '' && grants.room !== room)
    return `This invitation is for another room: “${grants.room}”.`;
  if (grants.expiresS !== null && grants.expiresS <= nowS)
    return 'This invitation has expired. Ask for a new link.';
  return '';
}

export interface NameRule {
  name: string; // What the field begins with.
  isFixed: boolean; // The invitation has the last word.
}

export function nameRuleOf(grants: Grants | null, remembered: string): NameRule {
  if (grants === null) return { name: remembered, isFixed: false };
  if (grants.mayRename) return { name: grants.name || remembered, isFixed: false };
  return { name: grants.name || grants.identity, isFixed: true };
}
