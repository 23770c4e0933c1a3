// Pictures of what is on air, made by a worker that comes over TCP: posters and storyboards, and the pages that
// show them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchChromium } from './lib/browser.mjs';
import { publishSource } from './lib/encoder.mjs';
import { readFrames } from './lib/media.mjs';
import { logs } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const source = { width: 640, height: 360, videoKbps: 1200 };
const fps = 30;
let server, encoder, browser;
before(async () => {
  server = await Server.start({ shards: 2, args: ['--transcode-ladder', 'one', '--transcode-pictures', '1', '--relay', '127.0.0.1:0'] });
  encoder = publishSource(server.publishUrl('show'), source);
  await server.untilWatchable('show');
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await encoder?.stop();
  await server?.stop();
});

async function fetchPicture(path, name) {
  const response = await fetch(new URL(path, server.origin));
  assert.equal(response.status, 200, path);
  assert.equal(response.headers.get('content-type'), 'image/jpeg');
  const file = join(logs, `${process.pid}-${name}.jpg`);
  writeFileSync(file, Buffer.from(await response.arrayBuffer()));
  return file;
}
async function storyboard() {
  const text = await server.text('/live/show/storyboard.vtt');
  const seconds = (time) => time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  const cues = [...text.matchAll(/^(\S+) --> (\S+)\n(\S+?)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)].map(([, begins, ends, address, ...place]) => ({
    begins: seconds(begins), ends: seconds(ends), address, place: place.map(Number),
  }));
  return { zero: Date.parse(/^NOTE 00:00:00\.000 is (\S+)$/m.exec(text)[1]), cues };
}

test('workers come over TCP when they are told to', async () => {
  assert.match(server.program.log, /listening relay=tcp:\/\/127\.0\.0\.1:\d+/);
  await until('the rung is there', async () => (await server.text('/live/show/index.m3u8')).includes('240p30'));
});

test('the poster is what was shown when it says, and a newer one comes', { timeout: 60_000 }, async () => {
  const seen = [];
  await until('three posters', async () => {
    const url = (await server.live('show'))?.poster_url;
    if (url && seen.at(-1) !== url) seen.push(url);
    return seen.length >= 3;
  });
  const url = seen.at(-1);
  const [{ frame }] = await readFrames(await fetchPicture(url, 'poster'));
  const at = Number(/\?at=(\d+)$/.exec(url)[1]);
  // Another may have come between the two answers.
  const late = frame - Math.round((at * fps) / 1000);
  assert.ok(late >= -1 && late <= 3 * fps, `frame ${frame} at ${at} ms`);
});

test('tiles of the storyboard show what was on air when they say, a second apart', { timeout: 60_000 }, async () => {
  const { cues, zero } = await until('five tiles', async () => {
    const told = await storyboard();
    return told.cues.length >= 5 && told;
  });
  assert.ok(Math.abs(Date.now() - zero - 1000 * cues.at(-1).ends) < 10_000, 'told by the clock');
  for (const [i, cue] of cues.entries()) {
    assert.ok(cue.ends > cue.begins);
    if (i > 0) assert.equal(cue.begins, cues[i - 1].ends);
    if (i > 0) assert.ok(cue.begins - cues[i - 1].begins >= 0.99 && cue.begins - cues[i - 1].begins < 2.5, `${cues[i - 1].begins}, then ${cue.begins}`);
  }
  const file = await fetchPicture(`/live/show/${cues[0].address}`, 'storyboard'), shown = [];
  for (const { begins, place: [x, y, width, height] } of cues.filter((cue) => cue.address === cues[0].address)) {
    assert.deepEqual([width, height], [160, 90]);
    const tile = file.replace('.jpg', `-${x}-${y}.png`);
    execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-i', file, '-vf', `crop=${width}:${height}:${x}:${y}:exact=1`, tile]);
    const [{ frame }] = await readFrames(tile);
    shown.push({ frame, begins, late: frame / fps - begins });
  }
  // The broadcast may have begun with a later frame than the encoder's first.
  for (const one of shown) assert.ok(Math.abs(one.late - shown[0].late) < 1.5 / fps, JSON.stringify(shown));
  assert.ok(shown.length >= 5 && shown[0].late > -1 / fps && shown[0].late < 3, JSON.stringify(shown));
});

test('the list of channels shows the poster, and the next one', { timeout: 60_000 }, async () => {
  const page = await browser.newPage({ viewport: { width: 900, height: 600 } });
  await page.goto(server.origin);
  const picture = page.locator('.card img');
  const shown = () => picture.evaluate((image) => (image.complete && image.naturalWidth > 0 ? image.currentSrc : ''));
  const first = await until('a poster is shown', shown);
  await until('another is shown', async () => ![first, ''].includes(await shown()));
  assert.deepEqual(await picture.evaluate((image) => [image.naturalWidth, image.naturalHeight]), [640, 360]);
  await page.screenshot({ path: join(logs, 'channels.png') });
  await page.close();
});

test('the player shows the tile of the moment below the pointer', { timeout: 60_000 }, async () => {
  const page = await browser.newPage({ viewport: { width: 1100, height: 760 } });
  await page.goto(server.watchUrl('show'));
  await until('it plays', () => page.evaluate(() => (window.stoa?.video?.currentTime ?? 0) > 4));
  const cues = await until('tiles are there', () => page.evaluate(() => {
    const track = [...window.stoa.video.textTracks].find(({ label }) => label === 'thumbnails');
    const all = [...(track?.cues ?? [])].map(({ startTime, endTime, text }) => ({ startTime, endTime, text }));
    return all.length >= 3 && { all, start: window.stoa.hls.playingDate.getTime() - 1000 * window.stoa.video.currentTime };
  }));
  const told = await storyboard();
  for (const cue of cues.all.filter(({ startTime }) => startTime > 0)) {
    // Which moment that was is told by the clock, which the server follows slowly.
    const at = (cues.start - told.zero) / 1000 + cue.startTime;
    const tile = told.cues.reduce((best, one) => (Math.abs(one.begins - at) < Math.abs(best.begins - at) ? one : best));
    assert.ok(Math.abs(tile.begins - at) < 0.4, `a tile of ${tile.begins} s at ${at} s`);
    assert.equal(new URL(cue.text).hash, `#xywh=${tile.place}`);
  }
  const range = page.locator('media-time-range');
  await page.locator('#stage').hover();
  const box = await range.boundingBox();
  await until('the pointer is over the time line, and a tile above it', async () => {
    await page.mouse.move(box.x + box.width * (0.5 + Math.random() / 10), box.y + box.height / 2);
    return range.evaluate((element) => /storyboard-\d+\.jpg/.test(element.getAttribute('mediapreviewimage') ?? ''));
  });
  await until('the tile is seen', () => range.evaluate((element) => {
    const box = element.shadowRoot.querySelector('[part~="preview-box"]');
    const image = element.shadowRoot.querySelector('media-preview-thumbnail').shadowRoot.querySelector('img');
    const style = getComputedStyle(box);
    return style.visibility === 'visible' && style.opacity === '1' && image.naturalWidth > 0 && image.getBoundingClientRect().width > 100;
  }));
  await page.screenshot({ path: join(logs, 'preview.png') });
  await page.close();
});
