// A network namespace for a server under test, whose packets to viewers can be turned into a device that throws
// them away. So the server's cost is measured whole, with the kernel's part of sending, while the load generator
// does not have to read what comes; on a machine with two cores it could not.
//
//   here                                       the server's namespace
//   10.200.0.2 (HTTP, probes)  ── veth pair ── 10.200.0.1 (the server)
//   10.200.0.3 (the load)                      sink: ifb or dummy; the way to 10.200.0.3 while diverted
//
// Viewers join over the pair as over any network. While they are diverted they go on sending reports and checks, and
// after 30 s without an answer they leave (RFC 7675). The sink has no segmentation of its own: the kernel cuts
// trains in software and the server is charged for it. Everything goes with the process that holds the namespace.
//
// A route cannot divert what sockets that are bound to their device send, as those of Janus are. With `isBridged` the
// server's address is on a bridge of the pair and the sink, and a link-layer address leads to the one or the other.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { Program } from '../../tests/e2e/lib/program.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';

const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

const kSinkAddress = '02:00:00:00:00:03';

export class SinkRig {
  server = '10.200.0.1';
  near = '10.200.0.2';
  load = '10.200.0.3';

  static async start({ isBridged = false } = {}) {
    const rig = new SinkRig();
    rig.isBridged = isBridged;
    rig.holder = new Program('namespace', 'unshare', ['--net', 'sleep', 'infinity']);
    try {
      const own = readlinkSync('/proc/self/ns/net');
      await until('there is a network namespace (this needs root)', () => readlinkSync(`/proc/${rig.holder.pid}/ns/net`) !== own);
      rig.prefix = ['nsenter', `--net=/proc/${rig.holder.pid}/ns/net`];
      rig.build();
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  inside(...command) {
    return run(...this.prefix, ...command);
  }

  build() {
    run('ip', 'link', 'add', 'stoa-here', 'type', 'veth', 'peer', 'name', 'there', 'netns', String(this.holder.pid));
    run('ip', 'address', 'add', `${this.near}/24`, 'dev', 'stoa-here');
    run('ip', 'address', 'add', `${this.load}/24`, 'dev', 'stoa-here');
    run('ip', 'link', 'set', 'stoa-here', 'up');
    this.inside('ip', 'link', 'set', 'lo', 'up');
    this.inside('ip', 'link', 'set', 'there', 'up');
    this.kind = ['ifb', 'dummy'].find((kind) => {
      try {
        this.inside('ip', 'link', 'add', 'sink', 'type', kind);
        return true;
      } catch {
        return false;
      }
    });
    if (!this.kind) throw new Error('this kernel has neither ifb nor dummy devices');
    this.inside('ethtool', '-K', 'sink', 'tx-udp-segmentation', 'off');
    this.inside('ip', 'link', 'set', 'sink', 'up');
    if (this.isBridged) {
      this.inside('ip', 'link', 'add', 'name', 'bridge', 'type', 'bridge');
      for (const port of ['there', 'sink']) this.inside('ip', 'link', 'set', port, 'master', 'bridge');
      this.inside('ip', 'link', 'set', 'bridge', 'up');
      this.inside('bridge', 'fdb', 'add', kSinkAddress, 'dev', 'sink', 'master', 'static');
    }
    this.inside('ip', 'address', 'add', `${this.server}/24`, 'dev', this.isBridged ? 'bridge' : 'there');
  }

  divert() {
    if (this.isBridged) this.inside('ip', 'neighbour', 'replace', this.load, 'lladdr', kSinkAddress, 'dev', 'bridge', 'nud', 'permanent');
    else this.inside('ip', 'route', 'replace', `${this.load}/32`, 'dev', 'sink', 'src', this.server);
  }
  restore() {
    if (this.isBridged) this.inside('ip', 'neighbour', 'delete', this.load, 'dev', 'bridge');
    else this.inside('ip', 'route', 'delete', `${this.load}/32`);
  }

  // That came to the sink: datagrams, since trains were cut before.
  packets() {
    const line = readFileSync(`/proc/${this.holder.pid}/net/dev`, 'utf8').split('\n').find((one) => one.trim().startsWith('sink:'));
    const fields = line.trim().split(/[:\s]+/).slice(1).map(Number);
    return fields[1] + fields[9];
  }

  async stop() {
    await this.holder.stop('SIGKILL');
    await until('its devices are gone', () => !existsSync('/sys/class/net/stoa-here'));
  }
}

// CPU seconds of a process and of each of its threads, and how long its CPU was busy with anything at all.
export function cpuUse(pid, cpu) {
  const seconds = (path) => {
    const stat = readFileSync(path, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };
  const threads = {};
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    try {
      threads[id] = seconds(`/proc/${pid}/task/${id}/stat`);
    } catch {
      // It has ended.
    }
  }
  const line = readFileSync('/proc/stat', 'utf8').split('\n').find((one) => one.startsWith(`cpu${cpu} `));
  const [user, nice, system, idle, wait, ...rest] = line.trim().split(/\s+/).slice(1, 9).map(Number);
  void idle, void wait;
  return { at: performance.now() / 1000, process: seconds(`/proc/${pid}/stat`), threads, busy: (user + nice + system + rest.reduce((a, b) => a + b, 0)) / 100 };
}

// Between two of cpuUse(), in cores.
export function coresBetween(before, after) {
  const elapsed = after.at - before.at;
  const threads = Object.entries(after.threads).map(([id, used]) => (used - (before.threads[id] ?? 0)) / elapsed);
  return {
    seconds: elapsed,
    server_cores: (after.process - before.process) / elapsed,
    busiest_thread_cores: Math.max(...threads),
    core_busy: (after.busy - before.busy) / elapsed,
  };
}
