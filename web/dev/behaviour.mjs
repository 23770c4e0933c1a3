// The player in a real browser against dev/mock_server.mjs: node dev/behaviour.mjs URL
// What units cannot show: that hls.js, the media element and the pages do together what they should.

import { launch } from './chromium.mjs';

const [url = 'http://127.0.0.1:8080'] = process.argv.slice(2);
const say = (channel, state) => fetch(`${url}/mock/${channel}?state=${state}`);
const browser = await launch();
let passed = 0;
let failed = 0;

const stats = (page) => page.evaluate(() => window.stoa.stats());
const until = (page, what, timeout) => page.waitForFunction(what, null, { timeout, polling: 100 });
const playing = (page) => until(page, () => (window.stoa?.stats().framesDecoded ?? 0) > 20, 20_000);
const near = (page, timeout) =>
  until(
    page,
    () => {
      const { latency, targetLatency, status } = window.stoa.stats();
      return status === 'playing' && latency - targetLatency < 0.3;
    },
    timeout,
  );

async function check(fact, run, path = '/watch/demo') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.text().includes('Content Security') && errors.push(message.text()));
  const begin = Date.now();
  try {
    await page.goto(url + path);
    const note = await run(page);
    if (errors.length > 0) throw new Error(errors.join('; '));
    passed += 1;
    console.log(
      `ok      ${fact} (${((Date.now() - begin) / 1000).toFixed(1)} s)${note === undefined ? '' : `: ${note}`}`,
    );
  } catch (error) {
    failed += 1;
    const state = await page
      .evaluate(() => JSON.stringify(window.stoa?.stats() ?? document.body.innerText))
      .catch(() => '');
    console.log(`FAILED  ${fact}: ${error.message.split('\n')[0]}\n        ${state}`);
  }
  await say('demo', 'live');
  await context.close();
}

await check('plays at its distance behind live soon after the start', async (page) => {
  await playing(page);
  await near(page, 10_000);
  const { delay, latency, targetLatency, firstFrameMs } = await stats(page);
  return `first frame ${Math.round(firstFrameMs)} ms, delay ${delay.toFixed(2)} s, ${latency.toFixed(2)} of ${targetLatency.toFixed(2)} s behind`;
});

await check('stays there for half a minute without a stall', async (page) => {
  await playing(page);
  await near(page, 10_000);
  const before = await stats(page);
  await page.waitForTimeout(30_000);
  const { latency, targetLatency, stalls } = await stats(page);
  if (stalls > before.stalls) throw new Error(`${stalls - before.stalls} stalls`);
  if (latency - targetLatency > 0.4) throw new Error(`${latency} of ${targetLatency}`);
});

await check('is back near live after the stream stood still for six seconds', async (page) => {
  await playing(page);
  await near(page, 10_000);
  await say('demo', 'freeze');
  await until(page, () => window.stoa.stats().stalls > 0, 8000);
  await page.waitForTimeout(5000);
  await say('demo', 'live');
  await near(page, 12_000);
  const { targetLatency, holdBack } = await stats(page);
  if (targetLatency > holdBack + 0.5) throw new Error(`the target went up to ${targetLatency}`);
});

await check('says that the broadcast is interrupted, and goes on by itself', async (page) => {
  await playing(page);
  await say('demo', 'interrupted');
  await page.waitForSelector('.banner:not(.is_empty) >> text=interrupted', { timeout: 12_000 });
  await page.waitForTimeout(3000);
  await say('demo', 'live');
  await near(page, 15_000);
  await page.waitForSelector('.banner.is_empty', { state: 'attached', timeout: 5000 });
});

await check('starts by itself when an offline channel goes live', async (page) => {
  await say('demo', 'offline');
  await page.reload();
  await page.waitForSelector('text=is offline');
  await page.waitForTimeout(3000);
  await say('demo', 'live');
  const begin = Date.now();
  await playing(page);
  return `${Date.now() - begin} ms`;
});

await check('says that the broadcast has ended, and begins again with the next one', async (page) => {
  await playing(page);
  await say('demo', 'offline');
  await page.waitForSelector('text=has ended', { timeout: 20_000 });
  await say('demo', 'live');
  await playing(page);
});

await check('goes back in time and returns with the live key', async (page) => {
  await playing(page);
  await near(page, 10_000);
  await page.waitForTimeout(1000);
  await page.keyboard.press('ArrowLeft');
  await until(page, () => !window.stoa.stats().isFollowing && window.stoa.stats().latency > 5, 3000);
  await page.waitForTimeout(2500);
  if ((await stats(page)).playbackRate !== 1) throw new Error('it does not leave the viewer there');
  await page.keyboard.press('l');
  await near(page, 5000);
});

await check('pauses and plays with the keyboard', async (page) => {
  await playing(page);
  await page.keyboard.press('k');
  await until(page, () => window.stoa.video.paused, 1000);
  await page.waitForTimeout(1000);
  await page.keyboard.press(' ');
  await until(page, () => !window.stoa.video.paused, 1000);
});

await check('changes to the quality that is chosen', async (page) => {
  await playing(page);
  await page.click('[aria-haspopup="menu"]');
  await page.click('[role="menuitemradio"] >> text=/^360p/');
  await until(page, () => window.stoa.video.videoHeight === 360, 10_000);
  await near(page, 15_000);
});

await check('changes the sound track without losing the picture', async (page) => {
  await playing(page);
  await page.click('[aria-haspopup="menu"]');
  await page.click('[role="menuitemradio"] >> text=Commentary');
  await until(page, () => window.stoa.hls.audioTrack === 1, 3000);
  await page.waitForTimeout(2000);
  await near(page, 15_000);
});

await check('keeps the volume and the look for the next visit', async (page) => {
  await playing(page);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('t');
  await page.waitForTimeout(500);
  const volume = await page.evaluate(() => window.stoa.video.volume);
  await page.reload();
  await playing(page);
  if (Math.abs((await page.evaluate(() => window.stoa.video.volume)) - volume) > 0.001)
    throw new Error('another volume');
  if (!(await page.isVisible('.watch.theatre'))) throw new Error('another look');
});

await check(
  'plays a channel that has sound alone',
  async (page) => {
    await until(
      page,
      () => window.stoa?.video.currentTime > 0 && window.stoa.stats().status === 'playing',
      10_000,
    );
    await page.waitForSelector('.cover_title');
  },
  '/watch/radio',
);

await check(
  'goes from the list to a channel without loading the page anew',
  async (page) => {
    await page.evaluate(() => (window.stayed = true));
    await page.click('a.card >> nth=0');
    await playing(page);
    if (!(await page.evaluate(() => window.stayed))) throw new Error('it was loaded anew');
    await page.goBack();
    await page.waitForSelector('a.card');
    if (await page.evaluate(() => window.stoa !== undefined)) throw new Error('the player is still there');
  },
  '/',
);

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
