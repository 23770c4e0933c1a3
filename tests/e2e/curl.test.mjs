// curl speaks HTTP/2 with the server, with prior knowledge and through TLS.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { publishSource } from './lib/encoder.mjs';
import { renditionsOf } from './lib/follow.mjs';
import { fetchMedia } from './lib/playlist.mjs';
import { Program } from './lib/program.mjs';
import { Server } from './lib/server.mjs';

let server, encoder;
before(async () => {
  server = await Server.start({ tls: true });
  encoder = publishSource(server.publishUrl('show'));
  await server.untilWatchable('show');
});
after(async () => {
  await encoder?.stop();
  await server?.stop();
});

const curl = (...args) => new Program('curl', 'curl', ['-sS', '--max-time', '10', ...args]).success(15_000);
const secure = (url) => url.replace(server.origin, `https://${server.https}`);

test('curl gets a playlist over HTTP/2 with prior knowledge', { timeout: 30_000 }, async () => {
  const answer = await curl('--http2-prior-knowledge', '-i', server.playlistUrl('show'));
  assert.match(answer, /^HTTP\/2 200/);
  assert.match(answer, /^content-type: application\/vnd\.apple\.mpegurl/im);
  assert.match(answer, /#EXTM3U/);
});

test('curl gets a playlist over HTTP/2 through TLS, chosen by ALPN', { timeout: 30_000 }, async () => {
  const answer = await curl('--insecure', '-i', secure(server.playlistUrl('show')));
  assert.match(answer, /^HTTP\/2 200/);
  assert.match(answer, /#EXTM3U/);
});

test('a client without HTTP/2 is served over TLS with HTTP/1.1', { timeout: 30_000 }, async () => {
  const answer = await curl('--insecure', '--http1.1', '-i', secure(server.playlistUrl('show')));
  assert.match(answer, /^HTTP\/1\.1 200/);
});

test('a blocked reload and the hinted part wait side by side on one HTTP/2 connection', { timeout: 30_000 }, async () => {
  const { video } = await renditionsOf(server, 'show');
  const playlist = await fetchMedia(video);
  const reloadUrl = `${video}?_HLS_msn=${playlist.nextSequence}&_HLS_part=${playlist.openParts.length}`;
  const format = '%{http_version} %{http_code} %{num_connects} %{size_download}\\n';
  const answer = await curl('--http2-prior-knowledge', '--parallel', '--parallel-immediate', '--compressed', '-w', format,
    '-o', '/dev/null', reloadUrl, '-o', '/dev/null', playlist.hint);
  // The progress meter of --parallel shares the output.
  const rows = answer.split(/[\r\n]/).map((row) => row.trim().split(' ')).filter((row) => row.length === 4 && row.every((one) => /^\d+$/.test(one)));
  assert.equal(rows.length, 2);
  for (const [version, code, , size] of rows) {
    assert.equal(version, '2');
    assert.equal(code, '200');
    assert.ok(Number(size) > 0);
  }
});

test('playlists come compressed to those who take gzip, and are the same inside', { timeout: 30_000 }, async () => {
  const { video } = await renditionsOf(server, 'show');
  const headers = await curl('--http2-prior-knowledge', '-D', '-', '-o', '/dev/null', '-H', 'Accept-Encoding: gzip', video);
  assert.match(headers, /^content-encoding: gzip/im);
  assert.match(headers, /^vary:.*accept-encoding/im);
  assert.match(await curl('--http2-prior-knowledge', '--compressed', video), /^#EXTM3U/);
});
