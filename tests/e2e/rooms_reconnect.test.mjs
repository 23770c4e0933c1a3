// Connections of a meeting that are lost, and how livekit-client comes back: with the signalling alone, which
// media does not notice, or with everything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeEachOther, useMeetings } from './lib/rooms.mjs';
import { until } from './lib/until.mjs';

const meetings = await useMeetings();
const { server } = meetings;

const bothSee = (anna, ben) => seeEachOther(anna, ben, { more: 15 });

// The longest time without a new frame of somebody, in ms, while `act` goes on.
async function longestGap(visitor, identity, act) {
  await visitor.page.evaluate((who) => {
    const [video] = window.room.getParticipantByIdentity(who).getTrackPublication('camera').track.attachedElements;
    window.gap = { longest: 0, last: performance.now() };
    const note = () => {
      const now = performance.now();
      window.gap = { longest: Math.max(window.gap.longest, now - window.gap.last), last: now };
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  }, identity);
  await act();
  return visitor.page.evaluate(() => Math.max(window.gap.longest, performance.now() - window.gap.last));
}

for (const isSingle of [true, false]) {
  const generation = isSingle ? 'one connection' : 'two connections';

  test(`a lost WebSocket comes back as the same participant, and media goes on: ${generation}`, { timeout: 60_000 }, async () => {
    const { anna, ben } = await meetings.pair(`resume-${isSingle}`, { isSingle });
    const { sid } = await anna.self();
    const [joins, resumes] = [await server.metric('stoa_room_joins_total'), await server.metric('stoa_room_resumes_total')];
    const act = async (name, cut) => {
      await anna.untilToldAgain('away', cut);
      await until(`anna is back (${name})`, async () => (await anna.self()).state === 'connected');
      await bothSee(anna, ben);
    };
    const gap = await longestGap(ben, 'anna', async () => {
      await act('cut', () => anna.cut());
      await act('simulated', () => anna.simulate('signal-reconnect'));
    });
    assert.ok(gap < 1500, `${Math.round(gap)} ms without a picture`);
    assert.equal((await anna.self()).sid, sid);
    assert.equal(await server.metric('stoa_room_joins_total'), joins, 'nobody joined anew');
    assert.ok((await server.metric('stoa_room_resumes_total')) >= resumes + 2);
    assert.equal(await ben.countTold('participantDisconnected'), 0);
    assert.equal(await ben.countTold('trackUnsubscribed'), 0);
  });

  test(`what happened while the WebSocket was away is told on return: ${generation}`, { timeout: 60_000 }, async () => {
    const { anna, ben } = await meetings.pair(`away-${isSingle}`, { isSingle });
    const cleo = await meetings.join('cleo', `away-${isSingle}`, { isSingle });
    await anna.untilTold('participantConnected', ({ by }) => by === 'cleo');
    // Away for long enough to miss all of it.
    await anna.simulate('signal-reconnect', 2500);
    await until('anna is away', async () => (await anna.self()).state !== 'connected');
    await Promise.all([cleo.leave(), ben.set({ metadata: 'changed' }), ben.unpublish('camera'), ben.say('missed')]);
    await ben.showPicture({ source: 7 });
    await anna.untilAnswers('self', [], ({ state }) => state === 'connected');
    await anna.untilTold('participantDisconnected', ({ by }) => by === 'cleo');
    await anna.untilAnswers('of', ['ben'], ({ metadata }) => metadata === 'changed');
    await anna.untilSees('ben', { picture: 7 });
    await anna.untilTold('dataReceived', ({ text }) => text === 'missed');
    assert.equal(await anna.countTold('dataReceived', ({ text }) => text === 'missed'), 1);
  });

  test(`a full reconnect brings everything back: ${generation}`, { timeout: 60_000 }, async () => {
    const { anna, ben } = await meetings.pair(`full-${isSingle}`, { isSingle });
    const { sid } = await anna.self();
    for (const scenario of ['full-reconnect', 'leave-full-reconnect', 'resume-reconnect']) {
      await anna.untilToldAgain('reconnected', () => anna.simulate(scenario), { within: 20_000 });
      await bothSee(anna, ben);
    }
    assert.notEqual((await anna.self()).sid, sid);
    assert.deepEqual((await ben.self()).others, ['anna']);
  });

  test(`a signal that is lost while it comes back is no end: ${generation}`, { timeout: 60_000 }, async () => {
    const { anna, ben } = await meetings.pair(`again-${isSingle}`, { isSingle });
    for (const scenario of ['disconnect-signal-on-resume', 'disconnect-signal-on-resume-no-messages']) {
      await anna.untilToldAgain('away', () => anna.simulate(scenario));
      await anna.untilAnswers('self', [], ({ state }) => state === 'connected', { within: 20_000 });
      await bothSee(anna, ben);
    }
  });
}

test('media goes over TCP where UDP is blocked', { timeout: 60_000 }, async () => {
  for (const isSingle of [true, false]) {
    const visitors = [await meetings.visitor('anna'), await meetings.visitor('ben')];
    for (const one of visitors) {
      await one.page.evaluate(() => {
        const isUdp = (line) => /candidate:\S+ \d+ udp /i.test(line ?? '');
        const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
        RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
          if (!isUdp(candidate?.candidate)) await addIceCandidate.call(this, candidate);
        };
        RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
          return setRemoteDescription.call(this, { type, sdp: sdp.split('\r\n').filter((line) => !isUdp(line)).join('\r\n') });
        };
      });
      await meetings.enter(one, `blocked-${isSingle}`, { isSingle });
    }
    const [anna, ben] = visitors;
    await anna.showPicture({ source: 1 });
    await ben.showPicture({ source: 2 });
    await bothSee(anna, ben);
    const paths = [...(await anna.paths()), ...(await ben.paths())];
    assert.ok(paths.length >= 2 && paths.every((one) => one === 'tcp'), paths.join());
    await meetings.leaveAll();
  }
});

test('a client may ask for TCP', { timeout: 60_000 }, async () => {
  for (const isSingle of [true, false]) {
    const { anna, ben } = await meetings.pair(`tcp-${isSingle}`, { isSingle });
    const first = await anna.paths();
    assert.ok(first.length > 0 && first.every((one) => one === 'udp'), first.join());
    await anna.simulate('force-tcp');
    await anna.untilTold('reconnected', () => true, 25_000);
    await bothSee(anna, ben);
    const paths = await anna.paths();
    assert.ok(paths.length > 0 && paths.every((one) => one === 'tcp'), paths.join());
    await meetings.leaveAll();
  }
});

test('a participant that the server sends away goes', { timeout: 30_000 }, async () => {
  const { anna, ben } = await meetings.pair('leave', { isSingle: true });
  await anna.simulate('server-leave');
  await ben.untilTold('participantDisconnected', ({ by }) => by === 'anna');
  await anna.untilTold('disconnected');
});

test('a node that fails as it is asked to is found again', { timeout: 45_000 }, async () => {
  const { anna, ben } = await meetings.pair('node', { isSingle: true });
  await anna.untilToldAgain('away', () => anna.simulate('node-failure'));
  await anna.untilAnswers('self', [], ({ state }) => state === 'connected', { within: 20_000 });
  await bothSee(anna, ben);
});

test('a page that goes away without a word is missed soon', { timeout: 60_000 }, async () => {
  const { anna, ben } = await meetings.pair('gone', { isSingle: false });
  await ben.page.goto('about:blank');
  await anna.untilTold('participantDisconnected', ({ by }) => by === 'ben', 45_000);
});
