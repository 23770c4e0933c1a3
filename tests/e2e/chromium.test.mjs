// Chromium plays: the watch page with hls.js, and Shaka Player in a page of its own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judgeFrames, launchChromium, servePages, shownFrames, watchFromStart } from './lib/browser.mjs';
import { publishSource, small } from './lib/encoder.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server, encoder, browser, pages;
before(async () => {
  server = await Server.start();
  encoder = publishSource(server.publishUrl('show'));
  browser = await launchChromium();
  pages = await servePages();
  await server.untilWatchable('show');
});
after(async () => {
  await browser?.close();
  await pages?.stop();
  await encoder?.stop();
  await server?.stop();
});

async function openPage(url) {
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await watchFromStart(page);
  await page.goto(url);
  return { page, problems };
}

const untilShown = (page, count, within = 30_000) =>
  until(`${count} frames are shown`, async () => (await shownFrames(page)).length >= count, { within, every: 250 });

test('the watch page shows the right frames in order', { timeout: 90_000 }, async () => {
  const { page, problems } = await openPage(server.watchUrl('show'));
  await untilShown(page, 150);
  const shown = await shownFrames(page);
  assert.deepEqual(judgeFrames(shown.slice(10), { fps: small.fps, minimum: 100 }), []);
  assert.deepEqual(problems, []);
  const stats = await page.evaluate(() => window.stoa.stats());
  assert.equal(stats.engine, 'hls.js');
  assert.equal(stats.loadingUnit, 'parts');
  assert.equal(stats.width, small.width);
  await page.close();
});

test('the sound of the watch page is decoded and in the buffer with the picture', { timeout: 60_000 }, async () => {
  const { page } = await openPage(server.watchUrl('show'));
  await untilShown(page, 30);
  const bytes = await page.evaluate(() => window.stoa.video.webkitAudioDecodedByteCount);
  assert.ok(bytes > 0, `${bytes} bytes of sound decoded`);
  await page.close();
});

test('a watch page that is open before the show begins starts by itself', { timeout: 90_000 }, async () => {
  const { page } = await openPage(server.watchUrl('later'));
  await until('the page says that the channel is offline', () => page.evaluate(() => /offline/i.test(document.body.innerText)));
  const late = publishSource(server.publishUrl('later'), { source: 9, label: 'late' });
  try {
    await untilShown(page, 30);
    const shown = await shownFrames(page);
    assert.ok(shown.some(({ source }) => source === 9));
  } finally {
    await late.stop();
    await page.close();
  }
});

test('Shaka Player plays the channel with low latency', { timeout: 90_000 }, async () => {
  const { page } = await openPage(`${pages.origin}/shaka.html?url=${encodeURIComponent(server.playlistUrl('show'))}`);
  await untilShown(page, 120).catch(async (error) => {
    throw new Error(`${error.message}; problems: ${JSON.stringify(await page.evaluate(() => window.problems))}`);
  });
  const shown = await shownFrames(page);
  assert.deepEqual(judgeFrames(shown.slice(20), { fps: small.fps, minimum: 80 }), []);
  assert.deepEqual(await page.evaluate(() => window.problems), []);
  const isLive = await page.evaluate(() => window.player.isLive());
  assert.equal(isLive, true);
  await page.close();
});
