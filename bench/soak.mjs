// A long run: viewers come and go, the encoder is killed and comes back, the judge follows the playlist.
// Memory must stay level, no file descriptor be lost, no rule broken. Exit code 1 when one of them is not so.
import { publishSource } from '../tests/e2e/lib/encoder.mjs';
import { Program, findProgram } from '../tests/e2e/lib/program.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { pause, until } from '../tests/e2e/lib/until.mjs';
import { bench, readFlags, recordedPicture, save } from './lib/run.mjs';

const flags = readFlags({ minutes: 30, kills: 10, viewers: 300 });
const started = Date.now(), endsAt = started + flags.minutes * 60_000;
const server = await Server.start({ shards: 2, args: ['--hls-grace', '60'] });
let encoder = publishSource(server.publishUrl('show'), recordedPicture);
await server.untilWatchable('show');
const url = server.playlistUrl('show');

// Between waves nobody watches, so that what is left open is what was lost.
async function waves(samples, counts) {
  for (let wave = 0; Date.now() < endsAt; ++wave) {
    const seconds = Math.min(20, Math.max(1, (endsAt - Date.now()) / 1000));
    const viewers = Math.max(1, Math.round(flags.viewers * (0.25 + 0.75 * ((wave * 7) % 10) / 9)));
    const result = await bench(['hls', url, '--viewers', viewers, '--seconds', seconds.toFixed(1), '--warmup', 0, ...(wave % 2 ? ['--parts'] : [])]);
    counts.playlists += result.playlists;
    counts.parts += result.parts;
    counts.errors += result.errors;
    await until('the viewers\' connections are gone', async () => (await server.metric('stoa_http_waiting_requests')) <= 8, { within: 15_000 });
    await pause(500);
    samples.push({ minute: (Date.now() - started) / 60_000, ...server.use() });
  }
}

async function killings() {
  const interval = (flags.minutes * 60_000) / (flags.kills + 1);
  let done = 0;
  for (let kill = 1; kill <= flags.kills; ++kill) {
    await pause(Math.max(0, started + kill * interval - Date.now()));
    await encoder.stop('SIGKILL');
    await pause(kill % 2 ? 500 : 5000);
    encoder = publishSource(server.publishUrl('show'), recordedPicture);
    ++done;
  }
  return done;
}

const samples = [], counts = { playlists: 0, parts: 0, errors: 0 };
const judge = new Program('check-hls', findProgram('stoa'), ['check-hls', url, '--seconds', String(Math.round(flags.minutes * 60 - 10))]);
let kills, verdict;
try {
  [, kills] = await Promise.all([waves(samples, counts), killings()]);
  verdict = await until('the judge has ended', () => judge.status, { within: 120_000 });
} finally {
  await judge.stop();
  await encoder.stop();
  await server.stop();
}
// The window must be full before memory can be level: the first quarter of the run is not counted.
const settled = samples.filter((one) => one.minute > flags.minutes / 4);
const mean = (list, key) => list.reduce((sum, one) => sum + one[key], 0) / Math.max(1, list.length);
const half = Math.ceil(settled.length / 2);
const memory = { first_half: mean(settled.slice(0, half), 'residentBytes'), second_half: mean(settled.slice(half), 'residentBytes') };
const files = { first: settled[0]?.openFiles, last: settled.at(-1)?.openFiles, least: Math.min(...settled.map((one) => one.openFiles)) };
const faults = [];
if (memory.second_half > memory.first_half * 1.1) faults.push('memory grew by more than a tenth between the halves of the run');
if (files.last > files.least + 10) faults.push('file descriptors were lost');
if (verdict.code !== 0) faults.push(`stoa check-hls ended with ${verdict.code}`);
if (counts.errors > 0) faults.push(`${counts.errors} errors among viewers`);
save('soak', { flags, kills, ...counts, memory, files, verdict: verdict.code, faults, report: judge.log.split('\n').slice(-80), samples });
console.log(faults.length === 0 ? 'nothing grew, nothing broke' : faults.join('\n'));
process.exit(faults.length === 0 ? 0 : 1);
