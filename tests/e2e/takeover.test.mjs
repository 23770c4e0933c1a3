// Encoders come, go, hang and are replaced; viewers stay on one playlist.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { publishSource, recording } from './lib/encoder.mjs';
import { followParts, renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, readFrames } from './lib/media.mjs';
import { fetchMedia } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const graceSeconds = 6;
let server;
before(async () => {
  server = await Server.start({ args: ['--hls-grace', String(graceSeconds)] });
});
after(() => server?.stop());

// Whole segments from `from` on, until one of them shows `source` at its end.
async function framesUntilSource(url, from, source, name) {
  return until(`source ${source} is in ${url}`, async () => {
    const segments = (await fetchMedia(url)).segments.filter((one) => one.sequence >= from && !one.gap);
    if (segments.length === 0) return false;
    const frames = [];
    // Segments may belong to different init sections, so each is decoded by itself.
    for (const segment of segments) frames.push(...(await readFrames(await downloadSegments([segment], name))));
    return frames.at(-1).source === source && frames;
  }, { within: 20_000, every: 500 });
}

test('an encoder that reconnects takes over from its half-open predecessor in under a second', { timeout: 60_000 }, async () => {
  const first = publishSource(server.publishUrl('take-0'), { source: 1, label: 'first' });
  try {
    const { video } = await renditionsOf(server, 'take-0');
    await followParts(video, 3);
    first.signal('SIGSTOP'); // Its connection stays open and says nothing more.
    const file = await recording({ source: 2 });
    const began = Date.now();
    const second = new Program('second', findProgram('stoa-bench'), [
      'ingest', server.publishUrl('take'), file, '--publishers', '1', '--warmup', '0', '--seconds', '5',
    ]);
    await until('a part of the second is listed', async () => {
      const { segments, openDiscontinuity, openParts } = await fetchMedia(video);
      return segments.some((one) => one.discontinuity) || (openDiscontinuity && openParts.some((part) => !part.isGap));
    }, { every: 20 });
    const listed = Date.now() - began; // The start of the program is in it.
    assert.ok(listed < 1500, `its first part was listed after ${listed} ms`);
    const result = JSON.parse(await second.success());
    assert.ok(result.accepted_ms.max < 1000, `accepted after ${result.accepted_ms.max} ms`);
    assert.equal(result.still_publishing, 1);
    const playlist = await fetchMedia(video);
    assert.equal(playlist.hasEnded, false);
    const frames = await framesUntilSource(video, 0, 2, 'take');
    assert.deepEqual([...new Set(frames.map((one) => one.source))], [1, 2]);
  } finally {
    await first.stop('SIGKILL');
  }
});

test('a backup encoder takes over within two seconds on the same playlist', { timeout: 90_000 }, async () => {
  const picture = { keyframeSeconds: 0.5 };
  const main = publishSource(server.publishUrl('pair'), { ...picture, source: 1, label: 'main' });
  let backup;
  try {
    const { video } = await renditionsOf(server, 'pair');
    backup = publishSource(server.publishUrl('pair?priority=1'), { ...picture, source: 2, label: 'backup' });
    await until('both encoders are connected', async () => (await server.metric('stoa_rtmp_encoders')) >= 2);
    await followParts(video, 9);
    const { nextSequence } = await fetchMedia(video);
    main.signal('SIGSTOP');
    const frames = await framesUntilSource(video, nextSequence - 1, 2, 'pair');
    const turn = frames.findIndex((one) => one.source === 2);
    const away = frames[turn].clock - frames[turn - 1].clock;
    assert.equal(frames[turn - 1].source, 1);
    assert.ok(away <= 2000, `${away} ms between the last frame of the main encoder and the first of the backup`);
    assert.equal((await fetchMedia(video)).hasEnded, false);
  } finally {
    await main.stop('SIGKILL');
    await backup?.stop();
  }
});

test('a second encoder with the backup priority does not disturb the first', { timeout: 60_000 }, async () => {
  const main = publishSource(server.publishUrl('calm'), { source: 1, label: 'main' });
  let backup;
  try {
    const { video } = await renditionsOf(server, 'calm');
    backup = publishSource(server.publishUrl('calm?priority=1'), { source: 2, label: 'backup' });
    await until('both encoders are connected', async () => (await server.metric('stoa_rtmp_encoders')) >= 2);
    const { nextSequence } = await fetchMedia(video);
    const segments = await wholeSegments(video, 2, { from: nextSequence });
    const frames = await readFrames(await downloadSegments(segments, 'calm'));
    assert.ok(frames.every((one) => one.source === 1));
    assert.ok(segments.every((one) => !one.discontinuity));
  } finally {
    await backup?.stop();
    await main.stop();
  }
});

test('an encoder that comes back within the grace time continues the playlist, and after it the playlist ends', { timeout: 90_000 }, async () => {
  const first = publishSource(server.publishUrl('gone'), { source: 1, label: 'first' });
  let second;
  try {
    const { video } = await renditionsOf(server, 'gone');
    await wholeSegments(video, 1);
    await first.stop('SIGKILL');
    const before = await fetchMedia(video);
    second = publishSource(server.publishUrl('gone'), { source: 2, label: 'second' });
    const frames = await framesUntilSource(video, 0, 2, 'gone');
    const after = await fetchMedia(video);
    assert.equal(after.hasEnded, false);
    assert.ok(after.nextSequence > before.nextSequence - 1);
    assert.deepEqual([...new Set(frames.map((one) => one.source))], [1, 2]);

    await second.stop();
    const stopped = Date.now();
    const ended = await until('the playlist ends', async () => {
      const playlist = await fetchMedia(video);
      return playlist.hasEnded && playlist;
    }, { within: (graceSeconds + 10) * 1000, every: 200 });
    const took = (Date.now() - stopped) / 1000;
    assert.ok(took > graceSeconds - 2, `it ended after ${took} s`);
    assert.equal(ended.hint, null);
  } finally {
    await first.stop('SIGKILL');
    await second?.stop();
  }
});
