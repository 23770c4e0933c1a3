// A page's own WHIP and WHEP: nothing of the product's pages, so that what a browser does by itself is seen.
// Everything here works in Playwright's and Puppeteer's pages alike.
import { makePictureText } from './barcode.mjs';
import { makeNoiseText } from './call_watch.mjs';
import { until } from './until.mjs';

/* global document, window, RTCPeerConnection, RTCRtpSender, RTCRtpReceiver, MediaStream */
// Runs in the page.
function installTools(makePicture, makeNoise) {
  const sessions = new Map();

  // A picture with a barcode, and the beeps of the browser's fake microphone (where there is no sound card, Firefox
  // does not run an AudioContext).
  const makeStream = async ({ layers, ...options }) => {
    // With layers it is noise, which takes all the bits that it may have.
    const picture = layers ? makeNoise(options) : makePicture(options);
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    const stream = new MediaStream([picture.track, ...microphone.getAudioTracks()]);
    const stop = () => {
      picture.stop();
      stream.getTracks().forEach((track) => track.stop());
    };
    return { stream, stop };
  };

  const prefer = (transceiver, capabilities, mimeType) => {
    const codecs = capabilities.codecs.filter((one) => one.mimeType.toLowerCase() === mimeType.toLowerCase());
    if (codecs.length === 0) throw new Error(`this browser has no ${mimeType}`);
    const repair = capabilities.codecs.filter((one) => /\/rtx$/i.test(one.mimeType));
    // H.264 with fragments first: without them (packetization-mode 0) a keyframe may not fit a packet.
    codecs.sort((a, b) => Number(/mode=1/.test(b.sdpFmtpLine)) - Number(/mode=1/.test(a.sdpFmtpLine)));
    transceiver.setCodecPreferences([...codecs, ...repair]);
  };

  const withoutUdp = (answer) => answer.split('\r\n').filter((line) => !/^a=candidate:\S+ \d+ udp /i.test(line)).join('\r\n');

  const exchange = async (name, connection, url, options) => {
    try {
      await ask(name, connection, url, options);
    } catch (error) {
      connection.close();
      sessions.get(name).stop();
      sessions.delete(name);
      throw error;
    }
  };
  const ask = async (name, connection, url, { key, isUdpBlocked }) => {
    await connection.setLocalDescription();
    const headers = { 'content-type': 'application/sdp', ...(key ? { authorization: `Bearer ${key}` } : {}) };
    const response = await fetch(url, { method: 'POST', headers, body: connection.localDescription.sdp });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`${url} answers ${response.status}: ${text.slice(0, 200)}`);
    const answer = isUdpBlocked ? withoutUdp(text) : text;
    const session = sessions.get(name);
    Object.assign(session, { headers, answer, etag: response.headers.get('etag') });
    session.url = new URL(response.headers.get('location'), url).href;
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
  };

  window.rtc = {
    sendable: () => RTCRtpSender.getCapabilities('video').codecs.map((one) => one.mimeType),
    receivable: () => RTCRtpReceiver.getCapabilities('video').codecs.map((one) => one.mimeType),

    // `layers`: [[lines, kb/s], …] of a simulcast, the smallest first.
    async publish(name, url, { key, mimeType, source = 1, width = 480, height = 270, fps = 30, layers = null, isUdpBlocked = false }) {
      const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
      const { stream, stop } = await makeStream({ width, height, fps, source, layers });
      const encodings = layers?.map(([lines, kbps], i) => ({ rid: `l${i}`, scaleResolutionDownBy: height / lines, maxBitrate: kbps * 1000 }));
      sessions.set(name, { connection, stop });
      for (const track of stream.getTracks()) {
        const transceiver = connection.addTransceiver(track, {
          direction: 'sendonly', streams: [stream], ...(track.kind === 'video' && encodings ? { sendEncodings: encodings } : {}),
        });
        if (track.kind === 'video') prefer(transceiver, RTCRtpSender.getCapabilities('video'), mimeType);
      }
      await exchange(name, connection, url, { key, isUdpBlocked });
    },

    // `channel`: the label of a data channel to open beside the media.
    async watch(name, url, { isUdpBlocked = false, channel = null } = {}) {
      const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
      const video = document.createElement('video');
      Object.assign(video, { autoplay: true, playsInline: true });
      document.body.append(video);
      const stream = new MediaStream();
      const session = { connection, stop: () => video.remove(), heard: [] };
      sessions.set(name, session);
      connection.ontrack = ({ track }) => {
        stream.addTrack(track);
        video.srcObject = stream;
        void video.play().catch(() => undefined);
      };
      connection.addTransceiver('video', { direction: 'recvonly' });
      connection.addTransceiver('audio', { direction: 'recvonly' });
      if (channel !== null) {
        session.channel = connection.createDataChannel(channel);
        session.channel.binaryType = 'arraybuffer';
        session.channel.onmessage = ({ data }) => session.heard.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
      }
      await exchange(name, connection, url, { isUdpBlocked });
    },

    // ICE restart within the session (RFC 9725 §4.3.3).
    async restart(name) {
      const { connection, url, etag, headers, answer } = sessions.get(name);
      const { sdp } = await connection.createOffer({ iceRestart: true });
      await connection.setLocalDescription({ type: 'offer', sdp });
      const line = (text, key) => new RegExp(`^a=${key}:.*$`, 'm').exec(text)[0].trim();
      const group = /^a=group:BUNDLE.*$/m.exec(sdp)[0].trim(), mid = /^a=mid:.*$/m.exec(sdp)[0].trim();
      const media = /^m=.*$/m.exec(sdp)[0].trim();
      const body = [group, media, mid, line(sdp, 'ice-ufrag'), line(sdp, 'ice-pwd'), ''].join('\r\n');
      const type = { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': etag };
      const response = await fetch(url, { method: 'PATCH', headers: { ...headers, ...type }, body });
      const fragment = await response.text();
      if (response.status !== 200) throw new Error(`a restart is answered ${response.status}: ${fragment}`);
      const renewed = ['ice-ufrag', 'ice-pwd'].reduce(
        (text, key) => text.replace(new RegExp(`^a=${key}:.*$`, 'gm'), line(fragment, key)), answer.replaceAll('\r\n', '\n'));
      await connection.setRemoteDescription({ type: 'answer', sdp: renewed.replaceAll('\n', '\r\n') });
      Object.assign(sessions.get(name), { answer: renewed, etag: response.headers.get('etag') });
    },

    // Sends all messages and gives what came back so far to hear().
    isOpen: (name) => sessions.get(name).channel.readyState === 'open',
    say(name, messages) {
      const { channel } = sessions.get(name);
      for (const one of messages) channel.send(typeof one === 'string' ? one : new Uint8Array(one));
    },
    hear: (name) => sessions.get(name).heard,

    // Sessions are named after the shard that has them.
    shardOf: (name) => /\/(\d+)-[^/]*$/.exec(sessions.get(name).url)[1],

    async facts(name) {
      const { connection } = sessions.get(name);
      const report = await connection.getStats();
      const all = [...report.values()];
      const one = (type, kind) => all.find((stat) => stat.type === type && stat.kind === kind);
      const codecOf = (stat) => report.get(stat?.codecId)?.mimeType ?? '';
      const pair = all.find((stat) => stat.type === 'candidate-pair' && (stat.selected || (stat.nominated && stat.state === 'succeeded')));
      const video = one('inbound-rtp', 'video'), audio = one('inbound-rtp', 'audio');
      return {
        state: connection.connectionState,
        // A peer's close shows here at once; Chromium tells nobody else until ICE hears nothing any more.
        security: connection.getReceivers()[0]?.transport?.state ?? '',
        protocol: report.get(pair?.localCandidateId)?.protocol ?? '',
        sentCodec: codecOf(one('outbound-rtp', 'video')),
        framesSent: one('outbound-rtp', 'video')?.framesSent ?? one('outbound-rtp', 'video')?.framesEncoded ?? 0,
        videoCodec: codecOf(video),
        audioCodec: codecOf(audio),
        framesDecoded: video?.framesDecoded ?? 0,
        samplesDecoded: audio?.totalSamplesReceived ?? 0,
        audioEnergy: audio?.totalAudioEnergy ?? 0,
        packetsLost: video?.packetsLost ?? 0,
        ufrag: /a=ice-ufrag:(\S+)/.exec(connection.remoteDescription.sdp)[1],
      };
    },

    async end(name) {
      const { connection, url, headers, stop } = sessions.get(name);
      sessions.delete(name);
      const { status } = await fetch(url, { method: 'DELETE', headers });
      connection.close();
      stop();
      return status;
    },
  };
}
const installText = `(${installTools})(${makePictureText}, ${makeNoiseText})`;

// A page of the server's origin with window.rtc in it and nothing else. `page` has just been made.
export async function openTools(page, origin) {
  if (page.addInitScript) await page.addInitScript(installText);
  else await page.evaluateOnNewDocument(installText);
  await page.goto(`${origin}/readyz`);
}

// Calls a tool of window.rtc.
export const rtc = (page, tool, ...args) =>
  page.evaluate(([name, given]) => window.rtc[name](...given), [tool, args]);

// Waits until a session has decoded so many frames, and gives its facts.
export const untilDecoded = (page, name, count, within = 25_000) =>
  until(`${name} decodes ${count} frames`, async () => {
    const facts = await rtc(page, 'facts', name);
    if (facts.framesDecoded < count) throw new Error(JSON.stringify(facts));
    return facts;
  }, { within, every: 100 });

// Sends text and bytes over the data channel of a session, large ones among them, so that they travel in pieces.
// Gives what was sent and what came back.
export async function echo(page, name) {
  await until('the channel opens', () => rtc(page, 'isOpen', name));
  const sent = Array.from({ length: 200 }, (_, i) =>
    i % 2 ? Array.from({ length: i % 50 === 1 ? 20_000 : i }, (_, at) => (at + i) & 0xff) : `message ${i} ${'é'.repeat(i % 40 === 0 ? 5000 : i)}`);
  await rtc(page, 'say', name, sent);
  await until('all come back', async () => (await rtc(page, 'hear', name)).length >= sent.length);
  return { sent, heard: await rtc(page, 'hear', name) };
}

export const whipUrl = (server, channel) => `${server.origin}/whip/${channel}`;
export const whepUrl = (server, channel) => `${server.origin}/whep/${channel}`;

// What is wrong with a run of frames that were shown in real time, as sentences. Frames may be left out, never
// out of order, of another source or much too late. `delayMs` is what the median may have.
export function judgeRealtime(shown, { source, minimum, delayMs = 1000 }) {
  const read = shown.filter((one) => one.frame !== undefined);
  if (read.length < minimum) return [`only ${read.length} of ${shown.length} frames with a barcode, wanted ${minimum}`];
  const wrong = [];
  if (read.length < shown.length * 0.95) wrong.push(`${shown.length - read.length} of ${shown.length} frames have no readable barcode`);
  read.forEach((after, i) => {
    const before = read[i - 1] ?? after;
    if (after.source !== source) wrong.push(`frame ${after.frame} is of source ${after.source}`);
    if (after.frame < before.frame) wrong.push(`frame ${after.frame} after ${before.frame}`);
  });
  const delays = read.map(({ now, clock }) => (now - clock) % 2 ** 32).sort((a, b) => a - b);
  const usual = delays[delays.length >> 1];
  if (!(usual >= -50 && usual <= delayMs)) wrong.push(`the usual frame is ${usual} ms old when it is shown`);
  return wrong;
}
