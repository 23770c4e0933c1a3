// WHIP (RFC 9725) and WHEP to the letter: what curl sees.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { publishSource } from './lib/encoder.mjs';
import { attributeOf, makeOffer } from './lib/offer.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const run = promisify(execFile);
let server, guarded, encoder;
before(async () => {
  server = await Server.start({ args: ['--ice-servers', 'stun:example.com:3478'] });
  guarded = await Server.start({ dev: false, label: 'guarded' });
  encoder = publishSource(server.publishUrl('live'));
  await until('the channel is live', () => server.live('live'));
});
after(async () => {
  await encoder?.stop();
  await server?.stop();
  await guarded?.stop();
});

// { status, fields, text }; a field that comes twice has its values joined by ", ".
async function curl(method, url, { type, body, headers = {} } = {}) {
  const flags = ['-sS', '--http1.1', '-X', method, '-D', '-', '--max-time', '10'];
  for (const [name, value] of Object.entries(headers)) flags.push('-H', `${name}: ${value}`);
  if (body !== undefined) flags.push('-H', `content-type: ${type ?? ''}`, '-H', 'expect:', '--data-binary', '@-');
  const child = run('curl', [...flags, url], { maxBuffer: 1 << 24 });
  child.child.stdin.on('error', () => {});
  child.child.stdin.end(body);
  const { stdout } = await child;
  const end = stdout.indexOf('\r\n\r\n');
  const [first, ...lines] = stdout.slice(0, end).split('\r\n');
  const fields = {};
  for (const line of lines) {
    const colon = line.indexOf(':'), name = line.slice(0, colon).toLowerCase(), value = line.slice(colon + 1).trim();
    fields[name] = fields[name] ? `${fields[name]}, ${value}` : value;
  }
  return { status: Number(first.split(' ')[1]), fields, text: stdout.slice(end + 4) };
}

const sdp = 'application/sdp', fragmentType = 'application/trickle-ice-sdpfrag';
const post = (path, body, headers) => curl('POST', server.origin + path, { type: sdp, body, headers });
const fragment = (ufrag, pwd, candidate = '') => `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n${candidate}`;

async function expectError(response, status, code) {
  assert.equal(response.status, status, response.text);
  const { error } = JSON.parse(response.text);
  assert.equal(error.code, code);
  assert.ok(error.message.length > 10, 'a sentence for people');
  assert.match(response.fields['content-type'], /^application\/json/);
  assert.equal(response.fields['access-control-allow-origin'], '*');
}

for (const [protocol, channel, direction] of [['whip', 'studio', 'sendonly'], ['whep', 'live', 'recvonly']]) {
  const endpoint = `/${protocol}/${channel}`;
  const offer = (options) => makeOffer({ direction, video: ['H264', 'VP8'], ...options });

  test(`${protocol}: a session from 201 to its end`, { timeout: 30_000 }, async () => {
    const sent = offer({ ufrag: 'peerufrag' });
    const created = await post(endpoint, sent);
    assert.equal(created.status, 201, created.text);
    assert.equal(created.fields['content-type'], sdp);
    assert.match(created.fields.location, new RegExp(`^${endpoint}/[0-9A-Za-z_-]{20,64}$`));
    assert.match(created.fields.etag, /^"[^"]+"$/);
    assert.equal(created.fields['accept-patch'], fragmentType);
    assert.equal(created.fields.link, '<stun:example.com:3478>; rel="ice-server"');
    assert.equal(created.fields['access-control-allow-origin'], '*');
    for (const name of ['etag', 'link', 'location']) assert.match(created.fields['access-control-expose-headers'], new RegExp(`\\b${name}\\b`));
    assert.match(created.text, /^v=0\r\n/);
    assert.match(created.text, /^a=ice-lite\r$/m);
    assert.equal(attributeOf(created.text, 'setup'), 'passive');
    assert.equal(created.text.match(/^m=/gm).length, 2, 'as many sections as were offered');

    const session = server.origin + created.fields.location, { etag } = created.fields;
    const patch = (body, headers, type = fragmentType) => curl('PATCH', session, { type, body, headers });
    const candidate = 'a=candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host\r\n';
    const pwd = attributeOf(sent, 'ice-pwd');
    assert.equal((await patch(fragment('peerufrag', pwd, candidate), { 'if-match': etag })).status, 204, 'trickle');
    assert.equal((await patch(fragment('peerufrag', pwd, candidate))).status, 204, 'trickle without If-Match');
    await expectError(await patch(fragment('peerufrag', pwd, candidate), { 'if-match': '"another"' }), 412, 'precondition_failed');
    await expectError(await patch(fragment('otherufrag', 'x'.repeat(24))), 428, 'precondition_required');
    await expectError(await patch('this is no fragment', { 'if-match': etag }), 400, 'bad_fragment');
    await expectError(await patch('', { 'if-match': etag }), 400, 'bad_fragment');
    await expectError(await patch(fragment('a', 'b'), { 'if-match': 'no-quotes' }), 400, 'bad_if_match');
    await expectError(await patch(fragment('peerufrag', pwd), {}, sdp), 415, 'unsupported_media_type');

    const restarted = await patch(fragment('otherufrag', 'y'.repeat(24)), { 'if-match': '*' });
    assert.equal(restarted.status, 200, restarted.text);
    assert.notEqual(restarted.fields.etag, etag);
    assert.equal(restarted.fields['content-type'], fragmentType);
    assert.notEqual(attributeOf(restarted.text, 'ice-ufrag'), attributeOf(created.text, 'ice-ufrag'));
    await expectError(await patch(fragment('third', 'z'.repeat(24)), { 'if-match': etag }), 412, 'precondition_failed');

    const role = protocol === 'whip' ? 'whep' : 'whip';
    await expectError(await curl('DELETE', session.replace(`/${protocol}/`, `/${role}/`)), 404, 'no_session');
    await expectError(await curl('DELETE', session.replace(channel, 'elsewhere')), 404, 'no_session');
    assert.equal((await curl('DELETE', session)).status, 200);
    await expectError(await curl('DELETE', session), 404, 'no_session');
    await expectError(await patch(fragment('peerufrag', pwd)), 404, 'no_session');
  });

  test(`${protocol}: what is refused, and how`, { timeout: 30_000 }, async () => {
    await expectError(await post(endpoint, ''), 400, 'bad_offer');
    await expectError(await post(endpoint, 'v=0'), 400, 'bad_offer');
    await expectError(await post(endpoint, offer().replace(/a=fingerprint.*\r\n/g, '')), 400, 'bad_offer');
    await expectError(await post(endpoint, offer(), { authorization: 'Bearer a b' }), 400, 'bad_authorization');
    await expectError(await post(endpoint, 'x'.repeat(70_000)), 413, 'body_too_large');
    await expectError(await post(endpoint, offer({ video: ['H261'], audio: false })), 406, 'no_common_codec');
    await expectError(await post(endpoint, offer(), { accept: 'text/html' }), 406, 'not_acceptable');
    await expectError(await curl('POST', server.origin + endpoint, { type: 'text/plain', body: offer() }), 415, 'unsupported_media_type');
    await expectError(await post(endpoint, offer(), { 'content-encoding': 'gzip' }), 415, 'unsupported_media_type');
    await expectError(await post(endpoint, offer({ direction: direction === 'sendonly' ? 'recvonly' : 'sendonly' })), 422, 'unprocessable');
    await expectError(await post(`/${protocol}/no%20name`, offer()), 404, 'not_found');
    await expectError(await curl('DELETE', `${server.origin}${endpoint}/nobody`), 404, 'no_session');
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const refused = await curl(method, server.origin + endpoint);
      await expectError(refused, 405, 'method_not_allowed');
      assert.equal(refused.fields.allow, 'POST, OPTIONS');
    }
    assert.equal((await fetch(server.origin + endpoint, { method: 'HEAD' })).status, 405); // With -X HEAD, curl waits for a body.
    const refused = await post(`${endpoint}/session`, offer());
    await expectError(refused, 405, 'method_not_allowed');
    assert.equal(refused.fields.allow, 'PATCH, DELETE, OPTIONS');
  });

  test(`${protocol}: OPTIONS and CORS`, { timeout: 30_000 }, async () => {
    for (const [path, methods] of [[endpoint, 'POST, OPTIONS'], [`${endpoint}/session`, 'PATCH, DELETE, OPTIONS']]) {
      const { status, fields, text } = await curl('OPTIONS', server.origin + path);
      assert.equal(status, 204);
      assert.equal(text, '');
      assert.equal(fields.allow, methods);
      assert.equal(fields['access-control-allow-methods'], methods);
      assert.equal(fields['access-control-allow-origin'], '*');
      for (const name of ['authorization', 'content-type', 'if-match']) assert.ok(fields['access-control-allow-headers'].includes(name));
      assert.equal(fields['accept-post'] ?? fields['accept-patch'], path === endpoint ? sdp : fragmentType);
      // What a browser asks before a page of another origin may post.
      const wanted = 'authorization, content-type, if-match';
      const preflight = await curl('OPTIONS', server.origin + path, {
        headers: { origin: 'https://example.com', 'access-control-request-method': 'POST', 'access-control-request-headers': wanted },
      });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.fields['access-control-allow-origin'], '*');
      assert.equal(preflight.fields['access-control-allow-headers'], wanted);
      for (const method of methods.split(', ')) assert.ok(preflight.fields['access-control-allow-methods'].includes(method));
    }
  });
}

test('WHEP of a channel that is not live is 404 and says when to come back', { timeout: 30_000 }, async () => {
  const refused = await post('/whep/nobody', makeOffer({ direction: 'recvonly' }));
  await expectError(refused, 404, 'not_live');
  assert.ok(Number(refused.fields['retry-after']) > 0);
});

test('WHEP of H.264 for who has only VP8 is 406', { timeout: 30_000 }, async () => {
  await expectError(await post('/whep/live', makeOffer({ direction: 'recvonly', video: ['VP8'] })), 406, 'no_common_codec');
});

test('WHIP without a key, with a wrong one, with that of another channel, and with the right one', { timeout: 30_000 }, async () => {
  const key = /^key (\S+)\nsecret (\S+)/m.exec(await new Program('key', findProgram('stoa'), ['token', 'key', '--data', guarded.data, '--label', 'e2e']).success());
  const token = (await new Program('token', findProgram('stoa'), ['token', 'create', '--key', key[1], '--secret', key[2]]).success()).trim();
  const call = async (path, body) => {
    const response = await fetch(`${guarded.origin}/api/v1${path}`, {
      method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return response.json();
  };
  for (const name of ['studio', 'other']) await call('/channels', { name });
  const keys = { studio: (await call('/channels/studio/keys', {})).key, other: (await call('/channels/other/keys', {})).key };
  const attempt = (bearer) => curl('POST', `${guarded.origin}/whip/studio`, { type: sdp, body: makeOffer(), headers: bearer ? { authorization: `Bearer ${bearer}` } : {} });
  for (const wrong of [undefined, 'wrong']) {
    const refused = await attempt(wrong);
    await expectError(refused, 401, 'unauthorized');
    assert.match(refused.fields['www-authenticate'], /^Bearer/);
  }
  await expectError(await attempt(keys.other), 403, 'forbidden');
  const created = await attempt(keys.studio);
  assert.equal(created.status, 201, created.text);
  assert.equal(created.fields.link, undefined, 'no ICE servers were named');
  assert.equal((await curl('DELETE', guarded.origin + created.fields.location)).status, 200);
});
