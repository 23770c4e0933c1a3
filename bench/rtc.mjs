// WebRTC: what a forwarded packet costs, how many streams a core carries, how late packets are, how long joining
// takes, and the same of Janus. `./dev bench rtc [section…] [--flag number …]`; without a section all but `janus`,
// which needs `./dev install janus`. What a run leaves out stays in build/bench/rtc.json as it was.
//
// The server has one CPU, the load another. Where what counts is how much a core carries, the server's packets end in
// a device that throws them away (lib/sink_rig.mjs), or the load would need several cores. That needs root.
import { fakeCamera, launchChromium } from '../tests/e2e/lib/browser.mjs';
import { publishSource } from '../tests/e2e/lib/encoder.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { openTools, rtc, whipUrl } from '../tests/e2e/lib/webrtc.mjs';
import { firstFrames, framesAfterClick, glassToGlass } from './lib/glass.mjs';
import { Janus } from './lib/janus.mjs';
import { delivered, fillCore, probes, sunk, withServer } from './lib/rtc_load.mjs';
import { bench, load, readFlags, readSections, recordedPicture, save } from './lib/run.mjs';
import { SinkRig } from './lib/sink_rig.mjs';

const defaults = {
  seconds: 12, 'server-cpu': 0, 'load-cpu': 1, 'video-kbps': 1500, 'audio-kbps': 48, joins: 800,
  'path-seconds': 0.5, 'path-receivers': 500, 'cost-rounds': 20, 'cost-receivers': 1000,
  streams: 4000, listeners: 4000, tries: 5, // Viewers of the first try; tries.
  rooms: 100, 'room-viewers': 10, probes: 40,
  joiners: 2000, 'join-rate': 3000,
  'shard-viewers': 3000,
  watched: 200, 'janus-joins': 50,
  'glass-seconds': 30, 'glass-warmup': 10, pages: 25,
};
const flags = readFlags(defaults);
const cpu = flags['server-cpu'], loadCpu = flags['load-cpu'];
const video = ['--no-audio', '--video-kbps', flags['video-kbps']], audio = ['--no-video', '--audio-kbps', flags['audio-kbps']];
const common = { seconds: flags.seconds, joins: flags.joins, cpu, loadCpu };
const alone = (rig, work) => withServer(rig, cpu, 1, work);

const onSink = {
  // Viewers of one channel, each on its own try of a fresh server.
  streams: (rig) => fillCore((viewers) => alone(rig, (target) => sunk(rig, target, { ...common, viewers, media: video })), flags.streams, flags.tries),
  audio: (rig) => fillCore((viewers) => alone(rig, (target) => sunk(rig, target, { ...common, viewers, media: audio })), flags.listeners, flags.tries),

  // Many channels of few viewers: with one channel of thousands, the last viewer of a frame waits for all others.
  // Rooms are added until the server is half busy.
  async latency(rig) {
    const tries = [];
    for (let rooms = flags.rooms; tries.length < 4;) {
      const run = await alone(rig, (target) => sunk(rig, target, {
        ...common, viewers: rooms * flags['room-viewers'], publishers: rooms, media: video,
        beside: (seconds) => probes(rig, target, { viewers: Math.min(rooms, flags.probes), channels: rooms, seconds: seconds - 3, loadCpu }),
      }));
      tries.push(run);
      if (Math.abs(run.server_cores - 0.5) < 0.05) break;
      rooms = Math.max(1, Math.round(rooms * Math.min(4, 0.5 / run.server_cores)));
    }
    return { half_load: tries.at(-1), tries };
  },

  joins: (rig) => alone(rig, (target) => bench([
    'whep', target.whep, '--whip', target.whip, '--bearer', target.bearer, '--pid', target.pid, '--rest', ...video,
    '--viewers', flags.joiners, '--joins', flags['join-rate'], '--seconds', 1, '--warmup', 0, '--from', rig.near, '--cpu', loadCpu,
  ])),

  // The load has to share the second core with the second shard, so what is compared is CPU time: a server is full
  // when its busiest thread is.
  async shards(rig) {
    const viewers = flags['shard-viewers'], asked = { ...common, viewers, media: video };
    const one = await withServer(rig, cpu, 1, (target) => sunk(rig, target, asked));
    const two = await withServer(rig, `${cpu},${loadCpu}`, 2, (target) => sunk(rig, target, asked));
    const viewersOf = (run) => viewers / run.busiest_thread_cores;
    return { one, two, viewers_one: viewersOf(one), viewers_two: viewersOf(two), times: viewersOf(two) / viewersOf(one) };
  },

  delivered: (rig) => alone(rig, (target) => delivered(rig, target, { ...common, viewers: flags.watched, media: [...video.slice(1), ...audio.slice(1)] })),

  // The same viewers and bitrates, each server on the same CPU: sunk, for its cost, then with everything delivered.
  async janus(rig) {
    const asked = { ...common, joins: flags['janus-joins'], viewers: flags.watched, media: video };
    const both = async (withTarget) => ({
      sunk: await withTarget((target) => sunk(rig, target, asked)),
      delivered: await withTarget((target) => delivered(rig, target, asked)),
    });
    const withJanus = (eventLoops) => async (work) => {
      const janus = await Janus.start({ address: rig.server, prefix: rig.prefix, pin: cpu, eventLoops });
      try {
        return await work({ whip: `${janus.origin}/whip`, whep: `${janus.origin}/whep`, bearer: '', pid: janus.pid });
      } finally {
        await janus.stop();
      }
    };
    const stoa = await both((work) => alone(rig, work));
    const found = await both(withJanus(0)), looped = await both(withJanus(1));
    return { stoa, janus: found, janus_one_event_loop: looped, times_cheaper: Math.min(found.sunk.us_per_packet, looped.sunk.us_per_packet) / stoa.sunk.us_per_packet };
  },
};

// Sections that need no sink: pages and servers share all cores, as they do on a desk.
async function withBrowser(work) {
  const server = await Server.start();
  const browser = await launchChromium(fakeCamera);
  try {
    return await work(server, browser);
  } finally {
    await browser.close();
    await server.stop();
  }
}
async function withRtmp(work) {
  return withBrowser(async (server, browser) => {
    const encoder = publishSource(server.publishUrl('show'), recordedPicture);
    try {
      await server.untilWatchable('show');
      return await work(server, browser);
    } finally {
      await encoder.stop();
    }
  });
}
const watching = { seconds: flags['glass-seconds'], warmup: flags['glass-warmup'] };
const elsewhere = {
  path: () => bench(['path', '--seconds', flags['path-seconds'], '--receivers', flags['path-receivers']]),
  cost: () => bench(['cost', '--rounds', flags['cost-rounds'], '--receivers', flags['cost-receivers']], 900_000),
  srtp: () => bench(['srtp', '--seconds', flags['path-seconds'], '--receivers', flags['path-receivers']]),

  glass: async () => ({
    whip: await withBrowser(async (server, browser) => {
      const context = await browser.newContext();
      const page = await context.newPage();
      await openTools(page, server.origin);
      await rtc(page, 'publish', 'out', whipUrl(server, 'show'), { key: 'show', mimeType: 'video/H264', width: 640, height: 360 });
      await server.untilWatchable('show');
      return glassToGlass(browser, server.watchUrl('show', 'realtime'), watching);
    }),
    rtmp: await withRtmp((server, browser) => glassToGlass(browser, server.watchUrl('show', 'realtime'), watching)),
  }),

  pages: () => withRtmp(async (server, browser) => ({
    click_ms: await framesAfterClick(browser, server.origin, 'show', flags.pages),
    open_ms: await firstFrames(browser, server.watchUrl('show', 'realtime'), flags.pages),
  })),
};

const names = ['path', 'cost', 'srtp', 'streams', 'audio', 'latency', 'joins', 'shards', 'delivered', 'glass', 'pages'];
const asked = readSections(defaults, names, ['janus']);
const { name: _name, command: _command, made: _made, machine: _machine, flags: _flags, ...data } = load('rtc', {});
for (const name of asked) {
  console.log(`${name} …`);
  const began = Date.now();
  const rig = onSink[name] ? await SinkRig.start({ isBridged: name === 'janus' }) : null;
  let found;
  try {
    found = await (rig ? onSink[name](rig) : elsewhere[name]());
  } finally {
    await rig?.stop();
  }
  data[name] = { made_by: `./dev bench rtc ${[name, ...process.argv.slice(2).filter((word, i, all) => word.startsWith('--') || all[i - 1]?.startsWith('--'))].join(' ')}`, took_seconds: Math.round((Date.now() - began) / 1000), flags, ...found };
  console.log(JSON.stringify(data[name], null, 1));
  save('rtc', data);
}
