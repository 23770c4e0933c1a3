// Spatial layers within one stream (SVC), as livekit-client has Chromium send VP9 and AV1: each viewer gets the size it asks
// for, in one stream without a break.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useMeetings } from './lib/rooms.mjs';

// VideoQuality of livekit-client.
const low = 0, medium = 1, high = 2;
const meetings = await useMeetings();

for (const codec of ['vp9', 'av1']) {
  test(`viewers get their layer of one ${codec} stream`, { timeout: 150_000 }, async (context) => {
    const room = `scalable-${codec}`;
    const anna = await meetings.join('anna', room);
    if (!(await anna.sendable()).includes(`video/${codec}`)) return context.skip(`this Chromium sends no ${codec}`);
    await anna.showPicture({
      source: 1, codec, width: 1024, height: 576, fps: 10,
      options: { scalabilityMode: 'L3T3_KEY', videoEncoding: { maxBitrate: 1_200_000, maxFramerate: 10 } },
    });
    const [ben, cleo] = [await meetings.join('ben', room), await meetings.join('cleo', room, { isSingle: false })];
    for (const one of [ben, cleo]) {
      await one.untilHeight('anna', 576);
      assert.equal((await one.untilSees('anna', { picture: 1 })).codec.toLowerCase(), `video/${codec}`);
    }
    const sent = await anna.sent('camera');
    assert.equal(sent.filter(({ frames }) => frames > 0).length, 1, `one stream carries all: ${JSON.stringify(sent)}`);

    const before = { ben: await ben.received('anna', 'camera'), cleo: await cleo.received('anna', 'camera') };
    for (const [quality, height] of [[low, 144], [medium, 288], [low, 144], [high, 576], [low, 144]]) {
      await ben.wish('anna', 'camera', { quality });
      await ben.untilHeight('anna', height);
      const facts = await ben.untilSees('anna', { picture: 1, more: 5 });
      assert.equal(facts.height, height);
      assert.equal((await cleo.received('anna', 'camera')).height, 576, 'what another wants is nothing to her');
    }
    const [small, large] = await Promise.all([ben.receivedIn(4000, 'anna'), cleo.receivedIn(4000, 'anna')]);
    assert.ok(small.frames > 0.6 * large.frames, `as many pictures: ${small.frames} of ${large.frames}`);
    assert.ok(small.bytes < 0.4 * large.bytes, `fewer bytes: ${small.bytes} of ${large.bytes}`);
    await ben.wish('anna', 'camera', { quality: high });
    await ben.untilHeight('anna', 576);

    const after = { ben: await ben.received('anna', 'camera'), cleo: await cleo.received('anna', 'camera') };
    for (const who of ['ben', 'cleo']) {
      const frozen = after[who].frozenS - before[who].frozenS;
      // Encoder and decoders share two cores with others: a stall of the machine is no freeze of each switch.
      assert.ok(frozen < 2, `${who}'s picture stood still for ${frozen} s`);
      assert.equal(after[who].requests - before[who].requests, 0, `${who} had to ask for a keyframe`);
    }
  });
}
