// Runs the test files one after another: they share two cores with browsers and encoders.
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
const fileMs = 5 * 60_000;
let failed = [];
for (const file of files) {
  const { status } = spawnSync(process.execPath, ['--test-reporter=spec', join(here, file)], { stdio: 'inherit', env, timeout: fileMs });
  if (status !== 0) failed.push(file);
}
console.log(failed.length === 0 ? `${files.length} files passed` : `failed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
