// One track in numbers, from two reports of its sender or receiver a moment apart. Pure.

import { readReceiver } from '../rtc/receiver_stats';
import { numberIn, statsOf, textIn, codecNameOf, type Path, type Report } from '../rtc/report';
import { readSender } from '../rtc/sender_stats';
import { formatBitrate, formatFrameRate } from '../lib/format';

export interface Layer {
  name: string; // "low", "medium", "high"; "" without simulcast.
  isActive: boolean;
  width: number;
  height: number;
  framesPerSecond: number | null;
  bitrate: number | null; // bit/s
  limitation: string; // "none", "cpu", "bandwidth", "other".
}

export interface TrackNumbers {
  codec: string;
  width: number; // Of the largest layer that is sent, or of what arrives; 0 for sound.
  height: number;
  framesPerSecond: number | null;
  bitrate: number | null; // bit/s, of all layers together.
  lossPercent: number | null; // Lately. Of what is sent, as the server reports it.
  jitterMs: number | null;
  rttMs: number | null;
  bufferMs: number | null; // How long it waits in the jitter buffer; null of what is sent.
  layers: Layer[]; // Largest first; of what is sent alone.
  scalability: string; // "L3T3_KEY"; "" without.
  path: Path;
}

const kLayerNames: Record<string, string> = { q: 'low', h: 'medium', f: 'high' };

export function sentNumbers(report: Report, before: Report | null): TrackNumbers {
  const stats = readSender(report, before);
  const isSound = stats.layers.length === 0;
  const layers = stats.layers.map((layer): Layer => ({
    name: kLayerNames[layer.rid] ?? layer.rid,
    isActive: layer.isActive,
    width: layer.width,
    height: layer.height,
    framesPerSecond: layer.framesPerSecond,
    bitrate: layer.bitrate,
    limitation: layer.limitation,
  }));
  const largest = layers.find(({ isActive }) => isActive) ?? null;
  const [stream] = statsOf(report, 'outbound-rtp', 'video');
  return {
    codec: isSound ? stats.audioCodec : stats.videoCodec,
    width: largest?.width ?? 0,
    height: largest?.height ?? 0,
    framesPerSecond: largest?.framesPerSecond ?? null,
    bitrate: stats.totalBitrate,
    lossPercent: stats.lossPercent,
    jitterMs: stats.jitterMs,
    rttMs: stats.rttMs,
    bufferMs: null,
    layers,
    scalability: textIn(stream, 'scalabilityMode'),
    path: stats.path,
  };
}

export function receivedNumbers(report: Report, before: Report | null): TrackNumbers {
  const stats = readReceiver(report, before);
  const [video] = statsOf(report, 'inbound-rtp', 'video');
  return {
    codec: video === undefined ? stats.audioCodec : codecNameOf(report, video),
    width: numberIn(video, 'frameWidth') ?? 0,
    height: numberIn(video, 'frameHeight') ?? 0,
    framesPerSecond: video === undefined ? null : stats.framesPerSecond,
    bitrate: video === undefined ? stats.audioBitrate : stats.videoBitrate,
    lossPercent: stats.lossPercent,
    jitterMs: stats.jitterMs,
    rttMs: stats.path.rttMs,
    bufferMs: stats.bufferMs,
    layers: [],
    scalability: '',
    path: stats.path,
  };
}

export interface Totals {
  sent: number; // bit/s
  received: number;
  lossPercent: number | null; // The worst.
  rttMs: number | null;
  path: Path | null;
}

export function totalsOf(tracks: readonly { isLocal: boolean; numbers: TrackNumbers }[]): Totals {
  const sum = (isLocal: boolean) =>
    tracks
      .filter((track) => track.isLocal === isLocal)
      .reduce((total, { numbers }) => total + (numbers.bitrate ?? 0), 0);
  const losses = tracks.map(({ numbers }) => numbers.lossPercent).filter((loss) => loss !== null);
  const known = tracks
    .map(({ numbers }) => numbers)
    .filter(({ path }) => path.remote !== '' || path.protocol !== '');
  const rtts = tracks.map(({ numbers }) => numbers.path.rttMs ?? numbers.rttMs).filter((rtt) => rtt !== null);
  return {
    sent: sum(true),
    received: sum(false),
    lossPercent: losses.length === 0 ? null : Math.max(...losses),
    rttMs: rtts[0] ?? null,
    path: known[0]?.path ?? null,
  };
}

export const milliseconds = (value: number | null): string =>
  value === null ? '–' : `${Math.round(value)} ms`;
export const percent = (value: number | null): string => (value === null ? '–' : `${value.toFixed(1)} %`);

export function pictureText(width: number, height: number, framesPerSecond: number | null): string {
  if (width <= 0 || height <= 0) return '–';
  const rate = formatFrameRate(framesPerSecond === null ? 0 : Math.round(framesPerSecond));
  return `${width}×${height}${rate === '' ? '' : `, ${rate} fps`}`;
}

export function layerText(layer: Layer): string {
  if (!layer.isActive) return `${layer.name || 'layer'}: not wanted`;
  const limit = layer.limitation === 'none' ? '' : `, held back by ${layer.limitation}`;
  const picture = pictureText(layer.width, layer.height, layer.framesPerSecond);
  return `${layer.name || 'layer'}: ${picture}, ${formatBitrate(layer.bitrate ?? 0)}${limit}`;
}

export function pathText(path: Path | null): string {
  if (path === null) return '–';
  return (
    [path.protocol.toUpperCase(), path.isRelayed ? 'relayed' : '', path.remote]
      .filter((part) => part !== '')
      .join(', ') || '–'
  );
}
