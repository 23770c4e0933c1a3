// Enhanced RTMP: codecs and tracks that no encoder of the distribution sends, from our own generator.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeClip, publishClips } from './lib/encoder.mjs';
import { renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, ffprobe } from './lib/media.mjs';
import { fetchMultivariant } from './lib/playlist.mjs';
import { Server } from './lib/server.mjs';

let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.stop());

const picture = (size) => ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=30`, '-t', '8', '-g', '30', '-pix_fmt', 'yuv420p'];
const codecs = {
  h264: { args: ['-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '300k'], tag: /^avc1\./ },
  hevc: { args: ['-c:v', 'libx265', '-preset', 'ultrafast', '-b:v', '300k', '-tag:v', 'hvc1', '-x265-params', 'log-level=error:keyint=30:min-keyint=30'], tag: /^(hvc1|hev1)\./ },
  av1: { args: ['-c:v', 'libsvtav1', '-preset', '12', '-b:v', '300k'], tag: /^av01\./ },
  vp9: { args: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '300k'], tag: /^vp09\./ },
};
const video = (codec, size = '320x180') => makeClip(`${codec}-${size}.mp4`, [...picture(size), ...codecs[codec].args]);
const sound = (codec) => makeClip(`${codec}.mp4`, ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', '8', '-ac', '2', '-c:a', codec === 'opus' ? 'libopus' : 'aac']);
const publish = (channel, ...args) => publishClips(server.publishUrl(channel), ...args);

for (const [codec, { tag }] of Object.entries(codecs).filter(([name]) => name !== 'h264')) {
  test(`${codec} with Opus is published, listed with its codecs and decodes`, { timeout: 120_000 }, async () => {
    const encoder = publish(codec, '--video', await video(codec), '--audio', await sound('opus'));
    try {
      const { variants, video: url } = await renditionsOf(server, codec);
      const listed = variants[0].CODECS.split(',');
      assert.ok(listed.some((one) => tag.test(one)), variants[0].CODECS);
      assert.ok(listed.includes('opus') || listed.includes('Opus'), variants[0].CODECS);
      assert.equal(variants[0].RESOLUTION, '320x180');
      const file = await downloadSegments(await wholeSegments(url, 2), codec);
      const { streams, frames } = await ffprobe(file, ['-show_entries', 'stream=codec_name,width,height:frame=pts_time']);
      assert.equal(streams[0].codec_name, codec);
      assert.equal(streams[0].width, 320);
      assert.ok(frames.length >= 60, `${frames.length} frames`);
    } finally {
      await encoder.stop();
    }
  });
}

test('several video tracks become the renditions of one channel, in step', { timeout: 120_000 }, async () => {
  const encoder = publish('ladder', '--video', await video('h264', '640x360'), '--video', await video('h264', '320x180'), '--audio', await sound('aac'));
  try {
    await server.untilWatchable('ladder');
    const { variants } = await fetchMultivariant(server.playlistUrl('ladder'));
    assert.deepEqual(variants.map((one) => one.RESOLUTION).sort(), ['320x180', '640x360']);
    const starts = [];
    for (const { url, RESOLUTION } of variants) {
      const segments = await wholeSegments(url, 2);
      const { streams, packets } = await ffprobe(await downloadSegments(segments, `ladder-${RESOLUTION}`), ['-show_entries', 'stream=width,height:packet=pts_time']);
      assert.equal(`${streams[0].width}x${streams[0].height}`, RESOLUTION);
      starts.push({ sequence: segments[0].sequence, time: Number(packets[0].pts_time) });
    }
    assert.equal(starts[0].sequence, starts[1].sequence);
    assert.ok(Math.abs(starts[0].time - starts[1].time) < 0.001, JSON.stringify(starts));
  } finally {
    await encoder.stop();
  }
});
