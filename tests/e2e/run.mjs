// Runs the test files one after another: they share two cores with browsers and encoders. Of a file that passes it says how
// many tests passed, of one that fails all that was printed.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

const here = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const env = { ...process.env };
const build = words.indexOf('--build');
if (build >= 0) [, env.E2E_BUILD] = words.splice(build, 2);

const files = readdirSync(here)
  .filter((name) => name.endsWith('.test.mjs') && (words.length === 0 || words.some((word) => name.includes(word))))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${words.join(' ')}`);
  process.exit(2);
}
// A file that hangs (its clean-up failed, say) is ended and counts as failed.
const fileMs = 10 * 60_000;
const failed = [];
for (const file of files) {
  const began = Date.now();
  const { status, stdout } = spawnSync(process.execPath, ['--test-reporter=spec', join(here, file)], {
    stdio: ['inherit', 'pipe', 'inherit'], env, timeout: fileMs, maxBuffer: 64 << 20, encoding: 'utf8',
  });
  const seconds = `${((Date.now() - began) / 1000).toFixed(0)} s`;
  const count = (what) => new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(stdout)?.[1] ?? '?';
  const skipped = count('skipped') === '0' ? '' : `, ${count('skipped')} skipped`;
  if (status === 0) console.log(`${file}: ${count('pass')} passed${skipped}, ${seconds}`);
  else console.log(`${file}: failed, ${seconds}\n${stdout}`);
  if (status !== 0) failed.push(file);
}
console.log(failed.length === 0 ? `${files.length} files passed` : `failed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
