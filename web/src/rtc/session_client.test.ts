import { describe, expect, test, vi } from 'vitest';
import { SessionClient, SessionError } from './session_client';

interface Seen {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: string;
  keepalive: boolean;
}
const kUrl = 'https://live.example/whip/show';
const made = (headers: Record<string, string> = {}) =>
  new Response('v=0\r\n', {
    status: 201,
    headers: { location: '/whip/show/s1', etag: '"g1"', 'content-type': 'application/sdp', ...headers },
  });
const fault = (status: number, code: string, message: string, headers = {}) =>
  new Response(JSON.stringify({ error: { code, message } }), { status, headers });

// A server that gives these answers one after another and remembers what it was asked.
function serverOf(...answers: (Response | Error)[]) {
  const seen: Seen[] = [];
  const fetchWith = async (url: string, init: RequestInit) => {
    seen.push({
      url,
      method: init.method ?? '',
      headers: init.headers as Record<string, string>,
      body: typeof init.body === 'string' ? init.body : '',
      keepalive: init.keepalive === true,
    });
    const answer = answers.shift() ?? new Response(null, { status: 200 });
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { seen, fetchWith };
}
const clientOf = (server: ReturnType<typeof serverOf>, key = 'k') => new SessionClient(kUrl, key, server.fetchWith);
const failureOf = async (run: Promise<unknown>): Promise<SessionError> => {
  try {
    await run;
  } catch (error) {
    if (error instanceof SessionError) return error;
    throw error;
  }
  throw new Error('did not fail');
};

describe('SessionClient', () => {
  test('posts the offer with the key and takes answer, session and ICE servers', async () => {
    const server = serverOf(made({ link: '<stun:s.example>; rel="ice-server"' }));
    const client = clientOf(server);
    expect(await client.post('offer')).toEqual({ answer: 'v=0\r\n', iceServers: [{ urls: 'stun:s.example' }] });
    expect(server.seen[0]).toMatchObject({
      url: kUrl,
      method: 'POST',
      body: 'offer',
      headers: { accept: 'application/sdp', 'content-type': 'application/sdp', authorization: 'Bearer k' },
    });
    expect(client.isOpen).toBe(true);
  });

  test('sends no key where there is none, and any key as bytes', async () => {
    const server = serverOf(made(), made());
    await clientOf(server, '').post('offer');
    await clientOf(server, 'ключ').post('offer');
    expect(server.seen[0]?.headers).not.toHaveProperty('authorization');
    const sent = Uint8Array.from(server.seen[1]?.headers.authorization ?? '', (c) => c.charCodeAt(0));
    expect(new TextDecoder().decode(sent)).toBe('Bearer ключ');
  });

  const faults: [string, Response | Error, Partial<SessionError>][] = [
    ['a reason', fault(409, 'conflict', 'Somebody else publishes.'), { status: 409, code: 'conflict', message: 'Somebody else publishes.' }],
    ['a wait', fault(503, 'overloaded', 'Full.', { 'retry-after': '7' }), { status: 503, retryAfterS: 7 }],
    ['a wait that is too long', fault(503, 'overloaded', 'x', { 'retry-after': '99999' }), { retryAfterS: 300 }],
    ['a date as wait', fault(503, 'overloaded', 'x', { 'retry-after': 'Sat, 01 Jan 2000 00:00:00 GMT' }), { retryAfterS: null }],
    ['no JSON', new Response('<html>', { status: 404 }), { status: 404, code: '', message: '' }],
    ['another success', new Response('v=0', { status: 200 }), { status: 200 }],
    ['an answer that is none', new Response('hello', { status: 201 }), { code: 'bad_answer' }],
    ['no answer', new TypeError('failed'), { status: 0, code: 'unreachable' }],
  ];
  test.each(faults)('says what was wrong: %s', async (_, response, expected) => {
    expect(await failureOf(clientOf(serverOf(response)).post('offer'))).toMatchObject(expected);
  });

  test('tells candidates under the latest tag, restarts under any, and takes the new tag', async () => {
    const restarted = new Response('a=ice-ufrag:n\r\n', { status: 200, headers: { etag: '"g2"' } });
    const server = serverOf(made(), new Response(null, { status: 204 }), restarted, new Response(null, { status: 204 }));
    const client = clientOf(server);
    await client.post('offer');
    await client.trickle('one');
    expect(await client.restart('two')).toBe('a=ice-ufrag:n\r\n');
    await client.trickle('three');
    expect(server.seen.slice(1).map(({ url, headers, body }) => [url, headers['if-match'], body])).toEqual([
      ['https://live.example/whip/show/s1', '"g1"', 'one'],
      ['https://live.example/whip/show/s1', '*', 'two'],
      ['https://live.example/whip/show/s1', '"g2"', 'three'],
    ]);
    expect(server.seen[1]?.headers['content-type']).toBe('application/trickle-ice-sdpfrag');
  });

  test('stops telling candidates to a server that does without them', async () => {
    const server = serverOf(made(), fault(405, 'x', 'x'));
    const client = clientOf(server);
    await client.post('offer');
    await client.trickle('one');
    await client.trickle('two');
    expect(server.seen).toHaveLength(2);
  });

  test('goes on telling after a candidate of an older generation', async () => {
    const server = serverOf(made(), fault(412, 'x', 'x'), new Response(null, { status: 204 }));
    const client = clientOf(server);
    await client.post('offer');
    await client.trickle('one');
    await client.trickle('two');
    expect(server.seen).toHaveLength(3);
  });

  test('says when a restart is refused', async () => {
    for (const status of [204, 404, 405, 412, 501]) {
      const refusal = status === 204 ? new Response(null, { status }) : fault(status, 'x', 'x');
      const client = clientOf(serverOf(made(), refusal));
      await client.post('offer');
      expect((await failureOf(client.restart('f'))).status).toBe(status);
    }
  });

  test('ends once, with the key, in a way that outlives the page', async () => {
    const server = serverOf(made());
    const client = clientOf(server);
    await client.post('offer');
    client.end();
    client.end();
    expect(server.seen).toHaveLength(2);
    expect(server.seen[1]).toMatchObject({ method: 'DELETE', keepalive: true, headers: { authorization: 'Bearer k' } });
    expect(client.isOpen).toBe(false);
    await client.trickle('late');
    expect(server.seen).toHaveLength(2);
  });

  test('ends a session whose answer never ends', async () => {
    vi.useFakeTimers();
    try {
      const stalled = new Response(new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('v=')) }), {
        status: 201,
        headers: { location: '/whip/show/s1' },
      });
      const server = serverOf(stalled);
      const client = clientOf(server);
      const failure = failureOf(client.post('offer'));
      await vi.advanceTimersByTimeAsync(10_000);
      expect(await failure).toMatchObject({ status: 0, code: 'timeout' });
      client.end();
      expect(server.seen.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('tells a session that is gone, and why, from one that is not, and from silence', async () => {
    const rows: [Response | Error, string | null][] = [
      [fault(404, 'no_session', 'x'), '404 no_session'],
      [fault(410, 'taken_over', 'x'), '410 taken_over'],
      [new Response(null, { status: 204 }), null],
      [fault(412, 'precondition_failed', 'x'), null],
      [fault(405, 'x', 'x'), null],
      [fault(503, 'overloaded', 'x'), null],
      [new TypeError('failed'), null],
    ];
    for (const [answer, expected] of rows) {
      const client = clientOf(serverOf(made(), answer));
      await client.post('offer');
      const gone = await client.askWhyGone('f');
      expect(gone && `${gone.status} ${gone.code}`).toBe(expected);
    }
  });

  test('ends a session that was left while its answer was on the way', async () => {
    const server = serverOf(made());
    const client = clientOf(server);
    const posting = client.post('offer');
    client.end();
    await posting;
    expect(server.seen.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  });

  test('ends a session that was left while the body of its answer stalls', async () => {
    const stalled = new Response(new ReadableStream(), { status: 201, headers: { location: '/whip/show/s1' } });
    const server = serverOf(stalled);
    const client = clientOf(server);
    void client.post('offer').catch(() => undefined);
    client.end();
    await vi.waitFor(() => expect(server.seen.map(({ method }) => method)).toEqual(['POST', 'DELETE']));
  });

  test('takes addresses of every form, but gives the key to no other host', async () => {
    const rows: [string, string | null][] = [
      ['/whip/show/s1', 'https://live.example/whip/show/s1'],
      ['show/s2', 'https://live.example/whip/show/s2'],
      ['https://live.example/else/s3', 'https://live.example/else/s3'],
      ['https://other.example/s4', null],
      ['http://live.example/s5', null],
      ['https://[broken', null],
    ];
    for (const [location, session] of rows) {
      const server = serverOf(made({ location }));
      const client = clientOf(server);
      await client.post('offer');
      client.end();
      expect(server.seen[1]?.url ?? null, location).toBe(session);
    }
  });
});
