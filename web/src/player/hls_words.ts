// From what hls.js and the media element say to what the player says. Pure.

import type { Level, MediaPlaylist } from 'hls.js';
import { formatBitrate, formatChannels, formatLanguage, formatResolution } from '../lib/format';
import type { ErrorKind } from './recovery';

export interface Choice {
  id: number;
  label: string;
}

export function rangesOf(ranges: TimeRanges): { start: number; end: number }[] {
  return Array.from({ length: ranges.length }, (_, i) => ({ start: ranges.start(i), end: ranges.end(i) }));
}

export function errorKindOf(type: string): ErrorKind {
  if (type === 'networkError') return 'network';
  if (type === 'mediaError') return 'media';
  return type === 'muxError' ? 'mux' : 'other';
}

export function levelChoices(levels: readonly Level[]): Choice[] {
  if (levels.length < 2) return [];
  return levels
    .map((level, id) => ({ id, level }))
    .sort((a, b) => b.level.height - a.level.height || b.level.bitrate - a.level.bitrate)
    .map(({ id, level }) => {
      const size = formatResolution(level.width, level.height, level.frameRate);
      return { id, label: [size, formatBitrate(level.bitrate)].filter((text) => text !== '').join(' · ') };
    });
}

export function audioLabelOf(track: MediaPlaylist): string {
  const channels = formatChannels(Number.parseInt(track.channels ?? '', 10) || 0);
  const language = formatLanguage(track.lang ?? '');
  const name = track.name || language || `Track ${track.id + 1}`;
  const extra = [name === language ? '' : language, channels].filter((text) => text !== '');
  return extra.length === 0 ? name : `${name} (${extra.join(', ')})`;
}
