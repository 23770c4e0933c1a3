// Other people's RTMP clients publish: GStreamer's own, librtmp, and ffmpeg over TLS.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gstreamer, publishSource } from './lib/encoder.mjs';
import { followParts, renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, ffprobe, readFrames } from './lib/media.mjs';
import { Server } from './lib/server.mjs';

let server;
before(async () => {
  server = await Server.start({ tls: true });
});
after(() => server?.stop());

for (const sink of ['rtmp2sink', 'rtmpsink']) {
  test(`GStreamer publishes with ${sink}`, { timeout: 60_000 }, async () => {
    const encoder = gstreamer(server.publishUrl(sink), sink);
    try {
      const { video, audio } = await renditionsOf(server, sink);
      await followParts(video, 6);
      const segments = await wholeSegments(video, 2);
      const frames = await readFrames(await downloadSegments(segments, sink));
      assert.ok(frames.length >= 60, `${frames.length} frames`);
      const { streams } = await ffprobe(server.playlistUrl(sink), ['-show_entries', 'stream=codec_name']);
      assert.deepEqual(streams.map((one) => one.codec_name).sort(), ['aac', 'h264']);
      assert.ok(audio, 'audio has a rendition of its own');
    } finally {
      await encoder.stop();
    }
  });
}

test('ffmpeg publishes over RTMPS', { timeout: 60_000 }, async () => {
  const encoder = publishSource(`rtmps://${server.rtmps}/live/secure`);
  try {
    const { video } = await renditionsOf(server, 'secure');
    const frames = await readFrames(await downloadSegments(await wholeSegments(video, 1), 'secure'));
    frames.forEach(({ frame }, i) => assert.equal(frame, frames[0].frame + i));
  } finally {
    await encoder.stop();
  }
});
