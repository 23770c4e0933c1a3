// A node that dies in the middle of a meeting and is started again: those in it come back by themselves, and the
// room is as it was.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { seeEachOther, useMeetings } from './lib/rooms.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const backWithinMs = 5000;
const meetings = await useMeetings({ server: null });
const startServer = async (options) => (meetings.server = await Server.start(options));
afterEach(() => meetings.server?.stop());

for (const isSingle of [true, false]) {
  test(`a meeting outlives its node: ${isSingle ? 'one connection' : 'two connections'}`, { timeout: 90_000 }, async () => {
    const server = await startServer({ shards: 2 });
    const { api } = meetings;
    const { sid } = await api.createRoom({ name: 'kept', metadata: 'what was said', emptyTimeout: 600, maxParticipants: 7 });
    const { anna, ben } = await meetings.pair('kept', { isSingle });
    await api.updateRoomMetadata('kept', 'and more');
    await ben.untilTold('roomMetadataChanged', ({ metadata }) => metadata === 'and more');

    await server.restart();
    const ready = Date.now();
    await Promise.all([anna, ben].map((one) => until(`${one.identity} is back`, async () => (await one.countTold('reconnected')) > 0, { within: 30_000 })));
    await seeEachOther(anna, ben, { more: 1 });
    const took = Date.now() - ready;
    assert.ok(took < backWithinMs, `they saw each other again after ${took} ms`);
    await seeEachOther(anna, ben);
    const [room] = await api.listRooms(['kept']);
    assert.deepEqual([room.sid, room.metadata, room.emptyTimeout, room.maxParticipants, room.numParticipants], [sid, 'and more', 600, 7, 2]);
    assert.equal((await anna.self()).metadata, 'and more');
  });
}

test('rooms that are made and empty are there after a restart, and deleted ones are not', { timeout: 60_000 }, async () => {
  const server = await startServer();
  const { api } = meetings;
  const made = await api.createRoom({ name: 'made', metadata: 'm', emptyTimeout: 600 });
  await api.createRoom({ name: 'deleted', emptyTimeout: 600 });
  await api.deleteRoom('deleted');
  await server.restart();
  const anna = await meetings.join('anna', 'made');
  assert.equal((await anna.self()).metadata, 'm');
  assert.deepEqual((await api.listRooms()).map(({ name, sid, metadata }) => ({ name, sid, metadata })), [{ name: 'made', sid: made.sid, metadata: 'm' }]);
});

test('kept rooms are listed and can be changed before anybody joins', { timeout: 60_000 }, async () => {
  const server = await startServer();
  const { api } = meetings;
  const { sid } = await api.createRoom({ name: 'made', emptyTimeout: 600 });
  await server.restart();
  assert.deepEqual((await api.listRooms(['made'])).map((room) => room.sid), [sid]);
  assert.equal((await api.updateRoomMetadata('made', 'later')).metadata, 'later');
});

test('a node that is stopped in good order tells those in its meetings, and they come back too', { timeout: 60_000 }, async () => {
  const server = await startServer();
  const anna = await meetings.join('anna', 'stopped');
  await anna.showPicture({ source: 1 });
  server.program.signal('SIGTERM');
  await until('anna is told', async () => (await anna.self()).state !== 'connected');
  await until('the node ends', () => server.program.status);
  assert.deepEqual(server.program.status, { code: 0, signal: null });
  await server.restart();
  await until('anna is back', async () => (await anna.self()).state === 'connected', { within: 20_000 });
});
