// Meetings of LiveKit's client for servers and agents (@livekit/rtc-node, around the core in Rust that most of
// their clients share), with itself and with a browser.
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import {
  AudioFrame, AudioSource, AudioStream, LocalAudioTrack, LocalVideoTrack, Room, RoomEvent, RpcError, SimulateScenarioKind, TrackKind, TrackPublishOptions,
  TrackSource, VideoBufferType, VideoFrame, VideoSource, VideoStream, dispose,
} from '@livekit/rtc-node';
import { readBarcode } from './lib/barcode.mjs';
import { paintBarcode } from './lib/barcode_paint.mjs';
import { makeToken, useMeetings } from './lib/rooms.mjs';
import { until } from './lib/until.mjs';

const width = 480, height = 270, fps = 15, sampleRate = 48_000;
const meetings = await useMeetings();
const here = [];
afterEach(() => Promise.all(here.splice(0).map((one) => one.leave())));
after(() => dispose());

class Robot {
  told = [];
  seen = {}; // By identity: frames, the last barcode, and the sum of what was heard.

  async join(identity, room, grant) {
    this.room = new Room();
    for (const name of Object.values(RoomEvent)) this.room.on(name, (...args) => this.told.push({ name, args }));
    this.room.on(RoomEvent.TrackSubscribed, (track, _publication, { identity: by }) => void this.follow(track, by));
    await this.room.connect(meetings.url, await makeToken(identity, room, grant), { autoSubscribe: true, dynacast: true });
    here.push(this);
    return this;
  }

  async follow(track, by) {
    const seen = (this.seen[by] ??= { frames: 0, picture: null, loudness: 0 });
    if (track.kind === TrackKind.KIND_VIDEO) {
      for await (const { frame } of new VideoStream(track)) {
        const { data, width: wide, height: high } = frame.type === VideoBufferType.I420 ? frame : frame.convert(VideoBufferType.I420);
        Object.assign(seen, { frames: seen.frames + 1, picture: readBarcode(wide, high, (x, y) => data[y * wide + x]) ?? seen.picture });
      }
    } else {
      for await (const { data } of new AudioStream(track)) {
        for (let i = 0; i < data.length; i += 48) seen.loudness += Math.abs(data[i]) > 1000 ? 1 : 0;
      }
    }
  }

  async show() {
    const source = new VideoSource(width, height);
    let frame = 0;
    this.painting = setInterval(() => {
      const picture = new Uint8Array((width * height * 3) / 2).fill(128);
      paintBarcode(picture, width, height, ++frame, Date.now() % 2 ** 32);
      source.captureFrame(new VideoFrame(picture, width, height, VideoBufferType.I420), BigInt(Date.now()) * 1000n);
    }, 1000 / fps);
    const options = new TrackPublishOptions({ source: TrackSource.SOURCE_CAMERA });
    return this.room.localParticipant.publishTrack(LocalVideoTrack.createVideoTrack('camera', source), options);
  }

  async speak() {
    const source = new AudioSource(sampleRate, 1);
    let at = 0;
    this.isSpeaking = true;
    const hum = async () => {
      while (this.isSpeaking) {
        const samples = Int16Array.from({ length: sampleRate / 50 }, () => Math.round(8000 * Math.sin((2 * Math.PI * 440 * at++) / sampleRate)));
        await source.captureFrame(new AudioFrame(samples, sampleRate, 1, samples.length));
      }
    };
    const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
    const publication = await this.room.localParticipant.publishTrack(LocalAudioTrack.createAudioTrack('microphone', source), options);
    void hum().catch(() => undefined);
    return publication;
  }

  untilSees(by, { more = 20, judge = () => true } = {}) {
    const before = this.seen[by]?.frames ?? 0;
    return until(`${more} frames of ${by}`, () => {
      const seen = this.seen[by];
      if (!((seen?.frames ?? 0) >= before + more && seen.picture && judge(seen.picture))) throw new Error(JSON.stringify(this.seen));
      return seen;
    }, { within: 25_000 });
  }
  untilHears(by) {
    const before = this.seen[by]?.loudness ?? 0;
    return until(`the sound of ${by}`, () => (this.seen[by]?.loudness ?? 0) > before + 100 || Promise.reject(new Error(JSON.stringify(this.seen))), { within: 25_000 });
  }
  untilTold(name, judge = () => true) {
    return until(`${name} is told`, () => this.told.find((one) => one.name === name && judge(...one.args)), { within: 25_000 });
  }

  async leave() {
    clearInterval(this.painting);
    this.isSpeaking = false;
    await this.room.disconnect();
  }
}

test('two robots see and hear each other', { timeout: 60_000 }, async () => {
  const [one, two] = [await new Robot().join('one', 'robots'), await new Robot().join('two', 'robots')];
  for (const robot of [one, two]) {
    await robot.show();
    await robot.speak();
  }
  await Promise.all([one.untilSees('two'), two.untilSees('one'), one.untilHears('two'), two.untilHears('one')]);
  await one.untilTold(RoomEvent.ActiveSpeakersChanged, (speakers) => speakers.some(({ identity }) => identity === 'two'));
  await two.leave();
  await one.untilTold(RoomEvent.ParticipantDisconnected, ({ identity }) => identity === 'two');
});

for (const isSingle of [true, false]) {
  test(`a robot and a browser with ${isSingle ? 'one connection' : 'two'} see and hear each other`, { timeout: 60_000 }, async () => {
    const room = `mixed-${isSingle}`;
    const robot = await new Robot().join('robot', room);
    await robot.show();
    await robot.speak();
    const anna = await meetings.join('anna', room, { isSingle });
    await anna.showPicture({ source: 9 });
    await anna.speak();
    await Promise.all([anna.untilSees('robot', { picture: 0, more: 20 }), robot.untilSees('anna', { judge: ({ source }) => source === 9 }), anna.untilHears('robot'), robot.untilHears('anna')]);
  });
}

test('data, text and methods go both ways', { timeout: 60_000 }, async () => {
  const [one, two] = [await new Robot().join('one', 'words'), await new Robot().join('two', 'words')];
  const anna = await meetings.join('anna', 'words');
  await until('all are here', () => one.room.remoteParticipants.size === 2 && two.room.remoteParticipants.size === 2);
  await one.room.localParticipant.publishData(new TextEncoder().encode('to all'), { reliable: true, topic: 't' });
  const isThat = (payload, _by, _kind, topic) => new TextDecoder().decode(payload) === 'to all' && topic === 't';
  await two.untilTold(RoomEvent.DataReceived, isThat);
  assert.equal((await anna.untilTold('dataReceived', ({ text }) => text === 'to all')).by, 'one');
  await anna.say('to one', { destinationIdentities: ['one'] });
  await one.untilTold(RoomEvent.DataReceived, (payload, by) => new TextDecoder().decode(payload) === 'to one' && by.identity === 'anna');

  let letter;
  two.room.registerTextStreamHandler('letters', async (reader, { identity }) => (letter = { identity, text: await reader.readAll() }));
  const long = 'é'.repeat(30_000);
  await one.room.localParticipant.sendText(long, { topic: 'letters' });
  await until('the letter arrives', () => letter);
  assert.deepEqual(letter, { identity: 'one', text: long });
  letter = undefined;
  await anna.page.evaluate((text) => window.room.localParticipant.sendText(text, { topic: 'letters' }), long);
  assert.deepEqual(await until('the letter arrives', () => letter), { identity: 'anna', text: long });

  two.room.localParticipant.registerRpcMethod('turn', async ({ payload, callerIdentity }) => {
    if (payload === 'no') throw new RpcError(1500, 'not that', 'data');
    return `${callerIdentity}: ${[...payload].reverse().join('')}`;
  });
  const call = (payload) => one.room.localParticipant.performRpc({ destinationIdentity: 'two', method: 'turn', payload });
  assert.equal(await call('stoa'), 'one: aots');
  await assert.rejects(call('no'), ({ code }) => code === 1500);
  const asked = await anna.page.evaluate(() => window.room.localParticipant.performRpc({ destinationIdentity: 'two', method: 'turn', payload: 'abc' }));
  assert.equal(asked, 'anna: cba');
});

test('what a robot is called, and who may do what, is told', { timeout: 45_000 }, async () => {
  const robot = await new Robot().join('robot', 'about');
  const anna = await meetings.join('anna', 'about');
  await robot.room.localParticipant.setAttributes({ state: 'listening' });
  await robot.room.localParticipant.updateMetadata('m');
  await robot.room.localParticipant.updateName('Robot');
  await anna.untilAnswers('of', ['robot'], ({ name, metadata, attributes }) => name === 'Robot' && metadata === 'm' && attributes.state === 'listening');
  await anna.set({ attributes: { hand: 'up' } });
  await robot.untilTold(RoomEvent.ParticipantAttributesChanged, (changed, { identity }) => changed.hand === 'up' && identity === 'anna');
  await meetings.api.updateRoomMetadata('about', 'news');
  await robot.untilTold(RoomEvent.RoomMetadataChanged, (metadata) => metadata === 'news');
  await meetings.api.removeParticipant('about', 'robot');
  await robot.untilTold(RoomEvent.Disconnected);
  await assert.rejects(new Robot().join('robot', 'about', { roomJoin: false }));
});

for (const [words, kind] of [['the signalling alone', 'SIMULATE_SIGNAL_RECONNECT'], ['everything', 'SIMULATE_FULL_RECONNECT'], ['its node', 'SIMULATE_NODE_FAILURE']]) {
  test(`a robot that loses ${words} is back, with media`, { timeout: 60_000 }, async () => {
    const room = `again-${kind}`;
    const robot = await new Robot().join('robot', room);
    await robot.show();
    const anna = await meetings.join('anna', room);
    await anna.showPicture({ source: 9 });
    await Promise.all([anna.untilSees('robot'), robot.untilSees('anna')]);
    await robot.room.simulateScenario(SimulateScenarioKind[kind]);
    await robot.untilTold(RoomEvent.Reconnected);
    await Promise.all([anna.untilSees('robot'), robot.untilSees('anna')]);
  });
}
