// Pages in Chromium: when a frame was painted, and when it was shown.
import { shownFrames, watchFromStart } from '../../tests/e2e/lib/browser.mjs';
import { clockToUnixMs } from '../../tests/e2e/lib/barcode.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';
import { percentiles } from './run.mjs';

// In a context of its own, so that nothing is cached.
async function openPage(browser, url, preferences = {}) {
  const context = await browser.newContext();
  await context.addInitScript((text) => localStorage.setItem('stoa.preferences', text), JSON.stringify(preferences));
  const page = await context.newPage();
  await watchFromStart(page);
  await page.goto(url, { waitUntil: 'commit' });
  return { page, close: () => context.close() };
}
const untilShown = (page) =>
  until('the first frame is shown', async () => (await shownFrames(page)).length > 0, { within: 20_000, every: 100 });

// From the producer's clock in the picture to the moment it is shown, in a page that watches its frames.
export async function glassOf(page, { warmup, seconds }) {
  await untilShown(page);
  const opened = Date.now();
  const seen = await until('enough has been shown', async () => {
    const shown = await shownFrames(page);
    return shown.at(-1).now - opened > (warmup + seconds) * 1000 && shown;
  }, { within: (warmup + seconds + 30) * 1000, every: 1000 });
  const counted = seen.filter(({ now, frame }) => frame !== undefined && now - opened > warmup * 1000);
  return {
    glass_ms: percentiles(counted.map(({ now, clock }) => now - clockToUnixMs(clock, now))),
    frames_per_second: counted.length / seconds,
  };
}

// The same of the watch page.
export async function glassToGlass(browser, url, watching) {
  const { page, close } = await openPage(browser, url);
  const seen = await glassOf(page, watching);
  const stats = await page.evaluate(() => window.stoa.stats());
  await close();
  return {
    ...seen,
    stalls: stats.stalls,
    stalled_seconds: stats.stalledFor,
    frames_dropped: stats.framesDropped,
    buffer_ms: Math.round(stats.forwardBuffer * 1000),
  };
}

async function percentilesOf(count, once) {
  const times = [];
  for (let i = 0; i < count; ++i) times.push(await once());
  return percentiles(times);
}

// From the beginning of the navigation, as by a link on another site, to the first frame. Nothing is cached.
export const firstFrames = (browser, url, count) => percentilesOf(count, async () => {
  const { page, close } = await openPage(browser, url);
  await untilShown(page);
  const took = await page.evaluate(() => window.shown[0].now - performance.timeOrigin);
  await close();
  return took;
});

// From the click on a channel's card on the page of live channels to its first frame in real time.
export const framesAfterClick = (browser, origin, channel, count) => percentilesOf(count, async () => {
  const { page, close } = await openPage(browser, `${origin}/`, { delivery: 'realtime' });
  await page.evaluate(() => document.addEventListener('click', ({ timeStamp }) => (window.clicked = performance.timeOrigin + timeStamp), { capture: true }));
  await page.click(`a[href="/watch/${channel}"]`);
  await untilShown(page);
  const { took, isRealtime } = await page.evaluate(() => ({ took: window.shown[0].now - window.clicked, isRealtime: Boolean(window.stoa.connection) }));
  if (!isRealtime) throw new Error('the page chose LL-HLS');
  await close();
  return took;
});
