// Sound with redundancy (RED): who takes it gets it, and in the same room, of the same track, who does not gets
// plain Opus.
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { AudioStream, Room, RoomEvent, TrackKind, dispose } from '@livekit/rtc-node';
import { makeToken, useMeetings } from './lib/rooms.mjs';
import { until } from './lib/until.mjs';

const meetings = await useMeetings({ firefox: true });
let robot;
afterEach(async () => {
  await robot?.disconnect();
  robot = undefined;
});
after(() => dispose());

// The microphone as applications switch it on: one channel.
const speak = (who, options) => who.page.evaluate((given) => window.room.localParticipant.setMicrophoneEnabled(true, undefined, given), options);

// What comes in three seconds of it. Chromium counts each frame that came along with a later one, and was not needed,
// as a packet that it discarded; it has no other word for them.
async function listen(who, of) {
  await who.untilHears(of);
  const heard = await who.receivedIn(3000, of, 'microphone');
  assert.ok(heard.packets > 100, JSON.stringify(heard));
  assert.ok(heard.energy > 0, JSON.stringify(heard));
  assert.ok(heard.concealed < heard.samples / 10, JSON.stringify(heard));
  return heard;
}

for (const isSingle of [true, false]) {
  test(`each gets what it takes, with ${isSingle ? 'one connection' : 'two'}`, { timeout: 120_000 }, async () => {
    const room = `red-${isSingle}`;
    const anna = await meetings.join('anna', room, { isSingle });
    await speak(anna);
    const ben = await meetings.join('ben', room, { isSingle });
    const withRed = await listen(ben, 'anna');
    assert.ok(withRed.discarded > withRed.packets * 0.9, JSON.stringify(withRed));

    const fox = await meetings.join('fox', room, { browser: meetings.firefox, isSingle });
    const plain = await listen(fox, 'anna');
    assert.equal(plain.codec, 'audio/opus');
    assert.ok(plain.bytes / plain.packets < (0.75 * withRed.bytes) / withRed.packets, JSON.stringify({ plain, withRed }));
    // Still, beside it.
    const still = await listen(ben, 'anna');
    assert.ok(still.discarded > still.packets * 0.9, JSON.stringify(still));

    robot = new Room();
    let loud = 0;
    robot.on(RoomEvent.TrackSubscribed, async (track) => {
      if (track.kind !== TrackKind.KIND_AUDIO) return;
      for await (const { data } of new AudioStream(track)) loud += data.some((one) => Math.abs(one) > 500) ? 1 : 0;
    });
    await robot.connect(meetings.url, await makeToken('robot', room), { autoSubscribe: true, dynacast: true });
    await until('the robot hears anna', () => loud > 20, { within: 25_000 });
  });
}

test('who switches it off sends none', { timeout: 60_000 }, async () => {
  const [anna, ben] = [await meetings.join('anna', 'off', { isSingle: true }), await meetings.join('ben', 'off', { isSingle: false })];
  await speak(anna, { red: false });
  const heard = await listen(ben, 'anna');
  assert.equal(heard.codec, 'audio/opus');
  assert.ok(heard.discarded < heard.packets * 0.1, JSON.stringify(heard));
});
