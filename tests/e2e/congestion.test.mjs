// A call over a line that becomes narrow and wide again, through the shaper: Chromium sends, Chromium receives, and one
// of the two is behind that line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backAt, callSeen, judgeCall } from './lib/call_watch.mjs';
import { useMeetings } from './lib/rooms.mjs';
import { middleLayer, soundMadeUpLaterMs, soundMadeUpMs, startShapedCall, tellCall, topLayer } from './lib/shaped_call.mjs';
import { pause } from './lib/until.mjs';

const meetings = await useMeetings({ server: { shards: 1 } });

// 3 Mb/s for five seconds, 0.6 for twenty, 3 again for `again` more.
async function narrowAndWide(context, behind, again) {
  const direction = behind === 'ben' ? 'down' : 'up';
  const { ben, shaper } = await startShapedCall(meetings, `narrow-${behind}`, { behind });
  try {
    const began = Date.now();
    await pause(5000);
    const narrowed = Date.now();
    shaper.tell(`${direction} capacity 600k`);
    await pause(20_000);
    const widened = Date.now();
    shaper.tell(`${direction} capacity 3M`);
    await pause(again * 1000);
    const seen = await callSeen(ben.page);
    const waits = shaper.reports(narrowed + 5000).filter(({ unix_ms }) => unix_ms <= widened).map((one) => one[direction].waited_ms_mean);
    const way = {
      queue_ms: waits.reduce((sum, one) => sum + one, 0) / waits.length,
      before: judgeCall(seen, began, narrowed), narrow: judgeCall(seen, narrowed, widened), settled: judgeCall(seen, narrowed + 5000, widened),
      again: judgeCall(seen, widened, Date.now()), back_ms: backAt(seen, topLayer, widened),
    };
    tellCall((text) => context.diagnostic(text), { seen, shaper }, began, way);
    assert.ok(way.before.longest_gap_ms < 500 && way.before.sound_concealed_percent < 1, 'the call was well before');
    return way;
  } finally {
    await shaper.stop();
  }
}

test('a receiver at 3, 0.6 and 3 Mb/s hears everything, sees no freeze, and is back at the top layer', { timeout: 180_000 }, async (context) => {
  const { narrow, settled, back_ms } = await narrowAndWide(context, 'ben', 20);
  assert.ok(narrow.sound_concealed_ms <= soundMadeUpMs, `${narrow.sound_concealed_ms} ms of sound made up`);
  assert.ok(settled.sound_concealed_ms <= soundMadeUpLaterMs, `${settled.sound_concealed_ms} ms of sound made up on a line known to be narrow`);
  assert.ok(narrow.sound_lost <= 5, `${narrow.sound_lost} of ${narrow.sound_packets} packets of sound lost`);
  // 500 is the aim, and what most runs keep; where the keyframe of the least layer finds no place in the queue it is more.
  assert.ok(narrow.longest_gap_ms <= 1000, `no new picture for ${narrow.longest_gap_ms} ms`);
  assert.ok(settled.frames >= 0.7 * 15 * settled.seconds, `${settled.frames} frames in ${settled.seconds} s of a narrow line`);
  assert.ok(settled.seconds_at[middleLayer] >= 5, `the middle layer, which fits, for ${settled.seconds_at[middleLayer]} of ${settled.seconds} s`);
  assert.ok(back_ms !== null && back_ms <= 8000, `back at ${topLayer} lines after ${back_ms} ms`);
});

test('a sender at 3, 0.6 and 3 Mb/s is heard and seen all the time, and leaves no queue standing', { timeout: 180_000 }, async (context) => {
  const { narrow, settled, queue_ms, back_ms } = await narrowAndWide(context, 'anna', 30);
  // 0.5 to 0.9 s are usual; its own estimator alone takes two, and lets a queue stand for good.
  assert.ok(narrow.longest_gap_ms <= 2000, `no new picture for ${narrow.longest_gap_ms} ms`);
  assert.ok(settled.sound_concealed_percent <= 1, `${settled.sound_concealed_percent} % of the sound made up`);
  assert.ok(settled.frames >= 0.7 * 15 * settled.seconds, `${settled.frames} frames in ${settled.seconds} s of a narrow line`);
  assert.ok(queue_ms <= 150, `${queue_ms} ms of queue on a line known to be narrow`);
  assert.ok(back_ms !== null, 'the top layer came back');
});
