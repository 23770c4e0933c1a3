// What is really inside the media a server gives out: decoded by ffmpeg, looked at frame by frame.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readBarcode } from './barcode.mjs';
import { logs } from './program.mjs';

const run = promisify(execFile);
const bigOutput = { maxBuffer: 1 << 28 };

export async function ffprobe(input, args = []) {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', ...args, input], bigOutput);
  return JSON.parse(stdout);
}

async function download(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

// Init section and segments joined to one file.
export async function downloadSegments(segments, name) {
  const pieces = [await download(segments[0].map)];
  for (const segment of segments) pieces.push(await download(segment.url));
  const path = join(logs, `${process.pid}-${name}.mp4`);
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

// Every picture with its time and barcode: [{ time, source, frame, clock } | { time, frame: undefined }].
// Decoding errors are thrown. (Times are left in the unit of the file: rounded to frames of a guessed rate, two
// pictures of a live source may fall on one, which ffmpeg complains about.)
export async function readFrames(path) {
  const { streams } = await ffprobe(path, ['-select_streams', 'v', '-show_entries', 'stream=width,height']);
  const { width, height } = streams[0];
  const raw = `${path}.gray`;
  const { stderr } = await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-copyts', '-i', path, '-map', '0:v', '-vsync', 'passthrough', '-enc_time_base', '-1', '-f', 'rawvideo', '-pix_fmt', 'gray', raw], bigOutput);
  if (stderr.trim()) throw new Error(`decoding ${path}: ${stderr.slice(0, 500)}`);
  const { frames } = await ffprobe(path, ['-select_streams', 'v', '-show_entries', 'frame=pts_time']);
  const pixels = readFileSync(raw);
  rmSync(raw);
  const size = width * height;
  if (pixels.length !== frames.length * size) throw new Error(`${frames.length} times for ${pixels.length / size} pictures`);
  return frames.map(({ pts_time }, i) => ({
    time: Number(pts_time),
    ...readBarcode(width, height, (x, y) => pixels[i * size + y * width + x]),
  }));
}

// When beeps begin, and how high they are: [{ time, hertz }]. A beep cut off at the start is left out.
export async function readBeeps(path) {
  const raw = `${path}.s16`;
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-i', path, '-map', '0:a', '-f', 's16le', '-ac', '1', '-ar', '48000', raw], bigOutput);
  const { packets } = await ffprobe(path, ['-select_streams', 'a', '-show_entries', 'packet=pts_time', '-read_intervals', '%+#1']);
  const start = Number(packets[0].pts_time);
  const bytes = readFileSync(raw);
  rmSync(raw);
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
  const window = 48; // One millisecond.
  const loud = [];
  for (let i = 0; i + window <= samples.length; i += window) {
    let sum = 0;
    for (let j = i; j < i + window; ++j) sum += Math.abs(samples[j]);
    loud.push(sum / window > 2000);
  }
  const beeps = [];
  for (let ms = 20; ms + 60 < loud.length; ++ms) {
    if (!loud[ms] || loud.slice(ms - 20, ms).some(Boolean)) continue;
    let crossings = 0;
    for (let i = (ms + 10) * window; i < (ms + 60) * window; ++i) if (samples[i] < 0 && samples[i + 1] >= 0) ++crossings;
    beeps.push({ time: start + ms / 1000, hertz: Math.round(crossings / 0.05) });
    ms += 120;
  }
  return beeps;
}
