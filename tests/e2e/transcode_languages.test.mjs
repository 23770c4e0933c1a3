// A source with two languages: both are offered as renditions with language and name, with the ladder beside them, and who
// chooses one hears it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchChromium, servePages, shownFrames, watchFromStart } from './lib/browser.mjs';
import { makeClip, publishClips } from './lib/encoder.mjs';
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

const tones = { en: 440, de: 880 };
const picture = () => makeClip('h264-640x360.mp4', ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30', '-t', '8', '-g', '30', '-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '300k']);
const tone = (codec, hertz) => makeClip(`tone-${hertz}-${codec}.mp4`, ['-f', 'lavfi', '-i', `sine=frequency=${hertz}:sample_rate=48000`, '-t', '8', '-ac', '2', '-c:a', codec]);

// Runs in the page: has the sound of the video analysed from now on.
/* global document, window, AudioContext */
async function listen() {
  const video = document.querySelector('video');
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
  await context.resume();
  video.muted = false;
  // The loudest frequency, or 0 in silence.
  window.hear = () => {
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const at = levels.indexOf(Math.max(...levels));
    return levels[at] > -60 ? Math.round((at * context.sampleRate) / analyser.fftSize) : 0;
  };
}

for (const codec of ['aac', 'libopus']) {
  test(`two languages in ${codec} are offered with their names, and each is heard when it is chosen`, { timeout: 120_000 }, async () => {
    const channel = `languages-${codec}`;
    const sounds = [];
    for (const [language, hertz] of Object.entries(tones)) sounds.push('--audio', `${await tone(codec, hertz)}@${language}`);
    const encoder = publishClips(server.publishUrl(channel), '--video', await picture(), ...sounds);
    try {
      const { variants, audio } = await until('the ladder and both languages are offered', async () => {
        const list = await fetchMultivariant(server.playlistUrl(channel));
        return list.variants.length === 2 && list.audio.length === 2 && list;
      }, { within: 20_000 });
      assert.deepEqual(audio.map(({ LANGUAGE, NAME }) => `${LANGUAGE} ${NAME}`).sort(), ['de de', 'en en']);
      assert.deepEqual(audio.filter((one) => one.DEFAULT === 'YES').map((one) => one.LANGUAGE), ['en'], 'the first track is the default');
      for (const one of variants) {
        assert.match(one.CODECS, /mp4a\.40\.2/);
        assert.deepEqual(audio.filter((each) => each['GROUP-ID'] !== one.AUDIO), []);
      }
      await listenTo(channel);
      const judge = new Program(`check-${channel}`, findProgram('stoa'), ['check-hls', server.playlistUrl(channel), '--seconds', '6']);
      await until('the judge is done', () => judge.status, { within: 40_000 });
      // Two cores that encode and play are late now and then (G13).
      assert.deepEqual(judge.log.split('\n').filter((line) => /^FAIL (?!G13 )/.test(line)), [], judge.logFile);
      assert.match(judge.log, /LL-HLS: \d+ passed/);
    } finally {
      await encoder.stop();
    }
  });
}

async function listenTo(channel) {
  const page = await browser.newPage();
  try {
    await watchFromStart(page);
    await page.goto(`${pages.origin}/hls.html?url=${encodeURIComponent(server.playlistUrl(channel))}`);
    await until('pictures are shown', async () => (await shownFrames(page)).length > 0, { within: 30_000 });
    await page.evaluate(listen);
    for (const language of ['de', 'en', 'de']) {
      await page.evaluate((wanted) => (window.hls.audioTrack = window.hls.audioTracks.findIndex(({ lang }) => lang === wanted)), language);
      await until(`${language} is heard`, async () => {
        const hertz = await page.evaluate(() => window.hear());
        return Math.abs(hertz - tones[language]) < 12 || Promise.reject(new Error(`${hertz} Hz`));
      }, { within: 20_000, every: 100 });
      const before = (await shownFrames(page)).length;
      await until('20 more frames are shown', async () => (await shownFrames(page)).length >= before + 20, { within: 20_000 });
    }
    assert.deepEqual((await page.evaluate(() => window.problems)).filter((one) => /fatal|Append|Parsing|Codec/i.test(one)), []);
  } finally {
    await page.close();
  }
}
