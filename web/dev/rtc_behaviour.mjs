// Studio and real-time playback in a real browser: node dev/rtc_behaviour.mjs URL [word of a check's name]
// URL is a running dev/mock_server.mjs; WHIP and WHEP are answered by dev/rtc_mock.mjs. What units cannot
// show: that peer connections, requests and pages do together what they should.

import { launch } from './chromium.mjs';
import { mockRtc } from './rtc_mock.mjs';

const [url = 'http://127.0.0.1:8080', word = ''] = process.argv.slice(2);
const browser = await launch();
let passed = 0;
let failed = 0;

const until = (page, what, timeout = 10_000, argument = null) =>
  page.waitForFunction(what, argument, { timeout, polling: 100 });
const stats = (page) => page.evaluate(() => window.stoa?.stats());
const engineIs = (page, engine, timeout) =>
  until(
    page,
    (wanted) => {
      const now = window.stoa?.stats();
      return now !== undefined && (wanted === 'whep') === (now.engine === 'whep') && now.framesDecoded > 10;
    },
    timeout,
    engine,
  );
const says = (page, text, timeout = 10_000) => page.waitForSelector(`text=${text}`, { timeout });

async function newPage(rtc, context, path) {
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  page.on('console', (message) => message.text().includes('Content Security') && page.errors.push(message.text()));
  page.on('dialog', (dialog) => dialog.accept());
  await rtc.serve(page);
  await page.goto(url + path);
  return page;
}

async function goLive(rtc, context) {
  const page = await newPage(rtc, context, '/studio/stage');
  await page.fill('input[type=password]', 'stage');
  await page.waitForSelector('button[type=submit]:not([disabled])');
  await page.click('button[type=submit]');
  await page.waitForSelector('.badge.live', { timeout: 10_000 });
  return page;
}

async function check(fact, run) {
  if (!fact.includes(word)) return;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    permissions: ['camera', 'microphone'],
  });
  const rtc = await mockRtc(browser, url);
  const watch = (channel, query = '') => newPage(rtc, context, `/watch/${channel}${query}`);
  const begin = Date.now();
  try {
    const note = await run({ rtc, context, watch, live: () => goLive(rtc, context) });
    const errors = context.pages().flatMap((page) => page.errors ?? []);
    if (errors.length > 0) throw new Error(errors.join('; '));
    passed += 1;
    console.log(`ok      ${fact} (${((Date.now() - begin) / 1000).toFixed(1)} s)${note ? `: ${note}` : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${fact}: ${error.message.split('\n')[0]}`);
    for (const page of context.pages()) {
      const state = await page
        .evaluate(() => JSON.stringify(window.stoaStudio?.link ?? window.stoa?.stats() ?? null) + document.body.innerText)
        .catch(() => '');
      console.log(`        ${state.slice(0, 1500).replaceAll('\n', ' | ')}`);
    }
  }
  await rtc.close();
  await context.close();
}

await check('the studio goes live, sends a picture and sound, and ends its session', async ({ rtc, live }) => {
  const page = await live();
  await until(page, () => (window.stoaStudio?.stats?.layers[0]?.bitrate ?? 0) > 20_000);
  await until(page, () => (window.stoaStudio?.stats?.audioBitrate ?? 0) > 1000);
  const { layers, videoCodec } = await page.evaluate(() => window.stoaStudio.stats);
  if (videoCodec !== 'H.264') throw new Error(`sends ${videoCodec}`);
  if (layers.length !== 3) throw new Error(`${layers.length} layers`);
  await page.click('button[type=submit]');
  await page.waitForSelector('text=Off air');
  await page.waitForTimeout(300);
  const methods = rtc.seen.map(({ method }) => method);
  if (methods[0] !== 'POST' || methods.at(-1) !== 'DELETE') throw new Error(methods.join());
  if (rtc.seen.some(({ headers }) => headers.authorization !== 'Bearer stage')) throw new Error('without the key');
  if (!rtc.seen.some(({ method, body }) => method === 'PATCH' && body.includes('a=candidate:')))
    throw new Error('no candidates were told');
});

await check('the studio says whose fault a refusal is', async ({ rtc, context }) => {
  rtc.rules.whip = { status: 401, code: 'unauthorized', message: 'The stream key is not known.' };
  const page = await newPage(rtc, context, '/studio/stage');
  await page.waitForSelector('button[type=submit]:not([disabled])');
  await page.click('button[type=submit]');
  await says(page, 'Enter the stream key');
  await page.fill('input[type=password]', 'wrong');
  await page.click('button[type=submit]');
  await says(page, 'does not know this stream key');
  rtc.rules.whip = { status: 409, code: 'conflict', message: 'An encoder publishes.' };
  await page.click('button[type=submit]');
  await says(page, 'Somebody else is publishing');
});

await check('the studio says that neither UDP nor TCP got through, and to where', async ({ rtc, context }) => {
  rtc.rules.whip = { unreachable: true };
  const page = await newPage(rtc, context, '/studio/stage');
  await page.fill('input[type=password]', 'stage');
  await page.waitForSelector('button[type=submit]:not([disabled])');
  await page.click('button[type=submit]');
  await says(page, 'No answer over UDP or TCP from UDP and TCP port 9 of 127.0.0.1', 20_000);
  rtc.rules.whip = {};
  await page.waitForSelector('.badge.live', { timeout: 30_000 });
});

await check('the studio comes back by itself after a server that stopped has cut its session', async ({ rtc, live }) => {
  const page = await live();
  rtc.rules.whip = { patch: 503 };
  await rtc.server.evaluate(() => window.cut());
  await until(page, () => window.stoaStudio.link.sessions === 2 && window.stoaStudio.link.phase === 'up', 30_000);
});

await check('a studio that was taken over says so, and takes the channel back only when it is told to', async ({ rtc, live }) => {
  const page = await live();
  rtc.rules.whip = { patch: 410, code: 'taken_over' };
  await rtc.server.evaluate(() => window.cut());
  await says(page, 'Another studio took over', 10_000);
  await page.waitForTimeout(2000);
  if ((await page.evaluate(() => window.stoaStudio.link.sessions)) !== 1) throw new Error('it took the channel back');
  rtc.rules.whip = {};
  await page.click('button:has-text("Go live again")');
  await until(page, () => window.stoaStudio.link.phase === 'up', 30_000);
});

await check('the studio restarts ICE within its session', async ({ rtc, live }) => {
  const page = await live();
  const spoil = () => {
    const { connection } = window.stoaStudio;
    Object.defineProperty(connection, 'connectionState', { value: 'failed', configurable: true });
    Object.defineProperty(connection, 'iceConnectionState', { value: 'failed', configurable: true });
    connection.onconnectionstatechange();
    delete connection.connectionState;
    delete connection.iceConnectionState;
  };
  await page.waitForTimeout(500);
  await page.evaluate(spoil);
  await until(page, () => window.stoaStudio.link.restarts === 1 && window.stoaStudio.link.phase === 'up');
  if ((await page.evaluate(() => window.stoaStudio.link.sessions)) !== 1) throw new Error('it began anew');
  if (!rtc.seen.some(({ headers }) => headers['if-match'] === '*')) throw new Error('no restart was asked for');
  rtc.rules.whip = { patch: 405 };
  await page.evaluate(spoil);
  await until(page, () => window.stoaStudio.link.sessions === 2 && window.stoaStudio.link.phase === 'up', 20_000);
});

await check('a page that is left ends its sessions', async ({ rtc, live, watch }) => {
  const studio = await live();
  const viewer = await watch('stage', '?via=realtime');
  await engineIs(viewer, 'whep');
  await viewer.close({ runBeforeUnload: true });
  await studio.goto(`${url}/`);
  await studio.waitForTimeout(1000);
  const ended = rtc.seen.filter(({ method }) => method === 'DELETE').map(({ role }) => role);
  if (!ended.includes('whip')) throw new Error(`ended: ${ended.join()}`);
});

await check('a viewer gets real-time by itself where it lacks nothing', async ({ live, watch }) => {
  await live();
  const page = await watch('stage');
  await engineIs(page, 'whep');
  await until(page, () => (window.stoa.stats().rtc?.audioBitrate ?? 0) > 1000);
  const { firstFrameMs, loadStartedMs, delay } = await stats(page);
  return `first frame ${Math.round(firstFrameMs - loadStartedMs)} ms after the start, delay ${Math.round(delay * 1000)} ms`;
});

await check('a viewer gets LL-HLS by itself where real-time would lack the sound', async ({ live, watch }) => {
  await live();
  const page = await watch('demo');
  await says(page, 'There is no sound in real time: it is AAC');
  await engineIs(page, 'hls.js', 20_000);
});

await check('the way is changed by hand without a new page, and remembered', async ({ live, watch }) => {
  await live();
  const page = await watch('stage');
  await engineIs(page, 'whep');
  await page.click('.segments label:has-text("LL-HLS")');
  await engineIs(page, 'hls.js', 20_000);
  await page.reload();
  await engineIs(page, 'hls.js', 20_000);
  await page.keyboard.press('r');
  await engineIs(page, 'whep');
});

for (const [name, rule, text] of [
  ['a server without WHEP', { status: 404 }, 'does not offer the channel in real time'],
  ['a server that has WebRTC off', { status: 501, code: 'not_offered' }, 'offers no real time'],
  ['a server that is full', { status: 503, code: 'overloaded' }, 'has no room'],
  ['no codec in common', { status: 406, code: 'no_common_codec' }, 'cannot decode the broadcast in real time'],
  ['a channel that is live, but not there', { status: 404, code: 'not_live' }, 'does not offer the channel'],
  ['a network without UDP and TCP', { unreachable: true }, 'lets neither UDP nor TCP'],
  ['a connection without media', { mute: true }, 'no media arrived'],
]) {
  await check(`a viewer falls back to LL-HLS and is told why: ${name}`, async ({ rtc, live, watch }) => {
    await live();
    rtc.rules.whep = rule;
    const page = await watch('stage');
    const begin = Date.now();
    await says(page, text, 15_000);
    const took = Date.now() - begin;
    await engineIs(page, 'hls.js', 20_000);
    return `${took} ms`;
  });
}

await check('a viewer comes back to real-time after the session was cut', async ({ rtc, live, watch }) => {
  await live();
  const page = await watch('stage', '?via=realtime');
  await engineIs(page, 'whep');
  await rtc.server.evaluate(() => window.cut());
  await until(page, () => window.stoa.stats().rtc?.sessions >= 2, 20_000);
  await until(page, () => window.stoa.stats().status === 'playing', 20_000);
});

await check('a viewer who wants real-time alone is told what is going on', async ({ rtc, live, watch }) => {
  await live();
  rtc.rules.whep = { unreachable: true };
  const page = await watch('stage', '?via=realtime');
  await says(page, 'No answer over UDP or TCP', 12_000);
  rtc.rules.whep = {};
  await engineIs(page, 'whep', 30_000);
});

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
