// livekit-client's own check of a server, as its connection test page runs it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fakeCamera, launchChromium } from './lib/browser.mjs';
import { Meetings, makeToken, signalUrl } from './lib/rooms.mjs';
import { Server } from './lib/server.mjs';

let server, browser, meetings;
before(async () => {
  server = await Server.start({ shards: 2 });
  browser = await launchChromium(fakeCamera);
  meetings = new Meetings(browser, server);
});
after(async () => {
  await meetings?.leaveAll();
  await browser?.close();
  await server?.stop();
});

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
    }, [name, signalUrl(server), await makeToken('checker', 'check', { roomCreate: true, roomAdmin: true })]);
    assert.equal(status, wanted, logs.join('\n'));
    assert.deepEqual(logs.filter((line) => line.startsWith('error')), []);
  });
}
