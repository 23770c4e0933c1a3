// What transcoding costs and how late it is: the ladder's processor time against the ffmpeg command line with the same
// settings, what it adds to latency, how soon the first rendition is there, and how soon it is back after a failure.
// `./dev bench transcode [section…] [--flag number …]`; without a section all. What a run leaves out stays in
// build/bench/transcode.json as it was.
import { publishSource, recording, ffmpegLoop } from '../tests/e2e/lib/encoder.mjs';
import { fetchMedia, fetchMultivariant, reload } from '../tests/e2e/lib/playlist.mjs';
import { Program, processUse } from '../tests/e2e/lib/program.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { until } from '../tests/e2e/lib/until.mjs';
import { load, percentiles, readFlags, readSections, save } from './lib/run.mjs';

const defaults = { width: 1280, height: 720, kbps: 3000, seconds: 20, rounds: 3, tries: 20, warmup: 4 };
const flags = readFlags(defaults);
// As src/work/video_encoder.cc and control/ladder.cc have them.
const rungs = '480p30:1600,240p30:580';
const rateFactor = 23;
const sound = { aac: 128, opus: 96 };

const picture = { width: flags.width, height: flags.height, videoKbps: flags.kbps, preset: 'veryfast', keyframeSeconds: 2 };
// Broadcasts end with their encoder.
const startServer = () => Server.start({ args: ['--transcode-ladder', rungs, '--transcode-workers', '2', '--hls-grace', '0'] });

const onlyWorker = (server) => until('a worker runs', () => server.workers()[0]);

async function renditions(server, channel) {
  await server.untilWatchable(channel);
  const { variants } = await fetchMultivariant(server.playlistUrl(channel));
  const named = Object.fromEntries(variants.map((one) => [/([^/]+)\.m3u8$/.exec(one.url)[1], one.url]));
  if (Object.keys(named).length < 2) throw new Error(`there are only ${Object.keys(named)}`);
  return named;
}

// Processor seconds for each second of media, of a process that is there for longer.
async function cost(pid, seconds) {
  const before = processUse(pid), began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { cpuSeconds, residentBytes } = processUse(pid);
  return { cores: (cpuSeconds - before.cpuSeconds) / ((performance.now() - began) / 1000), residentBytes };
}

// The same pictures and sound through one ffmpeg process: decoded once, scaled, encoded with the same settings.
function commandLine(file) {
  const all = rungs.split(',').map((text) => /^(\d+)p(\d+):(\d+)$/.exec(text).slice(1).map(Number));
  const labels = all.map((_, i) => `[s${i}]`).join('');
  const scaled = all.map(([side], i) => `[s${i}]scale=${2 * Math.round((flags.width * side) / flags.height / 2)}:${side}:flags=bicubic[v${i}]`);
  const outputs = all.flatMap(([, , kbits], i) => [
    '-map', `[v${i}]`, '-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-profile:v', 'high', '-crf', rateFactor,
    '-maxrate', `${kbits}k`, '-bufsize', `${kbits}k`, '-bf', 0, '-sc_threshold', 0, '-g', 100000, '-forced-idr', 1,
    '-force_key_frames', 'expr:gte(t,n_forced*2)', '-threads', 2, '-f', 'mp4', '-movflags', 'frag_keyframe+empty_moov', '-y', '/dev/null',
  ]);
  return ['-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', file,
    '-filter_complex', `[0:v]split=${all.length}${labels};${scaled.join(';')}`, ...outputs,
    '-map', '0:a', '-c:a', 'libopus', '-b:a', `${sound.opus}k`, '-f', 'ogg', '-y', '/dev/null'].map(String);
}

async function addedLatency(bFrames) {
  const server = await startServer();
  const source = publishSource(server.publishUrl('show'), { ...picture, preset: bFrames ? 'veryfast' : 'ultrafast', bFrames });
  try {
    const named = await renditions(server, 'show');
    const ends = Object.fromEntries(Object.keys(named).map((name) => [name, new Map()]));
    let follows = true;
    const follow = async (name) => {
      let playlist = await fetchMedia(named[name]), known = -1;
      while (follows) {
        playlist = await reload(named[name], playlist);
        const now = performance.now();
        // The end of each part, counted from the first segment; only those that are new are noted.
        const parts = [...playlist.segments.map(({ sequence, parts: of }) => ({ sequence, of })), { sequence: playlist.nextSequence, of: playlist.openParts }];
        for (const { sequence, of } of parts) of.forEach((_, i) => {
          const key = sequence * 1000 + i;
          if (key > known && sequence > 0) ends[name].set(key, now), (known = key);
        });
      }
    };
    const followers = Object.keys(named).map(follow);
    await new Promise((resolve) => setTimeout(resolve, flags.seconds * 1000));
    follows = false;
    await Promise.all(followers);
    const added = {};
    for (const name of Object.keys(named).filter((one) => one !== 'v0')) {
      const late = [...ends[name]].filter(([key]) => ends.v0.has(key)).map(([key, at]) => at - ends.v0.get(key));
      added[name] = percentiles(late.slice(6)); // The first reload brings what was there already.
    }
    return added;
  } finally {
    await source.stop();
    await server.stop();
  }
}

// `signal` to the worker of a channel, `afterMs` of its life.
async function failOnce(server, channel, signal, afterMs) {
  const source = publishSource(server.publishUrl(channel), { ...picture, preset: 'ultrafast' });
  try {
    const named = await renditions(server, channel);
    const url = named[Object.keys(named).find((one) => one !== 'v0')];
    const pid = await onlyWorker(server);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    let playlist = await fetchMedia(url), nothingMs = 0;
    const breaks = breaksIn(playlist), failed = performance.now();
    process.kill(pid, signal);
    for (let last = failed; performance.now() < failed + 12_000;) {
      playlist = await reload(url, playlist);
      if (newestPart(playlist)?.isGap ?? true) continue;
      const now = performance.now();
      nothingMs = Math.max(nothingMs, now - last);
      last = now;
      if (breaksIn(playlist) >= breaks + 2) return { nothingMs, programMs: now - failed };
    }
    throw new Error(`${channel}: no program twelve seconds later`);
  } finally {
    await source.stop();
    await until('its worker is gone', () => server.workers().length === 0);
  }
}

const newestPart = ({ segments, openParts }) => openParts.at(-1) ?? segments.at(-1)?.parts.at(-1);
// Discontinuities of the broadcast so far.
const breaksIn = ({ discontinuitySequence = 0, segments, openDiscontinuity }) =>
  discontinuitySequence + segments.filter(({ discontinuity }) => discontinuity).length + (openDiscontinuity ? 1 : 0);

const sections = {
  // In turns, so that both see the machine as it is.
  cost: async () => {
    const file = await recording({ ...picture, seconds: 20 });
    const ours = [], theirs = [], servers = [];
    for (let round = 0; round < flags.rounds; ++round) {
      const server = await startServer();
      const source = ffmpegLoop(server.publishUrl('show'), file);
      try {
        await renditions(server, 'show');
        const pid = await onlyWorker(server);
        await new Promise((resolve) => setTimeout(resolve, flags.warmup * 1000));
        const beside = cost(server.pid, flags.seconds);
        ours.push(await cost(pid, flags.seconds));
        servers.push(await beside);
      } finally {
        await source.stop();
        await server.stop();
      }
      const ffmpeg = new Program('ffmpeg-ladder', 'ffmpeg', commandLine(file));
      try {
        await new Promise((resolve) => setTimeout(resolve, flags.warmup * 1000));
        if (ffmpeg.status) throw new Error(`ffmpeg ended: ${ffmpeg.log}`);
        theirs.push(await cost(ffmpeg.pid, flags.seconds));
      } finally {
        await ffmpeg.stop();
      }
      console.log(JSON.stringify({ round, worker: ours.at(-1).cores, ffmpeg: theirs.at(-1).cores, server: servers.at(-1).cores }));
    }
    const median = (runs) => percentiles(runs.map(({ cores }) => cores)).p50;
    return {
      worker_cores: median(ours), ffmpeg_cores: median(theirs), server_cores: median(servers), of_ffmpeg: median(ours) / median(theirs),
      worker_bytes: Math.max(...ours.map((one) => one.residentBytes)), ffmpeg_command: `ffmpeg ${commandLine('FILE').join(' ')}`,
    };
  },

  // How much later than the source's own part of the same end a rung's part can be had; of pictures in the order they are
  // shown, and with B-frames, which are waited for.
  latency: async () => ({ added_ms: await addedLatency(0), added_ms_with_b_frames: await addedLatency(2) }),

  // From the moment the channel is live to the first part of a rung.
  start: async () => {
    const server = await startServer();
    const first = [], listed = [];
    try {
      for (let i = 0; i < flags.tries; ++i) {
        const channel = `start${i}`;
        const source = publishSource(server.publishUrl(channel), { ...picture, preset: 'ultrafast' });
        try {
          const live = await until('it is live', () => server.program.log.includes(`channel ${channel}: live`) && performance.now(), { every: 5 });
          const text = await until('a playlist is there', async () => (await fetch(server.playlistUrl(channel))).ok && performance.now(), { every: 5 });
          const named = await renditions(server, channel);
          const rung = Object.keys(named).find((one) => one !== 'v0');
          const { segments, openParts } = await fetchMedia(named[rung]);
          if (segments.some(({ gap }) => gap) || [...segments.flatMap(({ parts }) => parts), ...openParts].some(({ isGap }) => isGap)) throw new Error('it begins with a gap');
          listed.push(text - live);
          first.push(segments[0]?.sequence ?? 0);
        } finally {
          await source.stop();
        }
      }
      return { live_to_playlist_with_all_renditions_ms: percentiles(listed), first_segment_of_rungs: Math.max(...first) };
    } finally {
      await server.stop();
    }
  },

  // When a rung's worker fails: for how long its viewers get nothing, neither program nor slate, and when the program is
  // back, behind the second discontinuity.
  failures: async () => {
    const results = {};
    const server = await startServer();
    try {
      for (const [kind, signal] of [['killed', 'SIGKILL'], ['frozen', 'SIGSTOP']]) {
        const nothing = [], back = [];
        // Each in a channel of its own, since workers that fail again and again are damped, and at another point of a segment.
        for (let i = 0; i < flags.tries; ++i) {
          const { nothingMs, programMs } = await failOnce(server, `${kind}${i}`, signal, 4_500 + 97 * i);
          nothing.push(nothingMs);
          back.push(programMs);
        }
        results[kind] = { nothing_ms: percentiles(nothing), program_ms: percentiles(back) };
        console.log(JSON.stringify({ kind, ...results[kind] }));
      }
    } finally {
      await server.stop();
    }
    return results;
  },
};

const data = load('transcode', {});
for (const name of readSections(defaults, Object.keys(sections))) {
  data[name] = { made_by: `./dev bench transcode ${process.argv.slice(2).join(' ')}`.trim(), flags, ...(await sections[name]()) };
  console.log(JSON.stringify({ [name]: data[name] }));
  save('transcode', data);
}
