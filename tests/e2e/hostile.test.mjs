// Wrong keys, garbage, slow peers and floods are refused or bounded, and a running channel does not notice.
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { after, before, test } from 'node:test';
import { publishSource, recording } from './lib/encoder.mjs';
import { followParts, renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, readFrames } from './lib/media.mjs';
import { fetchMedia } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { pause, until } from './lib/until.mjs';

let server, encoder, video, files;
before(async () => {
  server = await Server.start({ args: ['--limits-rtmp-connections-per-address', '40'] });
  encoder = publishSource(server.publishUrl('calm'));
  ({ video } = await renditionsOf(server, 'calm'));
  files = server.use().openFiles;
});
after(async () => {
  await encoder?.stop();
  await server?.stop();
});

const portOf = (address) => Number(address.split(':').pop());
function connect(address) {
  const socket = createConnection(portOf(address), '127.0.0.1');
  socket.on('error', () => {}); // Being thrown out is what is expected.
  socket.resume();
  socket.closed_ = new Promise((resolve) => socket.on('close', resolve));
  socket.opened = new Promise((resolve) => socket.on('connect', resolve).on('close', resolve));
  return socket;
}

// Runs `trouble` and looks whether the channel's parts keep coming with every frame in its place.
async function undisturbed(trouble) {
  const { nextSequence } = await fetchMedia(video);
  const [{ longest }] = await Promise.all([followParts(video, 12, { patience: 1000 }), trouble()]);
  const segments = await wholeSegments(video, 2, { from: nextSequence });
  const frames = await readFrames(await downloadSegments(segments, 'calm'));
  frames.forEach(({ frame }, i) => assert.equal(frame, frames[0].frame + i));
  assert.ok(segments.every((one) => !one.discontinuity));
  return longest;
}

test('garbage on the RTMP and HTTP ports is thrown out and disturbs nobody', { timeout: 60_000 }, async () => {
  await undisturbed(async () => {
    const garbage = Buffer.alloc(200_000, 0);
    for (let i = 0, seed = 12345; i < garbage.length; ++i) garbage[i] = (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16;
    for (const address of [server.rtmp, server.http]) {
      const sockets = Array.from({ length: 10 }, () => connect(address));
      sockets.forEach((socket, i) => socket.write(garbage.subarray(i * 1000)));
      await Promise.all(sockets.map((socket) => socket.closed_));
    }
  });
});

test('peers that send a byte now and then, or never read, disturb nobody', { timeout: 60_000 }, async () => {
  await undisturbed(async () => {
    const slow = Array.from({ length: 10 }, () => connect(server.rtmp));
    const deaf = Array.from({ length: 10 }, () => connect(server.http));
    await Promise.all([...slow, ...deaf].map((socket) => socket.opened));
    for (const socket of deaf) {
      socket.pause();
      const request = `GET ${new URL(video).pathname} HTTP/1.1\r\nHost: x\r\n\r\n`;
      for (let i = 0; i < 200; ++i) socket.write(request);
    }
    for (let i = 0; i < 20; ++i) {
      for (const socket of slow) socket.write(Buffer.from([i === 0 ? 3 : 0]));
      await pause(100);
    }
    [...slow, ...deaf].forEach((socket) => socket.destroy());
  });
});

test('a flood of connections from one address is cut at its limit and disturbs nobody', { timeout: 60_000 }, async () => {
  await undisturbed(async () => {
    const flood = Array.from({ length: 200 }, () => connect(server.rtmp));
    await Promise.all(flood.map((socket) => socket.opened));
    await until('the surplus is closed', () => flood.filter((socket) => socket.destroyed || socket.readableEnded).length >= 150);
    flood.forEach((socket) => socket.destroy());
  });
  // The address gets its places back.
  const late = publishSource(server.publishUrl('late'), { label: 'late' });
  try {
    await server.untilWatchable('late');
  } finally {
    await late.stop();
  }
});

test('after all of this the server holds no more files than before it', { timeout: 30_000 }, async () => {
  await until('the sockets of the attackers are closed', async () => server.use().openFiles <= files + 5); // A few of our own requests may be open.
  assert.equal(await server.metric('stoa_rtmp_encoders'), 1);
});

test('a wrong key, a revoked key and a wrong app are refused', { timeout: 60_000 }, async () => {
  const guarded = await Server.start({ dev: false, label: 'guarded' });
  const file = await recording();
  const publish = (path) => new Program('attempt', findProgram('stoa-bench'), [
    'ingest', `rtmp://${guarded.rtmp}/${path}`, file, '--publishers', '1', '--warmup', '0', '--seconds', '1',
  ]);
  try {
    const made = /^key (\S+)\nsecret (\S+)/m.exec(await new Program('key', findProgram('stoa'), [
      'token', 'key', '--data', guarded.data, '--label', 'e2e',
    ]).success());
    assert.ok(made, '`stoa token key` prints an id and a secret');
    const token = (await new Program('token', findProgram('stoa'), ['token', 'create', '--key', made[1], '--secret', made[2]]).success()).trim();
    const call = async (method, path, body) => {
      const response = await fetch(`${guarded.origin}/api/v1${path}`, {
        method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
      assert.ok(response.ok, `${method} ${path}: ${response.status} ${response.ok ? '' : await response.text()}`);
      return response.status === 204 ? null : response.json();
    };
    await call('POST', '/channels', { name: 'studio' });
    const key = await call('POST', '/channels/studio/keys', {});
    await assert.rejects(publish('live/wrong').success(), /refused/);
    await assert.rejects(publish(`other/${key.key}`).success());
    // stoa-bench ingest puts "-0" behind the key, which makes it a wrong one; the right one goes by ffmpeg.
    const right = publishSource(guarded.publishUrl(key.key), { label: 'right' });
    try {
      await guarded.untilWatchable('studio');
      await call('DELETE', `/channels/studio/keys/${key.id}`);
      await until('the encoder with the revoked key is thrown out', () => right.status, { within: 10_000 });
    } finally {
      await right.stop();
    }
    assert.ok((await guarded.metric('stoa_publish_refused_total')) >= 2);

    const keys = (...words) => new Program('keys', findProgram('stoa'), ['token', ...words, '--data', guarded.data]).success();
    assert.match(await keys('list'), new RegExp(`^${made[1]} valid \\* e2e$`, 'm'));
    await keys('revoke', '--key', made[1]);
    await assert.rejects(call('GET', '/channels'), /401/);
    assert.match(await keys('list'), new RegExp(`^${made[1]} revoked`, 'm'));
    await assert.rejects(keys('revoke', '--key', made[1]), /no valid API key/);
  } finally {
    await guarded.stop();
  }
});
