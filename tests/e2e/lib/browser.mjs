// Chromium through Playwright and Firefox through Puppeteer, both Debian's own.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium as playwright } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { readBarcode } from './barcode.mjs';

const here = dirname(fileURLToPath(import.meta.url));

export function launchChromium(args = []) {
  return playwright.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-dev-shm-usage', ...args],
  });
}

// A camera that shows a test picture, a microphone that beeps, and nobody who asks whether they may be used.
export const fakeCamera = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];

export function launchFirefox() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    extraPrefsFirefox: {
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      'media.hardware-video-decoding.enabled': false,
      // WebRTC from pages that may stand behind others. (No pref lets Firefox reach a candidate of 127.0.0.1:
      // without a camera it gathers the addresses of the default route alone.)
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'dom.min_background_timeout_value': 4,
      'dom.timeout.enable_budget_timer_throttling': false,
      // It would fetch an H.264 decoder while a test runs.
      'media.gmp-manager.updateEnabled': false,
    },
  });
}

// Runs in the page: notes every frame the video shows, with its height and the barcode in it, in window.shown.
/* global document, navigator, VideoFrame, window */
function watchFrames(readBarcodeText) {
  const read = eval(`(${readBarcodeText})`);
  const width = 320, height = 180, strip = 48; // The strip is 4/15 of the height.
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = strip;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  window.shown = [];
  const attach = (video) => {
    // A busy browser may show the next frame before this one's callback runs. In Chromium a VideoFrame has the time and the
    // picture of one and the same; there is none while a source is being changed.
    const hasVideoFrame = !navigator.userAgent.includes('Firefox');
    const takeFrame = () => {
      try {
        return new VideoFrame(video);
      } catch {
        return null;
      }
    };
    const onFrame = (_now, { mediaTime }) => {
      video.requestVideoFrameCallback(onFrame);
      const now = Date.now(), frame = hasVideoFrame ? takeFrame() : null;
      if (hasVideoFrame && !frame) return;
      const lines = frame?.displayHeight ?? video.videoHeight;
      context.drawImage(frame ?? video, 0, 0, frame?.displayWidth ?? video.videoWidth, (lines * 4) / 15, 0, 0, width, strip);
      const { data } = context.getImageData(0, 0, width, strip);
      const stamp = read(width, height, (x, y) => data[(y * width + x) * 4 + 1]);
      window.shown.push({ now, mediaTime: frame ? frame.timestamp / 1e6 : mediaTime, lines, ...stamp });
      frame?.close();
      if (window.shown.length > 100000) window.shown.splice(0, 50000);
    };
    video.requestVideoFrameCallback(onFrame);
  };
  let attached = null;
  const look = () => {
    const video = window.stoa?.video ?? document.querySelector('video');
    if (video && video !== attached) attach((attached = video));
    setTimeout(look, 20);
  };
  look();
}

// Makes every page of a Playwright page or context watch its frames from its first moment.
export const watchFromStart = (target) => target.addInitScript(`(${watchFrames})(${JSON.stringify(String(readBarcode))})`);
// The same for Puppeteer.
export const watchFromStartInFirefox = (page) => page.evaluateOnNewDocument(`(${watchFrames})(${JSON.stringify(String(readBarcode))})`);

export const shownFrames = (page) => page.evaluate(() => window.shown ?? []);

// Sets what all that a Playwright page of Chromium loads goes through: a line of so many kbit/s, or null for no limit.
export async function narrowableLine(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  return (kbps) => devtools.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: kbps === null ? -1 : (kbps * 1000) / 8, uploadThroughput: -1 });
}

// What is wrong with a run of shown frames, as sentences; empty when nothing is. Frames may be skipped by a
// browser that has too little processor, never shown out of order or at the wrong time. `tolerance`: Firefox
// may already paint the frame after the one it tells the time of.
export function judgeFrames(shown, { fps, minimum, tolerance = 0.02 }) {
  const wrong = [];
  const read = shown.filter((one) => one.frame !== undefined);
  if (read.length < minimum) return [`only ${read.length} frames with a barcode, wanted ${minimum}`];
  if (read.length < shown.length * 0.98) wrong.push(`${shown.length - read.length} of ${shown.length} frames have no readable barcode`);
  const offsets = read.map(({ mediaTime, frame }) => mediaTime - frame / fps);
  const usual = [...offsets].sort((a, b) => a - b)[offsets.length >> 1];
  read.forEach((after, i) => {
    if (Math.abs(offsets[i] - usual) > tolerance) wrong.push(`frame ${after.frame} is ${Math.round((offsets[i] - usual) * 1000)} ms off its time`);
    const before = read[i - 1] ?? after;
    if (after.frame < before.frame) wrong.push(`frame ${after.frame} after ${before.frame}`);
    if (after.clock < before.clock) wrong.push(`the clock goes back by ${before.clock - after.clock} ms at frame ${after.frame}`);
  });
  return wrong;
}

// What is wrong with a run of shown frames over changes of rendition: each of those that are `lines` high must be there,
// with its frames at the times that the others have them at, by the middle of all.
export function judgeRenditions(shown, { fps, lines, minimum = fps }) {
  const wrong = [];
  const offsets = lines.map((wanted) => {
    const of = shown.filter((one) => one.lines === wanted && one.frame !== undefined).map(({ mediaTime, frame }) => mediaTime - frame / fps);
    if (of.length < minimum) wrong.push(`only ${of.length} frames of ${wanted} lines, wanted ${minimum}`);
    return of.sort((a, b) => a - b)[of.length >> 1];
  });
  offsets.forEach((offset, i) => {
    if (Math.abs(offset - offsets[0]) > 0.005) wrong.push(`frames of ${lines[i]} lines are ${Math.round((offset - offsets[0]) * 1000)} ms off those of ${lines[0]}`);
  });
  const others = new Set(shown.map((one) => one.lines).filter((one) => !lines.includes(one)));
  if (others.size > 0) wrong.push(`there are frames of ${[...others].join(', ')} lines`);
  return wrong;
}

// A small web server for pages and players that the product does not ship.
export async function servePages() {
  const folders = [join(here, '../pages'), join(here, '../node_modules/shaka-player/dist'), join(here, '../node_modules/hls.js/dist')];
  const server = createServer((request, response) => {
    const name = new URL(request.url, 'http://x').pathname.replaceAll('..', '');
    const file = folders.map((folder) => join(folder, name)).find(existsSync);
    response.writeHead(file ? 200 : 404, { 'content-type': name.endsWith('.js') ? 'text/javascript' : 'text/html' });
    if (file) createReadStream(file).pipe(response);
    else response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, stop };
}
