// A server under test: its own data folder, ports chosen by the kernel, ended with the test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, findProgram, processUse } from './program.mjs';
import { never, until } from './until.mjs';

export class Server {
  // `pin` runs it on these CPUs alone; `args` are further flags of `stoa serve`; `address` is where it listens,
  // `rtc` where WebRTC does; `prefix` is a command that starts it and becomes it.
  static async start({ args = [], shards = 1, tls = false, pin = null, label = 'stoa', dev = true, address = '127.0.0.1', rtc = `${address}:0`, prefix = [] } = {}) {
    const data = mkdtempSync(join(tmpdir(), 'stoa-e2e-'));
    const options = { args, shards, tls, pin, label, dev, prefix };
    const listen = ['--http', `${address}:0`, '--rtmp', `${address}:0`, '--rtc', rtc];
    const secure = tls ? `${address}:0` : 'off';
    const server = new Server(Server.#run(data, [...listen, '--https', secure, '--rtmps', secure], options), data, options);
    try {
      await server.learnAddresses(tls ? ['http', 'rtmp', 'https', 'rtmps'] : ['http', 'rtmp']);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  static #run(data, listen, { args, shards, pin, label, dev, prefix }) {
    const command = [
      ...prefix,
      ...(pin === null ? [] : ['taskset', '-c', String(pin)]),
      findProgram('stoa'), 'serve', ...(dev ? ['--dev'] : []), ...listen, '--data', data, '--shards', String(shards), ...args,
    ];
    return new Program(label, command[0], command.slice(1));
  }

  constructor(program, data, options) {
    this.program = program;
    this.data = data;
    this.options = options;
    this.pid = program.pid;
  }

  // Ends it as a power cut would, and starts another with what it left, where it was (WebRTC: where the kernel says).
  async restart() {
    await this.program.stop('SIGKILL');
    const names = this.options.tls ? ['http', 'rtmp', 'https', 'rtmps'] : ['http', 'rtmp'];
    const listen = names.flatMap((name) => [`--${name}`, this[name]]);
    if (!this.options.tls) listen.push('--https', 'off', '--rtmps', 'off');
    this.program = Server.#run(this.data, [...listen, '--rtc', `${this.http.replace(/:\d+$/, '')}:0`], this.options);
    this.pid = this.program.pid;
    await this.learnAddresses(names);
  }

  async learnAddresses(names) {
    for (const name of names) {
      this[name] = await until(`the server says where it listens for ${name} (${this.program.logFile})`, () => {
        if (this.program.status) throw never(`the server ended: ${this.program.log.slice(-1000)}`);
        return new RegExp(`listening ${name}=(\\S+)`).exec(this.program.log)?.[1];
      });
    }
    this.origin = `http://${this.http}`;
    await until('the server is ready', async () => (await fetch(`${this.origin}/readyz`)).ok);
  }

  // WebRTC's, one for each shard.
  get rtcPorts() {
    const [, ports] = /listening rtc=\S+:([\d,]+), told /.exec(this.program.log);
    return ports.split(',').map(Number);
  }

  publishUrl(key) {
    return `rtmp://${this.rtmp}/live/${key}`;
  }
  playlistUrl(channel) {
    return `${this.origin}/live/${channel}/index.m3u8`;
  }
  // The watch page, told which way to watch: "hls", "realtime" or "auto".
  watchUrl(channel, via = 'hls') {
    return `${this.origin}/watch/${channel}?via=${via}`;
  }

  async text(path, { status = 200 } = {}) {
    const response = await fetch(new URL(path, this.origin));
    const body = await response.text();
    if (response.status !== status) throw new Error(`${path} answers ${response.status}: ${body.slice(0, 300)}`);
    return body;
  }
  async json(path, options) {
    return JSON.parse(await this.text(path, options));
  }

  // What /api/v1/live says of a channel; undefined when it is not in the list.
  async live(channel) {
    const { channels } = await this.json('/api/v1/live');
    return channels.find((one) => (one.name ?? one.channel) === channel);
  }
  // Process ids of its workers, or of those for a channel. (ps fails where there is none.)
  workers(channel = '') {
    const { stdout } = spawnSync('ps', ['--ppid', String(this.pid), '-o', 'pid=,args='], { encoding: 'utf8' });
    return stdout.split('\n').filter((line) => line.includes('stoa-work') && line.includes(` ${channel}`)).map((line) => parseInt(line, 10));
  }
  // A channel is watchable when its multivariant playlist is there.
  async untilWatchable(channel, within = 15_000) {
    return until(`${channel} has a playlist`, () => this.text(`/live/${channel}/index.m3u8`), { within });
  }

  // The sum of a metric over its labels that match all of `labels`.
  async metric(name, labels = {}) {
    let sum = 0;
    for (const line of (await this.text('/metrics')).split('\n')) {
      const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (found?.[1] !== name) continue;
      if (Object.entries(labels).every(([key, value]) => (found[2] ?? '').includes(`${key}="${value}"`))) sum += Number(found[3]);
    }
    return sum;
  }

  use() {
    return processUse(this.pid);
  }

  async stop() {
    try {
      return await this.program.stop('SIGTERM', 15_000);
    } finally {
      rmSync(this.data, { recursive: true, force: true });
    }
  }
}
