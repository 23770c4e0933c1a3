// libwebrtc for Node.js publishes by WHIP or watches by WHEP.
//
//   wrtc_peer.mjs publish|watch URL [--video VP8|H264|VP9|AV1] [--messages N]
//
// Says what it sees as lines of JSON; runs until it is ended. With --messages a data channel sends that many
// texts and counts those that come back.
import { parseArgs } from 'node:util';
import wrtc from '@roamhq/wrtc';
import { readBarcode } from '../lib/barcode.mjs';
import { paintBarcode } from '../lib/barcode_paint.mjs';

const { nonstandard } = wrtc;
const width = 320, height = 180, fps = 30;
const { values: options, positionals: [role, url] } = parseArgs({
  allowPositionals: true,
  options: { video: { type: 'string' }, messages: { type: 'string', default: '0' } },
});
const tell = (facts) => process.stdout.write(`${JSON.stringify(facts)}\n`);

const account = { video: 0, unread: 0, backwards: 0, skipped: 0, first: null, last: null, size: null, audio: 0, loudness: 0, latency_ms: null };
let told = 0;
function tellAccount() {
  if (Date.now() - told < 100) return;
  told = Date.now();
  tell(account);
}

function seePicture(frame) {
  ++account.video;
  account.size = [frame.width, frame.height];
  const found = readBarcode(frame.width, frame.height, (x, y) => frame.data[y * frame.width + x]);
  if (!found) ++account.unread;
  else {
    if (account.last !== null) {
      if (found.frame < account.last) ++account.backwards;
      account.skipped += Math.max(0, found.frame - account.last - 1);
    }
    account.first ??= found.frame;
    account.last = found.frame;
    account.latency_ms = (Date.now() - found.clock) >>> 0;
  }
  tellAccount();
}

function hear({ samples }) {
  ++account.audio;
  account.loudness = Math.max(account.loudness, Math.round(samples.reduce((sum, one) => sum + Math.abs(one), 0) / samples.length));
  tellAccount();
}

// Something happens so many times a second; what was missed is made up for.
function every(perSecond, act) {
  const start = Date.now();
  let count = 0;
  return setInterval(() => {
    for (; start + (count * 1000) / perSecond <= Date.now(); ++count) act(count);
  }, 5);
}

function publishMedia(connection) {
  const pictures = new nonstandard.RTCVideoSource(), sounds = new nonstandard.RTCAudioSource();
  const data = new Uint8ClampedArray((width * height * 3) / 2).fill(128);
  connection.addTransceiver(pictures.createTrack(), { direction: 'sendonly' });
  connection.addTransceiver(sounds.createTrack(), { direction: 'sendonly' });
  every(fps, (frame) => {
    paintBarcode(data, width, height, frame, Date.now());
    pictures.onFrame({ width, height, data });
  });
  const samples = new Int16Array(480);
  every(100, (block) => {
    samples.forEach((_, i) => (samples[i] = 8000 * Math.sin((2 * Math.PI * 440 * (block * 480 + i)) / 48000)));
    sounds.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
  });
}

const sinks = []; // Kept: one that is collected sees nothing more.
function watchMedia(connection) {
  connection.ontrack = ({ track }) => {
    const sink = track.kind === 'video' ? new nonstandard.RTCVideoSink(track) : new nonstandard.RTCAudioSink(track);
    if (track.kind === 'video') sink.onframe = ({ frame }) => seePicture(frame);
    else sink.ondata = hear;
    sinks.push(sink);
  };
  connection.addTransceiver('video', { direction: 'recvonly' });
  connection.addTransceiver('audio', { direction: 'recvonly' });
}

// Without setCodecPreferences here: the wanted codec goes to the front, and is the only one beside RTX.
function onlyCodec(sdp, name) {
  const sections = sdp.split(/(?=^m=)/m);
  return sections.map((section) => {
    if (!section.startsWith('m=video')) return section;
    const found = [...section.matchAll(/^a=rtpmap:(\d+) ([^/]+)\//gm)];
    const wanted = found.filter(([, , codec]) => codec.toUpperCase() === name).map(([, payload]) => payload);
    if (wanted.length === 0) throw new Error(`${name} is not offered`);
    const retransmitted = [...section.matchAll(/^a=fmtp:(\d+) apt=(\d+)/gm)].filter(([, , of]) => wanted.includes(of)).map(([, payload]) => payload);
    const kept = new Set([...wanted, ...retransmitted]);
    return section.split('\r\n').filter((line) => {
      const of = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/.exec(line);
      return !of || kept.has(of[1]);
    }).join('\r\n').replace(/^(m=video \S+ \S+) .*$/m, `$1 ${[...kept].join(' ')}`);
  }).join('');
}

function echo(connection, count) {
  const channel = connection.createDataChannel('echo');
  let echoed = 0, disordered = 0;
  channel.onopen = () => {
    for (let i = 0; i < count; ++i) channel.send(`message ${i}`);
  };
  channel.onmessage = ({ data }) => {
    if (data !== `message ${echoed}`) ++disordered;
    ++echoed;
    tell({ echoed, disordered });
  };
}

const connection = new wrtc.RTCPeerConnection({ bundlePolicy: 'max-bundle' });
connection.onconnectionstatechange = () => tell({ state: connection.connectionState });
if (role === 'publish') publishMedia(connection);
else watchMedia(connection);
if (Number(options.messages) > 0) echo(connection, Number(options.messages));
const offer = await connection.createOffer();
if (options.video) offer.sdp = onlyCodec(offer.sdp, options.video);
await connection.setLocalDescription(offer);
// The server is ICE-lite and learns where we are from our checks: the offer needs no candidates.
const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: connection.localDescription.sdp });
const answer = await response.text();
if (response.status !== 201) {
  tell({ failed: `POST answers ${response.status}: ${answer}` });
  process.exit(1);
}
await connection.setRemoteDescription({ type: 'answer', sdp: answer });
const session = new URL(response.headers.get('location'), url);
for (const name of ['SIGTERM', 'SIGINT']) {
  process.on(name, async () => {
    connection.close();
    await fetch(session, { method: 'DELETE' }).catch(() => {});
    process.exit(0);
  });
}
