// Rooms as LiveKit's own clients use them: tokens, and livekit-client in a page that is not the product's. A file of
// tests begins with `const meetings = await useMeetings()`, and `await meetings.join('anna', 'desk')` is a participant.
// Everything here works in Playwright's and Puppeteer's pages alike.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import { makePictureText, readBarcode } from './barcode.mjs';
import { fakeCamera, launchChromium, launchFirefox } from './browser.mjs';
import { Server } from './server.mjs';
import { pause, until } from './until.mjs';

// Of servers that are started with --dev.
export const apiKey = 'devkey';
export const apiSecret = 'secret-for-development-only-0123456789';

// `grant` is laid over one that allows everything in the room; `claims`: name, metadata, attributes, ttl.
export function makeToken(identity, room, grant = {}, { key = apiKey, secret = apiSecret, ...claims } = {}) {
  const token = new AccessToken(key, secret, { identity, ttl: 600, ...claims });
  token.addGrant({ roomJoin: true, room, canUpdateOwnMetadata: true, ...grant });
  return token.toJwt();
}

/* global document, window, LivekitClient, RTCRtpSender */
// Runs in the page, after livekit-client.
function installTools(makePicture, readBarcode) {
  const lk = LivekitClient;
  const told = [];
  const tell = (what, facts = {}) => told.push({ what, at: Date.now(), ...facts });
  const text = (bytes) => new TextDecoder().decode(bytes);
  let room = null;

  // Sockets can be cut, which is how a network fails: livekit-client hears nothing before.
  const sockets = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
      tell('socket', { url: String(args[0]).replace(/([?&][a-z_]+=)[^&]{60,}/g, '$1…') });
    }
  };

  const show = (media) => document.body.append(media.attach());
  const listen = () => {
    const on = (name, facts) => room.on(name, (...args) => tell(name, facts?.(...args)));
    const track = (publication, participant) => ({ sid: publication.trackSid, source: publication.source, by: participant?.identity });
    const subscribed = (media, publication, participant) => {
      show(media);
      tell('trackSubscribed', track(publication, participant));
    };
    room.on('trackSubscribed', subscribed);
    on('trackUnsubscribed', (media, publication, participant) => {
      media.detach().forEach((element) => element.remove());
      return track(publication, participant);
    });
    for (const name of ['reconnecting', 'signalReconnecting']) room.on(name, () => tell('away'));
    for (const name of ['connected', 'reconnecting', 'reconnected', 'signalReconnecting', 'signalConnected']) on(name);
    on('disconnected', (reason) => ({ reason: lk.DisconnectReason[reason] }));
    on('moved', (name) => ({ name }));
    for (const name of ['participantConnected', 'participantDisconnected']) on(name, ({ identity, sid }) => ({ by: identity, sid }));
    for (const name of ['trackPublished', 'trackUnpublished', 'trackMuted', 'trackUnmuted', 'localTrackPublished',
      'localTrackUnpublished', 'localTrackSubscribed']) on(name, track);
    on('trackSubscriptionPermissionChanged', (publication, status, participant) => ({ ...track(publication, participant), status }));
    on('trackStreamStateChanged', (publication, state, participant) => ({ ...track(publication, participant), state }));
    on('trackSubscriptionFailed', (sid, participant, reason) => ({ sid, by: participant.identity, reason }));
    on('activeSpeakersChanged', (speakers) => ({ by: speakers.map(({ identity }) => identity) }));
    on('connectionQualityChanged', (quality, participant) => ({ quality, by: participant.identity }));
    on('participantPermissionsChanged', (_before, participant) => ({ by: participant.identity }));
    on('participantMetadataChanged', (_before, participant) => ({ by: participant.identity, metadata: participant.metadata }));
    on('participantNameChanged', (name, participant) => ({ by: participant.identity, name }));
    on('participantAttributesChanged', (changed, participant) => ({ by: participant.identity, changed }));
    on('roomMetadataChanged', (metadata) => ({ metadata }));
    on('dataReceived', (payload, participant, _kind, topic) => ({ by: participant?.identity, text: text(payload), topic, bytes: payload.length }));
    on('mediaDevicesError', (error) => ({ error: error.message }));
  };

  // A picture with a barcode whose `source` says whose it is.
  const pictures = [];
  const showNew = (options) => {
    pictures.push(makePicture(options));
    return pictures.at(-1).track;
  };

  const reader = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const readPicture = (video) => {
    if (!video?.videoWidth) return null;
    const width = 320, height = 180, strip = 48; // The strip is 4/15 of the height.
    Object.assign(reader.canvas, { width, height: strip });
    reader.drawImage(video, 0, 0, video.videoWidth, (video.videoHeight * 4) / 15, 0, 0, width, strip);
    const { data } = reader.getImageData(0, 0, width, strip);
    return readBarcode(width, height, (x, y) => data[(y * width + x) * 4 + 1]);
  };

  const statsOf = async (target, type) => {
    const report = await target?.getStats().catch(() => null);
    const all = report ? [...report.values()] : [];
    return { report, all: all.filter((one) => one.type === type) };
  };
  const remotes = () => [...room.remoteParticipants.values()];
  const participant = (identity) => {
    const found = identity === room.localParticipant.identity ? room.localParticipant : room.getParticipantByIdentity(identity);
    if (!found) throw new Error(`${identity} is not here`);
    return found;
  };
  const publication = (identity, source) => {
    const found = participant(identity).getTrackPublication(source);
    if (!found) throw new Error(`${identity} has no ${source}`);
    return found;
  };

  const tools = {
    told: () => told,
    async join(url, token, { isSingle = true, connect = {}, ...options } = {}) {
      room = window.room = new lk.Room({ singlePeerConnection: isSingle, dynacast: true, adaptiveStream: false, ...options });
      listen();
      await room.connect(url, token, connect);
      return tools.self();
    },
    leave: () => room.disconnect(),
    async close() {
      pictures.splice(0).forEach(({ stop }) => stop());
      await room?.disconnect();
    },
    self: () => ({
      state: room.state, name: room.name, metadata: room.metadata, sid: room.localParticipant.sid, identity: room.localParticipant.identity,
      participants: room.numParticipants, quality: room.localParticipant.connectionQuality,
      others: remotes().map(({ identity }) => identity).sort(),
      // The newer generation has no subscriber connection.
      connections: [room.engine.pcManager?.publisher, room.engine.pcManager?.subscriber].filter(Boolean).length,
    }),
    of: (identity) => {
      const one = participant(identity);
      const { metadata, name, attributes, permissions, connectionQuality, isSpeaking, audioLevel, sid } = one;
      return { metadata, name, attributes: { ...attributes }, permissions: permissions && JSON.parse(JSON.stringify(permissions)),
        quality: connectionQuality, isSpeaking, audioLevel, sid, tracks: [...one.trackPublications.values()].map((track) => track.source) };
    },

    // `layers`: simulcast heights below the picture's own; `codec`: vp8, h264, vp9, av1.
    async showPicture({ source = 1, width = 480, height = 270, fps = 15, layers = null, codec = 'vp8', as = 'camera', options = {} } = {}) {
      const presets = layers?.map((one) => new lk.VideoPreset(Math.round((one * width) / height), one, one * 1200, fps));
      const sent = await room.localParticipant.publishTrack(showNew({ source, width, height, fps }), {
        source: as, name: as, simulcast: layers !== null, videoSimulcastLayers: presets, videoCodec: codec, backupCodec: false,
        videoEncoding: { maxBitrate: height * 2500, maxFramerate: fps }, ...options,
      });
      return sent.trackSid;
    },
    // A tone without end: the beeps of the fake microphone are too short for a speaker. (Where there is no sound
    // card, Firefox does not run an AudioContext, and its fake microphone hums anyway.)
    async speak() {
      if (navigator.userAgent.includes('Firefox')) return (await room.localParticipant.setMicrophoneEnabled(true)).trackSid;
      const context = new AudioContext();
      const tone = new OscillatorNode(context, { frequency: 440 });
      const to = context.createMediaStreamDestination();
      tone.connect(new GainNode(context, { gain: 0.3 })).connect(to);
      tone.start();
      const sent = await room.localParticipant.publishTrack(to.stream.getAudioTracks()[0], { source: 'microphone', name: 'microphone' });
      return sent.trackSid;
    },
    async unpublish(source) {
      const { track } = publication(room.localParticipant.identity, source);
      await room.localParticipant.unpublishTrack(track);
    },
    async mute(source, isMuted) {
      const { track } = publication(room.localParticipant.identity, source);
      await (isMuted ? track.mute() : track.unmute());
    },

    // What is received of somebody's track.
    async received(identity, source) {
      const one = publication(identity, source);
      // After a full reconnect livekit-client may keep the news of a track to itself until the next one.
      if (one.track?.attachedElements.length === 0) show(one.track);
      const { report, all } = await statsOf(one.track?.receiver, 'inbound-rtp');
      const stat = all[0];
      const codec = report?.get(stat?.codecId)?.mimeType;
      return {
        sid: one.trackSid, isMuted: one.isMuted, isSubscribed: one.isSubscribed, status: one.subscriptionStatus, mimeType: one.mimeType, codec,
        state: one.track?.streamState,
        frames: stat?.framesDecoded ?? 0, bytes: stat?.bytesReceived ?? 0, width: stat?.frameWidth ?? 0, height: stat?.frameHeight ?? 0,
        energy: stat?.totalAudioEnergy ?? 0, packets: stat?.packetsReceived ?? 0, lost: stat?.packetsLost ?? 0,
        discarded: stat?.packetsDiscarded ?? 0, samples: stat?.totalSamplesReceived ?? 0, concealed: stat?.concealedSamples ?? 0,
        frozenS: stat?.totalFreezesDuration ?? 0, requests: stat?.pliCount ?? 0, repeats: stat?.nackCount ?? 0,
        picture: readPicture(one.track?.attachedElements.at(-1)),
      };
    },
    // What is sent of one's own track: by layer.
    async sent(source) {
      const { track } = publication(room.localParticipant.identity, source);
      const senders = [track.sender, ...[...(track.simulcastCodecs?.values() ?? [])].map(({ sender }) => sender)].filter(Boolean);
      const rows = [];
      for (const sender of senders) {
        const { report, all } = await statsOf(sender, 'outbound-rtp');
        for (const one of all) {
          rows.push({ rid: one.rid ?? '', codec: report.get(one.codecId)?.mimeType, isActive: one.active, frames: one.framesEncoded ?? 0,
            bytes: one.bytesSent, height: one.frameHeight ?? 0, packets: one.packetsSent });
        }
      }
      return rows.sort((a, b) => a.height - b.height);
    },
    wish(identity, source, { enabled, width, height, quality, subscribed, fps }) {
      const one = publication(identity, source);
      if (subscribed !== undefined) one.setSubscribed(subscribed);
      if (enabled !== undefined) one.setEnabled(enabled);
      if (height !== undefined) one.setVideoDimensions({ width, height });
      if (quality !== undefined) one.setVideoQuality(quality);
      if (fps !== undefined) one.setVideoFPS(fps);
    },

    say: (words, options = {}) => room.localParticipant.publishData(new TextEncoder().encode(words), { reliable: true, ...options }),
    async refused(act, ...args) {
      try {
        await tools[act](...args);
      } catch (error) {
        return { name: error.name, message: error.message, reason: lk.ConnectionErrorReason?.[error.reason], status: error.status };
      }
      throw new Error(`${act} was not refused`);
    },
    set: async (what) => {
      if (what.metadata !== undefined) await room.localParticipant.setMetadata(what.metadata);
      if (what.name !== undefined) await room.localParticipant.setName(what.name);
      if (what.attributes !== undefined) await room.localParticipant.setAttributes(what.attributes);
    },
    simulate: (name, value) => room.simulateScenario(name, value),
    cut: () => sockets.forEach((one) => one.close()),
    async paths() {
      const rows = [];
      for (const transport of [room.engine.pcManager.publisher, room.engine.pcManager.subscriber].filter(Boolean)) {
        const report = await transport.getStats();
        const pair = [...report.values()].find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
        if (pair) rows.push(report.get(pair.remoteCandidateId)?.protocol);
      }
      return rows;
    },
    sendable: () => RTCRtpSender.getCapabilities('video').codecs.map((one) => one.mimeType.toLowerCase()),
  };
  window.tools = tools;
}

const client = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../node_modules/livekit-client/dist/livekit-client.umd.js'), 'utf8');
const toolsText = `(${installTools})(${makePictureText}, ${readBarcode})`;

// A participant in a page: every tool of window.tools is a method.
class Visitor {
  constructor(page, identity) {
    this.page = page;
    this.identity = identity;
    return new Proxy(this, {
      get: (target, name) => {
        if (name in target || typeof name === 'symbol' || name === 'then') return target[name];
        return (...args) => page.evaluate(([tool, given]) => window.tools[tool](...given), [name, args]);
      },
    });
  }

  // The last that it was told since its page was opened and that `judge` likes.
  untilTold(what, judge = () => true, within = 15_000) {
    return until(`${this.identity} is told ${what}`, async () => {
      const all = await this.page.evaluate(() => window.tools.told());
      const found = all.filter((one) => one.what === what && judge(one)).at(-1);
      if (!found) throw new Error(JSON.stringify(all.slice(-6)));
      return found;
    }, { within, every: 100 });
  }
  // Told once more, because of `act`.
  async untilToldAgain(what, act, { judge = () => true, within = 15_000 } = {}) {
    const before = await this.countTold(what, judge);
    await act();
    await until(`${this.identity} is told ${what} again`, async () => (await this.countTold(what, judge)) > before, { within, every: 100 });
  }
  async countTold(what, judge = () => true) {
    return (await this.page.evaluate(() => window.tools.told())).filter((one) => one.what === what && judge(one)).length;
  }

  // More frames of `identity` are decoded than before, and they are the right ones when `picture` is given.
  async untilSees(identity, { source = 'camera', picture, more = 10, within = 25_000 } = {}) {
    let first;
    return until(`${this.identity} sees ${more} more frames of ${identity}'s ${source}`, async () => {
      const facts = await this.page.evaluate(([who, what]) => window.tools.received(who, what), [identity, source]);
      first ??= facts;
      const frames = facts.sid === first.sid ? facts.frames - Math.min(first.frames, facts.frames) : facts.frames;
      const isRight = picture === undefined || facts.picture?.source === picture;
      if (frames < more || !isRight) throw new Error(`${JSON.stringify(facts)}, at first ${first.frames} frames`);
      return facts;
    }, { within, every: 100 });
  }
  async untilHears(identity, { within = 25_000 } = {}) {
    let first;
    return until(`${this.identity} hears ${identity}`, async () => {
      const facts = await this.page.evaluate((who) => window.tools.received(who, 'microphone'), identity);
      first ??= facts;
      if (!(facts.energy > first.energy)) throw new Error(JSON.stringify(facts));
      return facts;
    }, { within, every: 100 });
  }
  // One of its tools answers what `judge` likes.
  async untilAnswers(tool, args, judge, { within = 15_000, what = `${tool} answers as wanted` } = {}) {
    return until(`${this.identity}: ${what}`, async () => {
      const answer = await this.page.evaluate(([name, given]) => window.tools[name](...given), [tool, args]);
      if (!judge(answer)) throw new Error(JSON.stringify(answer));
      return answer;
    }, { within, every: 100 });
  }
  untilHeight(identity, height) {
    const isRight = (facts) => facts.height === height;
    return this.untilAnswers('received', [identity, 'camera'], isRight, { within: 25_000, what: `gets ${identity} ${height} lines high` });
  }

  // For a second nothing of the track comes.
  untilStill(identity, source = 'camera') {
    let bytes;
    return until(`no more of ${identity}'s ${source} comes to ${this.identity}`, async () => {
      const before = bytes;
      ({ bytes } = await this.received(identity, source));
      if (bytes !== before) throw new Error(`${before} and ${bytes} bytes`);
      return true;
    }, { within: 15_000, every: 1000 });
  }

  // What `received` says of a track after `ms`, its counters without what they had counted before.
  async receivedIn(ms, identity, source = 'camera') {
    const look = () => this.untilAnswers('received', [identity, source], () => true);
    const first = await look();
    await pause(ms);
    const last = await look();
    return Object.fromEntries(Object.entries(last).map(([name, value]) => [name, typeof value === 'number' ? value - first[name] : value]));
  }
}

// Opens pages and has them join.
export class Meetings {
  #visitors = [];
  server = null;
  chromium = null; // A browser, or a context of one.
  firefox = null; // Shows one page at a time: it slows down those that stand behind others.
  problems = []; // Errors that pages did not catch.

  // Where clients connect to.
  get url() {
    return this.server.origin.replace(/^http/, 'ws');
  }
  get api() {
    return new RoomServiceClient(this.server.origin, apiKey, apiSecret);
  }

  // A page of the server's origin with livekit-client in it and nothing else but `script`; nobody has joined.
  async visitor(identity, { browser = this.chromium, script = '' } = {}) {
    const page = await browser.newPage();
    const visitor = new Visitor(page, identity);
    this.#visitors.push(visitor);
    page.on('pageerror', (error) => this.problems.push(`${identity}: ${error.message}`));
    const install = `${script}\n${client}\n${toolsText}`;
    if (page.addInitScript) await page.addInitScript(install);
    else await page.evaluateOnNewDocument(install);
    await page.goto(`${this.server.origin}/readyz`);
    return visitor;
  }

  // `options`: of Room, and isSingle; `grant`, `claims`: of the token.
  async enter(visitor, room, { grant, claims, ...options } = {}) {
    await visitor.join(this.url, await makeToken(visitor.identity, room, grant, claims), options);
    return visitor;
  }
  async join(identity, room, { browser, script, ...options } = {}) {
    return this.enter(await this.visitor(identity, { browser, script }), room, options);
  }
  // Anna, whose picture is 1, and Ben, whose is 2: they see each other.
  async pair(room, options) {
    const [anna, ben] = [await this.join('anna', room, options), await this.join('ben', room, options)];
    await anna.showPicture({ source: 1 });
    await ben.showPicture({ source: 2 });
    await seeEachOther(anna, ben);
    return { anna, ben };
  }

  async leaveAll() {
    await Promise.all(this.#visitors.splice(0).map(async ({ page }) => {
      await page.evaluate(() => window.tools.close()).catch(() => undefined);
      await page.close().catch(() => undefined);
    }));
  }
}

// The first shows picture 1, the second picture 2.
export const seeEachOther = (first, second, { more } = {}) =>
  Promise.all([first.untilSees(second.identity, { picture: 2, more }), second.untilSees(first.identity, { picture: 1, more })]);

// Meetings for the tests of a file: a server and Chromium until after its last test, and after each everybody leaves.
// `server`: options of Server.start, or null where tests start theirs and say so in `meetings.server`; `firefox`: that
// browser too; `stay`: nobody leaves before the last test is over.
export async function useMeetings({ server = {}, firefox = false, stay = false } = {}) {
  const meetings = new Meetings();
  const end = async () => {
    await Promise.all([meetings.chromium?.close(), meetings.firefox?.close()]);
    await meetings.server?.stop();
  };
  (stay ? after : afterEach)(() => meetings.leaveAll());
  after(end);
  try {
    const rtc = firefox ? { rtc: ':0' } : {}; // Firefox does not look for peers on loopback.
    if (server) meetings.server = await Server.start({ shards: 2, ...rtc, ...server });
    meetings.chromium = await launchChromium(fakeCamera);
    if (firefox) meetings.firefox = await launchFirefox();
  } catch (error) {
    await end(); // Before there are tests, a failure ends the process.
    throw error;
  }
  return meetings;
}
