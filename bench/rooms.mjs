// Rooms, with participants that speak LiveKit's client protocol: what one core carries of one publisher's viewers, a
// meeting, and an audience that listens; how long joining takes; what a participant costs in memory.
// `./dev bench rooms [section…] [--flag number …]`; without a section all. `--quick 1` makes everything small: for
// trying out, not for measuring. What a run leaves out stays in build/bench/rooms.json as it was.
//
// The server has one CPU, the load another. The load reads everything it is sent, so it may be full before the server
// is; `load_is_full` says when that was so, and `server_waiting_cores` how much the server lacked of its CPU.
import { fakeCamera, launchChromium, watchFromStart } from '../tests/e2e/lib/browser.mjs';
import { Meetings } from '../tests/e2e/lib/rooms.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { glassOf } from './lib/glass.mjs';
import { bench, load, readFlags, readSections, save } from './lib/run.mjs';

const defaults = {
  quick: 0, seconds: 10, 'server-cpu': 0, 'load-cpu': 1, 'video-kbps': 1500, 'join-rate': 50,
  viewers: 200, tries: 9, 'latency-ms': 50, 'loss-percent': 0.1, // Of the first try; tries; what is still well.
  members: 25, speakers: 10, listeners: 1000,
  joiners: 3000, 'room-size': 10, resting: 1000,
  'glass-seconds': 30, 'glass-warmup': 10,
};
const small = { seconds: 3, viewers: 10, tries: 2, members: 4, speakers: 2, listeners: 20, joiners: 60, resting: 40, 'glass-seconds': 5, 'glass-warmup': 2 };
const given = readFlags(defaults);
const flags = given.quick ? { ...given, ...small } : given;

// On a fresh server, whose participants are all of one address here.
async function rooms(args, { rate = flags['join-rate'], seconds = flags.seconds } = {}) {
  const server = await Server.start({ pin: flags['server-cpu'], args: ['--limits-rtc-viewers-per-address', '1000000', '--limits-rtc-unconnected-per-address', '1000000', '--limits-connections-per-address', '1000000'] });
  try {
    const run = await bench([
      'rooms', '--url', `ws://${server.http}`, '--server-pid', server.pid, '--cpu', flags['load-cpu'], '--join-rate', rate,
      '--duration', seconds, '--patience', 60, ...args,
    ], 600_000);
    // The load falls behind: it is busy all the time, or its sockets run over.
    return { ...run, load_is_full: run.generator_cores > 0.9 || run.generator_datagrams_dropped > 0 };
  } finally {
    await server.stop();
  }
}

const isWell = ({ join, received }, kind, share) =>
  join.succeeded === join.wanted && received[share] > 0.99 && received[`${kind}_loss_percent`] <= flags['loss-percent'] &&
  received[`latency_${kind}_ms`].p95 <= flags['latency-ms'];

// Doubles what holds, then halves the gap to what does not. What does not hold is tried once more: something else may
// have had the CPU. Gives the largest that held, and every try in short.
async function fill(attempt, kind, share) {
  const tries = [];
  let best = null, least = Infinity, viewers = flags.viewers;
  while (tries.length < flags.tries) {
    let is_well = false;
    for (let again = 0; again < 2 && !is_well; ++again) {
      const run = await attempt(viewers);
      is_well = isWell(run, kind, share);
      const { server_cores, server_waiting_cores, generator_cores, load_is_full, received } = run;
      const one = { viewers, is_well, server_cores, server_waiting_cores, generator_cores, load_is_full, p95_ms: received[`latency_${kind}_ms`].p95, of_expected: received[share] };
      tries.push(one);
      console.log(JSON.stringify(one));
      if (is_well) best = { viewers, ...run };
    }
    if (!is_well) least = viewers;
    const held = best?.viewers ?? 0, next = Math.round(least === Infinity ? viewers * 2 : (held + least) / 2);
    if (next - held < 0.1 * next) break;
    viewers = next;
  }
  return { best, tries };
}

const sections = {
  // One publisher of one layer.
  audience: () => fill((viewers) => rooms([
    '--publishers', 1, '--subscribers', viewers, '--video', 'single', '--video-kbps', flags['video-kbps'], '--codec', 'h264', '--audio', 'off',
  ], { rate: 2 * flags['join-rate'] }), 'video', 'frames_of_expected'),
  // Everybody publishes three layers and sound, and shows nine.
  meeting: () => rooms(['--publishers', 0, '--members', flags.members, '--layout', '3x3']),
  // What is asked for, and how many listeners are served well.
  audio: async () => {
    const listening = (listeners) => rooms(['--publishers', flags.speakers, '--subscribers', listeners, '--video', 'none'], { rate: 2 * flags['join-rate'] });
    return { ...(await listening(flags.listeners)), most: await fill(listening, 'audio', 'audio_packets_of_expected') };
  },
  joins: () => rooms(['--publishers', 0, '--subscribers', flags['room-size'], '--rooms', flags.joiners / flags['room-size'], '--video', 'none', '--audio', 'off'], { seconds: 1 }),
  // Two in Chromium, who see and hear each other: from the canvas of the one to the screen of the other.
  call: async () => {
    const server = await Server.start();
    const browser = await launchChromium(fakeCamera);
    try {
      const context = await browser.newContext();
      await watchFromStart(context);
      const meetings = Object.assign(new Meetings(), { server, chromium: context });
      const anna = await meetings.join('anna', 'call');
      const ben = await meetings.join('ben', 'call');
      for (const [one, source] of [[anna, 1], [ben, 2]]) {
        await one.speak();
        await one.showPicture({ source, width: 640, height: 360, layers: [90, 180], fps: 30 });
      }
      return await glassOf(ben.page, { warmup: flags['glass-warmup'], seconds: flags['glass-seconds'] });
    } finally {
      await browser.close();
      await server.stop();
    }
  },
  // Nobody sends anything but what keeps connections alive.
  memory: () => rooms(['--publishers', 0, '--subscribers', flags['room-size'], '--rooms', flags.resting / flags['room-size'], '--video', 'none', '--audio', 'off', '--warmup', flags.quick ? 1 : 5]),
};

const asked = readSections(defaults, Object.keys(sections));
const { name: _name, command: _command, made: _made, machine: _machine, flags: _flags, ...data } = load('rooms', {});
const failed = [];
for (const name of asked) {
  console.log(`${name} …`);
  const began = Date.now();
  try {
    const found = await sections[name]();
    data[name] = { made_by: `./dev bench rooms ${[name, ...process.argv.slice(2).filter((word, i, all) => word.startsWith('--') || all[i - 1]?.startsWith('--'))].join(' ')}`, took_seconds: Math.round((Date.now() - began) / 1000), flags, ...found };
    console.log(JSON.stringify(data[name], null, 1));
    save('rooms', data);
  } catch (error) {
    failed.push(name);
    console.error(`${name}: ${error.message}`);
  }
}
if (failed.length > 0) throw new Error(`nothing was measured of: ${failed.join(', ')}`);
