// The ways in which rtc.mjs puts load on a WebRTC server: `sunk`, when only the server's cost counts, and
// `delivered`, when what viewers see counts.
//
// A target is a server that runs: { whip, whep, bearer, pid, sent }. URLs and bearer hold {n}, the channel's number;
// `sent` gives how many media packets it has forwarded, where it says that.
import { processUse } from '../../tests/e2e/lib/program.mjs';
import { Server } from '../../tests/e2e/lib/server.mjs';
import { pause, until } from '../../tests/e2e/lib/until.mjs';
import { bench, startBench } from './run.mjs';
import { coresBetween, cpuUse } from './sink_rig.mjs';

const kSettleSeconds = 2, kGoodbyeSeconds = 2;
const kPatienceSeconds = 28; // Viewers leave after 30 s without an answer.

// `cpus`: of the server.
export async function withServer(rig, cpus, shards, work) {
  // All viewers are of one address here.
  const args = ['--limits-rtc-viewers-per-address', '1000000', '--limits-rtc-unconnected-per-address', '1000000'];
  const server = await Server.start({ pin: cpus, shards, address: rig.server, prefix: rig.prefix, args });
  try {
    const channel = (way) => `${server.origin}/${way}/load-{n}`;
    return await work({
      whip: channel('whip'), whep: channel('whep'), bearer: 'load-{n}', pid: server.pid,
      sent: () => server.metric('stoa_webrtc_sent_packets_total'),
    });
  } finally {
    await server.stop();
  }
}

const viewing = (target, viewers, seconds) => [
  'whep', target.whep, '--bearer', target.bearer, '--pid', target.pid, '--viewers', viewers, '--seconds', seconds,
];
const publishing = (target, publishers, media) => ['--whip', target.whip, '--publishers', publishers, '--rest', ...media];

// Everybody joins; then what is sent to them goes to the sink, and the server's cost is read. `beside`, given the
// seconds there are, may measure something meanwhile. CPU 0 of the server is `cpu`.
export async function sunk(rig, target, { viewers, publishers = 1, media, seconds, cpu, loadCpu, joins, beside }) {
  const held = kSettleSeconds + seconds + kGoodbyeSeconds;
  if (held > kPatienceSeconds) throw new Error(`viewers leave after 30 s without an answer: ${seconds} s are too many`);
  const idleBytes = processUse(target.pid).residentBytes;
  const { program, result } = startBench([
    ...viewing(target, viewers, held), ...publishing(target, publishers, media),
    '--joins', joins, '--warmup', 0, '--patience', 60, '--from', rig.load, '--cpu', loadCpu,
  ]);
  await until(`all have joined (${program.logFile})`, () => /^measuring/m.test(program.log) || program.status, { within: 300_000, every: 50 });
  if (program.status) return result(); // Which throws and says why.
  const use = async () => ({ ...cpuUse(target.pid, cpu), packets: rig.packets(), sent: (await target.sent?.()) ?? 0 });
  rig.divert();
  let counted;
  try {
    await pause(kSettleSeconds * 1000);
    const before = await use();
    const aside = beside?.(seconds);
    await pause(seconds * 1000);
    const after = await use();
    const cores = coresBetween(before, after);
    const datagrams = after.packets - before.packets, packets = target.sent ? after.sent - before.sent : datagrams;
    counted = {
      ...cores,
      packets_per_second: packets / cores.seconds,
      datagrams_per_second: datagrams / cores.seconds, // With RTCP and STUN, without what `beside` was sent.
      us_per_packet: (cores.server_cores * cores.seconds * 1e6) / packets,
      bytes_per_viewer: (processUse(target.pid).residentBytes - idleBytes) / viewers,
      ...(aside ? { beside: await aside } : {}),
    };
  } finally {
    rig.restore();
  }
  const { command, publish, watch, generator_cores } = await result();
  const expected = (publish.packets_per_second * viewers) / publishers;
  return {
    command, viewers, publishers, connected: watch.connected, ...counted,
    sent_of_expected: counted.packets_per_second / expected, joining: watch.joining, generator_cores,
  };
}

// Everybody is sent everything and reads it.
export const delivered = (rig, target, { viewers, media, seconds, loadCpu, joins }) =>
  bench([
    ...viewing(target, viewers, seconds), ...publishing(target, 1, media), '--joins', joins, '--patience', 60, '--from', rig.near, '--cpu', loadCpu,
  ]);

// Viewers who look at every packet, on channels that others publish.
export const probes = (rig, target, { viewers, channels, seconds, loadCpu }) =>
  bench([
    ...viewing(target, viewers, seconds), '--channels', channels, '--check-every', 1, '--warmup', 1, '--patience', 2, '--from', rig.near, '--cpu', loadCpu, '--quiet',
  ]);

// Viewers are added until the server no longer sends all it should. Gives every try and the largest that held.
export async function fillCore(attempt, first, tries) {
  const kMost = 17_000; // Sockets of one process.
  const all = [];
  let best = null, least = Infinity;
  for (let viewers = first; all.length < tries;) {
    const run = await attempt(viewers);
    all.push(run);
    const holds = run.sent_of_expected >= 0.99 && run.connected === viewers;
    if (holds && viewers > (best?.viewers ?? 0)) best = run;
    if (!holds) least = Math.min(least, viewers);
    const wanted = holds ? (viewers * 0.97) / Math.max(run.server_cores, 0.1) : viewers * Math.min(run.sent_of_expected, 0.97) * 0.98;
    const next = Math.round(Math.min(wanted, least * 0.97, kMost));
    if (Math.abs(next - viewers) < viewers * 0.03 || next <= (best?.viewers ?? 0)) break;
    viewers = next;
  }
  return { best, tries: all };
}
