// Glass to glass and join time in Chromium through the watch page. The picture carries the producer's clock;
// what the browser shows is compared with the same machine's clock in the moment it is shown.
import { launchChromium } from '../tests/e2e/lib/browser.mjs';
import { publishSource } from '../tests/e2e/lib/encoder.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { firstFrames, glassToGlass } from './lib/glass.mjs';
import { readFlags, recordedPicture, save } from './lib/run.mjs';

const flags = readFlags({ seconds: 60, warmup: 10, joins: 25 });

const runs = [];
for (const part of [1 / 3, 0.2]) {
  const server = await Server.start({ args: part === 0.2 ? ['--hls-part', '0.2'] : [] });
  const encoder = publishSource(server.publishUrl('show'), recordedPicture);
  const browser = await launchChromium();
  try {
    await server.untilWatchable('show');
    const run = { part_target: part === 0.2 ? 0.2 : 'default (0.334)', ...(await glassToGlass(browser, server.watchUrl('show'), flags)), join_ms: await firstFrames(browser, server.watchUrl('show'), flags.joins) };
    runs.push(run);
    console.log(JSON.stringify(run));
  } finally {
    await browser.close();
    await encoder.stop();
    await server.stop();
  }
}
save('live', { flags, runs });
