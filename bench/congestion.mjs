// A call over a line that becomes narrow and wide again, in Chromium and Firefox, against Stoa and Janus: the same three
// layers, the same tone, the same shaper. `./dev bench congestion [section…] [--flag number …]`; without a section all but
// those of Janus (`./dev install janus`). What a run leaves out stays in build/bench/congestion.json as it was.
//
// Everything runs on this machine: where it is busy, pictures are late for that reason. `machine_waiting_percent` says
// how much of the time somebody waited for a processor.
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fakeCamera, launchChromium, launchFirefox } from '../tests/e2e/lib/browser.mjs';
import { backAt, callSeen, describeCall, judgeCall, noiseLayers } from '../tests/e2e/lib/call_watch.mjs';
import { Meetings } from '../tests/e2e/lib/rooms.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { callLine, startShapedCall, topLayer } from '../tests/e2e/lib/shaped_call.mjs';
import { pause } from '../tests/e2e/lib/until.mjs';
import { Janus } from './lib/janus.mjs';
import { startJanusCall } from './lib/janus_call.mjs';
import { load, readFlags, readSections, save } from './lib/run.mjs';

const defaults = { before: 10, narrow: 20, again: 30, outage: 10, after: 15, 'narrow-kbps': 600, 'wide-kbps': 3000, port: 20000 };
const flags = readFlags(defaults);
const words = readSections(defaults, ['stoa', 'sender', 'firefox', 'off'], ['janus', 'janus-sender', 'janus-firefox']);

// Neither Firefox nor Janus looks for peers on loopback.
const address = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
// Of the time since then, how much at least one task waited for a processor (PSI).
function startPressure() {
  const read = () => Number(/^some .*total=(\d+)/m.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1] ?? 0);
  const [began, first] = [Date.now(), read()];
  return () => (read() - first) / (Date.now() - began) / 10;
}

const rounded = (value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
const round = (facts) => Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, value && typeof value === 'object' && !Array.isArray(value) ? round(value) : rounded(value)]));

// The line of `direction` at each second: what went through, and what waited.
const lineOf = (reports, direction) => reports.map((one) => ({ at: one.at, kbps: one[direction].delivered_kbps, queue_ms: one[direction].waited_ms_mean, dropped: one[direction].dropped, late_ms_max: one.late_ms_max }));
const mean = (list, of) => list.reduce((sum, one) => sum + of(one), 0) / Math.max(1, list.length);
function judgeLine(reports, direction) {
  const packets = reports.reduce((sum, one) => sum + one[direction].packets, 0), dropped = reports.reduce((sum, one) => sum + one[direction].dropped, 0);
  return {
    kbps: mean(reports, (one) => one[direction].delivered_kbps), queue_ms_mean: mean(reports, (one) => one[direction].waited_ms_mean),
    queue_ms_p95: mean(reports, (one) => one[direction].waited_ms_p95), dropped_percent: (100 * dropped) / Math.max(1, packets),
  };
}

// What happens to a call that has begun.
async function suffer({ ben, shaper }, direction) {
  const waited = startPressure();
  const began = Date.now();
  await pause(flags.before * 1000);
  const narrowed = Date.now();
  shaper.tell(`${direction} capacity ${flags['narrow-kbps']}k`);
  await pause(flags.narrow * 1000);
  const widened = Date.now();
  shaper.tell(`${direction} capacity ${flags['wide-kbps']}k`);
  await pause(flags.again * 1000);
  const cut = Date.now();
  shaper.tell(`outage ${flags.outage}s`);
  await pause(flags.outage * 1000);
  const over = Date.now();
  await pause(flags.after * 1000);
  const end = Date.now();
  const seen = await callSeen(ben.page);
  const reports = (from, to) => shaper.reports(from + 1000).filter(({ unix_ms }) => unix_ms <= to); // Whole seconds.
  const part = (from, to) => ({ ...judgeCall(seen, from, to), line: judgeLine(reports(from, to), direction) });
  const former = judgeCall(seen, cut - 5000, cut);
  let rateBack = null;
  for (let at = over; at + 3000 <= end && rateBack === null; at += 100) if (judgeCall(seen, at, at + 3000).kbps >= 0.8 * former.kbps) rateBack = at - over;
  const moving = seen.frames.find(({ now }, i, all) => now >= over && (all[i + 7]?.now ?? Infinity) - now <= 1000);
  const seconds = describeCall(seen, began, end);
  for (const text of seconds) console.log(`  ${text}`);
  return round({
    before: part(began, narrowed), narrow: part(narrowed, widened), settled: part(narrowed + 5000, widened), again: part(widened, cut),
    back_at_top_ms: backAt(seen, topLayer, widened), after_outage: { ...judgeCall(seen, over, end), moving_ms: moving ? moving.now - over : null, rate_back_ms: rateBack },
    machine_waiting_percent: waited(), line: lineOf(reports(began, end), direction).map(round), seconds,
  });
}

// `start` makes the call, of browsers[0] and of the last of them; the server ends with it.
async function withCall(server, { behind = 'ben', firefox = false }, start) {
  const browsers = [await launchChromium(fakeCamera)];
  if (firefox) browsers.push(await launchFirefox());
  try {
    const call = await start(browsers, behind);
    try {
      return await suffer(call, behind === 'ben' ? 'down' : 'up');
    } finally {
      await call.shaper.stop();
    }
  } finally {
    await Promise.all(browsers.map((one) => one.close()));
    await server.stop();
  }
}

async function withStoa({ args = [], ...options } = {}) {
  const server = await Server.start({ shards: 1, rtc: `${address}:0`, args });
  return withCall(server, options, ([chromium, firefox], behind) => {
    const meetings = Object.assign(new Meetings(), { server, chromium, firefox: firefox ?? null });
    return startShapedCall(meetings, 'bench', { behind, address, browser: firefox, scenario: callLine });
  });
}

async function withJanus(options = {}) {
  const ports = Array.from({ length: 20 }, (_, i) => flags.port + i);
  const janus = await Janus.start({ address, ports: `${ports[0]}-${ports.at(-1)}`, room: { videocodec: 'vp8', bitrate: 3_000_000 } });
  return withCall(janus, options, (browsers, behind) =>
    startJanusCall(janus, browsers[0], { ports, address, scenario: callLine, behind, bens: browsers.at(-1) }));
}

const sections = {
  // Ben, in Chromium, is behind the line.
  stoa: () => withStoa(),
  // Anna is, who sends.
  sender: () => withStoa({ behind: 'anna' }),
  // Ben, in Firefox.
  firefox: () => withStoa({ firefox: true }),
  // Without congestion control.
  off: () => withStoa({ args: ['--congestion-control=false'] }),
  janus: () => withJanus(),
  'janus-sender': () => withJanus({ behind: 'anna' }),
  'janus-firefox': () => withJanus({ firefox: true }),
};

// What people look at, a line for each fact and a column for each section.
function table(data) {
  const names = Object.keys(sections).filter((name) => data[name]);
  const at = (layers) => noiseLayers.map(([lines]) => `${lines}: ${(layers[lines] ?? 0).toFixed(0)} s`).join(', ');
  const ms = (value) => (value === null || value === undefined ? 'never' : `${Math.round(value)} ms`);
  const facts = [
    ['longest time without a new picture, narrow', (run) => ms(run.narrow.longest_gap_ms)],
    ['frames a second, narrow, after 5 s', (run) => (run.settled.frames / run.settled.seconds).toFixed(1)],
    ['freezes by the browser, narrow', (run) => `${run.narrow.freezes} (${run.narrow.frozen_seconds.toFixed(1)} s)`],
    ['sound made up, narrow', (run) => `${ms(run.narrow.sound_concealed_ms)}, worst second ${ms(run.narrow.sound_concealed_worst_second_ms)}`],
    ['layers, narrow', (run) => at(run.narrow.seconds_at)],
    ['queue in the line, narrow, after 5 s: mean', (run) => ms(run.settled.line.queue_ms_mean)],
    ['dropped by the line, narrow, after 5 s', (run) => `${run.settled.line.dropped_percent.toFixed(1)} %`],
    ['use of the line, narrow, after 5 s', (run) => `${Math.round((100 * run.settled.line.kbps) / flags['narrow-kbps'])} %`],
    ['back at the top layer, moving', (run) => ms(run.back_at_top_ms)],
    [`after ${flags.outage} s without a line: the picture moves`, (run) => ms(run.after_outage.moving_ms)],
    [`after ${flags.outage} s without a line: 80 % of the rate`, (run) => ms(run.after_outage.rate_back_ms)],
    ['the machine was waited for', (run) => `${run.machine_waiting_percent.toFixed(0)} %`],
  ];
  const rows = [['', ...names], names.map(() => '---'), ...facts.map(([what, of]) => [what, ...names.map((name) => of(data[name]))])];
  rows[1].unshift('---');
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

const { name: _name, command: _command, made: _made, machine: _machine, flags: _flags, ...data } = load('congestion', {});
const failed = [];
for (const name of words) {
  console.log(`${name} …`);
  const began = Date.now();
  try {
    const found = await sections[name]();
    data[name] = { made_by: `./dev bench congestion ${name}`, took_seconds: Math.round((Date.now() - began) / 1000), flags, ...found };
    save('congestion', data);
  } catch (error) {
    failed.push(name);
    console.error(`${name}: ${error.stack}`);
  }
}
console.log(table(data));
if (failed.length > 0) throw new Error(`nothing was measured of: ${failed.join(', ')}`);
