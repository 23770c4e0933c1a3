// What a call is like for who receives it, moment by moment, whatever client the page runs: every frame that is shown,
// and the browser's counters ten times a second. The script goes into a page before anything else.

/* global document, RTCPeerConnection, window */
// Runs in the page.
function watchCall() {
  const everyMs = 100, rowsMax = 100_000;
  const connections = new Set();
  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(...args) {
      super(...args);
      connections.add(this);
    }
  };
  const watch = (window.callWatch = { rows: [], frames: [], connections });
  const keep = (list, one) => {
    list.push(one);
    if (list.length > rowsMax) list.splice(0, rowsMax / 2);
  };

  const look = async () => {
    const row = { now: Date.now(), height: 0, frames: 0, bytes: 0, lost: 0, freezes: 0, frozenS: 0, requests: 0, repeats: 0, concealed: 0,
      samples: 0, soundPackets: 0, soundLost: 0, sentBytes: 0 };
    for (const connection of connections) {
      if (connection.connectionState === 'closed') {
        connections.delete(connection);
        continue;
      }
      for (const one of (await connection.getStats()).values()) {
        if (one.type === 'outbound-rtp') row.sentBytes += one.bytesSent ?? 0;
        if (one.type !== 'inbound-rtp') continue;
        if (one.kind === 'video') {
          row.height = Math.max(row.height, one.frameHeight ?? 0);
          row.frames += one.framesDecoded ?? 0;
          row.bytes += one.bytesReceived ?? 0;
          row.lost += one.packetsLost ?? 0;
          row.freezes += one.freezeCount ?? 0;
          row.frozenS += one.totalFreezesDuration ?? 0;
          row.requests += one.pliCount ?? 0;
          row.repeats += one.nackCount ?? 0;
        } else {
          row.concealed += one.concealedSamples ?? 0;
          row.samples += one.totalSamplesReceived ?? 0;
          row.soundPackets += one.packetsReceived ?? 0;
          row.soundLost += one.packetsLost ?? 0;
        }
      }
    }
    keep(watch.rows, row);
  };
  const turn = () => look().catch(() => undefined).finally(() => setTimeout(turn, everyMs));
  turn();

  const watched = new WeakSet();
  const attach = () => {
    for (const video of document.querySelectorAll('video')) {
      if (watched.has(video) || !video.requestVideoFrameCallback) continue;
      watched.add(video);
      const onFrame = (_now, { height }) => {
        video.requestVideoFrameCallback(onFrame);
        keep(watch.frames, { now: Date.now(), height });
      };
      video.requestVideoFrameCallback(onFrame);
    }
    setTimeout(attach, 50);
  };
  attach();
}

export const watchCallScript = `(${watchCall})();`;
export const callSeen = (page) => page.evaluate(() => ({ rows: window.callWatch.rows, frames: window.callWatch.frames }));

// Runs in the page: a picture that takes all the bits it may have, for noise that moves is never predicted well.
function makeNoise({ width, height, fps }) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  const tile = Object.assign(document.createElement('canvas'), { width: width * 2, height: height * 2 });
  const ink = tile.getContext('2d');
  const scale = height / 360;  // Not more of them in a larger picture: what its small layers take is the same.
  // Of twice as many Chromium makes half as much again as it may of the smallest layer, whatever its estimator says.
  for (let i = 0; i < 250; ++i) {
    ink.fillStyle = `hsl(${(i * 47) % 360} 70% ${20 + ((i * 31) % 60)}%)`;
    ink.fillRect((i * 7919) % tile.width, (i * 104729) % tile.height, (20 + (i % 53)) * scale, (20 + (i % 47)) * scale);
  }
  let frame = 0;
  const paint = () => {
    ++frame;
    const x = (Math.sin(frame / 40) + 1) * (width / 2), y = (Math.cos(frame / 57) + 1) * (height / 2);
    context.drawImage(tile, -x, -y);
  };
  paint();
  const timer = setInterval(paint, 1000 / fps);
  return { track: canvas.captureStream(fps).getVideoTracks()[0], stop: () => clearInterval(timer) };
}
// Its text, a function of { width, height, fps }.
export const makeNoiseText = String(makeNoise);

// What is seen and heard between two moments (Date.now()).
export function judgeCall({ rows, frames }, from, to) {
  const inside = rows.filter(({ now }) => now >= from && now <= to);
  const shown = frames.filter(({ now }) => now >= from && now <= to);
  const first = inside[0], last = inside.at(-1);
  if (!first || first === last) throw new Error('nothing was seen of the call');
  const gained = (name) => last[name] - first[name];
  // The longest time without a new picture, from the last before `from` on.
  const before = frames.filter(({ now }) => now < from).at(-1);
  const times = [...(before ? [before.now] : []), ...shown.map(({ now }) => now), to];
  const longestGapMs = Math.max(...times.slice(1).map((now, i) => now - Math.max(times[i], from - 1000)));
  // How much of the sound of any second was made up.
  let worstSoundMs = 0;
  inside.forEach((row, i) => {
    const then = inside.findLast((one, k) => k < i && one.now <= row.now - 1000);
    if (then) worstSoundMs = Math.max(worstSoundMs, (row.concealed - then.concealed) / 48);
  });
  const msAt = new Map();
  inside.slice(1).forEach((row, i) => msAt.set(row.height, (msAt.get(row.height) ?? 0) + row.now - inside[i].now));
  const seconds = (last.now - first.now) / 1000;
  return {
    seconds, kbps: (gained('bytes') * 8e-3) / seconds, frames: gained('frames'), shown: shown.length, longest_gap_ms: longestGapMs,
    freezes: gained('freezes'), frozen_seconds: gained('frozenS'), lost: gained('lost'), requests: gained('requests'), repeats: gained('repeats'),
    seconds_at: Object.fromEntries([...msAt].sort(([a], [b]) => a - b).map(([height, ms]) => [height, ms / 1000])),
    sound_concealed_percent: gained('samples') > 0 ? (100 * gained('concealed')) / gained('samples') : null,
    sound_concealed_ms: gained('concealed') / 48, sound_concealed_worst_second_ms: worstSoundMs,
    sound_lost: gained('soundLost'), sound_packets: gained('soundPackets'),
  };
}

// When, after a moment, pictures of so many lines came and stayed for a second; null: never.
export function backAt({ frames }, height, from) {
  const later = frames.filter(({ now }) => now >= from);
  const at = later.findIndex((one, i) => {
    const rest = later.slice(i).filter(({ now }) => now <= one.now + 1000);
    return one.height === height && later.at(-1).now >= one.now + 1000 && rest.every((other) => other.height === height);
  });
  return at < 0 ? null : later[at].now - from;
}

// Lines of a few words for people: of each second the rate that came, the lines, what was missing.
export function describeCall({ rows }, from, to) {
  const lines = [];
  for (let at = from; at + 1000 <= to; at += 1000) {
    const inside = rows.filter(({ now }) => now >= at && now < at + 1100);
    if (inside.length < 2) continue;
    const [first, last] = [inside[0], inside.at(-1)];
    const kbps = Math.round(((last.bytes - first.bytes) * 8) / (last.now - first.now));
    lines.push(`${((at - from) / 1000).toFixed(0)} s: ${kbps} kb/s, ${last.height} lines, ${last.frames - first.frames} frames, lost ${last.lost - first.lost}, ` +
      `sound made up ${Math.round((last.concealed - first.concealed) / 48)} ms`);
  }
  return lines;
}

// Three layers of noise from a page of meetings (rooms.mjs): their lines, and kb/s that they fill. The client makes fewer
// of pictures that are less than 960 wide.
export const noiseLayers = [[135, 150], [270, 350], [540, 1300]];
export async function publishNoise(visitor, { fps = 15, layers = noiseLayers } = {}) {
  await visitor.page.evaluate(async ([text, given, rate]) => {
    /* global LivekitClient */
    const top = given.at(-1), wide = (height) => Math.round((height * 16) / 9);
    const preset = ([height, kbps]) => new LivekitClient.VideoPreset(wide(height), height, kbps * 1000, rate);
    const { track } = eval(`(${text})`)({ width: wide(top[0]), height: top[0], fps: rate });
    await window.room.localParticipant.publishTrack(track, {
      source: 'camera', name: 'camera', simulcast: true, videoSimulcastLayers: given.slice(0, -1).map(preset), videoCodec: 'vp8', backupCodec: false,
      videoEncoding: { maxBitrate: top[1] * 1000, maxFramerate: rate },
    });
  }, [makeNoiseText, layers, fps]);
}
