// The watch page, a second behind live, on a line that becomes narrow and wide again: it goes down the ladder and comes
// back, and the picture never stands for as long as a stall takes to be one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judgeFrames, judgeRenditions, launchChromium, narrowableLine, shownFrames, watchFromStart } from './lib/browser.mjs';
import { publishSource } from './lib/encoder.mjs';
import { wholeSegments } from './lib/follow.mjs';
import { fetchMultivariant } from './lib/playlist.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const fps = 30;
const source = { width: 640, height: 360, fps, videoKbps: 1800 };
const wideKbps = 4000, narrowKbps = 1300; // Of these one is above all renditions and one between them.
let server, encoder, browser;
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'standard'] });
  encoder = publishSource(server.publishUrl('show'), source);
  browser = await launchChromium();
  await server.untilWatchable('show');
  const variants = await until('both renditions are there', async () => {
    const list = await fetchMultivariant(server.playlistUrl('show'));
    return list.variants.length === 2 && list.variants;
  }, { within: 20_000 });
  const [low, high] = variants.map((one) => Number(one.BANDWIDTH)).sort((a, b) => a - b);
  assert.ok(low < narrowKbps * 900 && high > narrowKbps * 1300 && high < wideKbps * 600, `${low} and ${high} bit/s`);
  await Promise.all(variants.map((one) => wholeSegments(one.url, 2)));
});
after(async () => {
  await browser?.close();
  await encoder?.stop();
  await server?.stop();
});

// Plays, becomes narrow and wide again; `firstKbps` is null for a line without a limit.
async function narrowAndWiden(firstKbps) {
  const page = await browser.newPage();
  await watchFromStart(page);
  const setLine = await narrowableLine(page);
  await setLine(firstKbps);
  await page.goto(server.watchUrl('show'));
  const stats = () => page.evaluate(() => window.stoa.stats());
  const shown = () => shownFrames(page);
  const untilLines = (lines, within) => until(`pictures are ${lines} lines high`, async () => (await shown()).at(-1)?.lines === lines, { within, every: 100 });
  const untilMore = async (seconds) => {
    const seen = (await shown()).length;
    await until(`${seconds} seconds more are shown`, async () => (await shown()).length > seen + seconds * fps * 0.9, { within: 20_000 });
  };
  await untilLines(source.height, 30_000);
  await untilMore(4); // What it does in its first moments is another matter.

  const began = await stats(), from = (await shown()).length;
  await setLine(narrowKbps);
  await untilLines(240, 10_000);
  await untilMore(4);
  const low = await stats();
  await setLine(firstKbps);
  await untilLines(source.height, 20_000);
  await untilMore(3);
  const ended = await stats(), frames = (await shown()).slice(from);
  await page.close();

  const told = JSON.stringify({ began: began.events, ended: ended.events, stalledFor: ended.stalledFor });
  assert.equal(ended.stalls, began.stalls, `the picture stood: ${told}`);
  assert.equal(ended.restarts + ended.jumps, began.restarts + began.jumps, told);
  assert.ok(low.bandwidthEstimate < narrowKbps * 1200, `${low.bandwidthEstimate} bit/s are believed of the narrow line`);
  assert.ok(ended.latency < ended.holdBack + 2, `${ended.latency} s behind live`);
  // Down once and up once: no wavering.
  const changes = frames.filter((one, i) => i > 0 && one.lines !== frames[i - 1].lines).map((one) => one.lines);
  assert.deepEqual(changes, [240, source.height]);
  assert.deepEqual(judgeFrames(frames, { fps, minimum: 8 * fps, tolerance: 0.04 }), []);
  assert.deepEqual(judgeRenditions(frames, { fps, lines: [240, source.height] }), []);
}

test('the watch page goes down from a line just wide enough, and up again, without a stall', { timeout: 100_000 }, () => narrowAndWiden(wideKbps));

test('the watch page goes down from a line without a limit, and up again, without a stall', { timeout: 100_000 }, () => narrowAndWiden(null));
