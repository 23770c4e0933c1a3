// Glass to glass and join time in Chromium through the watch page. The picture carries the producer's clock;
// what the browser shows is compared with the same machine's clock in the moment it is shown.
import { launchChromium, shownFrames, watchFromStart } from '../tests/e2e/lib/browser.mjs';
import { clockToUnixMs } from '../tests/e2e/lib/barcode.mjs';
import { publishSource } from '../tests/e2e/lib/encoder.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { until } from '../tests/e2e/lib/until.mjs';
import { percentiles, readFlags, recordedPicture, save } from './lib/run.mjs';

const flags = readFlags({ seconds: 60, warmup: 10, joins: 25 });

async function openPage(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await watchFromStart(page);
  await page.goto(url, { waitUntil: 'commit' });
  await until('the first frame is shown', async () => (await shownFrames(page)).length > 0, { within: 20_000, every: 100 });
  return { page, close: () => context.close() };
}

async function glassToGlass(browser, url) {
  const { page, close } = await openPage(browser, url);
  const opened = Date.now();
  const seen = await until('enough has been shown', async () => {
    const shown = await shownFrames(page);
    return shown.at(-1).now - opened > (flags.warmup + flags.seconds) * 1000 && shown;
  }, { within: (flags.warmup + flags.seconds + 30) * 1000, every: 1000 });
  const counted = seen.filter(({ now, frame }) => frame !== undefined && now - opened > flags.warmup * 1000);
  const stats = await page.evaluate(() => window.stoa.stats());
  await close();
  return {
    glass_ms: percentiles(counted.map(({ now, clock }) => now - clockToUnixMs(clock, now))),
    stalls: stats.stalls,
    stalled_seconds: stats.stalledFor,
    frames_dropped: stats.framesDropped,
    buffer_ms: Math.round(stats.forwardBuffer * 1000),
  };
}

async function joins(browser, url) {
  const times = [];
  for (let i = 0; i < flags.joins; ++i) {
    const { page, close } = await openPage(browser, url);
    times.push(await page.evaluate(() => window.shown[0].now - performance.timeOrigin));
    await close();
  }
  return percentiles(times);
}

const runs = [];
for (const part of [1 / 3, 0.2]) {
  const server = await Server.start({ args: part === 0.2 ? ['--hls-part', '0.2'] : [] });
  const encoder = publishSource(server.publishUrl('show'), recordedPicture);
  const browser = await launchChromium();
  try {
    await server.untilWatchable('show');
    const run = { part_target: part === 0.2 ? 0.2 : 'default (0.334)', ...(await glassToGlass(browser, server.watchUrl('show'))), join_ms: await joins(browser, server.watchUrl('show')) };
    runs.push(run);
    console.log(JSON.stringify(run));
  } finally {
    await browser.close();
    await encoder.stop();
    await server.stop();
  }
}
save('live', { flags, runs });
