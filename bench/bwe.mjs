// Congestion control against its bars, in virtual time: `./dev bench bwe [case…] [--seeds N]`, all cases without one.
// What a run leaves out stays in build/bench/bwe.json as it was. Pictures of one seed go to docs/internals/plots.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findProgram, root } from '../tests/e2e/lib/program.mjs';
import { bweTable } from './lib/bwe_table.mjs';
import { plot } from './lib/plot.mjs';
import { load, readFlags, save } from './lib/run.mjs';

const defaults = { seeds: 50, threads: availableParallelism(), plots: 1, 'plot-seed': 1 };
const flags = readFlags(defaults);
const { positionals } = parseArgs({ options: Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' }])), allowPositionals: true });
const plotted = ['start', '5.1', '5.2', '5.4', '5.6', 'outage', 'loss-10', 'boundary'];

const program = findProgram('stoa-bench-bwe');
const run = (args) => JSON.parse(execFileSync(program, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 }));

function draw(name, about) {
  const trace = run(['--trace', name, flags['plot-seed']]);
  const seconds = trace.capacity_kbps.length * trace.step_seconds;
  const lines = Object.entries(trace.received_kbps).map(([flow, values], colour) => ({ name: flow, values, colour }));
  const targets = Object.keys(trace.target_kbps).length > 1 ? [] : Object.entries(trace.target_kbps).map(([, values]) => ({ name: 'target', values, colour: 1, dashed: true }));
  const rates = [{ name: 'capacity', values: trace.capacity_kbps, faint: true, stepped: true }, ...targets, ...lines];
  return plot({
    heading: `${about}, seed ${flags['plot-seed']}`, stepSeconds: trace.step_seconds, seconds,
    panels: [
      { title: 'Media that arrives', unit: 'kb/s', lines: rates, max: 1.25 * Math.max(...trace.capacity_kbps) },
      { title: 'Queue of the bottleneck', unit: 'ms', lines: [{ name: 'delay', values: trace.queue_ms, colour: 0 }], max: Math.max(50, Math.min(1200, Math.max(...trace.queue_ms))) },
    ],
  });
}

const done = run([...positionals, '--seeds', flags.seeds, '--threads', flags.threads]);
const before = load('bwe', { cases: {} }).cases;
const known = run(['--list']).cases; // Their order.
const cases = Object.fromEntries(known.map((name) => [name, done.cases[name] ?? before[name]]).filter(([, one]) => one));
console.log(bweTable(save('bwe', { flags, cases })));
if (flags.plots) {
  const folder = join(root, 'docs/internals/plots');
  mkdirSync(folder, { recursive: true });
  for (const name of plotted.filter((one) => done.cases[one]))
    writeFileSync(join(folder, `bwe-${name.replaceAll('.', '-')}.svg`), draw(name, done.cases[name].about));
}
