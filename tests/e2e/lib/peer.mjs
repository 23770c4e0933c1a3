// WebRTC stacks that nobody here wrote, each behind the same few words: see peers/.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from './program.mjs';
import { never, until } from './until.mjs';

const peers = join(dirname(fileURLToPath(import.meta.url)), '../peers');
const python = '/usr/bin/python3'; // Debian's own: its modules are Debian packages.
const commands = {
  aiortc: [python, '-Bu', join(peers, 'aiortc_peer.py')],
  gstreamer: [python, '-Bu', join(peers, 'gstreamer_peer.py')],
  wrtc: [process.execPath, join(peers, 'wrtc_peer.mjs')],
};

const flags = (options) => Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);

// A program that says what it does as lines of JSON.
class Teller {
  constructor(name, command, args) {
    this.name = name;
    this.program = new Program(name, command, args);
  }

  // The latest of everything it said.
  get facts() {
    const lines = readFileSync(this.program.logFile, 'utf8').split('\n').slice(0, -1);
    const facts = {};
    for (const line of lines) if (line.startsWith('{')) Object.assign(facts, JSON.parse(line));
    return facts;
  }

  // Waits until what it says passes `judge`, and gives it.
  async until(what, judge, within = 30_000) {
    return until(`${this.name}: ${what} (${this.program.logFile})`, () => {
      const { facts } = this;
      if (facts.failed) throw never(`${this.name}: ${facts.failed}`);
      if (this.program.status) throw never(`${this.name} ended: ${this.program.log.slice(-1000)}`);
      if (judge(facts)) return facts;
      throw new Error(JSON.stringify(facts));
    }, { within, every: 100 });
  }

  stop() {
    return this.program.stop('SIGTERM', 5000);
  }
}

export class Peer extends Teller {
  // `role`: "publish" or "watch"; `options`: video (a codec), messages (to be echoed).
  constructor(stack, role, url, options = {}) {
    const [command, ...args] = [...commands[stack], role, url, ...flags(options)];
    super(`${stack}-${role}`, command, args);
  }

  connected() {
    return this.until('connects', ({ state }) => state === 'connected');
  }
}

export async function withPeers(peers, act) {
  try {
    return await act(...peers);
  } finally {
    await Promise.all(peers.map((peer) => peer.stop().catch(() => {})));
  }
}

class Network extends Teller {
  constructor(origin, conditions) {
    super('network', process.execPath, [join(peers, 'bad_network.mjs'), '--to', origin, ...flags(conditions)]);
  }
}

// A network between clients and a server that is as bad as `conditions` say; `origin` stands for the server's.
export async function startBadNetwork(origin, conditions) {
  const network = new Network(origin, conditions);
  network.origin = (await network.until('says its address', (facts) => facts.origin)).origin;
  return network;
}
