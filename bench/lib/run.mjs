// What the bench scripts share: flags and sections, results with the command that made them, the machine's name.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Program, findProgram, root } from '../../tests/e2e/lib/program.mjs';

export const results = join(root, 'build/bench');
export const recordedPicture = { width: 640, height: 360, videoKbps: 600, preset: 'veryfast', keyframeSeconds: 2 };

// `defaults` names every flag with its default, all numbers: { seconds: 30 } is --seconds 30.
export function readFlags(defaults) {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ options, allowPositionals: true });
  const flags = { ...defaults };
  for (const [name, text] of Object.entries(values)) {
    if (!Number.isFinite(Number(text))) throw new Error(`--${name} takes a number, not "${text}"`);
    flags[name] = Number(text);
  }
  return flags;
}

// The words that are no flags: which sections to do; all of `usual` without any. `others` must be asked for.
export function readSections(defaults, usual, others = []) {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' }]));
  const { positionals } = parseArgs({ options, allowPositionals: true });
  const known = [...usual, ...others], unknown = positionals.find((one) => !known.includes(one));
  if (unknown) throw new Error(`there is no section "${unknown}"; there are ${known.join(', ')}`);
  return positionals.length > 0 ? positionals : usual;
}

// Runs stoa-bench beside what else is done: `program`, and `result()`, which waits for its JSON and puts the command
// line into it.
export function startBench(args) {
  const program = new Program(`bench-${args[0]}`, findProgram('stoa-bench'), args.map(String));
  const command = `stoa-bench ${args.join(' ')}`.replaceAll(`${root}/`, '');
  const result = async (within = 300_000) => {
    const text = await program.success(within); // A table or progress, then the JSON, each on lines of its own.
    return { command, ...JSON.parse(text.slice(text.search(/^\{/m))) };
  };
  return { program, result };
}
export const bench = (args, within) => startBench(args).result(within);

export function save(name, data) {
  mkdirSync(results, { recursive: true });
  const result = {
    name,
    command: `./dev bench ${[name, ...process.argv.slice(2)].join(' ')}`,
    made: new Date().toISOString(),
    machine: { cpu: cpus()[0].model, cores: cpus().length, kernel: release() },
    ...data,
  };
  const path = join(results, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`${relative(root, path)} written`);
  return result;
}

// What the last run wrote; `otherwise` when there was none.
export function load(name, otherwise = null) {
  try {
    return JSON.parse(readFileSync(join(results, `${name}.json`), 'utf8'));
  } catch {
    return otherwise;
  }
}

export function percentiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (fraction) => sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}
