// Programs that tests start. Each has its own process group, its output goes to a file, and all of them are
// ended with the test process.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const logs = join(root, 'build/e2e');

// A built program: from $E2E_BUILD, else the first of the presets that has it.
export function findProgram(name) {
  const folders = process.env.E2E_BUILD ? [resolve(process.env.E2E_BUILD)] : ['release', 'dev'].map((p) => join(root, 'build', p));
  const found = folders.map((folder) => join(folder, name)).find(existsSync);
  if (!found) throw new Error(`${name} is not built (looked in ${folders.join(', ')}); run ./dev build`);
  return found;
}

const running = new Set();
let started = 0;

// Settings of the person who runs the tests must not reach the server.
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('STOA_')));
}

export class Program {
  // `label` names the log file. Output of both kinds goes there. `stdin`: 'pipe' where something will be written to it.
  constructor(label, command, args, { cwd = root, env = cleanEnvironment(), stdin = 'ignore' } = {}) {
    mkdirSync(logs, { recursive: true });
    this.label = label;
    this.logFile = join(logs, `${process.pid}-${String(++started).padStart(3, '0')}-${label}.log`);
    const file = openSync(this.logFile, 'w');
    this.child = spawn(command, args, { cwd, env, detached: true, stdio: [stdin, file, file] });
    closeSync(file);
    this.pid = this.child.pid;
    this.status = null; // { code, signal } once it has ended.
    this.ended = new Promise((resolve) => {
      const finish = (code, signal) => {
        this.status ??= { code, signal };
        running.delete(this);
        resolve(this.status);
      };
      this.child.on('exit', finish);
      this.child.on('error', (error) => finish(`${error.message}`, null));
    });
    running.add(this);
  }

  get log() {
    return readFileSync(this.logFile, 'utf8');
  }

  // To the whole group, so that a stopped or killed encoder takes what it started with it.
  signal(name) {
    if (this.status || !this.pid) return;
    try {
      process.kill(-this.pid, name);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  async stop(name = 'SIGTERM', within = 10_000) {
    this.signal(name);
    if (name !== 'SIGKILL') this.signal('SIGCONT');
    try {
      await until(`${this.label} ends (${this.logFile})`, () => this.status, { within });
    } finally {
      this.signal('SIGKILL');
    }
    return this.status;
  }

  // Waits for its end and gives its output; throws when it failed.
  async success(within = 60_000) {
    try {
      await until(`${this.label} ends (${this.logFile})`, () => this.status, { within });
    } finally {
      this.signal('SIGKILL');
    }
    if (this.status.code !== 0) throw new Error(`${this.label} ended with ${JSON.stringify(this.status)}:\n${this.log.slice(-2000)}`);
    return this.log;
  }
}

// CPU seconds, resident bytes and open files of a process, from /proc.
export function processUse(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    residentBytes: Number(resident[1]) * 1024,
    openFiles: readdirSync(`/proc/${pid}/fd`).length,
  };
}

process.on('exit', () => running.forEach((program) => program.signal('SIGKILL')));
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => process.exit(1));
