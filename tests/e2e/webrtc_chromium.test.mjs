// Chromium publishes and watches in real time: with the product's pages, and with a page that knows nothing
// of them.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { fakeCamera, launchChromium, shownFrames, watchFromStart } from './lib/browser.mjs';
import { publishSource } from './lib/encoder.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';
import { echo, judgeRealtime, openTools, rtc, untilDecoded, whepUrl, whipUrl } from './lib/webrtc.mjs';

let server, browser;
before(async () => {
  server = await Server.start({ shards: 2 });
  browser = await launchChromium(fakeCamera);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

// The pages of a test go with it, however it ends: one that goes on encoding would slow down all others.
const opened = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((page) => page.close().catch(() => undefined)));
});

const problems = [];
async function openPage(url) {
  const page = await browser.newPage();
  opened.push(page);
  page.on('pageerror', (error) => problems.push(`${url}: ${error.message}`));
  page.on('dialog', (dialog) => dialog.accept().catch(() => undefined)); // "You are live. Leave?"
  await watchFromStart(page);
  if (url) await page.goto(url);
  return page;
}
async function openToolPage(at = server) {
  const page = await openPage('');
  await openTools(page, at.origin);
  return page;
}
async function goLive(channel, at = server, prepare = async () => {}) {
  const page = await openPage(`${at.origin}/studio/${channel}`);
  await prepare(page);
  await page.fill('input[type=password]', channel);
  await page.waitForSelector('button[type=submit]:not([disabled])');
  await page.click('button[type=submit]');
  await page.waitForSelector('.badge.live', { timeout: 15_000 });
  return page;
}

const stats = (page) => page.evaluate(() => window.stoa?.stats() ?? {});
const words = (page) => page.evaluate(() => document.body.innerText);
const untilSays = (page, pattern, within = 15_000) => until(`the page says ${pattern}`, async () => pattern.test(await words(page)), { within });
const untilShown = (page, count, within = 20_000) =>
  until(`${count} frames are shown`, async () => (await shownFrames(page)).length >= count, { within, every: 100 });
const untilMore = async (page, count = 20, within = 15_000) => untilShown(page, (await shownFrames(page)).length + count, within);

test('the studio goes live; viewers get it in real time and by LL-HLS; leaving ends it', { timeout: 90_000 }, async () => {
  const studio = await goLive('stage');
  let isDeleted = false;
  studio.on('request', (request) => (isDeleted ||= request.method() === 'DELETE' && request.url().includes('/whip/stage/')));
  const viewer = await openPage(server.watchUrl('stage', 'realtime'));
  await until('picture and sound arrive in real time', async () => {
    const { engine, framesDecoded, rtc: numbers } = await stats(viewer);
    return engine === 'whep' && framesDecoded >= 60 && numbers.audioBitrate > 1000;
  }, { within: 20_000, every: 100 });
  const { videoCodec, audioCodec, stalls, sessions = 1 } = await stats(viewer);
  assert.deepEqual({ videoCodec, audioCodec, stalls, sessions }, { videoCodec: 'H.264', audioCodec: 'Opus', stalls: 0, sessions: 1 });
  const energy = await viewer.evaluate(async () => {
    const report = await window.stoa.connection.getStats();
    return [...report.values()].find((one) => one.type === 'inbound-rtp' && one.kind === 'audio').totalAudioEnergy;
  });
  assert.ok(energy > 0, 'the beeps of the camera are heard');

  const multivariant = await server.untilWatchable('stage');
  assert.match(multivariant, /CODECS="avc1\.[0-9a-f]{6},opus"/);
  const judge = new Program('check-hls', findProgram('stoa'), ['check-hls', server.playlistUrl('stage'), '--seconds', '6']);
  const hls = await openPage(server.watchUrl('stage', 'hls'));
  await until('the page plays LL-HLS with sound', async () => {
    const { engine, framesDecoded } = await stats(hls);
    return engine === 'hls.js' && framesDecoded >= 60 && (await hls.evaluate(() => window.stoa.video.webkitAudioDecodedByteCount)) > 0;
  }, { within: 20_000, every: 100 });
  await until('the judge is done', () => judge.status, { within: 30_000 });
  // What a browser sends grows beyond what was declared at first (X1, BANDWIDTH), and two cores that encode
  // three layers are late now and then (G13).
  const broken = judge.log.split('\n').filter((line) => /^FAIL (?!X1 |G13 )/.test(line));
  assert.deepEqual(broken, []);
  assert.match(judge.log, /LL-HLS: \d+ passed/);

  await studio.goto(`${server.origin}/`);
  await until('the page ends its session', () => isDeleted);
  await until('the channel is not on air any more', async () => (await server.live('stage'))?.state !== 'live', { within: 3000 });
});

test('RTMP is watched in real time: right frames in order; what cannot be had is told', { timeout: 60_000 }, async () => {
  const encoder = publishSource(server.publishUrl('rtmp'), { source: 3, label: 'rtmp' });
  try {
    await server.untilWatchable('rtmp');
    const [page, auto] = [await openPage(server.watchUrl('rtmp', 'realtime')), await openPage(server.watchUrl('rtmp', 'auto'))];
    await untilShown(page, 120);
    assert.deepEqual(judgeRealtime((await shownFrames(page)).slice(10), { source: 3, minimum: 80 }), []);
    assert.equal((await stats(page)).engine, 'whep');
    await untilSays(page, /There is no sound in real time: it is AAC/);
    const { warnings } = await server.live('rtmp');
    assert.ok(warnings.includes('webrtc_codec'), `the API warns: ${warnings}`);
    assert.ok((await server.metric('stoa_whep_obstructed_tracks', { reason: 'codec' })) >= 1);
    await untilSays(auto, /Playing LL-HLS\. There is no sound in real time: it is AAC/);
    await until('the page plays LL-HLS', async () => (await stats(auto)).engine === 'hls.js');
  } finally {
    await encoder.stop();
  }
});

for (const mimeType of ['video/H264', 'video/VP8', 'video/VP9', 'video/AV1']) {
  test(`${mimeType} goes from one page to another unchanged`, { timeout: 45_000 }, async () => {
    const publisher = await openToolPage(), viewer = await openToolPage();
    const channel = mimeType.slice(6).toLowerCase();
    await rtc(publisher, 'publish', 'out', whipUrl(server, channel), { key: channel, mimeType, source: 7 });
    // Not live until the first packets are there.
    await until(`${channel} can be watched`, () => rtc(viewer, 'watch', 'in', whepUrl(server, channel)).then(() => true));
    const facts = await untilDecoded(viewer, 'in', 60);
    assert.equal(facts.videoCodec, mimeType);
    assert.equal(facts.audioCodec, 'audio/opus');
    await until('the beeps are heard', async () => (await rtc(viewer, 'facts', 'in')).audioEnergy > 0);
    assert.equal((await rtc(publisher, 'facts', 'out')).sentCodec, mimeType);
    assert.deepEqual(judgeRealtime(await shownFrames(viewer), { source: 7, minimum: 30 }), []);
    assert.equal(await rtc(viewer, 'end', 'in'), 200);
    assert.equal(await rtc(publisher, 'end', 'out'), 200);
  });
}

test('a simulcast sends all its layers, and viewers follow to the highest', { timeout: 60_000 }, async () => {
  const studio = await goLive('layers');
  const viewer = await openPage(server.watchUrl('layers', 'realtime'));
  await until('three layers are sent', () => studio.evaluate(() => {
    const layers = window.stoaStudio?.stats?.layers ?? [];
    return layers.length === 3 && layers.every(({ bitrate }) => bitrate > 0);
  }), { within: 30_000, every: 200 });
  await until('the viewer sees the largest', async () => (await stats(viewer)).width === 1280, { within: 15_000, every: 200 });
  const decoded = (await stats(viewer)).framesDecoded;
  await until('and goes on', async () => (await stats(viewer)).framesDecoded > decoded + 30, { every: 200 });
  const { rtc: numbers, restarts } = await stats(viewer);
  assert.equal(numbers.sessions, 1);
  assert.equal(restarts, 0);
});

test('the studio sends the codec that was chosen', { timeout: 45_000 }, async () => {
  const studio = await goLive('chosen', server, async (page) => {
    await page.getByLabel('Size', { exact: true }).selectOption('360');
    await page.getByLabel('Simulcast').uncheck();
    await page.getByLabel('Codec', { exact: true }).selectOption('vp9');
  });
  await until('VP9 is sent', () => studio.evaluate(() => window.stoaStudio?.stats?.videoCodec === 'VP9'), { within: 15_000, every: 200 });
  const codecs = await until('the server names its tracks', async () => {
    const { tracks } = await server.live('chosen');
    return tracks.length === 2 && tracks.map((track) => track.codec_name);
  });
  assert.deepEqual(codecs.sort(), ['Opus', 'VP9']);
});

test('the studio outlives its devices', { timeout: 45_000 }, async () => {
  const kept = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('stoa.studio') ?? '{}'));
  const studio = await goLive('devices', server, async (page) => {
    await page.getByLabel('Size', { exact: true }).selectOption('360');
    await page.evaluate(() => {
      const settings = JSON.parse(localStorage.getItem('stoa.studio'));
      localStorage.setItem('stoa.studio', JSON.stringify({ ...settings, cameraId: 'gone', microphoneId: 'gone' }));
    });
    await page.reload();
    await untilSays(page, /The camera and microphone chosen before are not there any more/);
    const { cameraId, microphoneId } = await kept(page);
    assert.deepEqual({ cameraId, microphoneId }, { cameraId: '', microphoneId: '' });
  });
  const sound = () => studio.evaluate(() => {
    const sender = window.stoaStudio.connection.getSenders().find(({ track }) => track?.kind === 'audio');
    window.before ??= sender.track;
    return { id: sender.track.id, isLive: sender.track.readyState === 'live' };
  });
  const first = await sound();
  // As browsers do when a cable is pulled.
  await studio.evaluate(() => {
    window.before.stop();
    window.before.dispatchEvent(new Event('ended'));
  });
  await untilSays(studio, /The sound is gone, and the broadcast goes on without it/);
  const choices = await studio.getByLabel('Microphone', { exact: true }).locator('option').evaluateAll((all) => all.map(({ value }) => value));
  await studio.getByLabel('Microphone', { exact: true }).selectOption(choices.filter((id) => id !== '' && id !== 'none').at(-1));
  await until('another microphone is sent', async () => {
    const { id, isLive } = await sound();
    return isLive && id !== first.id;
  });
  await until('its sound is sent', () => studio.evaluate(() => window.stoaStudio.stats?.audioBitrate > 1000), { every: 200 });
  const { phase, sessions } = await studio.evaluate(() => window.stoaStudio.link);
  assert.deepEqual({ phase, sessions }, { phase: 'up', sessions: 1 });
});

test('data channels echo text and bytes in order', { timeout: 30_000 }, async () => {
  const publisher = await openToolPage(), viewer = await openToolPage();
  await rtc(publisher, 'publish', 'out', whipUrl(server, 'data'), { key: 'data', mimeType: 'video/VP8' });
  await until('data can be watched', () => rtc(viewer, 'watch', 'in', whepUrl(server, 'data'), { channel: 'echo' }).then(() => true));
  const { sent, heard } = await echo(viewer, 'in');
  assert.deepEqual(heard, sent);
  await rtc(viewer, 'end', 'in');
  await rtc(publisher, 'end', 'out');
});

test('media goes over TCP where UDP is blocked', { timeout: 30_000 }, async () => {
  const publisher = await openToolPage(), viewer = await openToolPage();
  await rtc(publisher, 'publish', 'out', whipUrl(server, 'tcp'), { key: 'tcp', mimeType: 'video/VP8', source: 4, isUdpBlocked: true });
  await until('tcp can be watched', () => rtc(viewer, 'watch', 'in', whepUrl(server, 'tcp'), { isUdpBlocked: true }).then(() => true));
  const facts = await untilDecoded(viewer, 'in', 60);
  assert.equal(facts.protocol, 'tcp');
  assert.equal((await rtc(publisher, 'facts', 'out')).protocol, 'tcp');
  assert.deepEqual(judgeRealtime(await shownFrames(viewer), { source: 4, minimum: 30 }), []);
  await rtc(viewer, 'end', 'in');
  await rtc(publisher, 'end', 'out');
});

test('an ICE restart within the session keeps media going', { timeout: 30_000 }, async () => {
  const publisher = await openToolPage(), viewer = await openToolPage();
  await rtc(publisher, 'publish', 'out', whipUrl(server, 'again'), { key: 'again', mimeType: 'video/VP8', source: 5 });
  await until('again can be watched', () => rtc(viewer, 'watch', 'in', whepUrl(server, 'again')).then(() => true));
  const before = await untilDecoded(viewer, 'in', 30);
  for (const [page, name] of [[viewer, 'in'], [publisher, 'out']]) {
    const { ufrag } = await rtc(page, 'facts', name);
    await rtc(page, 'restart', name);
    assert.notEqual((await rtc(page, 'facts', name)).ufrag, ufrag);
    const { framesDecoded } = await rtc(viewer, 'facts', 'in');
    const later = await untilDecoded(viewer, 'in', framesDecoded + 30);
    assert.equal(later.state, 'connected');
  }
  assert.ok(before.framesDecoded > 0);
  assert.deepEqual(judgeRealtime(await shownFrames(viewer), { source: 5, minimum: 60 }), []);
  await rtc(viewer, 'end', 'in');
  await rtc(publisher, 'end', 'out');
});

test('viewers on both shards see what one publisher sends', { timeout: 60_000 }, async () => {
  const publisher = await openToolPage();
  await rtc(publisher, 'publish', 'out', whipUrl(server, 'wide'), { key: 'wide', mimeType: 'video/VP8', width: 320, height: 180 });
  await until('wide is live', async () => (await fetch(whepUrl(server, 'wide'), { method: 'OPTIONS' })).ok && (await server.live('wide')));
  // The kernel spreads connections over the shards, and a browser keeps those it has: every further try comes
  // from another page, whose context has connections of its own.
  const triesMax = 12;
  const viewers = [], shards = new Set();
  while (shards.size < 2 && viewers.length < triesMax) {
    const page = await openToolPage();
    const names = ['in0', 'in1'];
    viewers.push({ page, names });
    await Promise.all(names.map((name) => rtc(page, 'watch', name, whepUrl(server, 'wide'))));
    for (const name of names) shards.add(await rtc(page, 'shardOf', name));
  }
  assert.equal(shards.size, 2, `both shards serve ${viewers.length} pages`);
  for (const { page, names } of viewers) for (const name of names) await untilDecoded(page, name, 20);
  for (const { page, names } of viewers) for (const name of names) assert.equal(await rtc(page, 'end', name), 200);
  await rtc(publisher, 'end', 'out');
});

test('a viewer sees the publisher who comes back after a crash', { timeout: 60_000 }, async () => {
  const lost = await openToolPage();
  await rtc(lost, 'publish', 'out', whipUrl(server, 'crash'), { key: 'crash', mimeType: 'video/H264', source: 1 });
  await server.untilWatchable('crash');
  const viewer = await openPage(server.watchUrl('crash', 'realtime'));
  await untilShown(viewer, 30);
  const crashed = lost.waitForEvent('crash');
  lost.goto('chrome://crash').catch(() => undefined);
  await crashed;
  const back = await openToolPage();
  await until('the channel is given to who comes back', () =>
    rtc(back, 'publish', 'out', whipUrl(server, 'crash'), { key: 'crash', mimeType: 'video/H264', source: 2 }).then(() => true));
  await until('the second is seen', async () => (await shownFrames(viewer)).some(({ source }) => source === 2), { within: 15_000 });
  await untilMore(viewer);
  const shown = (await shownFrames(viewer)).filter(({ source }) => source === 2);
  assert.deepEqual(judgeRealtime(shown, { source: 2, minimum: 15 }), []);
  await rtc(back, 'end', 'out');
});

test('a server that stops ends its sessions at once, and the pages say so', { timeout: 40_000 }, async () => {
  const other = await Server.start({ label: 'stopped', args: ['--shutdown-grace', '1'] });
  const studio = await goLive('last', other);
  const viewer = await openPage(other.watchUrl('last', 'realtime'));
  await untilShown(viewer, 10);
  const tools = await openToolPage(other);
  await rtc(tools, 'watch', 'in', whepUrl(other, 'last'));
  await untilDecoded(tools, 'in', 10);
  const began = Date.now();
  const stopping = other.stop();
  await until('the connection ends', async () => (await rtc(tools, 'facts', 'in')).security === 'closed', { within: 3000 });
  await untilSays(studio, /server does not answer|connection was lost/i, 3000);
  await untilSays(viewer, /cannot be reached|does not answer|connection was lost|has ended/i, 3000);
  assert.ok(Date.now() - began < 4000, `said after ${Date.now() - began} ms`);
  assert.equal((await stopping).code, 0);
});

test('no page had an error', () => assert.deepEqual(problems, []));
