// Garbage, floods, broken offers and clients that never come back: others are not disturbed, everything is
// counted, and nothing of it stays.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import { after, before, test } from 'node:test';
import { attributeOf, candidateOf, makeOffer } from './lib/offer.mjs';
import { Peer } from './lib/peer.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const abandonedOffers = 300;
let server, publisher, viewer, rtc, files, memory, abandonedAt;
before(async () => {
  server = await Server.start();
  publisher = new Peer('wrtc', 'publish', `${server.origin}/whip/calm`, { video: 'VP8' });
  await until('the channel is live', () => server.live('calm'), { within: 20_000 });
  viewer = new Peer('wrtc', 'watch', `${server.origin}/whep/calm`);
  await viewer.until('sees frames', ({ video }) => video >= 30);
  files = server.use().openFiles;
});
after(async () => {
  await viewer?.stop();
  await publisher?.stop();
  await server?.stop();
});

const post = (path, body) => fetch(server.origin + path, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body });

// Runs `trouble` and looks whether the viewer goes on seeing frames, in order.
async function undisturbed(trouble) {
  const before_ = viewer.facts;
  await trouble();
  const seen = await viewer.until('goes on', ({ video, audio }) => video >= before_.video + 45 && audio >= before_.audio + 50, 15_000);
  const video = seen.video - before_.video;
  assert.equal(seen.backwards, before_.backwards);
  assert.ok(seen.unread - before_.unread <= video * 0.1, `${seen.unread - before_.unread} of ${video} frames are unreadable`);
}

async function sendAll(count, makeDatagram) {
  const socket = createSocket('udp4');
  socket.on('error', () => {});
  for (let i = 0; i < count; ++i) {
    await new Promise((resolve) => socket.send(makeDatagram(i), rtc.port, rtc.address, resolve));
  }
  socket.close();
}

test('offers whose clients never come are answered, and are sessions for the time being', { timeout: 30_000 }, async () => {
  await undisturbed(async () => {
    for (let i = 0; i < abandonedOffers; i += 20) {
      const responses = await Promise.all(Array.from({ length: 20 }, (_, j) => {
        const isViewer = (i + j) % 2 === 0;
        return post(isViewer ? '/whep/calm' : '/whip/abandoned', makeOffer({ direction: isViewer ? 'recvonly' : 'sendonly', ufrag: `left${i + j}` }));
      }));
      for (const response of responses) {
        assert.equal(response.status, 201);
        rtc = candidateOf(await response.text());
      }
    }
    abandonedAt = Date.now();
    assert.equal(await server.metric('stoa_webrtc_sessions'), abandonedOffers + 2);
  });
  assert.equal(await server.live('abandoned'), undefined, 'an offer alone puts nothing on the air');
});

test('garbage on the media port is counted and disturbs nobody', { timeout: 30_000 }, async () => {
  const unknown = await server.metric('stoa_webrtc_datagrams_refused_total');
  await undisturbed(() => sendAll(3000, (i) => {
    const bytes = randomBytes(1 + (i * 37) % 1400);
    // Every first byte that means something (RFC 7983) and others.
    bytes[0] = [0, 1, 20, 22, 23, 128, 144, 191, 200, 255][i % 10];
    return bytes;
  }));
  const refused = (await server.metric('stoa_webrtc_datagrams_refused_total')) - unknown;
  assert.ok(refused + (await server.metric('stoa_webrtc_datagrams_received_total', { kind: 'unknown' })) >= 1000, `${refused} refused`);
});

// A binding request without the code that only the peer can make.
function stunRequest(username) {
  const name = Buffer.from(username), padded = Buffer.alloc((name.length + 3) & ~3);
  name.copy(padded);
  const head = Buffer.alloc(24);
  head.writeUInt16BE(0x0001, 0);
  head.writeUInt16BE(4 + padded.length + 24, 2);
  head.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(head, 8);
  head.writeUInt16BE(0x0006, 20);
  head.writeUInt16BE(name.length, 22);
  return Buffer.concat([head, padded, Buffer.from([0, 8, 0, 20]), randomBytes(20)]);
}

test('floods of STUN for sessions that are not there, or with a wrong code, change nothing', { timeout: 30_000 }, async () => {
  const before_ = { unknown: await server.metric('stoa_webrtc_datagrams_refused_total', { reason: 'unknown_ufrag' }), connected: await server.metric('stoa_webrtc_sessions_connected_total') };
  const created = await post('/whep/calm', makeOffer({ direction: 'recvonly', ufrag: 'known' }));
  const ufrag = attributeOf(await created.text(), 'ice-ufrag');
  await undisturbed(() => sendAll(4000, (i) => stunRequest(i % 2 === 0 ? `nobody${i}:me` : `${ufrag}:known`)));
  await until('they are counted', async () => (await server.metric('stoa_webrtc_datagrams_refused_total', { reason: 'unknown_ufrag' })) >= before_.unknown + 1000);
  assert.equal(await server.metric('stoa_webrtc_sessions_connected_total'), before_.connected);
  assert.equal((await fetch(new URL(created.headers.get('location'), server.origin), { method: 'DELETE' })).status, 200);
});

test('thousands of broken offers are refused and disturb nobody', { timeout: 60_000 }, async () => {
  const whole = makeOffer({ video: ['H264', 'VP8'] });
  const sessions = await server.metric('stoa_webrtc_sessions_opened_total');
  const seen = {};
  await undisturbed(async () => {
    for (let i = 0; i < 2000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, j) => {
        const bytes = Buffer.from(whole), at = (i + j) % 7;
        let body;
        if (at < 3) body = bytes.subarray(0, 1 + ((i + j) * 31) % 120); // Cut off before its first section.
        else if (at < 5) body = randomBytes(1 + ((i + j) * 53) % 3000);
        else if (at < 6) body = whole.replace(/a=ice-pwd.*\r\n/g, '');
        else body = `v=0\r\n${'m=video 9 UDP/TLS/RTP/SAVPF 96\r\n'.repeat(200)}`;
        const { status } = await post('/whip/broken', body);
        seen[status] = (seen[status] ?? 0) + 1;
      }));
    }
  });
  assert.deepEqual(Object.keys(seen).filter((status) => !['400', '406', '422'].includes(status)), [], JSON.stringify(seen));
  assert.equal(await server.metric('stoa_webrtc_sessions_opened_total'), sessions);
});

test('offers that come a byte now and then, and TCP peers that say nothing, disturb nobody', { timeout: 30_000 }, async () => {
  const portOf = (address) => Number(address.split(':').pop());
  const connect = (port) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    return socket;
  };
  const slow = Array.from({ length: 20 }, () => connect(portOf(server.http)));
  const silent = Array.from({ length: 20 }, () => connect(rtc.port));
  slow.forEach((socket) => socket.write('POST /whip/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 4000\r\n\r\n'));
  silent.forEach((socket, i) => i % 2 === 0 && socket.write(randomBytes(500)));
  try {
    await undisturbed(async () => {
      const began = viewer.facts.video;
      for (let i = 0; i < 10; ++i) {
        slow.forEach((socket) => socket.write('v'));
        await viewer.until('sees on', ({ video }) => video >= began + i * 3);
      }
    });
  } finally {
    [...slow, ...silent].forEach((socket) => socket.destroy());
  }
});

test('sessions without a client are gone when their time is over, and nothing of them is left', { timeout: 60_000 }, async () => {
  await until('only the two are left', async () => (await server.metric('stoa_webrtc_sessions')) === 2, { within: 45_000, every: 200 });
  assert.ok(Date.now() - abandonedAt < 45_000);
  assert.ok((await server.metric('stoa_webrtc_sessions_closed_total', { reason: 'no_path' })) >= abandonedOffers);
  await until('the sockets are closed', () => server.use().openFiles <= files + 5); // A few of our own requests may be open.
  // As many again: they live in the memory of those before them.
  memory = server.use().residentBytes;
  const created = [];
  for (let i = 0; i < abandonedOffers; i += 20) {
    created.push(...await Promise.all(Array.from({ length: 20 }, async () => {
      const response = await post('/whep/calm', makeOffer({ direction: 'recvonly' }));
      assert.equal(response.status, 201);
      await response.text();
      return new URL(response.headers.get('location'), server.origin);
    })));
  }
  for (const session of created) assert.equal((await fetch(session, { method: 'DELETE' })).status, 200);
  assert.equal(await server.metric('stoa_webrtc_sessions'), 2);
  const grown = server.use().residentBytes - memory;
  assert.ok(grown < 8 << 20, `grew by ${grown} bytes`);
  await undisturbed(async () => {});
});
