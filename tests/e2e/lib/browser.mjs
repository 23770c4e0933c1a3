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

// Runs in the page: notes every frame the video shows, with the barcode in it, in window.shown.
/* global document, window */
function watchFrames(readBarcodeText) {
  const read = eval(`(${readBarcodeText})`);
  const width = 320, height = 180, strip = 48; // The strip is 4/15 of the height.
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = strip;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  window.shown = [];
  const attach = (video) => {
    const onFrame = (_now, { mediaTime }) => {
      const now = Date.now();
      context.drawImage(video, 0, 0, video.videoWidth, (video.videoHeight * 4) / 15, 0, 0, width, strip);
      const { data } = context.getImageData(0, 0, width, strip);
      const stamp = read(width, height, (x, y) => data[(y * width + x) * 4 + 1]);
      window.shown.push({ now, mediaTime, ...stamp });
      if (window.shown.length > 100000) window.shown.splice(0, 50000);
      video.requestVideoFrameCallback(onFrame);
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
