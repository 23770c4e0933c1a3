// Asks the server for a token: POST /api/v1/rooms/{room}/tokens. Servers started with --dev give one to
// anybody.

export type TokenAnswer =
  { kind: 'token'; token: string } | { kind: 'invitation_needed' } | { kind: 'failed'; text: string };

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const sentence = (text: string): string => (text === '' || /[.!?]$/.test(text) ? text : `${text}.`);

const kRefusals: Record<number, string> = {
  400: 'The server does not take this name or room.',
  404: 'This server has no rooms.',
  409: 'The room cannot be joined now.',
  429: 'Too many asked for this room at once. Try again in a moment.',
  503: 'The server has no room for another meeting now.',
};

export function tokenAnswerOf(status: number, body: unknown): TokenAnswer {
  if (status === 200 || status === 201) {
    const token = isFields(body) && typeof body.token === 'string' ? body.token : '';
    return token === ''
      ? { kind: 'failed', text: 'The server’s answer has no token in it.' }
      : { kind: 'token', token };
  }
  if (status === 401 || status === 403) return { kind: 'invitation_needed' };
  const said =
    isFields(body) && isFields(body.error) && typeof body.error.message === 'string'
      ? body.error.message
      : '';
  const known = kRefusals[status] ?? (status >= 500 ? 'The server failed.' : 'The server refused.');
  return { kind: 'failed', text: `${known} ${sentence(said) || `(HTTP ${status})`}` };
}

export async function fetchToken(room: string, name: string, signal: AbortSignal): Promise<TokenAnswer> {
  try {
    const response = await fetch(`/api/v1/rooms/${encodeURIComponent(room)}/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ name }),
      cache: 'no-store',
      signal,
    });
    const body: unknown = await response.json().catch(() => null);
    return tokenAnswerOf(response.status, body);
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: 'failed', text: 'The server does not answer.' };
  }
}
