// WebRTC stacks that nobody here wrote (aiortc, GStreamer's webrtcbin, libwebrtc) publish by WHIP and watch by
// WHEP, each what the others publish, and beside RTMP and LL-HLS. Every frame's number is read from its picture.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { publishSource } from './lib/encoder.mjs';
import { followParts, renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, ffprobe, readFrames } from './lib/media.mjs';
import { Peer, withPeers } from './lib/peer.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.stop());

const whip = (channel) => `${server.origin}/whip/${channel}`;
const whep = (channel) => `${server.origin}/whep/${channel}`;
const live = (channel) => until(`${channel} is live`, () => server.live(channel), { within: 20_000 });

// Pictures are readable and few are missing; sound is no silence.
const seesPictures = ({ video, unread, skipped }) => video - unread >= 45 && unread <= video / 5 && skipped <= video / 5;
const hearsTone = ({ audio, loudness }) => audio >= 40 && loudness >= 1000;

async function watch(channel, watchers, { size = [320, 180], sound = true, messages } = {}) {
  const asked = await server.metric('stoa_webrtc_receiver_plis_total');
  const optionsOf = (stack) => {
    if (stack !== 'gstreamer') return messages ? { messages } : {};
    return sound ? {} : { media: 'video' }; // It may wait for ever for the transport of a part that is rejected.
  };
  const peers = watchers.map((stack) => new Peer(stack, 'watch', whep(channel), optionsOf(stack)));
  let backwards = 0;
  await withPeers(peers, () => Promise.all(peers.map(async (peer) => {
    const facts = await peer.until('sees the right frames', (seen) => seesPictures(seen) && (!sound || hearsTone(seen)));
    assert.deepEqual(facts.size, size);
    backwards += facts.backwards;
    if (!messages || peer.name.startsWith('gstreamer')) return;
    const { disordered } = await peer.until('gets its messages back', ({ echoed }) => echoed === messages);
    assert.equal(disordered, 0);
  })));
  // Who asks for a keyframe is given the newest and what followed it: only then may the picture go back.
  const newlyAsked = (await server.metric('stoa_webrtc_receiver_plis_total')) - asked;
  assert.ok(backwards <= newlyAsked, `went back ${backwards} times, asked for ${newlyAsked} keyframes`);
}

for (const [publisher, video, watchers] of [
  ['aiortc', 'VP8', ['aiortc', 'gstreamer', 'wrtc']],
  ['aiortc', 'H264', ['aiortc', 'gstreamer']],
  ['gstreamer', 'VP8', ['aiortc', 'wrtc']],
  ['wrtc', 'VP8', ['aiortc', 'gstreamer', 'wrtc']],
  ['wrtc', 'VP9', ['wrtc']],
  ['wrtc', 'AV1', ['wrtc']],
]) {
  test(`${publisher} publishes ${video} and Opus, seen and heard by ${watchers.join(', ')}`, { timeout: 60_000 }, async () => {
    const channel = `${publisher}-${video}`.toLowerCase();
    await withPeers([new Peer(publisher, 'publish', whip(channel), { video })], async (source) => {
      await source.connected();
      await live(channel);
      await watch(channel, watchers, { messages: video === 'VP8' ? 20 : undefined });
    });
  });
}

test('GStreamer publishes H.264 and Opus: seen over WebRTC and in LL-HLS', { timeout: 60_000 }, async () => {
  await withPeers([new Peer('gstreamer', 'publish', whip('both'), { video: 'H264' })], async () => {
    await live('both');
    await watch('both', ['aiortc', 'gstreamer']);
    const { video, audio } = await renditionsOf(server, 'both');
    assert.ok(audio, 'audio has a rendition of its own');
    await followParts(video, 4);
    const frames = await readFrames(await downloadSegments(await wholeSegments(video, 2), 'both'));
    assert.ok(frames.length >= 60, `${frames.length} frames`);
    frames.forEach(({ frame }, i) => assert.equal(frame, frames[0].frame + i));
    const { streams } = await ffprobe(server.playlistUrl('both'), ['-show_entries', 'stream=codec_name']);
    assert.deepEqual(streams.map((one) => one.codec_name).sort(), ['h264', 'opus']);
  });
});

test('ffmpeg publishes over RTMP: aiortc and GStreamer watch over WebRTC, without its AAC', { timeout: 60_000 }, async () => {
  const encoder = publishSource(server.publishUrl('rtmp'));
  try {
    await live('rtmp');
    await watch('rtmp', ['aiortc', 'gstreamer'], { size: [426, 240], sound: false });
  } finally {
    await encoder.stop();
  }
});

test('what has ended leaves no session behind', { timeout: 30_000 }, async () => {
  await until('all sessions are closed', async () => (await server.metric('stoa_webrtc_sessions')) === 0, { within: 20_000 });
  assert.equal(await server.metric('stoa_webrtc_sessions_closed_total', { reason: 'dtls_failed' }), 0);
});
