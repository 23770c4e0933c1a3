// Encoders: our measurable source through ffmpeg, and other people's programs.
import { join } from 'node:path';
import { existsSync, renameSync } from 'node:fs';
import { Program, findProgram, logs } from './program.mjs';

export const small = { width: 426, height: 240, fps: 30, videoKbps: 300, preset: 'ultrafast' };

function pictureFlags(options) {
  const picture = { ...small, ...options };
  return [
    '--width', picture.width, '--height', picture.height, '--fps', picture.fps, '--video-kbps', picture.videoKbps,
    '--preset', picture.preset, '--b-frames', picture.bFrames ?? 0, '--keyframe-seconds', picture.keyframeSeconds ?? 1,
    '--source', picture.source ?? 0, '--seconds', picture.seconds ?? 0, ...(picture.fast ? ['--fast'] : []),
  ].map(String);
}

// The barcode and tone source through ffmpeg, in real time until stopped. `url` may be rtmp or rtmps; `pin`
// runs it on that CPU alone.
export function publishSource(url, options = {}) {
  const pinned = options.pin === undefined ? [] : ['taskset', '-c', String(options.pin)];
  const [command, ...args] = [...pinned, findProgram('stoa-bench'), 'publish', url, ...pictureFlags(options)];
  return new Program(options.label ?? 'publish', command, args);
}

// The same source through an ffmpeg that is told more of libx264: `flags` go before the output.
export function encodeSource(url, options, flags) {
  const { width, height, fps, videoKbps } = { ...small, videoKbps: 800, ...options };
  return new Program('encode', findProgram('stoa-bench'), [
    'source', '--width', String(width), '--height', String(height), '--fps', String(fps), '--', 'ffmpeg', '-hide_banner', '-loglevel', 'warning',
    '-probesize', '32', '-analyzeduration', '0', '-thread_queue_size', '64', '-f', 'yuv4mpegpipe', '-i', 'pipe:0', '-thread_queue_size', '256', '-f', 's16le', '-ar', '48000', '-ac', '2', '-i', 'pipe:3', '-c:v', 'libx264', '-preset', 'veryfast',
    '-sc_threshold', '0', '-pix_fmt', 'yuv420p', '-b:v', `${videoKbps}k`, ...flags, '-c:a', 'aac', '-b:a', '96k', '-flush_packets', '1', '-f', 'flv', url,
  ]);
}

// A recording of the same source, made once per kind and kept in build/e2e.
export async function recording(options = {}) {
  const name = Object.entries({ ...small, seconds: 10, ...options }).flat().join('-');
  const path = join(logs, `${name}.flv`);
  if (!existsSync(path)) {
    const part = `${path}.${process.pid}.flv`;
    await new Program('record', findProgram('stoa-bench'), ['publish', part, ...pictureFlags({ seconds: 10, ...options, fast: true })]).success();
    renameSync(part, path);
  }
  return path;
}

// ffmpeg reads a recording in real time, over and over, and sends it as it is.
export function ffmpegLoop(url, file, extra = []) {
  const args = ['-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', file, '-c', 'copy', ...extra, '-f', 'flv', url];
  return new Program('ffmpeg', 'ffmpeg', args);
}

// GStreamer's own encoders and muxer; `sink` is rtmp2sink (its own RTMP) or rtmpsink (librtmp).
export function gstreamer(url, sink) {
  const location = sink === 'rtmpsink' ? `${url} live=1` : url;
  return new Program(sink, 'gst-launch-1.0', [
    '-q', 'flvmux', 'name=mux', 'streamable=true', '!', sink, `location=${location}`,
    'videotestsrc', 'is-live=true', 'pattern=ball', '!', 'video/x-raw,width=426,height=240,framerate=30/1', '!',
    'x264enc', 'tune=zerolatency', 'speed-preset=ultrafast', 'bitrate=300', 'key-int-max=30', '!', 'h264parse', '!', 'mux.',
    'audiotestsrc', 'is-live=true', '!', 'audio/x-raw,rate=48000,channels=2', '!', 'voaacenc', '!', 'aacparse', '!', 'mux.',
  ]);
}

// A clip for ertmp_source, made once and kept in build/e2e, since its encoders are slow: the name says all that `args` do.
export async function makeClip(name, args) {
  const path = join(logs, name);
  if (!existsSync(path)) {
    const part = join(logs, `${process.pid}-${name}`);
    await new Program('clip', 'ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, '-movflags', 'frag_keyframe+empty_moov+default_base_moof', part]).success(120_000);
    renameSync(part, path);
  }
  return path;
}

// Clips over Enhanced RTMP, in a loop: see tests/tools/ertmp_source.
export function publishClips(url, ...args) {
  return new Program('ertmp', findProgram('ertmp_source'), ['--url', url, ...args]);
}
