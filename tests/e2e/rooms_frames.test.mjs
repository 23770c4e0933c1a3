// Temporal layers of livekit-client in Chromium: who asks for fewer frames a second is sent fewer, and nothing freezes,
// is missed or asked for again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useMeetings } from './lib/rooms.mjs';
import { until } from './lib/until.mjs';

const meetings = await useMeetings();

// VP8 has three temporal layers in each of its simulcast layers, VP9 and AV1 in one stream with spatial layers.
for (const [codec, layers] of [['vp8', [180]], ['vp9', null], ['av1', null]]) {
  test(`fewer frames a second are sent to who asks for fewer: ${codec}`, { timeout: 150_000 }, async (context) => {
    const anna = await meetings.join('anna', `frames-${codec}`);
    if (!(await anna.sendable()).includes(`video/${codec}`)) return context.skip(`this Chromium sends no ${codec}`);
    await anna.showPicture({ source: 1, width: 640, height: 360, fps: 30, codec, layers });
    const [ben, cleo] = [await meetings.join('ben', `frames-${codec}`), await meetings.join('cleo', `frames-${codec}`)];
    await Promise.all([ben.untilSees('anna', { picture: 1 }), cleo.untilSees('anna', { picture: 1 })]);
    // Of the frames that everybody else gets in three seconds.
    const untilShare = (what, isRight) => until(`ben gets ${what} of the frames`, async () => {
      const [bens, cleos] = (await Promise.all([ben, cleo].map((one) => one.receivedIn(3000, 'anna')))).map(({ frames }) => frames);
      if (cleos < 15 || !isRight(bens / cleos)) throw new Error(`${bens} of ${cleos}`);
      return true;
    }, { within: 30_000, every: 10 });
    await untilShare('all', (share) => share > 0.9);
    const before = await ben.received('anna', 'camera');
    for (const [fps, what, least, most] of [[6, 'a quarter', 0.2, 0.32], [30, 'all', 0.9, 1.1], [12, 'half', 0.42, 0.6], [0, 'all', 0.9, 1.1]]) {
      await ben.wish('anna', 'camera', { fps });
      await untilShare(what, (share) => share >= least && share <= most);
    }
    const now = await ben.received('anna', 'camera');
    for (const what of ['lost', 'requests', 'repeats']) assert.equal(now[what], before[what], what);
    // A publisher without a processor for 50 ms is a freeze to Chromium, which goes by the frames that came before.
    assert.ok(now.frozenS - before.frozenS < 0.5, `frozen for ${now.frozenS - before.frozenS} s`);
    await ben.untilSees('anna', { picture: 1 });
  });
}
