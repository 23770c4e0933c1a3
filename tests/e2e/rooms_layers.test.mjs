// Layers and codecs of livekit-client in Chromium: viewers get the layer they ask for, publishers send only what
// somebody wants, and every codec goes through unchanged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useMeetings } from './lib/rooms.mjs';
import { pause, until } from './lib/until.mjs';

// VideoQuality of livekit-client.
const low = 0, medium = 1, high = 2;
const simulcast = { width: 960, height: 540, layers: [135, 270], fps: 15 };
const meetings = await useMeetings();

// Layers that send frames, by comparing two looks at them half a second apart.
async function untilSending(visitor, wanted) {
  let now = [];
  return until(`${visitor.identity} sends the layers ${wanted}`, async () => {
    const before = now;
    now = await visitor.sent('camera');
    const framesSince = ({ rid, codec, frames }) => frames - (before.find((one) => one.rid === rid && one.codec === codec)?.frames ?? 0);
    const sending = now.filter((one) => framesSince(one) > 0).map(({ rid }) => rid).sort().join();
    if (before.length === 0 || sending !== [...wanted].sort().join()) throw new Error(`${sending}: ${JSON.stringify(now)}`);
    return true;
  }, { within: 25_000, every: 500 });
}

for (const isSingle of [true, false]) {
  test(`viewers get the layer they ask for: ${isSingle ? 'one connection' : 'two connections'}`, { timeout: 100_000 }, async () => {
    const room = `layers-${isSingle}`;
    const anna = await meetings.join('anna', room, { isSingle });
    await anna.showPicture({ source: 1, ...simulcast });
    const ben = await meetings.join('ben', room, { isSingle });
    await ben.untilHeight('anna', 540);
    await ben.wish('anna', 'camera', { quality: low });
    await ben.untilHeight('anna', 135);
    await ben.wish('anna', 'camera', { quality: medium });
    await ben.untilHeight('anna', 270);
    await ben.wish('anna', 'camera', { width: 200, height: 112 });
    await ben.untilHeight('anna', 135);
    await ben.wish('anna', 'camera', { width: 1280, height: 720 });
    await ben.untilHeight('anna', 540);
    await ben.untilSees('anna', { picture: 1 });
  });
}

test('two viewers have different layers of one picture', { timeout: 60_000 }, async () => {
  const anna = await meetings.join('anna', 'both');
  await anna.showPicture({ source: 1, ...simulcast });
  const [ben, cleo] = [await meetings.join('ben', 'both'), await meetings.join('cleo', 'both', { isSingle: false })];
  await ben.untilSees('anna');
  await cleo.untilSees('anna');
  await ben.wish('anna', 'camera', { quality: low });
  await Promise.all([ben.untilHeight('anna', 135), cleo.untilHeight('anna', 540)]);
  await Promise.all([ben.untilSees('anna', { picture: 1 }), cleo.untilSees('anna', { picture: 1 })]);
  assert.equal((await ben.received('anna', 'camera')).height, 135);
});

test('layers that nobody wants are not sent, and come back at once', { timeout: 120_000 }, async () => {
  const anna = await meetings.join('anna', 'dynacast');
  await anna.showPicture({ source: 1, ...simulcast });
  const ben = await meetings.join('ben', 'dynacast', { isSingle: false });
  await untilSending(anna, ['q', 'h', 'f']);
  await ben.wish('anna', 'camera', { quality: low });
  await untilSending(anna, ['q']);
  const asked = Date.now();
  await ben.wish('anna', 'camera', { quality: high });
  await ben.untilHeight('anna', 540);
  const took = Date.now() - asked;
  assert.ok(took < 5000, `the high layer came after ${took} ms`);
  await ben.wish('anna', 'camera', { enabled: false });
  await untilSending(anna, []);
  await ben.wish('anna', 'camera', { enabled: true });
  await ben.untilSees('anna', { picture: 1 });
});

test('a disabled track is not sent', { timeout: 60_000 }, async () => {
  const anna = await meetings.join('anna', 'disabled');
  await anna.showPicture({ source: 1 });
  const [ben, cleo] = [await meetings.join('ben', 'disabled'), await meetings.join('cleo', 'disabled')];
  await Promise.all([ben.untilSees('anna'), cleo.untilSees('anna')]);
  await ben.wish('anna', 'camera', { enabled: false });
  await ben.untilStill('anna');
  const { bytes } = await ben.received('anna', 'camera');
  await cleo.untilSees('anna', { more: 20 });
  assert.equal((await ben.received('anna', 'camera')).bytes, bytes);
  await ben.wish('anna', 'camera', { enabled: true });
  await ben.untilSees('anna', { picture: 1 });
});

test('a viewer with little room gets smaller pictures, then none, and is told', { timeout: 100_000 }, async () => {
  const anna = await meetings.join('anna', 'room');
  await anna.showPicture({ source: 1, ...simulcast });
  await anna.speak();
  const ben = await meetings.join('ben', 'room');
  await ben.untilHeight('anna', 540);
  await untilSending(anna, ['q', 'h', 'f']);
  // What the layers take, over a few seconds.
  const [then, began] = [await anna.sent('camera'), Date.now()];
  await pause(4000);
  const now = await anna.sent('camera');
  const [low, medium, high] = now.map(({ bytes }, i) => ((bytes - then[i].bytes) * 8000) / (Date.now() - began));
  const sound = 60_000;
  await ben.simulate('subscriber-bandwidth', Math.round(sound + (medium + high) / 2));
  await ben.untilHeight('anna', 270);
  await ben.simulate('subscriber-bandwidth', Math.round(sound + (low + medium) / 2));
  await ben.untilHeight('anna', 135);
  assert.equal((await ben.received('anna', 'camera')).state, 'active');
  await ben.simulate('subscriber-bandwidth', 1000);
  await ben.untilAnswers('received', ['anna', 'camera'], ({ state }) => state === 'paused', { what: 'knows that there is no room' });
  await ben.untilHears('anna');
  await ben.simulate('subscriber-bandwidth', 0);
  await ben.untilAnswers('received', ['anna', 'camera'], ({ state }) => state === 'active', { what: 'knows that there is room' });
  await ben.untilHeight('anna', 540);
  await ben.untilSees('anna', { picture: 1 });
});

test('adaptive stream asks for what is shown', { timeout: 60_000 }, async () => {
  const anna = await meetings.join('anna', 'adaptive');
  await anna.showPicture({ source: 1, ...simulcast });
  const ben = await meetings.join('ben', 'adaptive', { adaptiveStream: true });
  await ben.untilTold('trackSubscribed');
  const show = (style) => ben.page.evaluate((css) => (document.querySelector('video').style.cssText = css), style);
  await show('display: block; width: 160px; height: 90px');
  await ben.untilHeight('anna', 135);
  await show('display: block; width: 960px; height: 540px');
  await ben.untilHeight('anna', 540);
  await show('display: none');
  await ben.untilStill('anna');
});

for (const codec of ['vp8', 'h264', 'vp9', 'av1']) {
  test(`${codec} goes through unchanged`, { timeout: 60_000 }, async (context) => {
    const anna = await meetings.join('anna', `codec-${codec}`);
    if (!(await anna.sendable()).includes(`video/${codec}`)) return context.skip(`this Chromium sends no ${codec}`);
    // VP9 and AV1 are sent as livekit-client does, with layers within one stream.
    await anna.showPicture({ source: 1, codec, width: 640, height: 360, fps: 10 });
    const [ben, cleo] = [await meetings.join('ben', `codec-${codec}`), await meetings.join('cleo', `codec-${codec}`, { isSingle: false })];
    for (const one of [ben, cleo]) {
      const facts = await one.untilSees('anna', { picture: 1, more: 20 });
      assert.equal(facts.codec.toLowerCase(), `video/${codec}`);
      assert.equal(facts.mimeType.toLowerCase(), `video/${codec}`);
    }
  });
}

for (const isSingle of [true, false]) {
  test(`a backup codec is sent when somebody cannot have the first: ${isSingle ? 'one connection' : 'two connections'}`, { timeout: 90_000 }, async (context) => {
    const room = `backup-${isSingle}`;
    const anna = await meetings.join('anna', room);
    if (!(await anna.sendable()).includes('video/vp9')) return context.skip('this Chromium sends no VP9');
    await anna.showPicture({ source: 1, codec: 'vp9', width: 640, height: 360, fps: 10, options: { backupCodec: true } });
    const ben = await meetings.join('ben', room);
    assert.match((await ben.untilSees('anna', { picture: 1 })).codec, /vp9/i);
    const old = await meetings.visitor('old');
    await old.page.evaluate(() => {
      // A browser that receives VP8 alone.
      const codecs = RTCRtpReceiver.getCapabilities('video').codecs.filter(({ mimeType }) => /vp8|rtx/i.test(mimeType));
      for (const name of ['createOffer', 'createAnswer']) {
        const create = RTCPeerConnection.prototype[name];
        RTCPeerConnection.prototype[name] = function (...args) {
          for (const one of this.getTransceivers()) if (one.receiver.track.kind === 'video') one.setCodecPreferences(codecs);
          return create.apply(this, args);
        };
      }
    });
    await meetings.enter(old, room, { isSingle });
    assert.match((await old.untilSees('anna', { picture: 1, within: 30_000 })).codec, /vp8/i);
    assert.match((await ben.untilSees('anna', { picture: 1 })).codec, /vp9/i);
  });
}
