// A call of two in Chromium with a bad line before one of them: Anna sends three layers and a tone, Ben receives. For
// tests, which judge what came of it, and for the bench, which writes it down.
import { callSeen, describeCall, judgeCall, noiseLayers, publishNoise, watchCallScript } from './call_watch.mjs';
import { Shaper } from './shaper.mjs';
import { until } from './until.mjs';

// One way, each; a mobile line of the better kind.
export const callLine = 'delay 25ms\ncapacity 0 3M\nqueue 300ms\n';
export const [, [middleLayer], [topLayer]] = noiseLayers;
// Before anybody can know of the narrow line its queue, of 300 ms at most, fills with what is on its way, and sound waits
// behind that once; a browser stretches what it has. None of it is lost.
export const soundMadeUpMs = 500;
// Probes, and browsers that wait for a processor.
export const soundMadeUpLaterMs = 150;

// For five seconds nothing but the top layer is shown in a page, and no frame is late.
export function untilTop(page, within = 60_000, lines = topLayer) {
  return until('the top layer is seen for five seconds', async () => {
    const { frames } = await callSeen(page);
    const last = frames.filter(({ now }) => now > Date.now() - 5000);
    if (last.length < 40 || last.some(({ height }) => height !== lines)) throw new Error(`${last.length} frames, ${last.at(-1)?.height} lines`);
    return true;
  }, { within, every: 500 });
}

// `behind`: 'anna' or 'ben'. `browser` is Ben's; `speak`: whether Anna is heard. Whoever calls stops the shaper.
export async function startShapedCall(meetings, room, { behind, scenario = callLine, address = '127.0.0.1', browser }) {
  const shaper = await Shaper.start({ to: meetings.server.rtcPorts.map((port) => `${address}:${port}`), address, scenario });
  try {
    const script = (who) => (who === behind ? shaper.script() : '') + watchCallScript;
    const anna = await meetings.join('anna', room, { script: script('anna') });
    await anna.speak();
    await publishNoise(anna);
    const ben = await meetings.join('ben', room, { script: script('ben'), browser });
    await ben.untilHears('anna');
    await untilTop(ben.page);
    return { anna, ben, shaper };
  } catch (error) {
    await shaper.stop();
    throw error;
  }
}

// Everything that was measured since `began`, by `say`, for who reads the log.
export function tellCall(say, { seen, shaper }, began, facts) {
  for (const text of describeCall(seen, began, Date.now())) say(text);
  const waits = shaper.reports(began).map(({ up, down }) => `${Math.round(up.queue_ms)}/${Math.round(down.queue_ms)}`);
  say(`queues up/down, ms: ${waits.join(' ')}`);
  say(JSON.stringify({ ...facts, whole: judgeCall(seen, began, Date.now()) }));
}

// The line ends with what is done in the call.
export async function withShapedCall(meetings, room, behind, act) {
  const call = await startShapedCall(meetings, room, { behind });
  try {
    await act(call);
  } finally {
    await call.shaper.stop();
  }
}
