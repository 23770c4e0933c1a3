// A line that becomes narrow and wide again: hls.js, left to choose by itself, goes down the ladder and comes back,
// and the picture never stands.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judgeFrames, judgeRenditions, launchChromium, narrowableLine, servePages, shownFrames, watchFromStart } from './lib/browser.mjs';
import { publishSource } from './lib/encoder.mjs';
import { wholeSegments } from './lib/follow.mjs';
import { fetchMultivariant } from './lib/playlist.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const fps = 30;
const source = { width: 640, height: 360, fps, videoKbps: 1800 };
const wideKbps = 6000, narrowKbps = 1300; // Of these one is above all renditions and one between them.
let server, encoder, browser, pages;
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'standard'] });
  encoder = publishSource(server.publishUrl('show'), source);
  pages = await servePages();
  browser = await launchChromium();
  await server.untilWatchable('show');
});
after(async () => {
  await browser?.close();
  await pages?.stop();
  await encoder?.stop();
  await server?.stop();
});

test('hls.js goes down when the line becomes narrow and up again when it is wide, without a stall', { timeout: 150_000 }, async () => {
  const { variants } = await fetchMultivariant(server.playlistUrl('show'));
  const [low, high] = variants.map((one) => Number(one.BANDWIDTH)).sort((a, b) => a - b);
  assert.ok(low < narrowKbps * 900 && high > narrowKbps * 1000 && high < wideKbps * 600, `${low} and ${high} bit/s`);
  await wholeSegments(variants[0].url, 7); // So much that a player can begin where it means to, three target durations behind.

  const page = await browser.newPage();
  await watchFromStart(page);
  const setLine = await narrowableLine(page);
  await setLine(wideKbps);
  // Whole segments, some seconds behind live: they are what is played while the line is being measured. By its defaults
  // hls.js would take half a minute to trust the line again.
  const config = JSON.stringify({ lowLatencyMode: false, abrEwmaFastLive: 1, abrEwmaSlowLive: 3 });
  await page.goto(`${pages.origin}/hls.html?url=${encodeURIComponent(server.playlistUrl('show'))}&config=${encodeURIComponent(config)}`);
  const lines = async () => (await shownFrames(page)).at(-1)?.lines;
  const untilLines = (wanted, within) => until(`pictures are ${wanted} lines high`, async () => (await lines()) === wanted, { within, every: 250 });
  await untilLines(360, 40_000);
  await until('eight seconds are in the buffer', () => page.evaluate(() => window.hls.mainForwardBufferInfo.len > 8), { within: 20_000 });
  const clock = () => page.evaluate(() => ({ now: performance.now() / 1000, position: document.querySelector('video').currentTime, waits: window.waits }));
  const from = (await shownFrames(page)).length, began = await clock();

  await page.evaluate(() => {
    const video = document.querySelector('video');
    window.leastBuffer = Infinity;
    video.addEventListener('timeupdate', () => {
      window.leastBuffer = Math.min(window.leastBuffer, window.hls.mainForwardBufferInfo?.len ?? 0);
    });
  });
  await setLine(narrowKbps);
  await untilLines(240, 40_000);
  const seen = (await shownFrames(page)).length;
  await until('three seconds more are shown', async () => (await shownFrames(page)).length > seen + 3 * fps * 0.9);
  await setLine(wideKbps);
  await untilLines(360, 60_000);
  const back = (await shownFrames(page)).length;
  await until('three seconds more are shown', async () => (await shownFrames(page)).length > back + 3 * fps * 0.9);

  const ended = await clock(), shown = (await shownFrames(page)).slice(from);
  assert.deepEqual(ended.waits.slice(began.waits.length), [], `the picture stood (from ${began.position} on)`);
  const least = await page.evaluate(() => window.leastBuffer);
  assert.ok(least > 0.5, `only ${least} s were left to play`);
  // A machine that is busy lets the clock of a browser's sound slip a little; a stall is more.
  const took = ended.now - began.now, played = ended.position - began.position;
  assert.ok(Math.abs(took - played) < took * 0.05, `${played} s were played in ${took} s`);
  assert.deepEqual(judgeFrames(shown, { fps, minimum: 10 * fps }), []);
  assert.deepEqual(judgeRenditions(shown, { fps, lines: [240, 360] }), []);
  assert.deepEqual((await page.evaluate(() => window.problems)).filter((one) => /fatal/.test(one)), []);
});
