// Pictures of all pages in their states, for looking at: node dev/screenshots.mjs URL FOLDER
// URL is a running dev/mock_server.mjs. Needs Chromium at /usr/bin/chromium, or $CHROMIUM.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './chromium.mjs';

const [url = 'http://127.0.0.1:8080', folder = 'shots'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const browser = await launch();
const desktop = { viewport: { width: 1280, height: 860 } };
const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const problems = [];

async function open(path, size, colorScheme) {
  const context = await browser.newContext({ ...size, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.on('console', (message) => {
    const isExpected = /status of 404|No style sheet found/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isExpected)
      problems.push(`${path}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`${path}: ${error.message}`));
  await page.goto(url + path);
  return page;
}

const say = (channel, state) => fetch(`${url}/mock/${channel}?state=${state}`);
const stats = (page) => page.evaluate(() => window.stoa?.stats());

async function shoot(name, path, size, scheme, prepare = async () => {}) {
  const page = await open(path, size, scheme);
  try {
    await prepare(page);
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(folder, `${name}.png`) });
  } catch (error) {
    problems.push(`${name}: ${error.message}`);
    await page.screenshot({ path: join(folder, `${name}_failed.png`) });
  }
  await page.context().close();
}

const playing = async (page) => {
  await page.waitForFunction(() => (window.stoa?.stats().framesDecoded ?? 0) > 30, null, { timeout: 15000 });
  await page.mouse.move(600, 300);
};

await shoot('home_light', '/', desktop, 'light', (page) => page.waitForSelector('a.card'));
await shoot('home_dark_phone', '/', phone, 'dark', (page) => page.waitForSelector('a.card'));
await say('all', 'empty');
await shoot('empty_light', '/', desktop, 'light', (page) => page.waitForSelector('.publish'));
await shoot('empty_dark_phone', '/', phone, 'dark', (page) => page.waitForSelector('.publish'));
await say('all', 'some');
await shoot('not_found_dark', '/nothing/here', desktop, 'dark');
await shoot('offline_light', '/watch/soon', desktop, 'light', (page) => page.waitForSelector('.waiting'));
await shoot('offline_phone', '/watch/soon', phone, 'light', (page) => page.waitForSelector('.waiting'));
await shoot('unknown_dark', '/watch/nobody', desktop, 'dark', (page) => page.waitForSelector('.waiting'));
const atTheDoor = (page) => page.waitForFunction(() => (document.querySelector('video')?.videoWidth ?? 0) > 0);
await shoot('meet_light', '/meet/demo', desktop, 'light', atTheDoor);
await shoot('meet_dark_phone', '/meet/demo', phone, 'dark', atTheDoor);
await shoot('watch_light', '/watch/demo', desktop, 'light', playing);
await shoot('watch_dark_statistics', '/watch/demo', desktop, 'dark', async (page) => {
  await playing(page);
  await page.keyboard.press('s');
  await page.waitForTimeout(12000);
  await page.mouse.move(610, 300);
  console.log(JSON.stringify(await stats(page), null, 1));
});
await shoot('watch_menu', '/watch/demo', desktop, 'dark', async (page) => {
  await playing(page);
  await page.click('[aria-haspopup="menu"]');
});
await shoot('watch_help', '/watch/demo', desktop, 'light', async (page) => {
  await playing(page);
  await page.keyboard.press('?');
});
await shoot('watch_theatre', '/watch/demo', desktop, 'light', async (page) => {
  await playing(page);
  await page.keyboard.press('t');
});
await shoot('watch_phone_statistics', '/watch/demo', phone, 'dark', async (page) => {
  await playing(page);
  await page.keyboard.press('s');
  await page.waitForTimeout(1500);
});
await shoot('watch_phone', '/watch/demo', phone, 'light', async (page) => {
  await playing(page);
  await page.touchscreen.tap(200, 120);
});
await shoot('watch_radio', '/watch/radio', desktop, 'dark', (page) => page.waitForTimeout(4000));
await shoot('watch_interrupted', '/watch/demo', desktop, 'light', async (page) => {
  await playing(page);
  await say('demo', 'interrupted');
  await page.waitForSelector('.banner:not(.is_empty)');
  await page.waitForTimeout(6000);
  await page.mouse.move(610, 310);
});
await say('demo', 'live');
await browser.close();
if (problems.length > 0) console.log(`problems:\n${problems.join('\n')}`);
