// A channel is transcoded: renditions that begin segments with the same picture, a browser that changes between
// them, a worker that dies.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { judgeFrames, launchChromium, shownFrames, watchFromStart } from './lib/browser.mjs';
import { publishSource } from './lib/encoder.mjs';
import { wholeSegments } from './lib/follow.mjs';
import { downloadSegments, readFrames } from './lib/media.mjs';
import { fetchMedia, fetchMultivariant } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const source = { width: 640, height: 360, videoKbps: 1200 };
const fps = 30;
let server, encoder, reordered;
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'standard', '--transcode-workers', '4'] });
  encoder = publishSource(server.publishUrl('show'), source);
  await server.untilWatchable('show');
});
after(async () => {
  await encoder?.stop();
  await reordered?.stop();
  await server?.stop();
});

// By their names in the playlist: "v0" is the source.
async function variantsOf(channel) {
  const { variants } = await fetchMultivariant(server.playlistUrl(channel));
  return Object.fromEntries(variants.map((one) => [/([^/]+)\.m3u8$/.exec(one.url)[1], one]));
}

test('the first playlist offers the source and the rungs below it', { timeout: 60_000 }, async () => {
  const variants = await variantsOf('show');
  assert.deepEqual(Object.keys(variants).sort(), ['240p30', 'v0']);
  assert.equal(variants['240p30'].RESOLUTION, '426x240');
  assert.equal(variants.v0.RESOLUTION, '640x360');
  assert.equal(variants['240p30'].AUDIO, variants.v0.AUDIO);
});

for (const [channel, bFrames] of [['show', 0], ['reordered', 2]]) {
  test(`segments of all renditions of "${channel}" hold the same pictures at the same times`, { timeout: 90_000 }, async () => {
    if (bFrames) {
      reordered = publishSource(server.publishUrl(channel), { ...source, bFrames, preset: 'veryfast' });
      await server.untilWatchable(channel);
    }
    const variants = await variantsOf(channel);
    const segments = await wholeSegments(variants['240p30'].url, 3);
    const from = segments[0].sequence;
    assert.ok(from <= 1, `the rung begins with segment ${from}`);
    const pictures = { v0: [], '240p30': [] };
    for (const name of Object.keys(pictures)) {
      for (const segment of await wholeSegments(variants[name].url, 3, { from })) {
        const frames = await readFrames(await downloadSegments([segment], `${channel}-${name}-${segment.sequence}`));
        // From the first on: ffmpeg moves pictures with negative composition offsets by the largest of them.
        pictures[name].push({ sequence: segment.sequence, frames: frames.map(({ frame, time }) => `${frame} at ${(time - frames[0].time).toFixed(3)}`) });
      }
    }
    assert.deepEqual(pictures['240p30'], pictures.v0);
    assert.ok(pictures.v0.every(({ frames }) => frames.length >= fps), 'whole segments');
  });
}

test('stoa check-hls finds no broken rule', { timeout: 60_000 }, async () => {
  const judge = new Program('check-transcode', findProgram('stoa'), ['check-hls', server.playlistUrl('show'), '--seconds', '12']);
  assert.match(await judge.success(50_000), / 0 failed/);
});

for (const channel of ['show', 'reordered']) {
  test(`Chromium changes between the renditions of "${channel}" and shows the right frames in order`, { timeout: 120_000 }, () => changeRenditions(channel));
}

async function changeRenditions(channel) {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await watchFromStart(page);
    await page.goto(server.watchUrl(channel));
    await until('60 frames are shown', async () => (await shownFrames(page)).length >= 60, { within: 30_000 });
    for (const height of [240, 360, 240, 360]) {
      await page.evaluate((wanted) => {
        const { hls } = window.stoa;
        hls.nextLevel = hls.levels.findIndex((level) => level.height === wanted);
      }, height);
      await until(`pictures are ${height} lines high`, () => page.evaluate((wanted) => window.stoa.video.videoHeight === wanted, height), { within: 20_000 });
      const before = (await shownFrames(page)).length;
      await until('60 more frames are shown', async () => (await shownFrames(page)).length >= before + 60, { within: 20_000 });
    }
    const shown = await shownFrames(page);
    assert.deepEqual(judgeFrames(shown.slice(10), { fps, minimum: 250 }), []);
  } finally {
    await browser.close();
  }
}

test('a worker that is killed is started anew and its rendition goes on', { timeout: 60_000 }, async () => {
  const { '240p30': rung, v0 } = await variantsOf('show');
  const [first] = server.workers('show');
  assert.ok(first, 'a worker runs');
  const { nextSequence } = await fetchMedia(rung.url);
  const killed = Date.now();
  process.kill(first, 'SIGKILL');
  // Where the slate begins there may be a gap before it, or none.
  await until('the rendition has the slate, and then the program again', async () => {
    const { segments } = await fetchMedia(rung.url);
    const breaks = segments.filter(({ sequence, discontinuity }) => sequence >= nextSequence && discontinuity);
    return breaks.length >= 2 && !segments.at(-1).gap && segments.at(-1).parts.every((part) => !part.isGap);
  }, { within: 15_000 });
  const took = Date.now() - killed;
  assert.ok(took < 10_000, `it took ${took} ms`);
  assert.ok(server.workers('show').some((pid) => pid !== first), 'another worker runs');
  assert.doesNotMatch((await fetchMedia(v0.url)).text, /GAP/);
});

test('the server itself is made without FFmpeg', () => {
  const linked = execFileSync('ldd', [findProgram('stoa')], { encoding: 'utf8' });
  assert.doesNotMatch(linked, /libav|libsw|x264/);
});

test('all that workers made was of use', () => {
  assert.doesNotMatch(server.program.log, /not taken/);
});

test('no worker outlives the broadcast or the server', { timeout: 60_000 }, async () => {
  await encoder.stop();
  const left = server.workers();
  assert.ok(left.length > 0, 'a worker runs');
  await server.stop();
  const alive = left.filter((pid) => { try { process.kill(pid, 0); return true; } catch { return false; } });
  assert.deepEqual(alive, []);
});
