// The server's API for rooms as LiveKit's own server SDK calls it, as plain Twirp in JSON and protobuf, and what
// webhooks tell.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { CreateRoomRequest, DeleteRoomRequest, ListRoomsRequest, ListRoomsResponse, Room } from '@livekit/protocol';
import { AccessToken, AgentDispatchClient, EgressClient, WebhookReceiver } from 'livekit-server-sdk';
import { findProgram } from './lib/program.mjs';
import { apiKey, apiSecret, makeToken, useMeetings } from './lib/rooms.mjs';
import { pause, until } from './lib/until.mjs';

const events = [];
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { authorization, 'content-type': type } = request.headers;
    events.push({ body: Buffer.concat(chunks).toString(), authorization, type });
    response.writeHead(events.length === 1 ? 500 : 200).end(); // The first is to be sent again.
  });
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const hooks = ['--webhooks-urls', `http://127.0.0.1:${receiver.address().port}/hook`]; // Signed with the development key.

const meetings = await useMeetings({ server: { args: hooks } });
const { server, api } = meetings;
after(() => {
  receiver.closeAllConnections();
  receiver.close();
});

async function signed(grant) {
  const token = new AccessToken(apiKey, apiSecret, { identity: 'tester', ttl: 60 });
  token.addGrant(grant);
  return token.toJwt();
}
async function twirp(method, body, { grant, token, type = 'application/json', service = 'RoomService' } = {}) {
  const authorization = token ?? (grant ? `Bearer ${await signed(grant)}` : undefined);
  const response = await fetch(`${server.origin}/twirp/livekit.${service}/${method}`, {
    method: 'POST', body: type.includes('json') && typeof body !== 'string' ? JSON.stringify(body) : body,
    headers: { 'content-type': type, ...(authorization ? { authorization } : {}) },
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(bytes);
  const isJson = /json/.test(response.headers.get('content-type'));
  return { status: response.status, bytes, json: isJson ? JSON.parse(text) : undefined, type: response.headers.get('content-type') };
}
const refusal = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return { status: error.status, code: error.code };
  }
  throw new Error('nothing was refused');
};

test('rooms are made, listed, changed and deleted', { timeout: 30_000 }, async () => {
  const made = await api.createRoom({ name: 'made', emptyTimeout: 120, departureTimeout: 7, maxParticipants: 3, metadata: 'first' });
  assert.match(made.sid, /^RM_/);
  assert.deepEqual([made.name, made.emptyTimeout, made.departureTimeout, made.maxParticipants, made.metadata], ['made', 120, 7, 3, 'first']);
  assert.ok(Math.abs(Number(made.creationTime) - Date.now() / 1000) < 30);
  await api.createRoom({ name: 'other' });
  assert.equal((await api.createRoom({ name: 'made' })).sid, made.sid, 'what is there is found');
  assert.deepEqual((await api.listRooms()).map(({ name }) => name).sort(), ['made', 'other']);
  assert.deepEqual((await api.listRooms(['made', 'absent'])).map(({ sid }) => sid), [made.sid]);
  assert.equal((await api.updateRoomMetadata('made', 'second')).metadata, 'second');
  assert.equal((await api.listRooms(['made']))[0].metadata, 'second');
  await api.deleteRoom('made');
  await api.deleteRoom('other');
  assert.deepEqual(await api.listRooms(), []);
  assert.deepEqual(await refusal(api.updateRoomMetadata('made', 'x')), { status: 404, code: 'not_found' });
});

test('participants are listed, changed, muted, sent data and removed', { timeout: 60_000 }, async () => {
  const anna = await meetings.join('anna', 'people', { claims: { name: 'Anna', metadata: 'm', attributes: { a: '1' } } });
  const ben = await meetings.join('ben', 'people', { isSingle: false });
  const sid = await anna.showPicture({ source: 1 });
  await ben.untilSees('anna', { picture: 1 });
  const all = await api.listParticipants('people');
  assert.deepEqual(all.map(({ identity }) => identity).sort(), ['anna', 'ben']);
  const info = await until('she is active', async () => {
    const one = await api.getParticipant('people', 'anna');
    return one.state === 2 && one;
  });
  assert.deepEqual([info.name, info.metadata, { ...info.attributes }, info.isPublisher], ['Anna', 'm', { a: '1' }, true]);
  assert.deepEqual(info.tracks.map((track) => track.sid), [sid]);
  assert.deepEqual([info.tracks[0].mimeType.toLowerCase(), info.tracks[0].width, info.tracks[0].source], ['video/vp8', 480, 1]);
  const [room] = await api.listRooms(['people']);
  assert.deepEqual([room.numParticipants, room.numPublishers], [2, 1]);

  const changed = await api.updateParticipant('people', 'anna', { name: 'Anna B', metadata: 'n', attributes: { b: '2' } });
  assert.deepEqual([changed.name, changed.metadata, { ...changed.attributes }], ['Anna B', 'n', { a: '1', b: '2' }]);
  await ben.untilAnswers('of', ['anna'], ({ name, metadata, attributes }) => name === 'Anna B' && metadata === 'n' && attributes.b === '2');

  assert.equal((await api.mutePublishedTrack('people', 'anna', sid, true)).muted, true);
  await ben.untilTold('trackMuted', ({ by }) => by === 'anna');
  await api.updateSubscriptions('people', 'ben', [sid], false);
  await ben.untilTold('trackUnsubscribed');
  await api.updateSubscriptions('people', 'ben', [sid], true);
  await until('he has it again', async () => (await ben.countTold('trackSubscribed')) === 2);

  await api.sendData('people', new TextEncoder().encode('hello'), 0, { destinationIdentities: ['anna'], topic: 't' });
  const { topic, by } = await anna.untilTold('dataReceived', ({ text }) => text === 'hello');
  assert.deepEqual([topic, by], ['t', undefined]);
  assert.equal(await ben.countTold('dataReceived'), 0);
  await api.removeParticipant('people', 'anna');
  await anna.untilTold('disconnected');
  await until('she is not listed', async () => (await api.listParticipants('people')).length === 1);
  const calls = [
    () => api.getParticipant('people', 'anna'), () => api.removeParticipant('people', 'anna'), () => api.mutePublishedTrack('people', 'ben', 'TR_x', true),
    () => api.listParticipants('absent'), () => api.updateParticipant('people', 'anna', { name: 'x' }),
  ];
  for (const call of calls) assert.deepEqual(await refusal(call()), { status: 404, code: 'not_found' });
});

test('a participant is moved to another room, media and all', { timeout: 60_000 }, async () => {
  const [anna, ben, cleo] = await Promise.all([meetings.join('anna', 'from'), meetings.join('ben', 'from', { isSingle: false }), meetings.join('cleo', 'to')]);
  await anna.showPicture({ source: 1 });
  await cleo.showPicture({ source: 3 });
  await ben.untilSees('anna', { picture: 1 });
  await api.moveParticipant('from', 'anna', 'to');
  assert.equal((await anna.untilTold('moved')).name, 'to');
  await ben.untilTold('participantDisconnected', ({ by }) => by === 'anna');
  await Promise.all([cleo.untilSees('anna', { picture: 1 }), anna.untilSees('cleo', { picture: 3 })]);
  assert.deepEqual((await api.listParticipants('to')).map(({ identity }) => identity).sort(), ['anna', 'cleo']);
});

test('a participant is forwarded to another room and stays in its own', { timeout: 60_000 }, async () => {
  const [anna, ben, cleo] = await Promise.all([meetings.join('anna', 'stage'), meetings.join('ben', 'stage', { isSingle: false }), meetings.join('cleo', 'hall')]);
  await anna.showPicture({ source: 1 });
  await ben.untilSees('anna', { picture: 1 });
  await api.forwardParticipant('stage', 'anna', 'hall');
  await cleo.untilAnswers('self', [], ({ others }) => others.includes('anna'));
  await Promise.all([cleo.untilSees('anna', { picture: 1 }), ben.untilSees('anna', { picture: 1 })]);
});

test('the server calls methods of participants', { timeout: 45_000 }, async () => {
  const anna = await meetings.join('anna', 'rpc');
  await anna.page.evaluate(() => {
    window.room.localParticipant.registerRpcMethod('echo', async ({ payload }) => `heard ${payload}`);
    window.room.localParticipant.registerRpcMethod('fail', async () => {
      throw new window.LivekitClient.RpcError(1234, 'no');
    });
  });
  const grant = { roomAdmin: true, room: 'rpc' };
  const ask = (method) => twirp('PerformRpc', { room: 'rpc', destination_identity: 'anna', method, payload: 'you', response_timeout_ms: 5000 }, { grant });
  const echoed = await ask('echo');
  assert.deepEqual([echoed.status, echoed.json], [200, { payload: 'heard you' }]);
  const failed = await ask('fail');
  assert.equal(failed.json.code, 'failed_precondition');
  assert.match(failed.json.msg, /1234/);
  assert.equal((await ask('unknown')).json.code, 'failed_precondition');
  const absent = await twirp('PerformRpc', { room: 'rpc', destination_identity: 'nobody', method: 'echo' }, { grant });
  assert.equal(absent.json.code, 'not_found');
});

test('JSON in both spellings and protobuf are the same call', { timeout: 30_000 }, async () => {
  const grant = { roomCreate: true, roomList: true };
  const snake = await twirp('CreateRoom', { name: 'spelt', empty_timeout: 33 }, { grant });
  assert.equal(snake.json.empty_timeout ?? snake.json.emptyTimeout, 33);
  const camel = await twirp('CreateRoom', { name: 'spelt2', emptyTimeout: 44, notKnownToAnybody: 1 }, { grant });
  assert.equal(camel.json.empty_timeout ?? camel.json.emptyTimeout, 44);
  const type = 'application/protobuf';
  const binary = await twirp('CreateRoom', new CreateRoomRequest({ name: 'spelt3', emptyTimeout: 55 }).toBinary(), { grant, type });
  assert.deepEqual([binary.status, binary.type], [200, type]);
  assert.equal(Room.fromBinary(binary.bytes).emptyTimeout, 55);
  const list = await twirp('ListRooms', new ListRoomsRequest().toBinary(), { grant, type });
  assert.deepEqual(ListRoomsResponse.fromBinary(list.bytes).rooms.map(({ name }) => name).filter((name) => name.startsWith('spelt')).sort(), ['spelt', 'spelt2', 'spelt3']);
  const refused = await twirp('DeleteRoom', new DeleteRoomRequest({ room: 'spelt' }).toBinary(), { grant: { roomList: true }, type });
  assert.deepEqual([refused.status, refused.json.code], [403, 'permission_denied'], 'errors are JSON');
});

test('wrong tokens and grants are refused', { timeout: 30_000 }, async () => {
  await api.createRoom({ name: 'mine' });
  const status = async (...call) => {
    const { status: found, json } = await twirp(...call);
    return [found, json.code];
  };
  assert.deepEqual(await status('ListRooms', {}), [401, 'unauthenticated']);
  assert.deepEqual(await status('ListRooms', {}, { token: 'Bearer nonsense' }), [401, 'unauthenticated']);
  const stolen = await makeToken('x', 'mine', { roomList: true }, { secret: 'another secret that is long enough too' });
  assert.deepEqual(await status('ListRooms', {}, { token: `Bearer ${stolen}` }), [401, 'unauthenticated']);
  const denied = [403, 'permission_denied'];
  assert.deepEqual(await status('ListRooms', {}, { grant: { roomJoin: true, room: 'mine' } }), denied);
  assert.deepEqual(await status('CreateRoom', { name: 'x' }, { grant: { roomList: true } }), denied);
  assert.deepEqual(await status('DeleteRoom', { room: 'mine' }, { grant: { roomAdmin: true, room: 'mine' } }), denied);
  for (const method of ['ListParticipants', 'GetParticipant', 'RemoveParticipant', 'MutePublishedTrack', 'UpdateParticipant', 'UpdateSubscriptions', 'SendData',
    'UpdateRoomMetadata', 'PerformRpc']) {
    const body = { room: 'mine', identity: 'anna', destination_identity: 'anna', method: 'm', track_sid: 'TR_x' };
    assert.deepEqual(await status(method, body, { grant: { roomAdmin: true, room: 'theirs' } }), denied, method);
    assert.deepEqual(await status(method, body, { grant: { roomCreate: true, roomList: true } }), denied, method);
  }
  for (const method of ['MoveParticipant', 'ForwardParticipant']) {
    const move = { room: 'mine', identity: 'anna', destination_room: 'theirs' };
    assert.deepEqual(await status(method, move, { grant: { roomAdmin: true, room: 'mine' } }), denied, method);
  }
  const grant = { roomCreate: true, roomList: true };
  assert.deepEqual(await status('CreateRoom', '{"name":', { grant }), [400, 'malformed']);
  assert.deepEqual(await status('CreateRoom', {}, { grant }), [400, 'invalid_argument']);
  assert.deepEqual(await status('Nothing', {}, { grant }), [404, 'bad_route']);
  const { status: got } = await fetch(`${server.origin}/twirp/livekit.RoomService/ListRooms`);
  assert.ok(got === 404 || got === 405, `GET answers ${got}`);
  assert.ok((await server.metric('stoa_room_api_refused_total')) > 10);
});

test('services that are not here say so', { timeout: 30_000 }, async () => {
  assert.deepEqual(await refusal(new AgentDispatchClient(server.origin, apiKey, apiSecret).createDispatch('mine', 'helper')), { status: 501, code: 'unimplemented' });
  assert.deepEqual(await refusal(new EgressClient(server.origin, apiKey, apiSecret).listEgress()), { status: 501, code: 'unimplemented' });
  assert.equal((await twirp('CreateIngress', {}, { service: 'Ingress', grant: { ingressAdmin: true } })).json.code, 'unimplemented');
});

test('statistics say how the media of participants flows', { timeout: 90_000 }, async () => {
  const [anna, ben] = [await meetings.join('anna', 'measured'), await meetings.join('ben', 'measured', { isSingle: false })];
  const picture = await anna.showPicture({ source: 1, layers: [135] });
  await anna.speak();
  await ben.untilSees('anna', { picture: 1 });
  const made = spawnSync(findProgram('stoa'), ['token', 'create', '--dev', '--scope', 'rooms:read'], { encoding: 'utf8' });
  const authorization = `Bearer ${made.stdout.trim()}`;
  const read = async (path, status = 200) => {
    const response = await fetch(`${server.origin}/api/v1/rooms${path}`, { headers: { authorization } });
    assert.equal(response.status, status, path);
    return response.json();
  };
  const statistics = (of) => read(`/measured/participants/${of}/statistics`);
  // Rates are of two seconds and more in which everything flowed.
  const flows = ({ layers: [layer] }) => layer.bitrate_bps > 0 && layer.packets > 200;
  const first = await until('everything flows', async () => {
    const { published } = await statistics('anna');
    return published.length === 2 && published.every((track) => flows(track)) && published;
  }, { within: 30_000 });
  const counted = Object.fromEntries(first.map(({ kind, layers }) => [kind, layers.map(({ packets, bytes }) => ({ packets, bytes }))]));
  const began = Date.now();
  await pause(3000);

  const hers = await statistics('anna');
  const seconds = (Date.now() - began) / 1000;
  assert.deepEqual([hers.room, hers.identity, hers.client.sdk], ['measured', 'anna', 'js']);
  assert.match(hers.client.version, /^\d+\.\d+/);
  const { quality, mos, transport, round_trip_ms: roundTrip, paths } = hers.connection;
  assert.match(quality, /^(excellent|good|poor)$/);
  assert.ok(mos > 1 && mos <= 4.5 && roundTrip >= 0 && roundTrip < 1000, JSON.stringify(hers.connection));
  assert.deepEqual([transport, paths.map(({ carries }) => carries)], ['udp', ['both']]);
  const video = hers.published.find(({ kind }) => kind === 'video');
  const audio = hers.published.find(({ kind }) => kind === 'audio');
  assert.deepEqual([video.track, video.source, video.codec, video.muted], [picture, 'camera', 'VP8', false]);
  assert.deepEqual([audio.source, audio.codec, audio.layers.length], ['microphone', 'opus', 1]);
  assert.deepEqual(video.layers.map(({ quality: name, width, height }) => [name, width, height]), [['low', 240, 135], ['medium', 480, 270]]);
  // What was counted meanwhile is what the rates say, as far as a busy machine is steady; 50 packets of sound a second are.
  const grown = (track, i) => ((track.layers[i].bytes - counted[track.kind][i].bytes) * 8) / seconds;
  for (const [track, i] of [[audio, 0], [video, 0], [video, 1]]) {
    const { active, bitrate_bps: bitrate, interval_ms: interval } = track.layers[i];
    assert.ok(active && interval >= 500 && interval < 6000, JSON.stringify(track));
    assert.ok(bitrate > grown(track, i) / 4 && bitrate < grown(track, i) * 4, `${track.kind} ${i}: ${bitrate} and ${grown(track, i)} b/s`);
  }
  const sounds = (audio.layers[0].packets - counted.audio[0].packets) / seconds;
  assert.ok(sounds > 25 && sounds < 60, `${sounds} packets of sound a second`);
  assert.ok(video.layers[1].frame_rate > 1 && video.layers[1].frame_rate < 30 && audio.layers[0].frames === null);
  assert.ok(video.score.mos >= mos && audio.score.mos >= mos && audio.score.delay_impairment > 0);

  const his = await statistics('ben');
  assert.deepEqual([his.published, his.sent.length, his.connection.transport], [[], 2, 'udp']);
  assert.ok(his.connection.paths.some(({ carries }) => carries === 'sent'));
  const shown = his.sent.find(({ kind }) => kind === 'video');
  assert.deepEqual([shown.track, shown.publisher, shown.codec, shown.flowing, shown.layer, shown.quality, shown.width], [picture, 'anna', 'VP8', true, 1, 'medium', 480]);
  assert.ok(shown.bitrate_bps > 0 && shown.packets > 0 && shown.plis >= 0 && shown.round_trip_ms >= 0 && shown.loss < 0.5, JSON.stringify(shown));

  const { rooms } = await read('?limit=200');
  assert.deepEqual(rooms.filter(({ name }) => name === 'measured').map((room) => [room.participants, room.publishers, room.recording]), [[2, 1, false]]);
  assert.equal((await read('/measured')).sid, rooms.find(({ name }) => name === 'measured').sid);
  const { participants } = await read('/measured/participants');
  assert.deepEqual(participants.map((one) => [one.identity, one.state, one.transport, one.client.sdk, one.published]),
    [['anna', 'active', 'udp', 'js', 2], ['ben', 'active', 'udp', 'js', 0]]);
  assert.equal((await statistics(participants[0].sid)).identity, 'anna');
  await ben.leave();
  await until('he is gone', async () => (await read('/measured/participants')).participants.length === 1);
  assert.equal((await read('/measured/participants/ben/statistics', 404)).error.code, 'participant_not_found');
});

test('the page for meetings gets tokens', { timeout: 30_000 }, async () => {
  const ask = (room, body, headers = {}) => fetch(`${server.origin}/api/v1/rooms/${room}/tokens`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
  const response = await ask('my%20room', JSON.stringify({ name: 'Anna', identity: 'anna' }));
  assert.equal(response.status, 201);
  assert.match(response.headers.get('cache-control'), /no-store/);
  const { token } = await response.json();
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  assert.deepEqual([claims.sub, claims.name, claims.video.room, claims.video.roomJoin], ['anna', 'Anna', 'my room', true]);
  const visitor = await meetings.visitor('anna');
  await visitor.join(meetings.url, token);
  assert.equal((await visitor.self()).name, 'my room');
  assert.equal((await ask('room', '{')).status, 400);
  assert.equal((await ask('room', '[]')).status, 400);
  assert.equal((await ask('room', JSON.stringify({ name: 'x'.repeat(1000) }))).status, 400);
  assert.equal((await ask('room', '{}', { authorization: 'Bearer nonsense' })).status, 401);
  assert.equal((await fetch(`${server.origin}/api/v1/rooms/room/tokens`)).status, 405);
});

test('webhooks tell what happens in a room, signed, each until it is taken', { timeout: 60_000 }, async () => {
  await api.createRoom({ name: 'told', departureTimeout: 1 });
  const anna = await meetings.join('anna', 'told');
  await anna.showPicture({ source: 1 });
  await until('its media is here', async () => (await server.metric('stoa_room_tracks_published')) === 1);
  await anna.unpublish('camera');
  await until('it is gone', async () => (await api.getParticipant('told', 'anna')).tracks.length === 0);
  await anna.leave();
  await api.deleteRoom('told').catch(() => undefined);
  const wanted = ['room_started', 'participant_joined', 'track_published', 'track_unpublished', 'participant_left', 'room_finished'];
  const seen = () => events.map(({ body }) => JSON.parse(body)).filter(({ room }) => room?.name === 'told');
  await until('everything was told', () => wanted.every((one) => seen().some(({ event }) => event === one)) || Promise.reject(new Error(seen().map(({ event }) => event).join())), { within: 30_000 });
  const order = [...new Set(seen().map(({ event }) => event))];
  assert.deepEqual(order, wanted);
  const read = new WebhookReceiver(apiKey, apiSecret);
  for (const { body, authorization, type } of events) {
    assert.match(type, /^application\/webhook\+json/);
    assert.ok((await read.receive(body, authorization)).id);
  }
  await assert.rejects(read.receive(events[0].body.replace('room', 'rooom'), events[0].authorization));
  const joined = seen().find(({ event }) => event === 'participant_joined');
  assert.equal(joined.participant.identity, 'anna');
  assert.match(seen().find(({ event }) => event === 'track_published').track.sid, /^TR_/);
  assert.equal(JSON.parse(events[0].body).id, JSON.parse(events.find((one, i) => i > 0 && JSON.parse(one.body).id === JSON.parse(events[0].body).id).body).id, 'the first came again');
});
