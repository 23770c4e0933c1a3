// Bad tokens, garbage, floods and clients that say nothing: a meeting beside them goes on, everything is counted,
// and nothing of it stays.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  AddTrackRequest, JoinRequest, SessionDescription, SignalRequest, SignalResponse, TrackSource, TrackType, UpdateParticipantMetadata, UpdateSubscription, WrappedJoinRequest,
} from '@livekit/protocol';
import WebSocket from 'ws';
import { apiKey, apiSecret, makeToken, seeEachOther, useMeetings } from './lib/rooms.mjs';
import { pause, until } from './lib/until.mjs';

const memoryMayGrow = 200 << 20; // Bytes; sanitizers and allocators keep some of what was freed.
const meetings = await useMeetings({ stay: true });
const { server } = meetings;
let anna, ben, memory, files;
before(async () => {
  [anna, ben] = [await meetings.join('anna', 'calm', { isSingle: true }), await meetings.join('ben', 'calm', { isSingle: false })];
  await anna.showPicture({ source: 1, width: 320, height: 180, fps: 10 });
  await ben.showPicture({ source: 2, width: 320, height: 180, fps: 10 });
  await seeEachOther(anna, ben);
  memory = server.use().residentBytes;
  files = server.use().openFiles;
});

const losses = new Set(['reconnecting', 'signalReconnecting', 'disconnected', 'trackUnsubscribed']);
// Runs `trouble` while the meeting goes on, and looks whether it does.
async function undisturbed(trouble) {
  const facts = async () => [await anna.told(), await ben.told()].map((all) => all.filter(({ what }) => losses.has(what)).length);
  const before_ = await facts();
  await trouble();
  await seeEachOther(anna, ben);
  assert.deepEqual(await facts(), before_, 'nobody in the meeting lost anything');
  const grown = server.use().residentBytes - memory;
  assert.ok(grown < memoryMayGrow, `the server has ${Math.round(grown / 2 ** 20)} MB more than before`);
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
// A token of these very claims.
function sign(claims, { key = apiKey, secret = apiSecret, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const text = `${part(header)}.${part({ iss: key, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
const now = () => Math.floor(Date.now() / 1000);
const validate = async (token, path = '/rtc/validate', query = '') => {
  const response = await fetch(`${server.origin}${path}?access_token=${encodeURIComponent(token)}${query}`);
  return { status: response.status, text: await response.text() };
};

// A client that says what it is told to.
async function openSignal(identity, room, { query = '', path = '/rtc' } = {}) {
  const token = await makeToken(identity, room);
  const socket = new WebSocket(`${meetings.url}${path}?access_token=${token}&protocol=17&auto_subscribe=1&sdk=js&version=2.23.0${query}`);
  const heard = [];
  const client = {
    socket, heard, code: null,
    send: (request) => socket.send(request.toBinary()),
    say: (name, value) => socket.send(new SignalRequest({ message: { case: name, value } }).toBinary()),
    untilHeard: (name, judge = () => true) => until(`${identity} hears ${name}`, () => heard.find(({ message }) => message.case === name && judge(message.value))?.message.value),
    count: (name) => heard.filter(({ message }) => message.case === name).length,
    close: () => socket.terminate(),
  };
  socket.on('message', (data, isBinary) => heard.push(isBinary ? SignalResponse.fromBinary(data) : SignalResponse.fromJsonString(String(data))));
  socket.on('close', (code) => (client.code = code));
  socket.on('error', () => {});
  await client.untilHeard('join');
  return client;
}
// As a program that does not read either.
function sendUpgrade(path) {
  const { port } = new URL(server.origin);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  return socket;
}

test('every bad token is refused with its reason', { timeout: 30_000 }, async () => {
  const video = { roomJoin: true, room: 'calm' };
  const good = { sub: 'eve', exp: now() + 60, video };
  const cases = [
    [sign(good), 200, /^success$/],
    ['', 401, /no token/],
    ['nonsense', 401, /invalid token/],
    ['a.b.c', 401, /invalid token/],
    [sign(good, { secret: 'another secret that is long enough too' }), 401, /invalid token/],
    [sign(good, { key: 'nobody' }), 401, /invalid token/],
    [sign(good, { header: { alg: 'none' } }), 401, /invalid token/],
    [sign(good, { header: { alg: 'HS512' } }), 401, /invalid token/],
    [`${part({ alg: 'none' })}.${part({ iss: apiKey, ...good })}.`, 401, /invalid token/],
    [sign({ ...good, exp: now() - 3600 }), 401, /invalid token/],
    [sign({ ...good, exp: undefined }), 401, /invalid token/],
    [sign({ ...good, nbf: now() + 3600 }), 401, /invalid token/],
    [sign({ ...good, video: { room: 'calm' } }), 401, /join/],
    [sign({ ...good, video: 'everything' }), 401, /claims/],
    [sign({ ...good, video: { ...video, room: 7 } }), 401, /claims/],
    [sign({ ...good, sub: undefined }), 400, /nobody/],
    [sign({ ...good, sub: 'x'.repeat(300) }), 401, /invalid token/],
    [sign({ ...good, metadata: 'x'.repeat(70_000) }), 401, /claims|long/],
    [sign({ ...good, video: { ...video, room: 'a/b' } }), 400, /name/],
    [sign({ ...good, video: { ...video, room: 'x'.repeat(200) } }), 400, /name|limit/],
  ];
  const wrong = [];
  for (const [i, [token, status, text]] of cases.entries()) {
    for (const path of ['/rtc/validate', '/rtc/v1/validate']) {
      const query = path.includes('v1') ? `&join_request=${Buffer.from(new WrappedJoinRequest({ joinRequest: new JoinRequest({ metadata: 'm' }).toBinary() }).toBinary()).toString('base64url')}` : '';
      const found = await validate(token, path, query);
      const isLong = token.length > 60_000 && [400, 414, 431].includes(found.status);
      if (!isLong && (found.status !== status || !text.test(found.text))) wrong.push(`${i} ${path}: ${found.status} ${found.text}, wanted ${status} ${text}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.equal((await validate(sign(good), '/rtc')).status, 404, 'not a WebSocket');
  assert.ok((await server.metric('stoa_room_joins_refused_total')) >= cases.length);
});

test('requests to join that are too large or do not read are refused', { timeout: 30_000 }, async () => {
  const token = await makeToken('eve', 'calm');
  const ask = async (bytes) => (await validate(token, '/rtc/v1/validate', `&join_request=${Buffer.from(bytes).toString('base64url')}`)).status;
  const gzip = (bytes) => new WrappedJoinRequest({ compression: 1, joinRequest: gzipSync(bytes) }).toBinary();
  await undisturbed(async () => {
    assert.equal(await ask(randomBytes(500)), 400);
    assert.equal(await ask(gzip(Buffer.alloc(8 << 20))), 400);
    assert.equal(await ask(new WrappedJoinRequest({ compression: 1, joinRequest: randomBytes(500) }).toBinary()), 400);
    assert.ok([400, 414, 431].includes(await ask(randomBytes(1 << 20))));
    assert.equal((await validate(token, '/rtc/v1/validate')).status, 400);
  });
});

test('frames that do not read are counted and passed over', { timeout: 45_000 }, async () => {
  const eve = await openSignal('eve', 'calm');
  const refused = await server.metric('stoa_room_signal_refused_total');
  await undisturbed(async () => {
    for (let i = 0; i < 100; ++i) eve.socket.send(randomBytes(1 + i * 10));
    for (const text of ['{', 'null', '[]', '{"nothing":{}}', '{"offer":7}', '\u0000', '{"ping":'.repeat(50)]) eve.socket.send(text);
    await until('they are counted', async () => (await server.metric('stoa_room_signal_refused_total')) >= refused + 50);
  });
  assert.equal(eve.code, null, 'it is still there');
  eve.say('ping', BigInt(Date.now()));
  await eve.untilHeard('pong');
  eve.socket.send(randomBytes(4 << 20)); // Longer than any frame may be.
  await until('it is sent away', () => eve.code !== null);
});

test('a flood of messages ends who sends it', { timeout: 60_000 }, async () => {
  await undisturbed(async () => {
    const floods = [
      (one, i) => one.say('ping', BigInt(i)),
      (one, i) => one.say('updateMetadata', new UpdateParticipantMetadata({ metadata: `m${i}`.repeat(2000), requestId: i })),
      (one, i) => one.say('subscription', new UpdateSubscription({ trackSids: Array.from({ length: 200 }, (_, j) => `TR_${i}_${j}`), subscribe: true })),
      (one) => one.say('mute', { sid: 'TR_none', muted: true }),
      (one) => one.say('simulate', { scenario: { case: 'speakerUpdate', value: 2 ** 31 - 1 } }),
    ];
    await Promise.all(floods.map(async (flood, number) => {
      const one = await openSignal(`flood${number}`, 'calm');
      for (let i = 0; i < 5000 && one.socket.readyState === WebSocket.OPEN; ++i) {
        flood(one, i);
        if (i % 100 === 99) await pause(1);
      }
      await until(`flood ${number} is over`, () => one.code !== null);
      assert.ok([1008, 1006].includes(one.code), `${one.code}`); // What was not read yet may break the connection.
    }));
  });
  assert.ok((await server.metric('stoa_room_signal_floods_total')) >= 5);
});

test('one thousand tracks are not taken', { timeout: 60_000 }, async () => {
  const eve = await openSignal('tracks', 'calm');
  await undisturbed(async () => {
    for (let i = 0; i < 1000 && eve.code === null; ++i) {
      eve.say('addTrack', new AddTrackRequest({ cid: `cid${i}`, name: 'x', type: i % 2 ? TrackType.AUDIO : TrackType.VIDEO, source: i % 2 ? TrackSource.MICROPHONE : TrackSource.CAMERA }));
      if (i % 40 === 39) await pause(1000); // Not a flood.
    }
    await until('the rest is refused', () => eve.count('requestResponse') + eve.count('trackPublished') >= 1000 || eve.code !== null);
  });
  assert.ok(eve.count('trackPublished') <= 16, `${eve.count('trackPublished')} were taken`);
  assert.ok(eve.count('requestResponse') > 900);
  eve.close();
});

test('offers that are garbage or giant are refused', { timeout: 60_000 }, async () => {
  const refused = await server.metric('stoa_room_descriptions_refused_total');
  const sections = (count) => ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=ice-ufrag:abcd', `a=ice-pwd:${'x'.repeat(24)}`, `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
    ...Array.from({ length: count }, (_, i) => `m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:${i}\r\na=sendonly\r\na=setup:actpass\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000`), ''].join('\r\n');
  const texts = ['', 'garbage', randomBytes(2000).toString('latin1'), 'v=0\r\n'.repeat(1000), sections(1).replaceAll('\r\n', ''), sections(5000), `${sections(1)}${'a=candidate:x\r\n'.repeat(20_000)}`,
    sections(2).replace('a=mid:1', 'a=mid:0'), sections(1).replace(/a=fingerprint.*\r\n/, ''), sections(1).replace('96', '9999999999'), 'x'.repeat(400_000)];
  await undisturbed(async () => {
    for (const [i, sdp] of texts.entries()) {
      for (const name of ['offer', 'answer']) {
        const eve = await openSignal(`offer${i}${name}`, 'calm');
        const { id } = await eve.untilHeard('offer');
        eve.say(name, new SessionDescription({ type: name, sdp, id }));
        eve.say('trickle', { candidateInit: sdp.slice(0, 10_000), target: 0 });
        eve.say('ping', 1n);
        await until('it is dealt with', () => eve.count('pong') > 0 || eve.code !== null || eve.count('leave') > 0);
        eve.close();
      }
    }
  });
  // One is longer than a frame may be.
  const count = (await server.metric('stoa_room_descriptions_refused_total')) - refused;
  assert.ok(count >= 2 * (texts.length - 1), `${count} were refused`);
});

test('data that is garbage, much or large does no harm', { timeout: 60_000 }, async () => {
  const eve = await meetings.join('eve', 'calm');
  await eve.untilAnswers('self', [], ({ others }) => others.includes('anna'));
  await eve.say('open'); // Its channels are there from here on.
  await ben.untilTold('dataReceived', ({ text }) => text === 'open');
  const refused = await server.metric('stoa_room_data_refused_total');
  await undisturbed(() => eve.page.evaluate(async () => {
    const { engine } = window.room;
    const channels = [engine.dataChannelForKind(0), engine.dataChannelForKind(1)];
    const bytes = (length) => crypto.getRandomValues(new Uint8Array(length));
    for (const channel of channels) {
      for (let i = 0; i < 300; ++i) channel.send(bytes(1 + i));
      for (let i = 0; i < 20; ++i) channel.send(bytes(60_000));
    }
    const large = 'x'.repeat(14_000);
    for (let i = 0; i < 500; ++i) await window.tools.say(large, { reliable: i % 2 === 0, topic: 'bomb' }).catch(() => undefined);
    await window.room.localParticipant.publishData(new Uint8Array(200_000), { reliable: true }).catch(() => undefined);
  }));
  await until('garbage is counted', async () => (await server.metric('stoa_room_data_refused_total')) > refused);
  await eve.leave();
});

test('sockets that never send, and participants that never connect their media, do not stay', { timeout: 120_000 }, async () => {
  const path = `/rtc?access_token=${await makeToken('silent', 'calm')}&protocol=17`;
  const sockets = Array.from({ length: 200 }, (_, i) => {
    if (i % 2) return sendUpgrade(`${path}&x=${i}`); // All of one identity: each takes the other's place.
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(i % 4 ? 'GET /rtc HTTP/1.1\r\n' : '');
    return socket;
  });
  const silent = await Promise.all(Array.from({ length: 50 }, (_, i) => openSignal(`silent${i}`, `empty${i}`)));
  await undisturbed(() => until('they have come', async () => (await server.metric('stoa_room_participants')) >= 52));
  sockets.forEach((socket) => socket.destroy());
  silent.forEach((one) => one.close());
  await until('they are gone', async () => (await server.metric('stoa_room_participants')) <= 2 || Promise.reject(new Error(String(await server.metric('stoa_room_participants')))), { within: 60_000, every: 500 });
});

test('nothing stays', { timeout: 60_000 }, async () => {
  await undisturbed(async () => {});
  assert.deepEqual((await meetings.api.listParticipants('calm')).map(({ identity }) => identity).sort(), ['anna', 'ben']);
  await until('files are closed', () => server.use().openFiles <= files + 10, { within: 30_000 });
});
