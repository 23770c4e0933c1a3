// Workers that die or freeze, and an encoder that goes: viewers see a slate for a moment, on the same playlists.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { launchChromium, shownFrames, watchFromStart } from './lib/browser.mjs';
import { encodeSource, publishSource } from './lib/encoder.mjs';
import { downloadSegments, readFrames } from './lib/media.mjs';
import { fetchMedia, fetchMultivariant, reload } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const source = { width: 640, height: 360, videoKbps: 1200 };
let server, encoder, variants, audio;
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'standard', '--transcode-workers', '4'] });
  encoder = publishSource(server.publishUrl('show'), source);
  await server.untilWatchable('show');
  const list = await fetchMultivariant(server.playlistUrl('show'));
  variants = Object.fromEntries(list.variants.map((one) => [/([^/]+)\.m3u8$/.exec(one.url)[1], one.url]));
  audio = list.audio[0].url;
});
after(async () => {
  await encoder?.stop();
  await server?.stop();
});

const worker = (channel = 'show') => server.workers(channel)[0];

// The address of the lowest rendition, once it is listed.
const untilRung = (channel) => until('its rendition is there', async () => {
  const { variants: made } = await fetchMultivariant(server.playlistUrl(channel));
  return made.find(({ url }) => url.includes('240p30')).url;
});

// Segments of the rendition that came whole since `sequence`: what their first pictures are.
async function pictures(name, from, count) {
  const segments = await until(`${count} segments of ${name} from ${from}`, async () => {
    const { segments: all } = await fetchMedia(variants[name]);
    const wanted = all.filter(({ sequence }) => sequence >= from);
    return wanted.length >= count && wanted.slice(0, count);
  }, { within: 30_000, every: 200 });
  const seen = [];
  for (const segment of segments) {
    const frames = segment.gap ? [] : await readFrames(await downloadSegments([segment], `failure-${name}-${segment.sequence}`));
    seen.push({ sequence: segment.sequence, gap: segment.gap, discontinuity: segment.discontinuity, barcodes: frames.filter((one) => one.frame !== undefined).length, frames: frames.length });
  }
  return seen;
}
const isSlate = ({ gap, frames, barcodes }) => !gap && frames > 0 && barcodes === 0;
const isProgram = ({ gap, frames, barcodes }) => !gap && frames > 0 && barcodes === frames;

for (const [signal, what, longest] of [['SIGKILL', 'is killed', 5_000], ['SIGSTOP', 'freezes', 9_000]]) {
  test(`a worker that ${what} is replaced, with a slate in between`, { timeout: 90_000 }, async () => {
    const rung = variants['240p30'];
    await until('the rendition has pictures of now', async () => {
      const { segments } = await fetchMedia(rung);
      return segments.length >= 2 && !segments.at(-1).gap && !segments.slice(-2).some(({ discontinuity }) => discontinuity);
    }, { within: 20_000 });
    const judge = new Program(`check-${signal}`, findProgram('stoa'), ['check-hls', server.playlistUrl('show'), '--seconds', '16']);
    const { nextSequence: from } = await fetchMedia(rung);
    const first = worker();
    const failed = Date.now();
    process.kill(first, signal);
    const slateAt = await until('all renditions have a discontinuity', async () => {
      const texts = await Promise.all([rung, variants.v0, audio].map(fetchMedia));
      return texts.every(({ segments, openDiscontinuity }) => openDiscontinuity || segments.some(({ sequence, discontinuity }) => sequence >= from && discontinuity)) && Date.now();
    }, { within: 10_000, every: 50 });
    await until('another worker runs', () => worker() && worker() !== first, { within: 10_000 });
    const back = await until('the rendition shows the program again', async () => {
      const { segments } = await fetchMedia(rung);
      const [last] = await pictures('240p30', segments.at(-1).sequence, 1);
      return last.sequence > from && isProgram(last) && Date.now();
    }, { within: 20_000, every: 200 });
    console.log(`${signal}: discontinuity after ${slateAt - failed} ms, the program again after ${back - failed} ms at most`);
    assert.ok(slateAt - failed < 2_500, `discontinuity after ${slateAt - failed} ms`);
    // A segment is read when it is whole: two seconds more than its first picture took.
    assert.ok(back - failed < longest + 4_500, `the program after ${back - failed} ms`);
    const { nextSequence } = await fetchMedia(rung);
    const seen = await pictures('240p30', from, nextSequence - from);
    assert.ok(seen.some((one) => one.discontinuity), JSON.stringify(seen));
    assert.ok(!seen.some(({ gap }) => gap), `no gaps: ${JSON.stringify(seen)}`);
    // The source's own rendition shows the program all the time.
    assert.ok((await pictures('v0', from, nextSequence - from - 1)).every(isProgram));
    await until('the judge is done', () => judge.status, { within: 40_000 });
    // The part in which the worker was lost comes late (G13), and others where two cores do all this.
    const broken = judge.log.split('\n').filter((line) => /^FAIL /.test(line) && !/^FAIL G13 .* took 0\.[0-9]+ s/.test(line));
    assert.deepEqual(broken, []);
    assert.match(judge.log, /LL-HLS: \d+ passed/);
  });
}

// It is killed, or says goodbye.
for (const signal of ['SIGKILL', 'SIGINT']) {
  test(`an encoder that goes (${signal}) leaves a slate in all renditions until it is back`, { timeout: 90_000 }, () => leaveAndReturn(signal));
}

async function leaveAndReturn(signal) {
  const { nextSequence: from } = await fetchMedia(variants['240p30']), first = worker();
  await encoder.stop(signal);
  for (const name of ['240p30', 'v0']) {
    await until(`${name} shows a slate`, async () => {
      const { segments } = await fetchMedia(variants[name]);
      const recent = segments.filter(({ sequence }) => sequence >= from);
      if (recent.length === 0) return false;
      const [last] = await pictures(name, recent.at(-1).sequence, 1);
      return isSlate(last);
    }, { within: 15_000, every: 300 });
  }
  encoder = publishSource(server.publishUrl('show'), source);
  for (const name of ['240p30', 'v0']) {
    await until(`${name} shows the program`, async () => {
      const { segments } = await fetchMedia(variants[name]);
      const [last] = await pictures(name, segments.at(-1).sequence, 1);
      return isProgram(last);
    }, { within: 20_000, every: 300 });
  }
  assert.equal(worker(), first, 'its worker waits for it');
}

test('Chromium plays on through the death of a worker', { timeout: 90_000 }, async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await watchFromStart(page);
    await page.goto(server.watchUrl('show'));
    await until('60 frames are shown', async () => (await shownFrames(page)).length >= 60, { within: 30_000 });
    await page.evaluate(() => {
      const { hls } = window.stoa;
      hls.nextLevel = hls.levels.findIndex((level) => level.height === 240);
    });
    await until('pictures are 240 lines high', () => page.evaluate(() => window.stoa.video.videoHeight === 240), { within: 20_000 });
    const last = async () => (await shownFrames(page)).filter((one) => one.frame !== undefined).at(-1).frame;
    const before = await last();
    process.kill(worker(), 'SIGKILL');
    await until('it shows the program of 12 s later', async () => (await last()) > before + 12 * 30, { within: 40_000 });
    const stats = await page.evaluate(() => window.stoa.stats());
    assert.equal(stats.engine, 'hls.js');
  } finally {
    await browser.close();
  }
});

test('a worker that runs out of memory is replaced', { timeout: 90_000 }, async () => {
  let larger = publishSource(server.publishUrl('larger'), source);
  try {
    await server.untilWatchable('larger');
    const first = await until('a worker runs', () => worker('larger'));
    const rung = await untilRung('larger');
    // What it has is enough for what it does; the next mapping fails.
    execFileSync('prlimit', ['--pid', String(first), '--as=1048576']);
    await larger.stop();
    larger = publishSource(server.publishUrl('larger'), { ...source, width: 1280, height: 720, videoKbps: 2000 });
    await until('another worker runs', () => worker('larger') && worker('larger') !== first, { within: 20_000 });
    assert.match(server.program.log, /larger: worker \d+: .*was ended by signal/);
    await until('the rendition shows the program again', async () => {
      const { segments } = await fetchMedia(rung);
      const last = segments.at(-1);
      if (last.gap) return false;
      const frames = await readFrames(await downloadSegments([last], `failure-larger-${last.sequence}`));
      return frames.length > 0 && frames.every(({ frame }) => frame !== undefined);
    }, { within: 20_000, every: 300 });
  } finally {
    await larger.stop();
  }
});

// Every twelve seconds the pictures of this source are garbage for a second: bytes of its frames are changed at random. What
// becomes a parameter set by that holds until the encoder sends its own again, with the next keyframe.
test('garbage among pictures stops neither the worker nor its rendition', { timeout: 90_000 }, async () => {
  const garbled = encodeSource(server.publishUrl('garbled'), { width: 640, height: 360 }, [
    '-g', '30', '-tune', 'zerolatency', '-x264-params', 'sliced-threads=0', '-bsf:v', 'dump_extra=freq=keyframe,noise=amount=if(lt(mod(n\\,360)\\,330)\\,0\\,20)',
  ]);
  try {
    await server.untilWatchable('garbled');
    const first = await until('a worker runs', () => worker('garbled'));
    const rung = await untilRung('garbled');
    let playlist = await fetchMedia(rung), longest = 0, last = Date.now();
    const ends = Date.now() + 30_000;
    while (Date.now() < ends) {
      playlist = await reload(rung, playlist);
      if ((playlist.openParts.at(-1) ?? playlist.segments.at(-1)?.parts.at(-1))?.isGap) continue;
      longest = Math.max(longest, Date.now() - last);
      last = Date.now();
    }
    console.log(`garbage: at most ${longest} ms from part to part`);
    assert.ok(longest < 3_000, `${longest} ms from part to part`);
    assert.equal(worker('garbled'), first);
    assert.doesNotMatch(server.program.log, /garbled: .*(rendition_misaligned|worker_lost)|garbled.*rung \d+ ended/);
    const judge = new Program('check-garbled', findProgram('stoa'), ['check-hls', server.playlistUrl('garbled'), '--seconds', '10']);
    await until('the judge is done', () => judge.status, { within: 40_000 });
    // Garbage that says the source is smaller lets the rung rest: then no other playlist speaks of it (L12).
    assert.deepEqual(judge.log.split('\n').filter((line) => /^FAIL (?!G13 |L12 )/.test(line)), []);
    assert.match(judge.log, /LL-HLS: \d+ passed/);
    // Between, the program is shown.
    await until('a segment of the program', async () => {
      const { segments } = await fetchMedia(rung);
      const [one] = segments.at(-1).gap ? [] : [await readFrames(await downloadSegments([segments.at(-1)], `failure-garbled-${segments.at(-1).sequence}`))];
      return one?.length > 0 && one.every(({ frame }) => frame !== undefined);
    }, { within: 25_000, every: 300 });
  } finally {
    await garbled.stop();
  }
});
