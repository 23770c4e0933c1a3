// A graceful stop: encoders read why, viewers get the end of the playlist, and half-made connections hold nothing up.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { renditionsOf } from './lib/follow.mjs';
import { fetchMedia } from './lib/playlist.mjs';
import { Program, findProgram, logs } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

test('a stop tells encoders why, ends playlists and does not wait for half-open connections', { timeout: 90_000 }, async () => {
  const clip = join(logs, `${process.pid}-shutdown.mp4`);
  await new Program('clip', 'ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=30', '-t', '6', '-g', '30', '-pix_fmt', 'yuv420p',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-movflags', 'frag_keyframe+empty_moov+default_base_moof', clip]).success();
  const server = await Server.start({ tls: true, shards: 2, args: ['--shutdown-grace', '30'] });
  const encoder = new Program('ertmp', findProgram('ertmp_source'), ['--url', server.publishUrl('show'), '--video', clip]);
  const sockets = [];
  try {
    const { video } = await renditionsOf(server, 'show');
    for (const address of [server.https, server.rtmps, server.rtmp, server.http]) {
      const socket = connect(Number(address.split(':').pop()), '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => {});
      await new Promise((resolve) => socket.on('connect', resolve));
    }
    const { nextSequence } = await fetchMedia(video);
    const last = fetch(`${video}?_HLS_msn=${nextSequence + 1}&_HLS_part=0`).then(async (response) => ({ status: response.status, text: await response.text() }));
    await until('the reload waits', async () => (await server.metric('stoa_hls_waiting')) > 0);
    const began = Date.now();
    server.program.signal('SIGTERM');
    const { status, text } = await last;
    assert.equal(status, 200);
    assert.match(text, /#EXT-X-ENDLIST/);
    await until('the encoder was told', () => encoder.status, { within: 10_000 });
    assert.match(encoder.log, /NetConnection\.Connect\.AppShutdown/);
    await until('the server has ended', () => server.program.status, { within: 20_000 });
    assert.deepEqual(server.program.status, { code: 0, signal: null });
    assert.ok(Date.now() - began < 8_000, `it took ${Date.now() - began} ms`);
  } finally {
    sockets.forEach((socket) => socket.destroy());
    await encoder.stop();
    await server.stop();
  }
});
