// A call whose line changes its address, as a phone's does that leaves the house: through the shaper, in Chromium. And
// clients that come through a NAT that maps ports.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callSeen, judgeCall } from './lib/call_watch.mjs';
import { seeEachOther, useMeetings } from './lib/rooms.mjs';
import { Server } from './lib/server.mjs';
import { tellCall, withShapedCall } from './lib/shaped_call.mjs';
import { Shaper } from './lib/shaper.mjs';
import { pause, until } from './lib/until.mjs';

const meetings = await useMeetings({ server: { shards: 1 } });

for (const [behind, who] of [['ben', 'receiver'], ['anna', 'sender']]) {
  test(`a call goes on when the address of its ${who} changes`, { timeout: 120_000 }, (context) => withShapedCall(meetings, `handover-${behind}`, behind, async ({ anna, ben, shaper }) => {
    const began = Date.now();
    await pause(3000);
    const changed = Date.now();
    shaper.tell('handover');
    await pause(12_000);
    const seen = await callSeen(ben.page);
    const after = judgeCall(seen, changed, Date.now());
    tellCall((text) => context.diagnostic(text), { seen, shaper }, began, { after });
    await ben.untilSees('anna', { more: 20, within: 5000 });
    assert.ok(after.longest_gap_ms <= 4000, `no new picture for ${after.longest_gap_ms} ms`);
    for (const one of [anna, ben]) {
      assert.equal((await one.self()).state, 'connected');
      assert.equal(await one.countTold('away'), 0, `${one.identity} had to connect anew`);
    }
  }));
}

test('clients come to the port that is announced, where a NAT maps it', { timeout: 60_000 }, async () => {
  const shaper = await Shaper.start({ ports: 2 });
  const former = meetings.server;
  try {
    meetings.server = await Server.start({ shards: 2, args: ['--rtc-announced-port', String(shaper.port)] });
    shaper.tell(`to ${meetings.server.rtcPorts.map((port) => `127.0.0.1:${port}`)}`);
    const anna = await meetings.join('anna', 'mapped'), ben = await meetings.join('ben', 'mapped');
    await Promise.all([anna.showPicture({ source: 1 }), ben.showPicture({ source: 2 })]);
    await seeEachOther(anna, ben);
    const carried = await until('the shaper tells', () => shaper.reports().find(({ clients, down }) => clients >= 2 && down.packets > 10));
    assert.ok(carried);
    assert.deepEqual([...(await anna.paths()), ...(await ben.paths())], ['udp', 'udp']);
    await meetings.leaveAll();
  } finally {
    if (meetings.server !== former) await meetings.server.stop();
    meetings.server = former;
    await shaper.stop();
  }
});
