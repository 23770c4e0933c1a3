// WHIP (RFC 9725) and WHEP as an HTTP client: one object per session, from the offer to the end. It knows
// nothing of media; `fetch` is handed in, so that tests need no server.
//
//   POST   url      offer            -> 201 answer, Location, ETag, Link (ICE servers)
//   PATCH  session  candidates       -> 204
//   PATCH  session  new credentials  -> 200 the server's (ICE restart)
//   DELETE session                   -> 200

import { iceServersOf } from './link_header';

export interface Answered {
  answer: string;
  iceServers: RTCIceServer[];
}

// Why a request failed. `status` is 0 when no answer came at all.
export class SessionError extends Error {
  override readonly name = 'SessionError';
  constructor(
    readonly status: number,
    readonly code: string, // The server's stable word, "" when it gave none.
    message: string, // The server's sentence, for people; "" when it gave none.
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const kSdp = 'application/sdp';
const kFragment = 'application/trickle-ice-sdpfrag';
const kAnswerWithinMs = 10_000;
const kDescriptionMax = 1 << 18; // Characters; an answer is a few thousand.

// Headers are bytes, of which `fetch` takes one for each character: what is beyond Latin goes as UTF-8.
const headerTextOf = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');

// A response with its body.
interface Reply {
  response: Response;
  text: string;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function errorOf({ response, text }: Reply): SessionError {
  const body = jsonOf(text);
  const error = (body as { error?: { code?: unknown; message?: unknown } } | null)?.error;
  const textOf = (value: unknown) => (typeof value === 'string' ? value.slice(0, 500) : '');
  const after = Number(response.headers.get('retry-after') ?? NaN);
  return new SessionError(
    response.status,
    textOf(error?.code),
    textOf(error?.message),
    Number.isFinite(after) && after >= 0 ? Math.min(after, 300) : null,
  );
}

// `fetch` promises that its signal ends the body too; this does not depend on it.
function withAbort<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    task.then(resolve, reject);
  });
}

export class SessionClient {
  private session: string | null = null; // Absolute.
  private etag: string | null = null;
  private canPatch = true;
  private isEnded = false;

  constructor(
    private readonly url: string, // Absolute.
    private readonly key: string, // Bearer; "" for none.
    private readonly fetchWith: Fetch = (url, init) => fetch(url, init),
  ) {}

  get isOpen(): boolean {
    return this.session !== null && !this.isEnded;
  }

  // Throws a SessionError.
  async post(offer: string): Promise<Answered> {
    // The session is noted before the body is read: it is to be ended also where that fails.
    const noteSession = (response: Response) => {
      const location = response.status === 201 ? response.headers.get('location') : null;
      this.session = location === null ? null : this.resolve(location, response.url || this.url);
      this.etag = response.headers.get('etag');
      if (this.isEnded) this.finish(); // Left while the answer was on its way.
    };
    const reply = await this.send('POST', this.url, kSdp, offer, { accept: kSdp }, noteSession);
    const { response, text: answer } = reply;
    if (response.status !== 201) throw errorOf(reply);
    if (!answer.startsWith('v=0')) throw new SessionError(response.status, 'bad_answer', '');
    return { answer, iceServers: iceServersOf(response.headers.get('link')) };
  }

  // Candidates for the connection that stands. Servers may do without them (RFC 9725 §4.3): a refusal ends
  // the telling, not the session. Throws only when the session is gone.
  async trickle(fragment: string): Promise<void> {
    if (!this.isOpen || !this.canPatch || this.session === null) return;
    const headers: Record<string, string> = this.etag === null ? {} : { 'if-match': this.etag };
    const reply = await this.send('PATCH', this.session, kFragment, fragment, headers);
    const { response } = reply;
    if (response.ok) return;
    if (response.status === 404 || response.status === 410) throw errorOf(reply);
    // 412: of the generation before a restart, and of no use any more.
    if ([400, 405, 415, 422, 501].includes(response.status)) this.canPatch = false;
  }

  // New credentials; resolves with the server's fragment. Throws when the server restarts nothing.
  async restart(fragment: string): Promise<string> {
    if (this.session === null || this.isEnded) throw new SessionError(0, 'no_session', '');
    const reply = await this.send('PATCH', this.session, kFragment, fragment, { 'if-match': '*' });
    if (reply.response.status !== 200) throw errorOf(reply);
    this.etag = reply.response.headers.get('etag') ?? this.etag;
    return reply.text;
  }

  // What the server says of a session that it has no more, told by its answer to candidates for it: 410 where
  // it was let go for a reason, 404 where it is not known. Null where it is there, or where nobody can say.
  async askWhyGone(fragment: string): Promise<SessionError | null> {
    if (this.session === null || this.isEnded) return null;
    try {
      const reply = await this.send('PATCH', this.session, kFragment, fragment, {});
      return [404, 410].includes(reply.response.status) ? errorOf(reply) : null;
    } catch {
      return null;
    }
  }

  // Ends the session, also while the page goes away (keepalive) or the answer to POST is still awaited.
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.finish();
  }

  private finish(): void {
    const { session } = this;
    if (session === null) return;
    this.session = null;
    const init: RequestInit = { method: 'DELETE', headers: this.authorization(), keepalive: true };
    this.fetchWith(session, init).catch(() => undefined); // The server notices an absent peer by itself.
  }

  private authorization(): Record<string, string> {
    return this.key === '' ? {} : { authorization: `Bearer ${headerTextOf(this.key)}` };
  }

  private async send(
    method: string,
    url: string,
    type: string,
    body: string,
    headers: Record<string, string>,
    onHeaders?: (response: Response) => void,
  ): Promise<Reply> {
    const all = { ...headers, ...this.authorization(), 'content-type': type };
    const aborter = new AbortController();
    const { signal } = aborter;
    // Of the body too: a server may begin an answer and never end it.
    const timer = setTimeout(() => aborter.abort(), kAnswerWithinMs);
    try {
      const response = await this.fetchWith(url, { method, body, headers: all, signal });
      onHeaders?.(response);
      const text = await withAbort(response.text(), signal);
      if (text.length > kDescriptionMax) throw new SessionError(response.status, 'bad_answer', '');
      return { response, text };
    } catch (error) {
      if (error instanceof SessionError) throw error;
      throw new SessionError(0, signal.aborted ? 'timeout' : 'unreachable', '');
    } finally {
      clearTimeout(timer);
    }
  }

  // A session elsewhere would get the key that was meant for this server.
  private resolve(location: string, base: string): string | null {
    try {
      const url = new URL(location, base);
      return url.origin === new URL(this.url).origin ? url.href : null;
    } catch {
      return null;
    }
  }
}
