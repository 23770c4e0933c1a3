// What going by the pictures saves: for each of several generated clips the server is asked, with the clip as its
// source, which caps and rungs it decides on; then the ladder is encoded by the ffmpeg command line with the worker's
// settings, as decided and as it is otherwise, and compared by bits at equal quality (BD-rate by SSIM and VIF of the
// picture scaled up to the source's size).
// `./dev bench per_title [clip…] [--flag number …]`; without a clip all. Results of others stay in
// build/bench/per_title.json.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ffmpegLoop } from '../tests/e2e/lib/encoder.mjs';
import { Program, findProgram } from '../tests/e2e/lib/program.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { never, until } from '../tests/e2e/lib/until.mjs';
import { bdRate, checkBdRate } from './lib/bd_rate.mjs';
import { load, readFlags, readSections, results, save } from './lib/run.mjs';

// `decide` is how long it is waited for a decision; of every `every`-th picture the quality is measured.
const defaults = { width: 1280, height: 720, fps: 30, seconds: 10, decide: 45, every: 10 };
const flags = readFlags(defaults);
const rateFactor = 23; // As control/ladder.cc has it.
const keyframeSeconds = 2;
const { width, height, fps, seconds } = flags;

// Each a source of lavfi, at the wanted size and rate. Small ones are scaled: they would take minutes otherwise.
const up = (flagsOfScale) => `scale=${width}:${height}:flags=${flagsOfScale}`;
const lines = (count, from = 0) => Array.from({ length: count }, (_, i) => `${'All that a room hears is said once, and who comes late asks what it was'.slice((from + i * 7) % 20)} ${i + from}`).join('\n');
const text = (body, size, x, y, more = '') => `drawtext=font=DejaVuSans:fontsize=${size}:fontcolor=0x202020:line_spacing=${Math.round(size / 3)}:x=${x}:y=${y}:text='${body}'${more}`;
const clips = {
  slides: [`color=0xf4f1ea:s=${width}x${height}:r=${fps}`, text(lines(12), height / 24, width / 12, height / 10, `:enable='lt(t,5)'`), text(lines(7, 40), height / 16, width / 8, height / 6, `:enable='gte(t,5)'`)],
  talk: [`color=0x404858:s=480x270:r=${fps}`, `geq=lum='70+X/12+110*exp(-(pow((X-240-10*sin(T*1.3))/62,2)+pow((Y-130-5*sin(T*2.1))/82,2)))-60*exp(-(pow((X-240-10*sin(T*1.3))/20,2)+pow((Y-165-5*sin(T*2.1))/(5+4*abs(sin(T*9))),2)))':cb='118':cr='138'`, up('bicubic'), 'noise=c0s=4:c0f=t'],
  test: [`testsrc2=s=${width}x${height}:r=${fps}`],
  zoom: [`mandelbrot=s=640x360:r=${fps}:start_scale=0.5:end_scale=0.02:end_pts=${seconds * fps}:maxiter=400`, up('bicubic')],
  life: [`life=s=240x136:r=${fps}:mold=12:life_color=0x60c0f0:death_color=0x402010:mold_color=0x205030:ratio=0.3:seed=7`, up('neighbor')],
  credits: [`color=0x101010:s=${width}x${height}:r=${fps}`, text(lines(60), height / 27, width / 4, `h/3-${height / 9}*t`).replace('0x202020', '0xe0e0e0')],
  grain: [`gradients=s=480x270:r=${fps}:n=4:seed=5:speed=0.004`, up('bicubic'), 'noise=alls=14:allf=t'],
  pan: [`sierpinski=s=${width}x${height}:r=${fps}:seed=3:jump=300`],
};

const folder = join(results, 'per_title');
const ffmpeg = (args) => execFileSync('ffmpeg', ['-hide_banner', '-nostdin', '-y', ...args.map(String)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
// What it says of filters is on standard error.
async function say(label, args) {
  return new Program(label, 'ffmpeg', ['-hide_banner', '-nostdin', ...args.map(String)]).success(1_800_000);
}
const base = ['-tune', 'zerolatency', '-profile:v', 'high', '-bf', 0, '-sc_threshold', 0, '-g', 100000, '-forced-idr', 1, '-force_key_frames', `expr:gte(t,n_forced*${keyframeSeconds})`];

// The source as a good encoder sends it. Quality is counted from there on.
function source(name) {
  const file = join(folder, `${name}-${width}x${height}x${fps}-${seconds}.flv`);
  if (existsSync(file)) return file;
  const [from, ...filters] = clips[name];
  ffmpeg(['-loglevel', 'error', '-f', 'lavfi', '-i', from, '-t', seconds, '-vf', [...filters, 'format=yuv420p'].join(','),
    '-c:v', 'libx264', '-preset', 'veryfast', '-crf', 12, '-maxrate', '16M', '-bufsize', '16M', ...base, '-f', 'flv', `${file}.part`]);
  renameSync(`${file}.part`, file);
  return file;
}

async function ladderOf(server, token, channel) {
  const answer = await fetch(`${server.origin}/api/v1/live/${channel}`, { headers: { authorization: `Bearer ${token}` } });
  return answer.ok ? (await answer.json()).ladder : null;
}

// What the server decides: caps after it has seen half a minute, and rungs when it comes again.
async function decide(server, token, name, file) {
  const first = ffmpegLoop(server.publishUrl(name), file);
  let rungs;
  try {
    const started = performance.now();
    rungs = await until('caps are decided', async () => {
      const ladder = await ladderOf(server, token, name);
      const video = ladder?.rungs.filter(({ kind }) => kind === 'video') ?? [];
      if (video.some(({ state }) => state === 'resting')) throw never('the machine cannot keep up');
      if (ladder?.worker.restarts) throw never(`the worker ended: ${ladder.worker.trouble}`);
      const isLowered = video.some(({ bitrate_max: cap, bitrate_usual: usual }) => cap < usual);
      return video.length > 0 && (isLowered || performance.now() - started > flags.decide * 1000) && video;
    }, { within: (flags.decide + 30) * 1000, every: 500 });
  } finally {
    await first.stop();
  }
  await until('the broadcast is over', async () => (await ladderOf(server, token, name)) === null);
  const next = ffmpegLoop(server.publishUrl(name), file);
  try {
    const again = await until('there is a ladder again', async () => {
      const ladder = await ladderOf(server, token, name);
      return ladder?.rungs.length > 0 && ladder;
    }, { within: 20_000 });
    return { rungs, leftOut: again.left_out };
  } finally {
    await next.stop();
    await until('the broadcast is over', async () => (await ladderOf(server, token, name)) === null);
  }
}

// One rung: what it takes, and what it is worth.
async function encode(name, file, rung, how) {
  const out = join(folder, `${name}-${rung.name}.mp4`);
  const kbits = (bits) => `${Math.round(bits / 1000)}k`;
  const rates = how.mean ? ['-b:v', kbits(how.mean)] : ['-crf', rateFactor];
  ffmpeg(['-loglevel', 'error', '-i', file, '-vf', `scale=${rung.width}:${rung.height}:flags=bicubic`, '-an', '-c:v', 'libx264', '-preset', 'veryfast',
    ...rates, '-maxrate', kbits(how.cap), '-bufsize', kbits(how.cap), ...base, '-threads', 2, out]);
  const thin = `select='not(mod(n,${flags.every}))',setpts=N/TB/${fps}`;
  const said = await say(`quality-${name}`, ['-i', out, '-i', file, '-lavfi',
    `[0:v]${thin},${up('bicubic')},split[a][b];[1:v]${thin},split[c][d];[a][c]ssim;[b][d]vif`, '-f', 'null', '-']);
  const ssim = parseFloat(/SSIM Y:([\d.]+)/.exec(said)[1]);
  const scales = [...said.matchAll(/VIF scale=\d average:([\d.]+)/g)].map((found) => parseFloat(found[1]));
  if (scales.length !== 4) throw new Error(`there are ${scales.length} scales of VIF`);
  return {
    rung: rung.name, cap: how.cap, rate: (statSync(out).size * 8) / seconds,
    ssim, ssim_db: -10 * Math.log10(Math.max(1 - ssim, 1e-6)), vif: scales.reduce((a, b) => a + b) / scales.length,
  };
}

const points = (ladder, by) => ladder.map((one) => ({ rate: one.rate, quality: one[by] }));
const compare = (before, after) => ({ ssim: bdRate(points(before, 'ssim_db'), points(after, 'ssim_db')), vif: bdRate(points(before, 'vif'), points(after, 'vif')) });

checkBdRate();
mkdirSync(folder, { recursive: true });
const data = load('per_title', { clips: {} });
const names = readSections(defaults, Object.keys(clips));
const server = await Server.start({ args: ['--transcode-ladder', 'standard,per-title=on', '--transcode-nice', '0', '--hls-grace', '0'] });
const decided = {};
try {
  const token = execFileSync(findProgram('stoa'), ['token', 'create', '--dev', '--scope', 'channels:read'], { encoding: 'utf8' }).trim();
  for (const name of names) {
    decided[name] = await decide(server, token, name, source(name));
    console.log(JSON.stringify({ name, leftOut: decided[name].leftOut, caps: decided[name].rungs.map((one) => `${one.name} ${one.bitrate_max / 1000} of ${one.bitrate_usual / 1000}, takes ${one.bitrate / 1000}`) }));
  }
} finally {
  await server.stop();
}
for (const name of names) {
  const file = source(name), { rungs, leftOut } = decided[name];
  const ladders = { fixed: [], usual: [], per_title: [] };
  for (const rung of rungs) {
    // A fixed ladder aims at two thirds of the cap, as control/ladder.cc says to encoders that have no constant quality.
    ladders.fixed.push(await encode(name, file, rung, { mean: (rung.bitrate_usual / 3) * 2, cap: rung.bitrate_usual }));
    ladders.usual.push(await encode(name, file, rung, { cap: rung.bitrate_usual }));
    const isSame = rung.bitrate_max === rung.bitrate_usual;
    ladders.per_title.push(isSame ? ladders.usual.at(-1) : await encode(name, file, rung, { cap: rung.bitrate_max }));
  }
  const sum = (ladder) => ladder.reduce((all, { rate }) => all + rate, 0);
  data.clips[name] = {
    made_by: `./dev bench per_title ${process.argv.slice(2).join(' ')}`.trim(), flags,
    left_out: leftOut, ladders, bits: Object.fromEntries(Object.entries(ladders).map(([kind, ladder]) => [kind, sum(ladder)])),
    against_fixed: compare(ladders.fixed, ladders.per_title), against_usual_caps: compare(ladders.usual, ladders.per_title),
  };
  const { against_fixed: fixed, against_usual_caps: usual } = data.clips[name];
  console.log(JSON.stringify({ name, fixed, usual, leftOut }));
  save('per_title', data);
}
