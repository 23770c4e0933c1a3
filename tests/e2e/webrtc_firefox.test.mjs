// Firefox publishes and watches in real time, by itself and together with Chromium. H.264 is not here: its
// codec would be fetched from elsewhere.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fakeCamera, launchChromium, launchFirefox, shownFrames, watchFromStart, watchFromStartInFirefox } from './lib/browser.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';
import { echo, judgeRealtime, openTools, rtc, untilDecoded, whepUrl, whipUrl } from './lib/webrtc.mjs';

// One page of each: Firefox slows down those that stand behind others.
let server, chromium, firefox, inChromium, inFirefox;
before(async () => {
  server = await Server.start({ shards: 2, rtc: ':0' }); // Firefox does not look for peers on loopback.
  [chromium, firefox] = await Promise.all([launchChromium(fakeCamera), launchFirefox()]);
  inChromium = await chromium.newPage();
  await watchFromStart(inChromium);
  inFirefox = await firefox.newPage();
  await watchFromStartInFirefox(inFirefox);
  for (const page of [inChromium, inFirefox]) await openTools(page, server.origin);
});
after(async () => {
  await Promise.all([chromium?.close(), firefox?.close()]);
  await server?.stop();
});

// Publishes in one page and watches in the other; judges what is seen.
async function carry(channel, mimeType, from, to, source) {
  await to.evaluate(() => (window.shown = []));
  await rtc(from, 'publish', channel, whipUrl(server, channel), { key: channel, mimeType, source });
  const watching = `${channel}-in`;
  try {
    await until(`${channel} can be watched`, () => rtc(to, 'watch', watching, whepUrl(server, channel)).then(() => true));
    const facts = await untilDecoded(to, watching, 45);
    assert.equal(facts.videoCodec, mimeType);
    assert.equal(facts.audioCodec, 'audio/opus');
    await until('the beeps are heard', async () => (await rtc(to, 'facts', watching)).audioEnergy > 0);
    assert.equal((await rtc(from, 'facts', channel)).sentCodec, mimeType);
    await until('frames are shown', async () => (await shownFrames(to)).length >= 25);
    assert.deepEqual(judgeRealtime(await shownFrames(to), { source, minimum: 20 }), []);
    assert.equal(await rtc(to, 'end', watching), 200);
  } finally {
    assert.equal(await rtc(from, 'end', channel), 200);
  }
}

test('Firefox watches what Chromium publishes', { timeout: 90_000 }, async (context) => {
  const receivable = await rtc(inFirefox, 'receivable');
  for (const mimeType of ['video/VP8', 'video/VP9', 'video/AV1']) {
    assert.ok(receivable.includes(mimeType), `Firefox receives ${mimeType}`);
    const name = mimeType.slice(6).toLowerCase();
    await context.test(mimeType, () => carry(`to-firefox-${name}`, mimeType, inChromium, inFirefox, 2));
  }
});

test('Chromium watches what Firefox publishes', { timeout: 90_000 }, async (context) => {
  const sendable = await rtc(inFirefox, 'sendable');
  for (const mimeType of ['video/VP8', 'video/VP9', 'video/AV1']) {
    if (!sendable.includes(mimeType)) continue;
    const name = mimeType.slice(6).toLowerCase();
    await context.test(mimeType, () => carry(`from-firefox-${name}`, mimeType, inFirefox, inChromium, 3));
  }
  assert.ok(sendable.includes('video/VP8') && sendable.includes('video/VP9'));
});

test('data channels echo text and bytes in order', { timeout: 30_000 }, async () => {
  await rtc(inChromium, 'publish', 'data', whipUrl(server, 'data'), { key: 'data', mimeType: 'video/VP8' });
  await until('data can be watched', () => rtc(inFirefox, 'watch', 'in', whepUrl(server, 'data'), { channel: 'echo' }).then(() => true));
  const { sent, heard } = await echo(inFirefox, 'in');
  assert.deepEqual(heard, sent);
  await rtc(inFirefox, 'end', 'in');
  await rtc(inChromium, 'end', 'data');
});

test('media goes over TCP where UDP is blocked', { timeout: 45_000 }, async () => {
  await rtc(inChromium, 'publish', 'tcp', whipUrl(server, 'tcp'), { key: 'tcp', mimeType: 'video/VP8', source: 4 });
  await until('tcp can be watched', () => rtc(inFirefox, 'watch', 'in', whepUrl(server, 'tcp'), { isUdpBlocked: true }).then(() => true));
  const facts = await untilDecoded(inFirefox, 'in', 45);
  assert.equal(facts.protocol, 'tcp');
  await rtc(inFirefox, 'end', 'in');
  await rtc(inChromium, 'end', 'tcp');
});

test('the pages work in Firefox: studio and real-time player', { timeout: 60_000 }, async () => {
  const studio = await firefox.newPage();
  await studio.goto(`${server.origin}/studio/stage`);
  await studio.evaluate(() => {
    const settings = JSON.parse(localStorage.getItem('stoa.studio') ?? '{}');
    localStorage.setItem('stoa.studio', JSON.stringify({ ...settings, codec: 'vp8', size: '360', hasSimulcast: false }));
  });
  await studio.reload();
  await studio.type('input[type=password]', 'stage');
  await until('the camera is there', async () => {
    await studio.evaluate(() => document.querySelector('.studio_empty button:not([disabled])')?.click());
    return studio.evaluate(() => !document.querySelector('.go_live_form button[type=submit]').disabled);
  }, { every: 500 });
  await studio.click('.go_live_form button[type=submit]');
  await until('the studio is live', () => studio.evaluate(() => document.querySelector('.badge.live') !== null), { within: 15_000 });
  const viewer = await firefox.newPage();
  await viewer.goto(server.watchUrl('stage', 'realtime'));
  await until('picture and sound arrive in real time', async () => {
    const { engine, framesDecoded, rtc: numbers } = await viewer.evaluate(() => window.stoa?.stats() ?? {});
    return engine === 'whep' && framesDecoded >= 30 && numbers.audioBitrate > 1000;
  }, { within: 25_000, every: 200 });
  await viewer.close();
  await studio.close();
});
