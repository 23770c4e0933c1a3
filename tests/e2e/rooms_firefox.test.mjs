// Meetings of livekit-client in Firefox, with Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeEachOther, useMeetings } from './lib/rooms.mjs';
import { until } from './lib/until.mjs';

const meetings = await useMeetings({ firefox: true });
const joinWithFirefox = (room, options) => meetings.join('fox', room, { browser: meetings.firefox, ...options });

for (const [name, isFoxSingle, isAnnaSingle] of [['two connections', false, false], ['one connection', true, true], ['one of each', true, false]]) {
  test(`Firefox and Chromium see and hear each other: ${name}`, { timeout: 90_000 }, async () => {
    const room = name.replaceAll(' ', '-');
    const anna = await meetings.join('anna', room, { isSingle: isAnnaSingle });
    await anna.showPicture({ source: 1 });
    await anna.speak();
    const fox = await joinWithFirefox(room, { isSingle: isFoxSingle });
    await fox.untilSees('anna', { picture: 1 });
    await fox.untilHears('anna');
    await fox.showPicture({ source: 2 });
    await fox.speak();
    await anna.untilSees('fox', { picture: 2 });
    await anna.untilHears('fox');
    await fox.mute('camera', true);
    await anna.untilTold('trackMuted', ({ source }) => source === 'camera');
    await fox.mute('camera', false);
    await anna.untilSees('fox', { picture: 2 });
    await fox.say('hello');
    assert.equal((await anna.untilTold('dataReceived', ({ text }) => text === 'hello')).by, 'fox');
    await anna.say('hello fox');
    await fox.untilTold('dataReceived', ({ text }) => text === 'hello fox');
  });
}

test('Firefox sends layers and gets the one that it asks for', { timeout: 90_000 }, async () => {
  const anna = await meetings.join('anna', 'layers');
  const simulcast = { width: 640, height: 360, layers: [90, 180], fps: 10 };
  await anna.showPicture({ source: 1, ...simulcast });
  const fox = await joinWithFirefox('layers');
  await fox.showPicture({ source: 2, ...simulcast });
  for (const [who, whose] of [[fox, 'anna'], [anna, 'fox']]) {
    await who.untilSees(whose);
    for (const [quality, height] of [[0, 90], [2, 360]]) {
      await who.wish(whose, 'camera', { quality });
      await who.untilHeight(whose, height);
    }
  }
});

// Chromium says temporal layers of VP8 in the dependency descriptor alone, whether a viewer knows it or not.
test('Firefox gets fewer frames a second when it asks for fewer, and all again', { timeout: 90_000 }, async () => {
  const anna = await meetings.join('anna', 'frames');
  await anna.showPicture({ source: 1, width: 640, height: 360, fps: 30, layers: [180] });
  const fox = await joinWithFirefox('frames');
  const before = await fox.untilSees('anna', { picture: 1 });
  for (const [fps, what, least, most] of [[6, 'a quarter', 10, 27], [0, 'all', 60, 100]]) {
    await fox.wish('anna', 'camera', { fps });
    await until(`Firefox gets ${what} of 30 frames a second`, async () => {
      const { frames } = await fox.receivedIn(3000, 'anna');
      if (frames < least || frames > most) throw new Error(`${frames} in 3 s`);
      return true;
    }, { within: 30_000, every: 10 });
  }
  const now = await fox.untilSees('anna', { picture: 1 });
  for (const what of ['lost', 'requests', 'repeats']) assert.equal(now[what], before[what], what);
});

test('Firefox comes back when its connection is lost', { timeout: 90_000 }, async () => {
  for (const isSingle of [true, false]) {
    const room = `lost-${isSingle}`;
    const anna = await meetings.join('anna', room);
    await anna.showPicture({ source: 1 });
    const fox = await joinWithFirefox(room, { isSingle });
    await fox.showPicture({ source: 2 });
    await seeEachOther(anna, fox);
    for (const [scenario, told] of [['signal-reconnect', 'signalReconnecting'], ['full-reconnect', 'reconnected']]) {
      await fox.simulate(scenario);
      await fox.untilTold(told);
      await fox.untilAnswers('self', [], ({ state }) => state === 'connected');
      await seeEachOther(anna, fox);
    }
    await meetings.leaveAll();
  }
});
