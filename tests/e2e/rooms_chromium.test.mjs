// Meetings of livekit-client in Chromium, in both generations of its signalling: with two connections for each
// participant, and with one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeToken, useMeetings } from './lib/rooms.mjs';
import { until } from './lib/until.mjs';

const meetings = await useMeetings();
const { server, api } = meetings;

const generations = [['two connections', [false, false]], ['one connection', [true, true]], ['one of each', [true, false]]];
for (const [name, [first, second]] of generations) {
  test(`two see and hear each other: ${name}`, { timeout: 60_000 }, async () => {
    const room = `pair-${name.replaceAll(' ', '-')}`;
    const anna = await meetings.join('anna', room, { isSingle: first });
    await anna.showPicture({ source: 1 });
    await anna.speak();
    const ben = await meetings.join('ben', room, { isSingle: second }); // Anna's tracks are there already.
    await ben.showPicture({ source: 2 });
    await ben.speak();
    await Promise.all([anna.untilSees('ben', { picture: 2, more: 20 }), ben.untilSees('anna', { picture: 1, more: 20 })]);
    await Promise.all([anna.untilHears('ben'), ben.untilHears('anna')]);
    assert.equal((await anna.self()).connections, first ? 1 : 2);
    assert.equal((await ben.self()).connections, second ? 1 : 2);
    await ben.leave();
    await anna.untilTold('participantDisconnected', ({ by }) => by === 'ben');
    assert.deepEqual((await anna.self()).others, []);
  });
}

test('four see and hear each other, and one that comes late sees everybody', { timeout: 90_000 }, async () => {
  const names = ['anna', 'ben', 'cleo'];
  const here = await Promise.all(names.map((name, i) => meetings.join(name, 'four', { isSingle: i % 2 === 0 })));
  await Promise.all(here.map((one, i) => one.showPicture({ source: i + 1, width: 320, height: 180, fps: 10 })));
  await Promise.all(here.map((one) => one.speak()));
  here.push(await meetings.join('dora', 'four', { isSingle: true }));
  await here[3].showPicture({ source: 4, width: 320, height: 180, fps: 10 });
  names.push('dora');
  await Promise.all(here.flatMap((one, i) => names.map((name, j) => i !== j && one.untilSees(name, { picture: j + 1, within: 40_000 }))));
  await Promise.all(here.flatMap((one, i) => names.slice(0, 3).map((name, j) => i !== j && one.untilHears(name))));
});

test('data goes to all or to those it is for, reliably and not, with its topic', { timeout: 45_000 }, async () => {
  const [anna, ben, cleo] = await Promise.all([
    meetings.join('anna', 'data'), meetings.join('ben', 'data', { isSingle: false }), meetings.join('cleo', 'data', { isSingle: true })]);
  await anna.untilAnswers('self', [], ({ others }) => others.length === 2);
  await anna.say('to all', { topic: 'chat' });
  for (const one of [ben, cleo]) {
    const { by, topic } = await one.untilTold('dataReceived', ({ text }) => text === 'to all');
    assert.deepEqual({ by, topic }, { by: 'anna', topic: 'chat' });
  }
  await ben.say('to cleo', { destinationIdentities: ['cleo'] });
  await cleo.untilTold('dataReceived', ({ text, by }) => text === 'to cleo' && by === 'ben');
  // Ordered, so that what follows is proof that nothing came before it.
  await ben.say('last');
  await anna.untilTold('dataReceived', ({ text }) => text === 'last');
  assert.equal(await anna.countTold('dataReceived', ({ text }) => text === 'to cleo'), 0);
  await until('a lossy message arrives', async () => {
    await cleo.say('lossy', { reliable: false });
    return (await anna.countTold('dataReceived', ({ text, by }) => text === 'lossy' && by === 'cleo')) > 0;
  }, { every: 200 });
  const words = Array.from({ length: 100 }, (_, i) => `word ${i} ${'x'.repeat(i * 100)}`);
  await anna.page.evaluate((all) => Promise.all(all.map((one) => window.tools.say(one))), words);
  await ben.untilTold('dataReceived', ({ text }) => text === words.at(-1));
  const told = (await ben.told()).filter(({ what, text }) => what === 'dataReceived' && text.startsWith('word')).map(({ text }) => text);
  assert.deepEqual(told, words);
  await api.sendData('data', new TextEncoder().encode('from the server'), 0, { destinationIdentities: ['ben'], topic: 'news' });
  assert.equal((await ben.untilTold('dataReceived', ({ text }) => text === 'from the server')).topic, 'news');
});

test('text streams and RPC reach the other generation', { timeout: 45_000 }, async () => {
  const [anna, ben] = await Promise.all([meetings.join('anna', 'rpc', { isSingle: true }), meetings.join('ben', 'rpc', { isSingle: false })]);
  await anna.untilAnswers('self', [], ({ others }) => others.length === 1);
  await ben.untilAnswers('self', [], ({ others }) => others.length === 1);
  const long = 'é'.repeat(40_000);
  await ben.page.evaluate(() => {
    window.room.registerTextStreamHandler('letters', async (reader, { identity }) => (window.letter = { identity, text: await reader.readAll() }));
    window.room.localParticipant.registerRpcMethod('turn', async ({ payload, callerIdentity }) => `${callerIdentity}: ${[...payload].reverse().join('')}`);
  });
  await anna.page.evaluate((text) => window.room.localParticipant.sendText(text, { topic: 'letters' }), long);
  const letter = await until('the letter arrives', () => ben.page.evaluate(() => window.letter));
  assert.deepEqual(letter, { identity: 'anna', text: long });
  const answer = await anna.page.evaluate(() => window.room.localParticipant.performRpc({ destinationIdentity: 'ben', method: 'turn', payload: 'stoa' }));
  assert.equal(answer, 'anna: aots');
});

test('names, metadata and attributes are seen by others, and refused without the grant', { timeout: 45_000 }, async () => {
  const claims = { name: 'Anna', metadata: 'first', attributes: { role: 'host' } };
  const anna = await meetings.join('anna', 'about', { claims });
  const ben = await meetings.join('ben', 'about', { grant: { canUpdateOwnMetadata: false } });
  const { name, metadata, attributes } = await ben.of('anna');
  assert.deepEqual({ name, metadata, attributes }, { name: 'Anna', metadata: 'first', attributes: { role: 'host' } });
  await anna.set({ name: 'Anna B', metadata: 'second', attributes: { role: '', hand: 'up' } });
  await ben.untilAnswers('of', ['anna'], (of) => of.name === 'Anna B' && of.metadata === 'second' && of.attributes.hand === 'up' && !('role' in of.attributes));
  await ben.untilTold('participantAttributesChanged', ({ changed }) => changed.hand === 'up');
  const refused = await ben.refused('set', { metadata: 'mine' });
  assert.match(refused.message, /not|permission|allow/i);
  assert.equal((await anna.of('ben')).metadata ?? '', '');
});

test('muting is seen by others, and nothing is passed on', { timeout: 60_000 }, async () => {
  const [anna, ben] = [await meetings.join('anna', 'mute'), await meetings.join('ben', 'mute', { isSingle: false })];
  await anna.showPicture({ source: 1 });
  const microphone = await anna.speak();
  await ben.untilSees('anna', { picture: 1 });
  await ben.untilHears('anna');
  await anna.mute('camera', true);
  await anna.mute('microphone', true);
  await ben.untilTold('trackMuted', ({ source }) => source === 'camera');
  await ben.untilTold('trackMuted', ({ source }) => source === 'microphone');
  await ben.untilStill('anna');
  await ben.untilStill('anna', 'microphone');
  await anna.mute('camera', false);
  await anna.mute('microphone', false);
  await ben.untilTold('trackUnmuted', ({ source }) => source === 'microphone');
  await ben.untilSees('anna', { picture: 1 });
  await ben.untilHears('anna');
  // By the server: the client is told, and mutes.
  const isHers = ({ source, by }) => source === 'microphone' && by === 'anna';
  await anna.untilToldAgain('trackMuted', () => api.mutePublishedTrack('mute', 'anna', microphone, true), { judge: isHers });
  assert.equal((await ben.untilAnswers('received', ['anna', 'microphone'], ({ isMuted }) => isMuted)).isMuted, true);
});

test('one may unsubscribe and subscribe again, and join without being subscribed', { timeout: 60_000 }, async () => {
  for (const isSingle of [true, false]) {
    const room = `subscribe-${isSingle}`;
    const anna = await meetings.join('anna', room, { isSingle });
    await anna.showPicture({ source: 1 });
    await anna.speak();
    const ben = await meetings.join('ben', room, { isSingle, connect: { autoSubscribe: false } });
    await ben.untilAnswers('of', ['anna'], ({ tracks }) => tracks.length === 2);
    assert.equal((await ben.received('anna', 'camera')).isSubscribed, false);
    await ben.wish('anna', 'camera', { subscribed: true });
    await ben.untilSees('anna', { picture: 1 });
    await anna.untilTold('localTrackSubscribed', ({ source }) => source === 'camera');
    assert.equal((await ben.received('anna', 'microphone')).isSubscribed, false);
    await ben.wish('anna', 'camera', { subscribed: false });
    await ben.untilTold('trackUnsubscribed');
    await ben.wish('anna', 'camera', { subscribed: true });
    await ben.wish('anna', 'microphone', { subscribed: true });
    await ben.untilSees('anna', { picture: 1 });
    await ben.untilHears('anna');
    await meetings.leaveAll();
  }
});

test('tracks come and go: unpublish, publish again, screen share beside the camera', { timeout: 60_000 }, async () => {
  for (const isSingle of [true, false]) {
    const room = `tracks-${isSingle}`;
    const [anna, ben] = [await meetings.join('anna', room, { isSingle }), await meetings.join('ben', room, { isSingle })];
    for (let turn = 0; turn < 3; ++turn) {
      const sid = await anna.showPicture({ source: 1 + turn });
      await anna.showPicture({ source: 11 + turn, as: 'screen_share', width: 640, height: 360, fps: 5 });
      await ben.untilSees('anna', { picture: 1 + turn });
      await ben.untilSees('anna', { source: 'screen_share', picture: 11 + turn, more: 5 });
      await anna.unpublish('camera');
      await anna.unpublish('screen_share');
      await ben.untilTold('trackUnpublished', (one) => one.sid === sid);
      await ben.untilAnswers('of', ['anna'], ({ tracks }) => tracks.length === 0);
    }
    await meetings.leaveAll();
  }
});

test('who may not publish, subscribe or send data is refused', { timeout: 60_000 }, async () => {
  const anna = await meetings.join('anna', 'grants');
  await anna.showPicture({ source: 1 });
  const mute = await meetings.join('mute', 'grants', { grant: { canPublish: false } });
  assert.match((await mute.refused('showPicture', {})).message, /permission|allow/i);
  const blind = await meetings.join('blind', 'grants', { grant: { canSubscribe: false } });
  await blind.showPicture({ source: 2 });
  await anna.untilSees('blind', { picture: 2 });
  assert.equal((await blind.of('anna')).tracks.length, 1);
  assert.equal(await blind.countTold('trackSubscribed'), 0);
  const speaker = await meetings.join('speaker', 'grants', { grant: { canPublishSources: [2 /* microphone */] } });
  assert.match((await speaker.refused('showPicture', {})).message, /permission|allow/i);
  await speaker.speak();
  await anna.untilHears('speaker');
  const silent = await meetings.join('silent', 'grants', { grant: { canPublishData: false } });
  await silent.say('nobody hears this').catch(() => undefined);
  await until('it is refused', async () => (await server.metric('stoa_room_data_refused_total')) > 0);
  assert.equal(await anna.countTold('dataReceived'), 0);
});

test('permissions change while one is there', { timeout: 60_000 }, async () => {
  const [anna, ben] = [await meetings.join('anna', 'change', { grant: { canPublish: false } }), await meetings.join('ben', 'change', { isSingle: false })];
  await anna.refused('showPicture', {});
  await api.updateParticipant('change', 'anna', { permission: { canPublish: true, canSubscribe: true, canPublishData: true } });
  await anna.untilTold('participantPermissionsChanged', ({ by }) => by === 'anna');
  await anna.showPicture({ source: 1 });
  await ben.untilSees('anna', { picture: 1 });
  await api.updateParticipant('change', 'anna', { permission: { canPublish: false, canSubscribe: true, canPublishData: true } });
  await ben.untilTold('trackUnpublished', ({ by }) => by === 'anna');
  await anna.untilTold('localTrackUnpublished');
});

test('a hidden participant sees and is not seen', { timeout: 45_000 }, async () => {
  const anna = await meetings.join('anna', 'hidden');
  await anna.showPicture({ source: 1 });
  const ghost = await meetings.join('ghost', 'hidden', { grant: { hidden: true, canPublish: false } });
  await ghost.untilSees('anna', { picture: 1 });
  const ben = await meetings.join('ben', 'hidden');
  assert.deepEqual((await ben.self()).others, ['anna']);
  await anna.untilTold('participantConnected', ({ by }) => by === 'ben');
  assert.equal(await anna.countTold('participantConnected', ({ by }) => by === 'ghost'), 0);
  assert.equal((await ghost.self()).others.join(), 'anna,ben');
});

test('a second with the same identity takes the place of the first', { timeout: 45_000 }, async () => {
  const ben = await meetings.join('ben', 'double');
  const first = await meetings.join('anna', 'double');
  await first.showPicture({ source: 1 });
  await ben.untilSees('anna', { picture: 1 });
  const second = await meetings.join('anna', 'double', { isSingle: false });
  assert.equal((await first.untilTold('disconnected')).reason, 'DUPLICATE_IDENTITY');
  await second.showPicture({ source: 2 });
  await ben.untilAnswers('received', ['anna', 'camera'], ({ picture }) => picture?.source === 2);
  assert.deepEqual((await ben.self()).others, ['anna']);
  assert.equal((await second.self()).state, 'connected');
});

test('speakers are told, and how good connections are', { timeout: 60_000 }, async () => {
  const [anna, ben] = [await meetings.join('anna', 'speakers'), await meetings.join('ben', 'speakers', { isSingle: false })];
  await anna.speak();
  for (const one of [anna, ben]) {
    await one.untilTold('activeSpeakersChanged', ({ by }) => by.includes('anna'));
    await one.untilAnswers('of', ['anna'], ({ quality }) => quality === 'excellent' || quality === 'good', { within: 20_000 });
  }
  await anna.mute('microphone', true);
  await ben.untilTold('activeSpeakersChanged', ({ by }) => by.length === 0);
});

test('those who publish say who may subscribe', { timeout: 60_000 }, async () => {
  const anna = await meetings.join('anna', 'chosen');
  await anna.showPicture({ source: 1 });
  const [ben, cleo] = [await meetings.join('ben', 'chosen'), await meetings.join('cleo', 'chosen', { isSingle: false })];
  await Promise.all([ben.untilSees('anna', { picture: 1 }), cleo.untilSees('anna', { picture: 1 })]);
  await anna.page.evaluate(() => window.room.localParticipant.setTrackSubscriptionPermissions(false, [{ participantIdentity: 'ben', allowAll: true }]));
  await cleo.untilTold('trackSubscriptionPermissionChanged', ({ status }) => status === 'not_allowed');
  await ben.untilSees('anna', { picture: 1 });
  await anna.page.evaluate(() => window.room.localParticipant.setTrackSubscriptionPermissions(true));
  await cleo.untilSees('anna', { picture: 1 });
});

test('those removed, and those whose room is deleted, know why', { timeout: 45_000 }, async () => {
  const [anna, ben] = [await meetings.join('anna', 'ends'), await meetings.join('ben', 'ends', { isSingle: false })];
  await api.removeParticipant('ends', 'anna');
  assert.equal((await anna.untilTold('disconnected')).reason, 'PARTICIPANT_REMOVED');
  await ben.untilTold('participantDisconnected', ({ by }) => by === 'anna');
  await api.updateRoomMetadata('ends', 'soon over');
  await ben.untilTold('roomMetadataChanged', ({ metadata }) => metadata === 'soon over');
  await api.deleteRoom('ends');
  assert.equal((await ben.untilTold('disconnected')).reason, 'ROOM_DELETED');
});

test('tokens that are no good are refused with the reason', { timeout: 30_000 }, async () => {
  const visitor = await meetings.visitor('anna');
  const badly = async (...token) => visitor.refused('join', meetings.url, await makeToken('anna', 'refused', ...token));
  for (const isSingle of [true, false]) {
    const refused = await visitor.refused('join', meetings.url, 'nonsense', { isSingle });
    assert.equal(refused.reason, 'NotAllowed', JSON.stringify(refused));
  }
  assert.equal((await badly({ roomJoin: false })).reason, 'NotAllowed');
  assert.equal((await badly({}, { secret: 'another secret that is long enough too' })).status, 401);
  assert.deepEqual(meetings.problems, []);
});
