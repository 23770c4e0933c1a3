// livekit-client's own check of a server, as its connection test page runs it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeToken, useMeetings } from './lib/rooms.mjs';

const meetings = await useMeetings();

// There is no TURN server to be found, and no cloud.
const checks = { checkWebsocket: 'SUCCESS', checkWebRTC: 'SUCCESS', checkTURN: 'SKIPPED', checkReconnect: 'SUCCESS', checkPublishAudio: 'SUCCESS', checkPublishVideo: 'SUCCESS',
  checkCloudRegion: 'SKIPPED' };
for (const [name, wanted] of Object.entries(checks)) {
  test(`${name} says ${wanted}`, { timeout: 60_000 }, async () => {
    const visitor = await meetings.visitor('checker');
    const { status, logs } = await visitor.page.evaluate(async ([check, url, token]) => {
      const { ConnectionCheck, CheckStatus } = window.LivekitClient;
      const told = await new ConnectionCheck(url, token)[check]();
      return { status: CheckStatus[told.status], logs: told.logs.map(({ level, message }) => `${level}: ${message}`) };
    }, [name, meetings.url, await makeToken('checker', 'check', { roomCreate: true, roomAdmin: true })]);
    assert.equal(status, wanted, logs.join('\n'));
    assert.deepEqual(logs.filter((line) => line.startsWith('error')), []);
  });
}
