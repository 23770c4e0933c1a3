// The call of tests/e2e/lib/shaped_call.mjs over Janus' VideoRoom: Anna sends three layers and a tone, Ben receives, and one
// of the two is behind the shaper. The pages have no client of their own; what they offer and answer goes to Janus from here.
import { makeNoiseText, noiseLayers, watchCallScript } from '../../tests/e2e/lib/call_watch.mjs';
import { Shaper } from '../../tests/e2e/lib/shaper.mjs';
import { untilTop } from '../../tests/e2e/lib/shaped_call.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';

/* global document, window */
// Both run in pages and give the description with all candidates.
async function publish([noiseText, layers, fps]) {
  const [height] = layers.at(-1);
  const { track } = eval(`(${noiseText})`)({ width: Math.round((height * 16) / 9), height, fps });
  const sound = new AudioContext(), to = sound.createMediaStreamDestination(), tone = new OscillatorNode(sound, { frequency: 440 });
  tone.connect(new GainNode(sound, { gain: 0.3 })).connect(to);
  tone.start();
  const pc = (window.pc = new RTCPeerConnection());
  pc.addTransceiver(to.stream.getAudioTracks()[0], { direction: 'sendonly' });
  const rids = ['l', 'm', 'h'];
  const encodings = layers.map(([lines, kbps], i) => ({ rid: rids[i], scaleResolutionDownBy: height / lines, maxBitrate: kbps * 1000, maxFramerate: fps, scalabilityMode: 'L1T3' }));
  const video = pc.addTransceiver(track, { direction: 'sendonly', sendEncodings: encodings.reverse() });
  video.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs.filter(({ mimeType }) => /vp8|rtx/i.test(mimeType)));
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== 'complete') await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && resolve()));
  return pc.localDescription.sdp;
}
async function watch(offer) {
  const pc = (window.pc = new RTCPeerConnection());
  const stream = new MediaStream();
  pc.ontrack = ({ track }) => {
    stream.addTrack(track);
    const element = document.querySelector('video') ?? document.body.appendChild(Object.assign(document.createElement('video'), { autoplay: true, playsInline: true }));
    element.srcObject = stream;
    element.play().catch(() => undefined);
  };
  await pc.setRemoteDescription({ type: 'offer', sdp: offer });
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== 'complete') await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && resolve()));
  return pc.localDescription.sdp;
}

// `janus` has the media ports `ports`, which lie one behind the other; `behind`: 'anna' or 'ben'; `bens`: his browser, if it
// is another one. Whoever calls stops the shaper and closes the pages.
export async function startJanusCall(janus, browser, { ports, address, scenario, behind = 'ben', bens = browser, fps = 15 }) {
  const shaper = await Shaper.start({ to: ports.map((port) => `${address}:${port}`), address, scenario });
  const openPage = async (who, from) => {
    const page = await from.newPage();
    const script = (who === behind ? shaper.script() : '') + watchCallScript;
    if (page.addInitScript) await page.addInitScript(script);
    else await page.evaluateOnNewDocument(script);
    await page.goto(janus.origin); // Any page.
    return page;
  };
  try {
    const room = 1;
    const anna = await openPage('anna', browser), ben = await openPage('ben', bens);
    const publisher = await janus.attach();
    const offer = await anna.evaluate(publish, [makeNoiseText, noiseLayers, fps]);
    const { data, jsep } = await janus.ask(publisher, { request: 'joinandconfigure', room, ptype: 'publisher' }, { type: 'offer', sdp: offer });
    await anna.evaluate((sdp) => window.pc.setRemoteDescription({ type: 'answer', sdp }), jsep.sdp);
    const subscriber = await janus.attach();
    // There is no feed before its media can come.
    const joined = await until('Janus has the publisher', () => janus.ask(subscriber, { request: 'join', room, ptype: 'subscriber', streams: [{ feed: data.id }] }));
    const answer = await ben.evaluate(watch, joined.jsep.sdp);
    await janus.ask(subscriber, { request: 'start' }, { type: 'answer', sdp: answer });
    await untilTop(ben);
    const close = async () => {
      for (const handle of [subscriber, publisher]) await janus.post(handle, { janus: 'detach' });
      await Promise.all([anna, ben].map((page) => page.close()));
    };
    return { anna: { page: anna }, ben: { page: ben }, shaper, close };
  } catch (error) {
    await shaper.stop();
    throw error;
  }
}
