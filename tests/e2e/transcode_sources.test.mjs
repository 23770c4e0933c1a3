// Sources that are not as most are: each is transcoded, and all of its renditions are played by hls.js in Chromium with the
// size that the playlist says and the colours that were sent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judgeFrames, judgeRenditions, launchChromium, servePages, shownFrames, watchFromStart } from './lib/browser.mjs';
import { encodeSource, makeClip, publishClips } from './lib/encoder.mjs';
import { wholeSegments } from './lib/follow.mjs';
import { downloadSegments, readFrames } from './lib/media.mjs';
import { bt709Flags, fields, patternGraph, publishPattern, toBt709 } from './lib/pattern.mjs';
import { fetchMultivariant } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server, browser, pages;
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'standard', '--transcode-workers', '4'] });
  pages = await servePages();
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await pages?.stop();
  await server?.stop();
});

const nameOf = ({ url }) => /([^/]+)\.m3u8$/.exec(url)[1];

// Runs in the page: the middles of the four fields; and by how many columns the left edge of the bar differs from
// line to line, in the middle of five frames. Two fields of different times in one picture are a comb there.
/* global document */
async function readPicture() {
  const video = document.querySelector('video');
  const { videoWidth: width, videoHeight: height } = video;
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const mean = (x, y) => {
    const { data } = context.getImageData(Math.round(x * width) - 4, Math.round(y * height) - 4, 9, 9);
    return [0, 1, 2].map((channel) => Math.round(data.reduce((sum, value, i) => (i % 4 === channel ? sum + value : sum), 0) / 81));
  };
  const comb = () => {
    const top = Math.round(height * 0.4), lines = Math.round(height * 0.05);
    const { data } = context.getImageData(0, top, width, lines);
    const edges = Array.from({ length: lines }, (_, y) => {
      for (let x = 0; x < width; ++x) if (data[(y * width + x) * 4] > 150 && data[(y * width + x) * 4 + 2] > 150) return x;
      return width;
    });
    return edges.slice(1).reduce((sum, edge, i) => sum + Math.abs(edge - edges[i]), 0) / (lines - 1);
  };
  const combs = [];
  for (let i = 0; i < 5; ++i) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    context.drawImage(video, 0, 0);
    combs.push(comb());
  }
  return { fields: [mean(0.25, 0.25), mean(0.75, 0.25), mean(0.25, 0.75), mean(0.75, 0.75)], comb: combs.sort((a, b) => a - b)[2] };
}

// Plays each of `renditions` (name to size in pixels that are square); gives what `judge` finds wrong.
async function playAll(channel, renditions, judge) {
  const page = await browser.newPage();
  try {
    await watchFromStart(page);
    const level = Object.keys(renditions)[0];
    await page.goto(`${pages.origin}/hls.html?url=${encodeURIComponent(server.playlistUrl(channel))}&level=${level}`);
    await until('pictures are shown', async () => (await shownFrames(page)).length > 0, { within: 30_000 });
    const wrong = [];
    for (const [name, size] of Object.entries(renditions)) {
      await page.evaluate((wanted) => (window.hls.nextLevel = window.findLevel(wanted)), name);
      await until(`${name} is shown, ${size}`, async () => {
        const seen = await page.evaluate(() => {
          const { hls } = window, { videoWidth, videoHeight } = document.querySelector('video');
          return `${/[^/]*$/.exec(hls.levels[hls.currentLevel]?.url[0] ?? '')[0]} ${videoWidth}x${videoHeight}`;
        });
        return seen === `${name}.m3u8 ${size}` || Promise.reject(new Error(seen));
      }, { within: 20_000 });
      const before = (await shownFrames(page)).length;
      await until('45 more frames are shown', async () => (await shownFrames(page)).length >= before + 45, { within: 20_000 });
      if (judge.picture) wrong.push(...judge.picture(await page.evaluate(readPicture)).map((one) => `${name}: ${one}`));
    }
    if (judge.frames) wrong.push(...judge.frames(await shownFrames(page)));
    const fatal = (await page.evaluate(() => window.problems)).filter((one) => /fatal|Append|Parsing|Codec/i.test(one));
    return [...wrong, ...fatal];
  } catch (error) {
    throw new Error(`${error.message}; problems of hls.js: ${await page.evaluate(() => window.problems)}`);
  } finally {
    await page.close();
  }
}

async function judgePlaylists(channel) {
  const judge = new Program(`check-${channel}`, findProgram('stoa'), ['check-hls', server.playlistUrl(channel), '--seconds', '6']);
  await until('the judge is done', () => judge.status, { within: 40_000 });
  // Two cores that encode and play are late now and then (G13).
  assert.deepEqual(judge.log.split('\n').filter((line) => /^FAIL (?!G13 )/.test(line)), [], judge.logFile);
  assert.match(judge.log, /LL-HLS: \d+ passed/);
}

async function showSource(channel, encoder, { renditions, shown = renditions }, judge) {
  try {
    await server.untilWatchable(channel, 20_000);
    // On a busy machine a rung may come late, and what it stands for is offered until then.
    const offered = await until('all renditions are offered', async () => {
      const { variants } = await fetchMultivariant(server.playlistUrl(channel));
      assert.deepEqual(Object.fromEntries(variants.map((one) => [nameOf(one), one.RESOLUTION])), renditions);
      return variants;
    }, { within: 20_000 });
    await judge.media?.(offered);
    assert.deepEqual(await playAll(channel, shown, judge), []);
    await judgePlaylists(channel);
  } finally {
    await encoder.stop();
  }
}

const looks = {
  'interlaced pictures': {
    renditions: { '576p30': '768x576', '480p30': '640x480', '360p30': '480x360', '240p30': '320x240' },
    source: { width: 768, height: 576, rate: 50, keyframes: 25, kbps: 1200, filter: `${toBt709},tinterlace=interleave_top,fieldorder=tff`, flags: [...bt709Flags, '-flags', '+ildct+ilme', '-x264-params', 'tff=1'] },
  },
  'an odd size': {
    renditions: { v0: '854x478', '360p30': '644x360', '240p30': '428x240' },
    source: { width: 854, height: 478 },
  },
  'an odd size with all its colour': {
    renditions: { '478p30': '852x478', '360p30': '642x360', '240p30': '428x240' },
    source: { width: 853, height: 479, filter: 'scale=out_color_matrix=bt709:out_range=tv,format=yuv444p' },
  },
  'an upright picture': {
    renditions: { v0: '360x640', '240p30': '240x426' },
    source: { width: 360, height: 640 },
  },
  'pixels that are not square': {
    renditions: { v0: '640x480', '240p30': '426x240' },
    shown: { v0: '853x480', '240p30': '426x240' },
    source: { width: 640, height: 480, filter: `${toBt709},setsar=4/3` },
  },
  'full range': {
    renditions: { v0: '640x360', '240p30': '426x240' },
    source: { width: 640, height: 360, filter: 'scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p', flags: [...bt709Flags.slice(0, -1), 'pc'] },
  },
};

// `darker`: what white may have lost; `expected`: where the fields have come to lie elsewhere.
function judgePicture({ fields: seen, comb }, { darker = 0, expected = fields } = {}) {
  const wrong = [];
  const isFar = seen.some((colour, i) => colour.some((value, channel) => {
    const off = value - expected[i][channel];
    return off > 10 || off < -10 - (i === 3 ? darker : 0);
  }));
  if (isFar) wrong.push(`fields are ${JSON.stringify(seen)}, should be ${JSON.stringify(expected)}`);
  if (comb > 1) wrong.push(`the edge differs by ${comb} columns from line to line`);
  return wrong;
}

for (const [kind, { source, ...expected }] of Object.entries(looks)) {
  test(`${kind}: all renditions look as they should`, { timeout: 90_000 }, async () => {
    const channel = kind.replaceAll(' ', '-');
    await showSource(channel, publishPattern(server.publishUrl(channel), source), expected, { picture: judgePicture });
  });
}

const sound = () => makeClip('tone-440.mp4', ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', '8', '-ac', '2', '-c:a', 'aac']);

test('pictures that are to be turned: what is made of them is upright', { timeout: 90_000 }, async () => {
  // ffmpeg says how a picture is turned at the first keyframe alone. So a second is made and repeated.
  const second = await makeClip('pattern-turned-1s.mp4', [
    '-f', 'lavfi', '-i', `${patternGraph(640, 360, 30)},${toBt709}`, '-frames:v', '30', '-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-g', '30',
    ...bt709Flags, '-bsf:v', 'h264_metadata=display_orientation=insert:rotate=90',
  ]);
  const video = await makeClip('pattern-turned-8s.mp4', ['-stream_loop', '7', '-i', second, '-c', 'copy']);
  const encoder = publishClips(server.publishUrl('turned'), '--video', video, '--audio', await sound());
  // A quarter to the left. The source's own is not offered: browsers do not read what it says.
  const [topLeft, topRight, bottomLeft, bottomRight] = fields;
  const judge = { picture: (seen) => judgePicture({ ...seen, comb: 0 }, { expected: [topRight, bottomRight, topLeft, bottomLeft] }) };
  await showSource('turned', encoder, { renditions: { '360p30': '360x640', '240p30': '240x426' } }, judge);
});

test('HDR (PQ, HEVC of 10 bits): its H.264 renditions have the colours of SDR', { timeout: 150_000 }, async () => {
  const toPq = 'setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc,zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t=smpte2084:m=bt2020nc:r=tv:npl=203,format=yuv420p10le';
  const video = await makeClip('pattern-pq-640x360.mp4', [
    '-f', 'lavfi', '-i', `${patternGraph(640, 360, 30)},${toPq}`, '-t', '8', '-c:v', 'libx265', '-preset', 'ultrafast', '-b:v', '500k', '-tag:v', 'hvc1',
    '-x265-params', 'log-level=error:keyint=30:min-keyint=30:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited',
  ]);
  const encoder = publishClips(server.publishUrl('hdr'), '--video', video, '--audio', await sound());
  // The source's own is for players that have a decoder for HEVC. What is whiter than white must go somewhere.
  const made = { '360p30': '640x360', '240p30': '426x240' };
  await showSource('hdr', encoder, { renditions: { v0: '640x360', ...made }, shown: made }, { picture: (seen) => judgePicture(seen, { darker: 25 }) });
});

// Segments cannot be begun with what has keyframes too far apart, or groups that are open: once that is known, a rung of
// its size is there in its place.
const own = { v0: '640x360', '240p30': '426x240' }, replaced = { '360p30': '640x360', '240p30': '426x240' };
const groups = {
  'an uneven rate': { flags: ['-vf', "select='lt(mod(t,4),2)+not(mod(n,4))'", '-vsync', 'vfr', '-g', '30', '-tune', 'zerolatency'], renditions: own },
  'ten seconds from keyframe to keyframe': { flags: ['-g', '300', '-tune', 'zerolatency'], renditions: replaced },
  'open groups of pictures': { flags: ['-g', '60', '-bf', '3', '-x264-params', 'open-gop=1'], renditions: replaced },
};

for (const [kind, { flags, renditions }] of Object.entries(groups)) {
  test(`${kind}: renditions have the same frames at the same times`, { timeout: 90_000 }, async () => {
    const channel = kind.replaceAll(' ', '-'), lines = Object.values(renditions).map((size) => Number(size.split('x')[1]));
    const encoder = encodeSource(server.publishUrl(channel), { width: 640, height: 360 }, flags);
    const frames = (seen) => [
      ...judgeFrames(seen.slice(10), { fps: 30, minimum: 30 * lines.length }),
      ...judgeRenditions(seen.slice(10), { fps: 30, lines, minimum: 30 }),
    ];
    await showSource(channel, encoder, { renditions }, { frames, media: judgeMedia });
  });
}

// What is in the first segments that both renditions have, to the millisecond.
async function judgeMedia(variants) {
  const firsts = await Promise.all(variants.map(async ({ url }) => (await wholeSegments(url, 2)).at(-2).sequence));
  const from = Math.max(...firsts);
  const [some, others] = await Promise.all(variants.map(async (one) =>
    readFrames(await downloadSegments(await wholeSegments(one.url, 2, { from }), `sources-${nameOf(one)}-${from}`))));
  const at = some.findIndex(({ frame }) => frame === others[0].frame);
  const count = Math.min(some.length - at, others.length) - 4; // At its end a segment may lack pictures that are sent late.
  assert.ok(at >= 0 && count >= 30, `one has ${some.length} pictures from ${some[0].frame} on, the other ${others.length} from ${others[0].frame} on`);
  const told = (pictures) => pictures.map(({ frame, time }) => `${frame} at ${(time - pictures[0].time).toFixed(3)}`);
  assert.deepEqual(told(others.slice(0, count)), told(some.slice(at, at + count)));
}
