// Pages in Chromium: when a frame was painted, and when it was shown.
import { shownFrames, watchFromStart } from '../../tests/e2e/lib/browser.mjs';
import { clockToUnixMs } from '../../tests/e2e/lib/barcode.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';
import { percentiles } from './run.mjs';

// In a context of its own, so that nothing is cached. Comes back when the first frame is shown.
export async function openPage(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await watchFromStart(page);
  await page.goto(url, { waitUntil: 'commit' });
  await until('the first frame is shown', async () => (await shownFrames(page)).length > 0, { within: 20_000, every: 100 });
  return { page, close: () => context.close() };
}

// From the producer's clock in the picture to the moment it is shown.
export async function glassToGlass(browser, url, { warmup, seconds }) {
  const { page, close } = await openPage(browser, url);
  const opened = Date.now();
  const seen = await until('enough has been shown', async () => {
    const shown = await shownFrames(page);
    return shown.at(-1).now - opened > (warmup + seconds) * 1000 && shown;
  }, { within: (warmup + seconds + 30) * 1000, every: 1000 });
  const counted = seen.filter(({ now, frame }) => frame !== undefined && now - opened > warmup * 1000);
  const stats = await page.evaluate(() => window.stoa.stats());
  await close();
  return {
    glass_ms: percentiles(counted.map(({ now, clock }) => now - clockToUnixMs(clock, now))),
    frames_per_second: counted.length / seconds,
    stalls: stats.stalls,
    stalled_seconds: stats.stalledFor,
    frames_dropped: stats.framesDropped,
    buffer_ms: Math.round(stats.forwardBuffer * 1000),
  };
}

// From the beginning of the navigation, as by a click on a link, to the first frame.
export async function firstFrames(browser, url, count) {
  const times = [];
  for (let i = 0; i < count; ++i) {
    const { page, close } = await openPage(browser, url);
    times.push(await page.evaluate(() => window.shown[0].now - performance.timeOrigin));
    await close();
  }
  return percentiles(times);
}
