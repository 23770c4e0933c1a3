// A small stand-in for the server, to work on the pages without building it: node dev/mock_server.mjs [PORT]
//
// It serves dist/ the way the server does (routes, security policy, blocking playlists, preload hints) and
// makes a real low-latency stream with ffmpeg: two pictures, two sound tracks, parts of a third of a second.
// It keeps no rule of the protocol beyond what a player needs; the server is judged by `stoa check-hls`.
//
// Channels: demo, stage (Opus by its word, so real-time lacks nothing) and radio are on air, others are listed for their looks. /mock/demo?state=offline (live,
// interrupted, not_found, freeze) changes what the server says of a channel; freeze stops its playlists.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const kPort = Number(process.argv[2] ?? 8080);
const kDist = fileURLToPath(new URL('../dist', import.meta.url));
const kPartsPerSegment = 6;
const kSegmentsListed = 15;
const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'self'";

// --- The stream: fragments from ffmpeg's pipes become parts.

class Rendition {
  constructor(name, partSeconds) {
    Object.assign(this, {
      name,
      partSeconds,
      init: null,
      parts: [],
      startMs: 0,
      waiters: [],
      listed: 0,
      isFrozen: false,
    });
    this.pending = Buffer.alloc(0);
    this.head = [];
  }
  handleBytes(bytes) {
    this.pending = Buffer.concat([this.pending, bytes]);
    while (this.pending.length >= 8) {
      const size = this.pending.readUInt32BE(0);
      if (this.pending.length < size) return;
      const type = this.pending.toString('latin1', 4, 8);
      this.head.push(this.pending.subarray(0, size));
      this.pending = this.pending.subarray(size);
      if (type === 'moov') this.init = Buffer.concat(this.head.splice(0));
      if (type === 'mdat') this.addPart(Buffer.concat(this.head.splice(0)));
    }
  }
  addPart(body) {
    if (this.parts.length === 0) this.startMs = Date.now() - this.partSeconds * 1000;
    this.parts.push(body);
    if (this.isFrozen) return;
    this.listed = this.parts.length;
    for (const waiter of this.waiters.splice(0)) waiter();
  }
  get lastMsn() {
    return Math.floor((this.listed - 1) / kPartsPerSegment);
  }
  playlist() {
    const total = this.listed;
    const first = Math.max(0, this.lastMsn - kSegmentsListed + 1);
    const lines = [
      '#EXTM3U',
      '#EXT-X-VERSION:6',
      '#EXT-X-TARGETDURATION:2',
      `#EXT-X-MEDIA-SEQUENCE:${first}`,
      `#EXT-X-PART-INF:PART-TARGET=${this.partSeconds.toFixed(5)}`,
      `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${(this.partSeconds * 3).toFixed(3)},HOLD-BACK=6`,
      `#EXT-X-MAP:URI="${this.name}/init.mp4"`,
    ];
    for (let msn = first; msn <= this.lastMsn; msn++) {
      const from = msn * kPartsPerSegment;
      const to = Math.min(total, from + kPartsPerSegment);
      lines.push(
        `#EXT-X-PROGRAM-DATE-TIME:${new Date(this.startMs + from * this.partSeconds * 1000).toISOString()}`,
      );
      for (let part = from; part < to && msn > this.lastMsn - 3; part++) {
        lines.push(
          `#EXT-X-PART:DURATION=${this.partSeconds.toFixed(5)},URI="${this.name}/p${part}.m4s"${part === from ? ',INDEPENDENT=YES' : ''}`,
        );
      }
      if (to - from === kPartsPerSegment) {
        lines.push(
          `#EXTINF:${(this.partSeconds * kPartsPerSegment).toFixed(5)},`,
          `${this.name}/s${msn}.m4s`,
        );
      }
    }
    lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${this.name}/p${total}.m4s"`);
    return `${lines.join('\n')}\n`;
  }
  until(isThere) {
    return new Promise((resolve) => {
      const look = () => (isThere() ? resolve() : void this.waiters.push(look));
      look();
    });
  }
}

const renditions = {
  v0: new Rendition('v0', 10 / 30),
  v1: new Rendition('v1', 10 / 30),
  a0: new Rendition('a0', (16 * 1024) / 48000),
  a1: new Rendition('a1', (16 * 1024) / 48000),
};
const demo = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Hall",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a0.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Commentary",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="1",URI="a1.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1300000,RESOLUTION=1280x720,FRAME-RATE=30.000,CODECS="avc1.42c01f,mp4a.40.2",AUDIO="a"
v0.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=640x360,FRAME-RATE=30.000,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="a"
v1.m3u8
`;
const radio = '#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-STREAM-INF:BANDWIDTH=140000,CODECS="mp4a.40.2"\na0.m3u8\n';

function startStream() {
  const fragments = [
    '-movflags',
    '+empty_moov+default_base_moof+frag_keyframe',
    '-frag_duration',
    '330000',
    '-flush_packets',
    '1',
    '-f',
    'mp4',
  ];
  const video = (map, profile, rate) => [
    '-map',
    map,
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-tune',
    'zerolatency',
    '-profile:v',
    'baseline',
    '-level',
    profile,
    '-g',
    '60',
    '-keyint_min',
    '60',
    '-sc_threshold',
    '0',
    '-b:v',
    rate,
    '-pix_fmt',
    'yuv420p',
    ...fragments,
  ];
  const audio = (map) => ['-map', map, '-c:a', 'aac', '-b:a', '96k', '-ar', '48000', ...fragments];
  const encoder = spawn(
    'ffmpeg',
    [
      '-hide_banner',
      '-loglevel',
      'error',
      '-nostdin',
      '-re',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=1280x720:rate=30',
      '-re',
      '-f',
      'lavfi',
      '-i',
      'sine=frequency=330:sample_rate=48000',
      '-re',
      '-f',
      'lavfi',
      '-i',
      'sine=frequency=550:sample_rate=48000',
      '-filter_complex',
      '[0:v]split[big][small];[small]scale=640:360[low]',
      ...video('[big]', '3.1', '1200k'),
      'pipe:1',
      ...video('[low]', '3.0', '400k'),
      'pipe:3',
      ...audio('1:a'),
      'pipe:4',
      ...audio('2:a'),
      'pipe:5',
    ],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe', 'pipe'] },
  );
  [1, 3, 4, 5].forEach((fd, i) =>
    encoder.stdio[fd].on('data', (bytes) => Object.values(renditions)[i].handleBytes(bytes)),
  );
  process.on('exit', () => encoder.kill('SIGKILL'));
}

// --- What the API says.

const startedMs = Date.now();
let broadcast = startedMs;
const states = { demo: 'live', radio: 'live', stage: 'live' };
const track = (id, kind, more) => ({
  id,
  kind,
  codec: '',
  codec_name: '',
  bitrate: 0,
  label: '',
  language: '',
  ...more,
});
const avc = (id, width, height, bitrate, rate = 30) =>
  track(id, 'video', { codec: 'avc1.42c01f', codec_name: 'H.264', width, height, frame_rate: rate, bitrate });
const aac = (id, label = '', language = '') =>
  track(id, 'audio', {
    codec: 'mp4a.40.2',
    codec_name: 'AAC',
    sample_rate: 48000,
    channels: 2,
    bitrate: 128000,
    label,
    language,
  });

const opus = (id) =>
  track(id, 'audio', { codec: 'opus', codec_name: 'Opus', sample_rate: 48000, channels: 2, bitrate: 64000 });

function channel(name, title, viewers, uptime, tracks, more = {}) {
  return {
    name,
    title,
    state: 'live',
    viewers,
    tracks,
    warnings: [],
    hls_url: `/live/${name}/index.m3u8`,
    started_at: new Date(broadcast - uptime * 1000).toISOString(),
    uptime_s: uptime + Math.floor((Date.now() - broadcast) / 1000),
    ...more,
  };
}

function channels() {
  const demoTracks = [
    avc('v0', 1280, 720, 1200000),
    avc('v1', 640, 360, 400000),
    aac('a0', 'Hall', 'en'),
    aac('a1', 'Commentary', 'de'),
  ];
  const all = [
    channel('demo', 'Demo channel', 1284, 740, demoTracks, { warnings: ['keyframe_interval_too_long'] }),
    channel('stage', 'Small stage', 7, 300, [avc('v0', 1280, 720, 1200000), opus('a0')]),
    channel('city-council', 'City council, regular session', 83, 5400, [
      avc('v0', 1920, 1080, 4500000, 50),
      aac('a0'),
    ]),
    channel('radio', 'Night radio', 12, 86400 * 2, [aac('a0')]),
    channel('workshop', 'Workshop: bookbinding by hand', 1, 65, [
      { ...avc('v0', 2560, 1440, 6000000), codec_name: 'HEVC' },
      aac('a0'),
    ]),
    channel(
      'harbour',
      'Harbour camera',
      431,
      86400 * 9,
      [{ ...avc('v0', 1280, 720, 900000, 25), codec_name: 'AV1' }],
      { state: 'interrupted' },
    ),
  ];
  return all
    .filter(({ name }) => !['offline', 'not_found', 'ended'].includes(states[name]))
    .map((one) => (states[one.name] === 'interrupted' ? { ...one, state: 'interrupted' } : one));
}

// --- The server.

const send = (response, status, body, headers = {}) => {
  response.writeHead(status, { 'cache-control': 'no-store', ...headers });
  response.end(body);
};
const sendJson = (response, status, value) =>
  send(response, status, JSON.stringify(value), { 'content-type': 'application/json' });

function answerApi(path, response) {
  if (path === '/api/v1/live')
    return sendJson(response, 200, { channels: states.all === 'empty' ? [] : channels() });
  const name = decodeURIComponent(path.slice('/api/v1/live/'.length));
  const found = channels().find((one) => one.name === name);
  if (found) return sendJson(response, 200, found);
  const code = states[name] === 'offline' || name === 'soon' ? 'channel_offline' : 'channel_not_found';
  return sendJson(response, 404, { error: { code, message: `${name} is not on air` } });
}

async function answerMedia(path, query, response) {
  const [, , name, file, part] = path.split('/');
  if (states[name] === 'offline') return send(response, 404, '');
  if (file === 'index.m3u8') {
    await renditions.v0.until(() => renditions.v0.listed >= 3);
    return send(response, 200, name === 'radio' ? radio : demo, {
      'content-type': 'application/vnd.apple.mpegurl',
    });
  }
  const rendition = renditions[file.replace('.m3u8', '')];
  if (!rendition) return send(response, 404, '');
  if (part === undefined) {
    if (query.has('_HLS_msn')) {
      const wanted =
        Number(query.get('_HLS_msn')) * kPartsPerSegment +
        Number(query.get('_HLS_part') ?? kPartsPerSegment - 1);
      await rendition.until(() => rendition.listed > wanted);
    }
    return send(response, 200, rendition.playlist(), { 'content-type': 'application/vnd.apple.mpegurl' });
  }
  if (part === 'init.mp4') return send(response, 200, rendition.init, { 'content-type': 'video/mp4' });
  const number = Number(/\d+/.exec(part)?.[0]);
  if (part.startsWith('p')) {
    await rendition.until(() => rendition.listed > number);
    return send(response, 200, rendition.parts[number], { 'content-type': 'video/mp4' });
  }
  const parts = rendition.parts.slice(number * kPartsPerSegment, (number + 1) * kPartsPerSegment);
  return send(response, parts.length === 0 ? 404 : 200, Buffer.concat(parts), {
    'content-type': 'video/mp4',
  });
}

function answerPage(path, response) {
  let file = path === '/' ? '/index.html' : path.startsWith('/watch/') ? '/watch.html' : path;
  if (/^\/studio(\/|$)/.test(path)) file = '/studio.html';
  if (/^\/meet(\/|$)/.test(path)) file = '/meet.html';
  const isThere = existsSync(join(kDist, file)) && !file.includes('..');
  if (!isThere) file = '/index.html';
  const type = kTypes[extname(file)] ?? 'application/octet-stream';
  send(response, isThere ? 200 : 404, readFileSync(join(kDist, file)), {
    'content-type': type,
    'content-security-policy': kPolicy,
  });
}

function setState(name, state) {
  if (state === 'live' && states[name] === 'offline') broadcast = Date.now();
  states[name] = state;
  for (const rendition of Object.values(renditions))
    rendition.isFrozen = state === 'freeze' || state === 'interrupted';
}

startStream();
createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  if (pathname.startsWith('/api/v1/live')) answerApi(pathname, response);
  else if (pathname.startsWith('/live/')) void answerMedia(pathname, searchParams, response);
  else if (pathname.startsWith('/mock/')) {
    setState(pathname.slice('/mock/'.length), searchParams.get('state'));
    send(response, 200, 'ok\n');
  } else answerPage(pathname, response);
}).listen(kPort, '127.0.0.1', function listening() {
  console.log(`http://127.0.0.1:${this.address().port}/`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
