// Firefox plays the watch page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judgeFrames, launchFirefox, shownFrames, watchFromStartInFirefox } from './lib/browser.mjs';
import { publishSource, small } from './lib/encoder.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server, encoder, browser;
before(async () => {
  server = await Server.start();
  encoder = publishSource(server.publishUrl('show'));
  browser = await launchFirefox();
  await server.untilWatchable('show');
});
after(async () => {
  await browser?.close();
  await encoder?.stop();
  await server?.stop();
});

test('the watch page shows the right frames in order in Firefox', { timeout: 120_000 }, async () => {
  const page = await browser.newPage();
  await watchFromStartInFirefox(page);
  await page.goto(server.watchUrl('show'));
  await until('120 frames are shown', async () => (await shownFrames(page)).length >= 120, { within: 60_000, every: 250 });
  const shown = await shownFrames(page);
  assert.deepEqual(judgeFrames(shown.slice(30), { fps: small.fps, minimum: 80, tolerance: 0.04 }), []);
  const stats = await page.evaluate(() => window.stoa.stats());
  assert.equal(stats.engine, 'hls.js');
});
