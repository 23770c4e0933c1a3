// The judge of playlists finds nothing wrong with a live run.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { publishSource } from './lib/encoder.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';

let server, encoder;
before(async () => {
  server = await Server.start({ shards: 2, tls: true });
  encoder = publishSource(server.publishUrl('show'));
  await server.untilWatchable('show');
});
after(async () => {
  await encoder?.stop();
  await server?.stop();
});

for (const scheme of ['http', 'https']) {
  test(`stoa check-hls finds no broken rule over ${scheme}`, { timeout: 90_000 }, async () => {
    const url = `${scheme}://${server[scheme]}/live/show/index.m3u8`;
    const judge = new Program('check-hls', findProgram('stoa'), ['check-hls', url, '--seconds', '15', '--insecure']);
    assert.match(await judge.success(60_000), / 0 failed/);
  });
}
