// A channel with three layers and a viewer over WHEP behind a line that becomes narrow and wide again, through the shaper:
// Chromium sends by WHIP, Chromium watches by WHEP.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fakeCamera, launchChromium } from './lib/browser.mjs';
import { backAt, callSeen, judgeCall, watchCallScript } from './lib/call_watch.mjs';
import { Server } from './lib/server.mjs';
import { callLine, soundMadeUpLaterMs, soundMadeUpMs, tellCall, untilTop } from './lib/shaped_call.mjs';
import { Shaper } from './lib/shaper.mjs';
import { pause, until } from './lib/until.mjs';
import { openTools, rtc, whepUrl, whipUrl } from './lib/webrtc.mjs';

// Lines and kb/s; of pictures with fewer lines Chromium makes two sizes at most.
const layers = [[135, 100], [270, 250], [540, 1200]];
const [topLayer] = layers.at(-1);

let server, browser;
before(async () => {
  server = await Server.start({ shards: 1 });
  browser = await launchChromium(fakeCamera);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('a viewer at 3, 0.5 and 3 Mb/s gets a smaller picture, hears everything, and is back at the top layer', { timeout: 180_000 }, async (context) => {
  const shaper = await Shaper.start({ to: server.rtcPorts.map((port) => `127.0.0.1:${port}`), scenario: callLine });
  try {
    const publisher = await browser.newPage();
    await openTools(publisher, server.origin);
    await rtc(publisher, 'publish', 'out', whipUrl(server, 'noise'),
      { key: 'noise', mimeType: 'video/VP8', width: 960, height: topLayer, fps: 15, layers });
    await until('the channel is live', () => server.live('noise'));
    const viewer = await browser.newPage();
    await viewer.addInitScript(shaper.script() + watchCallScript);
    await openTools(viewer, server.origin);
    await rtc(viewer, 'watch', 'in', whepUrl(server, 'noise'));
    await untilTop(viewer, 60_000, topLayer);

    const began = Date.now();
    await pause(5000);
    const narrowed = Date.now();
    shaper.tell('down capacity 500k');
    await pause(20_000);
    const widened = Date.now();
    const bounded = await server.metric('stoa_whep_viewers_bounded');
    shaper.tell('down capacity 3M');
    await pause(20_000);
    const seen = await callSeen(viewer);
    const way = {
      before: judgeCall(seen, began, narrowed), narrow: judgeCall(seen, narrowed, widened), settled: judgeCall(seen, narrowed + 5000, widened),
      again: judgeCall(seen, widened, Date.now()), back_ms: backAt(seen, topLayer, widened),
    };
    tellCall((text) => context.diagnostic(text), { seen, shaper }, began, way);
    assert.ok(way.before.longest_gap_ms < 1000 && way.before.sound_concealed_percent < 1, 'all was well before');
    assert.equal(bounded, 1);
    const small = seen.frames.filter(({ now, height }) => now > narrowed + 5000 && now < widened && height < topLayer);
    assert.ok(small.length >= 0.8 * 15 * way.settled.seconds, `${small.length} smaller frames in ${way.settled.seconds} s of a narrow line`);
    const atOnceMs = way.narrow.sound_concealed_ms - way.settled.sound_concealed_ms;
    assert.ok(atOnceMs <= soundMadeUpMs, `${atOnceMs} ms of sound made up when the line became narrow`);
    assert.ok(way.settled.sound_concealed_ms <= soundMadeUpLaterMs, `${way.settled.sound_concealed_ms} ms of sound made up on a line known to be narrow`);
    assert.ok(way.narrow.sound_lost <= 5, `${way.narrow.sound_lost} of ${way.narrow.sound_packets} packets of sound lost`);
    assert.ok(way.back_ms !== null && way.back_ms <= 8000, `back at ${topLayer} lines after ${way.back_ms} ms`);
  } finally {
    await shaper.stop();
  }
});
