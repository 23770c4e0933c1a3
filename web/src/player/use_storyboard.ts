import { useEffect } from 'react';
import { parseStoryboard } from '../lib/storyboard';
import type { PlayerEngine } from './engine';

// Media-chrome's time range shows the cue of a text track of this name that is below the pointer.
const kTrackLabel = 'thumbnails';
const kRefreshMs = 5000;

function tilesTrack(video: HTMLVideoElement): TextTrack {
  const found = [...video.textTracks].find(({ label }) => label === kTrackLabel);
  const track = found ?? video.addTextTrack('metadata', kTrackLabel);
  track.mode = 'hidden';
  return track;
}

function clear(track: TextTrack): void {
  for (const cue of [...(track.cues ?? [])]) track.removeCue(cue);
}

// Small pictures of the live window, for as long as there is an address of a storyboard and a window.
export function useStoryboard(player: PlayerEngine | null, address: string): void {
  useEffect(() => {
    if (player === null || address === '') return;
    const track = tilesTrack(player.video);
    const aborter = new AbortController();
    const refresh = async () => {
      const startMs = player.startDateMs();
      if (startMs === null || document.hidden) return;
      const response = await fetch(address, { signal: aborter.signal });
      const storyboard = response.ok ? parseStoryboard(await response.text()) : null;
      if (storyboard === null || aborter.signal.aborted) return;
      const shiftS = (storyboard.zeroMs - startMs) / 1000;
      const base = new URL(address, location.href);
      clear(track);
      for (const tile of storyboard.tiles) {
        if (tile.endsS + shiftS <= 0) continue;
        const beginsS = Math.max(0, tile.beginsS + shiftS);
        track.addCue(new VTTCue(beginsS, tile.endsS + shiftS, new URL(tile.address, base).href));
      }
    };
    const keepOn = () => void refresh().catch(() => undefined);
    keepOn();
    const timer = window.setInterval(keepOn, kRefreshMs);
    return () => {
      aborter.abort();
      window.clearInterval(timer);
      clear(track);
    };
  }, [player, address]);
}
