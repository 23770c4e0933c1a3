// Sound with redundancy (RED): who takes it gets it, and in the same room, of the same track, who does not gets
// plain Opus.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { AudioStream, Room, RoomEvent, TrackKind, dispose } from '@livekit/rtc-node';
import { fakeCamera, launchChromium, launchFirefox } from './lib/browser.mjs';
import { Meetings, makeToken, openVisitor, signalUrl } from './lib/rooms.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server, chromium, firefox, meetings, fox, robot;
before(async () => {
  server = await Server.start({ shards: 2, rtc: ':0' }); // Firefox does not look for peers on loopback.
  [chromium, firefox] = await Promise.all([launchChromium(fakeCamera), launchFirefox()]);
  meetings = new Meetings(chromium, server);
});
after(async () => {
  await Promise.all([chromium?.close(), firefox?.close()]);
  await server?.stop();
  await dispose();
});
afterEach(async () => {
  await fox?.page.evaluate(() => window.tools.close()).catch(() => undefined);
  await fox?.page.close().catch(() => undefined);
  await robot?.disconnect();
  fox = robot = undefined;
  await meetings.leaveAll();
});

// The microphone as applications switch it on: one channel.
const speak = (who, options) => who.page.evaluate((given) => window.room.localParticipant.setMicrophoneEnabled(true, undefined, given), options);
const facts = (who, of) => who.page.evaluate((name) => window.tools.received(name, 'microphone'), of);

// What comes in three seconds of it. Chromium counts each frame that came along with a later one, and was not needed,
// as a packet that it discarded; it has no other word for them.
async function listen(who, of) {
  await who.untilHears(of);
  const first = await facts(who, of);
  await new Promise((done) => setTimeout(done, 3000));
  const last = await facts(who, of);
  const heard = { codec: last.codec };
  for (const name of ['packets', 'discarded', 'samples', 'concealed', 'energy', 'bytes']) heard[name] = last[name] - first[name];
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

    fox = await openVisitor(await firefox.newPage(), server, 'fox');
    await fox.join(signalUrl(server), await makeToken('fox', room), { isSingle });
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
    await robot.connect(signalUrl(server), await makeToken('robot', room), { autoSubscribe: true, dynacast: true });
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
