// ffmpeg publishes over RTMP; ffprobe and ffmpeg read the channel as ordinary HLS; what arrives is what was sent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { publishSource, small } from './lib/encoder.mjs';
import { renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, ffprobe, readBeeps, readFrames } from './lib/media.mjs';
import { Program } from './lib/program.mjs';
import { Server } from './lib/server.mjs';

let server;
const encoders = [];
before(async () => {
  server = await Server.start();
  encoders.push(publishSource(server.publishUrl('plain')));
  encoders.push(publishSource(server.publishUrl('reordered'), { bFrames: 2, preset: 'veryfast', width: 320, height: 180 }));
});
after(async () => {
  await Promise.all(encoders.map((one) => one.stop()));
  await server?.stop();
});

test('ffprobe finds the codecs and the resolution that were published', { timeout: 60_000 }, async () => {
  const { video: url } = await renditionsOf(server, 'plain');
  await wholeSegments(url, 2); // To an ordinary player the playlist is empty before.
  const { streams } = await ffprobe(server.playlistUrl('plain'), ['-show_entries', 'stream=codec_name,width,height,sample_rate,channels']);
  const video = streams.find((one) => one.codec_name === 'h264');
  const audio = streams.find((one) => one.codec_name === 'aac');
  assert.equal(video?.width, small.width);
  assert.equal(video?.height, small.height);
  assert.equal(audio?.sample_rate, '48000');
  assert.equal(audio?.channels, 2);
});

test('ffmpeg plays six seconds as ordinary HLS without a complaint', { timeout: 90_000 }, async () => {
  const { video } = await renditionsOf(server, 'plain');
  await wholeSegments(video, 3);
  const log = await new Program('ffmpeg-play', 'ffmpeg', [
    '-hide_banner', '-loglevel', 'warning', '-nostdin', '-i', server.playlistUrl('plain'), '-t', '6', '-f', 'null', '-',
  ]).success();
  // ffmpeg reads the init section again with every reload of a live playlist, and says so.
  const complaints = log.split('\n').filter((line) => line.trim() && !/duplicated MOOV/.test(line));
  assert.deepEqual(complaints, []);
});

for (const channel of ['plain', 'reordered']) {
  test(`every frame of "${channel}" arrives once, in order and on time`, { timeout: 60_000 }, async () => {
    const { video } = await renditionsOf(server, channel);
    const segments = await wholeSegments(video, 3);
    const frames = await readFrames(await downloadSegments(segments, channel));
    assert.ok(frames.length > 100, `${frames.length} frames`);
    frames.forEach(({ frame, time }, i) => {
      assert.equal(frame, frames[0].frame + i, `picture ${i}`);
      assert.ok(Math.abs(time - frames[0].time - i / small.fps) < 0.003, `picture ${i} is at ${time}`);
    });
    const listed = segments.reduce((sum, { duration }) => sum + duration, 0);
    assert.ok(Math.abs(listed - frames.length / small.fps) < 0.01, `EXTINF says ${listed} s for ${frames.length} frames`);
  });

  test(`the beeps of "${channel}" are in step with its picture`, { timeout: 60_000 }, async () => {
    const { video, audio } = await renditionsOf(server, channel);
    const frames = await readFrames(await downloadSegments(await wholeSegments(video, 3), `${channel}-v`));
    const beeps = await readBeeps(await downloadSegments(await wholeSegments(audio, 3), `${channel}-a`));
    let compared = 0;
    for (const { frame, time } of frames.filter((one) => one.frame % small.fps === 0)) {
      const beep = beeps.find((one) => Math.abs(one.time - time) < 0.4);
      if (!beep) continue;
      ++compared;
      assert.ok(Math.abs(beep.time - time) <= 0.04, `the beep of frame ${frame} is ${Math.round((beep.time - time) * 1000)} ms off`);
      const hertz = (frame / small.fps) % 2 === 0 ? 1000 : 1500;
      assert.ok(Math.abs(beep.hertz - hertz) < 60, `${beep.hertz} Hz at frame ${frame}, expected ${hertz}`);
    }
    assert.ok(compared >= 2, `${compared} beeps compared of ${beeps.length}`);
  });
}
