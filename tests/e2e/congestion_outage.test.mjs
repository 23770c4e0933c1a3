// A call whose line is gone for ten seconds: through the shaper, in Chromium. Behind a receiver it is the server that has
// to find its way back, within four seconds; behind a sender it is Chromium's own estimator.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backAt, callSeen, judgeCall } from './lib/call_watch.mjs';
import { useMeetings } from './lib/rooms.mjs';
import { tellCall, topLayer, untilTop, withShapedCall } from './lib/shaped_call.mjs';
import { pause } from './lib/until.mjs';

const meetings = await useMeetings({ server: { shards: 1 } });

for (const [behind, who, limitMs] of [['ben', 'receiver', 4000], ['anna', 'sender', 8000]]) {
  test(`ten seconds without a line to the ${who} are over within ${limitMs / 1000}`, { timeout: 180_000 }, (context) => withShapedCall(meetings, `outage-${behind}`, behind, async ({ ben, shaper }) => {
    // Not long after it went up again: that rise was no mistake, whatever comes now.
    const direction = behind === 'ben' ? 'down' : 'up';
    shaper.tell(`${direction} capacity 600k`);
    await pause(3000);
    shaper.tell(`${direction} capacity 3M`);
    await untilTop(ben.page);
    const began = Date.now();
    await pause(5000);
    const cut = Date.now();
    shaper.tell('outage 10s');
    await pause(10_000);
    const over = Date.now();
    await pause(12_000);
    const seen = await callSeen(ben.page);
    const former = judgeCall(seen, began, cut), after = judgeCall(seen, over, Date.now());
    // From when on three seconds have 80 % of the former rate. (What the queue held comes in the first of them.)
    let rate_back_ms = null;
    for (let at = over; at + 3000 <= Date.now() && rate_back_ms === null; at += 100)
      if (judgeCall(seen, at, at + 3000).kbps >= 0.8 * former.kbps) rate_back_ms = at - over;
    // And from when on a second has half its frames.
    const moving = seen.frames.find(({ now }, i, all) => now >= over && (all[i + 7]?.now ?? Infinity) - now <= 1000);
    const moving_ms = moving ? moving.now - over : null;
    tellCall((text) => context.diagnostic(text), { seen, shaper }, began, { former, after, moving_ms, rate_back_ms, back_ms: backAt(seen, topLayer, over) });
    assert.ok(judgeCall(seen, cut + 1000, over).frames === 0, 'nothing came through the outage');
    assert.ok(moving_ms !== null && moving_ms <= 4000, `the picture moves after ${moving_ms} ms`);
    assert.ok(rate_back_ms !== null && rate_back_ms <= limitMs, `80 % of ${Math.round(former.kbps)} kb/s after ${rate_back_ms} ms`);
  }));
}
