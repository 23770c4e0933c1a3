// Janus (Debian's package) behind WHIP and WHEP, so that the same publishers and viewers measure it. Its VideoRoom
// plugin offers to subscribers, whose part is to answer; WHEP viewers offer. Here both offers are made into answers
// to each other: Janus' offer, its DTLS role decided, goes to the viewer, and what the viewer offered goes to Janus
// with the codecs that Janus chose. Both sides must give the codecs the same payload types: see rtc_viewer.cc.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Program, logs } from '../../tests/e2e/lib/program.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';

const kRoom = 1;
const lines = (sdp) => sdp.split(/\r?\n/).filter(Boolean);
const sdpOf = (list) => `${list.join('\r\n')}\r\n`;
const pick = (sdp, pattern) => lines(sdp).find((line) => pattern.test(line));

// A viewer's offer as its answer to what Janus offers.
export function answerTo(offered, viewer) {
  const transport = [/^a=ice-ufrag:/, /^a=ice-pwd:/, /^a=fingerprint:/].map((pattern) => pick(viewer, pattern));
  const candidates = [...new Set(lines(viewer).filter((line) => line.startsWith('a=candidate:')))];
  const out = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', pick(offered, /^a=group:BUNDLE/)];
  for (const section of offered.split(/^(?=m=)/m).slice(1)) {
    const [media, , protocol, payload] = lines(section)[0].split(' ');
    const codec = lines(section).filter((line) => line.startsWith(`a=rtpmap:${payload} `) || line.startsWith(`a=fmtp:${payload} `));
    out.push(`${media} 9 ${protocol} ${payload}`, 'c=IN IP4 0.0.0.0', pick(section, /^a=mid:/), 'a=recvonly', 'a=rtcp-mux', 'a=setup:active', ...transport, ...codec);
    if (media === 'm=video') out.push(`a=rtcp-fb:${payload} nack pli`);
    out.push(...candidates);
  }
  return sdpOf(out);
}

// What Janus offers as its answer to a viewer: only what was chosen, and the role that is left.
export function answerOf(offered) {
  return sdpOf(lines(offered).map((line) => (line === 'a=setup:actpass' ? 'a=setup:passive' : line)));
}

export class Janus {
  // `prefix` and `pin` are as for Server.start(); `eventLoops` 0: a thread for each peer, which is its default; `ports`:
  // of media; `room`: settings of VideoRoom over those of open().
  static async start({ address, prefix = [], pin = null, eventLoops = 0, ports = '20000-40000', room = {} }) {
    const janus = new Janus();
    janus.room = room;
    const folder = join(logs, `janus-${process.pid}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'janus.jcfg'), `
general: { debug_level = 3, session_timeout = 0${eventLoops > 0 ? `, event_loops = ${eventLoops}` : ''} }
media: { rtp_port_range = "${ports}" }
nat: { ice_lite = true, ice_tcp = false }
transports: { disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_websockets.so" }
plugins: { disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }
events: { broadcast = false }
`);
    writeFileSync(join(folder, 'janus.transport.http.jcfg'), `general: { json = "compact", base_path = "/janus", http = true, port = 8088, ip = "${address}", https = false }\nadmin: { admin_http = false }\n`);
    writeFileSync(join(folder, 'janus.plugin.videoroom.jcfg'), 'general: { }\n');
    const command = [...prefix, ...(pin === null ? [] : ['taskset', '-c', String(pin)]), 'janus', '-F', folder, '-o'];
    janus.program = new Program('janus', command[0], command.slice(1));
    janus.pid = janus.program.pid;
    janus.api = `http://${address}:8088/janus`;
    try {
      await until(`Janus answers (${janus.program.logFile})`, async () => (await fetch(`${janus.api}/info`)).ok);
      await janus.open();
    } catch (error) {
      await janus.stop();
      throw error;
    }
    return janus;
  }

  waiting = new Map(); // By transaction: who waits for its event.
  count = 0;

  async post(path, body) {
    const response = await fetch(`${this.api}${path}`, { method: 'POST', body: JSON.stringify({ transaction: String(++this.count), ...body }) });
    const answer = await response.json();
    if (answer.janus === 'error') throw new Error(`Janus: ${answer.error.reason}`);
    return answer;
  }

  async open() {
    this.session = `/${(await this.post('', { janus: 'create' })).data.id}`;
    this.listening = this.listen();
    const handle = await this.attach();
    await this.ask(handle, { request: 'create', room: kRoom, publishers: 4, videocodec: 'h264', audiocodec: 'opus', notify_joining: false, ...this.room });
    const listener = createServer((request, response) => {
      this.serve(request).catch((error) => ({ status: 500, body: error.message })).then(({ status, body, location }) => {
        response.writeHead(status, { 'content-type': request.method === 'GET' ? 'text/html' : 'application/sdp', ...(location ? { location } : {}) });
        response.end(body);
      });
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    this.listener = listener;
    this.origin = `http://127.0.0.1:${listener.address().port}`;
  }

  async listen() {
    while (!this.isStopped) {
      let events;
      try {
        events = await (await fetch(`${this.api}${this.session}?maxev=50`)).json();
      } catch {
        return;
      }
      for (const event of [events].flat()) {
        const found = this.waiting.get(event.transaction);
        if (!found || event.janus !== 'event') continue;
        this.waiting.delete(event.transaction);
        found(event);
      }
    }
  }

  async attach() {
    return `${this.session}/${(await this.post(this.session, { janus: 'attach', plugin: 'janus.plugin.videoroom' })).data.id}`;
  }

  // Asks the plugin; its answer may come at once or as an event.
  async ask(handle, body, jsep) {
    const transaction = `ask-${++this.count}`;
    const later = new Promise((resolve) => this.waiting.set(transaction, resolve));
    const now = await this.post(handle, { transaction, janus: 'message', body, ...(jsep ? { jsep } : {}) });
    const event = now.janus === 'success' ? now : await later;
    this.waiting.delete(transaction);
    const { data } = event.plugindata;
    if (data.error) throw new Error(`Janus: ${data.error}`);
    return { data, jsep: event.jsep };
  }

  async serve(request) {
    if (request.method === 'GET') return { status: 200, body: '<!doctype html><title>Janus</title>' }; // A page to run scripts in.
    if (request.method === 'DELETE') {
      await this.post(this.session + request.url.replace('/session', ''), { janus: 'detach' });
      return { status: 200, body: '' };
    }
    let offer = '';
    for await (const piece of request) offer += piece;
    const handle = await this.attach();
    const location = handle.replace(this.session, '/session');
    if (request.url === '/whip') {
      const { data, jsep } = await this.ask(handle, { request: 'joinandconfigure', room: kRoom, ptype: 'publisher' }, { type: 'offer', sdp: offer });
      this.feed = data.id;
      return { status: 201, body: jsep.sdp, location };
    }
    const { jsep } = await this.ask(handle, { request: 'join', room: kRoom, ptype: 'subscriber', streams: [{ feed: this.feed }] });
    await this.ask(handle, { request: 'start' }, { type: 'answer', sdp: answerTo(jsep.sdp, offer) });
    return { status: 201, body: answerOf(jsep.sdp), location };
  }

  async stop() {
    this.isStopped = true;
    this.listener?.close();
    this.listener?.closeAllConnections();
    await this.program.stop();
    await this.listening;
  }
}
