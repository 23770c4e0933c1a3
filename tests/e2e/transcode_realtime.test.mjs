// Sound and pictures from any way in to any way out: an RTMP encoder is seen and heard over WebRTC, a browser's
// Opus is AAC in LL-HLS.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { fakeCamera, launchChromium, shownFrames, watchFromStart } from './lib/browser.mjs';
import { publishSource } from './lib/encoder.mjs';
import { wholeSegments } from './lib/follow.mjs';
import { downloadSegments, readBeeps, readFrames } from './lib/media.mjs';
import { fetchMultivariant } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';
import { judgeRealtime, openTools, rtc, untilDecoded, whepUrl, whipUrl } from './lib/webrtc.mjs';

let server, browser;
const encoders = [];
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'standard', '--transcode-workers', '8'] });
  browser = await launchChromium(fakeCamera);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
afterEach(async () => {
  await Promise.all(encoders.splice(0).map((encoder) => encoder.stop()));
});

async function openToolPage() {
  const page = await browser.newPage();
  await watchFromStart(page);
  await openTools(page, server.origin);
  return page;
}

for (const [channel, bFrames, height] of [['plain', 0, 360], ['reordered', 2, 240]]) {
  test(`an RTMP encoder with ${bFrames} B-frames is seen and heard in real time`, { timeout: 60_000 }, async () => {
    encoders.push(publishSource(server.publishUrl(channel), { source: 3, width: 640, height: 360, videoKbps: 1200, bFrames, preset: bFrames ? 'veryfast' : 'ultrafast' }));
    const viewer = await openToolPage();
    // Who comes in the first moment waits until it is known what there is.
    await until(`${channel} can be watched`, () => rtc(viewer, 'watch', 'in', whepUrl(server, channel)).then(() => true));
    const facts = await untilDecoded(viewer, 'in', 120);
    assert.deepEqual([facts.videoCodec, facts.audioCodec], ['video/H264', 'audio/opus']);
    await until('the beeps are heard', async () => (await rtc(viewer, 'facts', 'in')).audioEnergy > 0);
    await until(`pictures are ${height} lines high`, () => viewer.evaluate((wanted) => document.querySelector('video').videoHeight === wanted, height));
    const before = (await shownFrames(viewer)).length;
    await until('60 more frames are shown', async () => (await shownFrames(viewer)).length >= before + 60);
    assert.deepEqual(judgeRealtime((await shownFrames(viewer)).slice(before), { source: 3, minimum: 50 }), []);
    const { warnings } = await server.live(channel);
    assert.deepEqual(warnings.filter((one) => one.startsWith('webrtc_')), []);
    const page = await browser.newPage();
    await page.goto(server.watchUrl(channel, 'auto'));
    await until('the watch page takes real time, with sound', async () => {
      const { engine, framesDecoded, rtc: numbers } = await page.evaluate(() => window.stoa?.stats() ?? {});
      if (engine === 'whep' && framesDecoded >= 30 && numbers.audioBitrate > 1000) return true;
      throw new Error(JSON.stringify({ engine, framesDecoded, numbers, says: await page.evaluate(() => document.body.innerText) }));
    }, { within: 20_000 });
    await page.close();
    await viewer.close();
  });
}

test('a browser over WHIP is in LL-HLS with its sound as AAC', { timeout: 90_000 }, async () => {
  const publisher = await openToolPage();
  await rtc(publisher, 'publish', 'out', whipUrl(server, 'stage'), { key: 'stage', mimeType: 'video/H264', source: 7 });
  await server.untilWatchable('stage', 20_000);
  const aac = await until('the playlist offers AAC', async () => {
    const text = await server.text('/live/stage/index.m3u8');
    return /mp4a\.40\.2/.test(text) && (await fetchMultivariant(server.playlistUrl('stage'))).audio.find((one) => /aac/.test(one.url));
  }, { within: 20_000 });
  const beeps = await readBeeps(await downloadSegments(await wholeSegments(aac.url, 3), 'whip-aac'));
  assert.ok(beeps.length >= 2, `${beeps.length} beeps of the browser's microphone`);
  const judge = new Program('check-whip-aac', findProgram('stoa'), ['check-hls', server.playlistUrl('stage'), '--seconds', '6']);
  await until('the judge is done', () => judge.status, { within: 30_000 });
  // What a browser sends grows beyond what was declared at first (X1), and two cores that encode are late now and then (G13).
  assert.deepEqual(judge.log.split('\n').filter((line) => /^FAIL (?!X1 |G13 )/.test(line)), []);
  assert.equal(await rtc(publisher, 'end', 'out'), 200);
  await publisher.close();
});

test('the beeps are in step with the pictures of a rung', { timeout: 60_000 }, async () => {
  encoders.push(publishSource(server.publishUrl('steps'), { width: 640, height: 360, videoKbps: 1200 }));
  await server.untilWatchable('steps');
  const { variants, audio } = await fetchMultivariant(server.playlistUrl('steps'));
  const rung = variants.find((one) => /240p30/.test(one.url)).url;
  const frames = await readFrames(await downloadSegments(await wholeSegments(rung, 3), 'steps-v'));
  const beeps = await readBeeps(await downloadSegments(await wholeSegments(audio[0].url, 3), 'steps-a'));
  const pairs = frames.filter((one) => one.frame % 30 === 0).map(({ time }) => beeps.find((beep) => Math.abs(beep.time - time) < 0.4)?.time - time).filter(Number.isFinite);
  assert.ok(pairs.length >= 2, `${pairs.length} beeps compared`);
  for (const off of pairs) assert.ok(Math.abs(off) <= 0.04, `a beep is ${Math.round(off * 1000)} ms off`);
});
