// A picture whose colours are known: four fields and a bar that crosses between them. Made by ffmpeg's own filters, so
// that it can be of any size, rate and kind.
import { Program } from './program.mjs';

// From left to right, from top to bottom; red, green, blue from 0 to 255. One is nearly black and one nearly white, where
// pictures of a wrong range differ most.
export const fields = [[176, 32, 32], [32, 160, 32], [16, 16, 16], [235, 235, 235]];
const hex = (colour) => `0x${colour.map((one) => one.toString(16).padStart(2, '0')).join('')}`;

// As a filter graph, in RGB. The bar is white, crosses the upper fields in 64 frames and lies a little above their end.
export function patternGraph(width, height, rate) {
  const box = ([colour, x, y]) => `drawbox=x=${x}:y=${y}:w=iw:h=ih:color=${hex(colour)}:t=fill`;
  const boxes = [[fields[1], 'iw/2', 0], [fields[2], 0, 'ih/2'], [fields[3], 'iw/2', 'ih/2']].map(box);
  const bar = `color=c=white:s=${Math.round(width / 8)}x${Math.round(height / 10)}:r=${rate}`;
  return `color=c=${hex(fields[0])}:s=${width}x${height}:r=${rate},format=gbrp,${boxes.join(',')}[ground];${bar},format=gbrp[bar];` +
    `[ground][bar]overlay=x=mod(n*${Math.max(2, Math.round(width / 64))}\\,W):y=H*3/8:format=gbrp`;
}

// RGB to what nearly all video is.
export const toBt709 = 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p';
export const bt709Flags = ['-color_primaries', 'bt709', '-color_trc', 'bt709', '-colorspace', 'bt709', '-color_range', 'tv'];

// What ffmpeg shall do to publish it with a tone; `filter` and `flags` make it odd.
export function publishPattern(url, { width, height, rate = 30, filter = toBt709, flags = bt709Flags, keyframes = rate, kbps = 600, preset = 'veryfast', label = 'pattern' }) {
  return new Program(label, 'ffmpeg', [
    '-hide_banner', '-loglevel', 'warning', '-nostdin', '-re', '-f', 'lavfi', '-i', `${patternGraph(width, height, rate)},${filter}`,
    '-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-c:v', 'libx264', '-preset', preset, '-tune', 'zerolatency', '-g', String(keyframes),
    '-keyint_min', String(keyframes), '-sc_threshold', '0', '-b:v', `${kbps}k`, ...flags, '-c:a', 'aac', '-b:a', '96k', '-ac', '2', '-flush_packets', '1', '-f', 'flv', url,
  ]);
}
