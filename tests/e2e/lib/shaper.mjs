// A bad network between pages and servers: stoa-bench shape (bench/shaper.h), and what leads a page's media through it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, findProgram } from './program.mjs';
import { never, until } from './until.mjs';

export class Shaper {
  // `to`: ["address:port", …] of the server, or null when tell('to …') comes later; `scenario`: its text (sim/scenario.h),
  // forward is towards clients; `address`: where it listens; `args`: further flags.
  static async start({ to = null, ports = to?.length ?? 1, address = '127.0.0.1', port = 0, scenario = '', args = [] }) {
    const folder = mkdtempSync(join(tmpdir(), 'stoa-shaper-'));
    const command = ['shape', '--listen', `${address}:${port}`, '--ports', String(ports), ...args];
    if (to) command.push('--to', to.join());
    if (scenario) {
      writeFileSync(join(folder, 'scenario'), scenario);
      command.push('--scenario', join(folder, 'scenario'));
    }
    const shaper = new Shaper();
    shaper.folder = folder;
    shaper.program = new Program('shaper', findProgram('stoa-bench'), command, { stdin: 'pipe' });
    shaper.address = address;
    shaper.to = to;
    try {
      shaper.port = await until(`the shaper listens (${shaper.program.logFile})`, () => {
        if (shaper.program.status) throw never(`the shaper ended: ${shaper.program.log.slice(-1000)}`);
        return /^\{"port":(\d+)\}/m.exec(shaper.program.log)?.[1];
      });
    } catch (error) {
      await shaper.stop();
      throw error;
    }
    shaper.port = Number(shaper.port);
    return shaper;
  }

  // A line of bench/shape_command.h: holds from now on.
  tell(line) {
    this.program.child.stdin.write(`${line}\n`);
  }

  // What it said so far, a report for each second; of those since a moment (Date.now()) when one is given.
  reports(since = 0) {
    const lines = this.program.log.split('\n').slice(0, -1).map((line) => JSON.parse(line));
    const wrong = lines.find((line) => line.error);
    if (wrong) throw new Error(`the shaper: ${wrong.error}`);
    return lines.filter((line) => line.unix_ms > since);
  }

  // A script for pages: what they are told of the server's UDP ports leads through this shaper, and of TCP they are not
  // told. Pages without it go past.
  script() {
    const routes = Object.fromEntries(this.to.map((one, i) => [Number(one.split(':').at(-1)), { address: this.address, port: this.port + i }]));
    return `(${leadThrough})(${JSON.stringify(routes)});`;
  }

  async stop() {
    try {
      return await this.program.stop();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

/* global RTCPeerConnection */
// Runs in the page. A candidate of a port that has a route is given the route's address; any other is left out.
function leadThrough(routes) {
  const rewrite = (text) => {
    const words = text.split(' ');
    const route = words[2]?.toLowerCase() === 'udp' ? routes[words[5]] : undefined;
    if (!route) return null;
    [words[4], words[5]] = [route.address, String(route.port)];
    return words.join(' ');
  };
  const rewriteAll = (sdp) => {
    const seen = new Set();
    return sdp.split('\r\n').flatMap((line) => {
      if (line.startsWith('m=')) seen.clear();
      if (!line.startsWith('a=candidate:')) return [line];
      const rewritten = rewrite(line);
      const to = rewritten?.split(' ').slice(4, 6).join();
      if (!rewritten || seen.has(to)) return [];
      seen.add(to);
      return [rewritten];
    }).join('\r\n');
  };
  const prototype = RTCPeerConnection.prototype;
  const describe = prototype.setRemoteDescription;
  prototype.setRemoteDescription = function (description, ...rest) {
    const changed = description?.sdp ? { type: description.type, sdp: rewriteAll(description.sdp) } : description;
    return describe.call(this, changed, ...rest);
  };
  const add = prototype.addIceCandidate;
  prototype.addIceCandidate = function (candidate, ...rest) {
    if (!candidate?.candidate) return add.call(this, candidate, ...rest);
    const rewritten = rewrite(candidate.candidate);
    if (!rewritten) return Promise.resolve();
    return add.call(this, { candidate: rewritten, sdpMid: candidate.sdpMid, sdpMLineIndex: candidate.sdpMLineIndex }, ...rest);
  };
}
