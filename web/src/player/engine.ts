// What the player's controls need of whatever feeds the video element: LL-HLS (live_player.ts) or WHEP
// (realtime_player.ts).

import type { Choice } from './hls_words';
import type { History } from './meters';
import type { StartView } from './play_control';
import type { PlayerStats } from './stats';

export interface PlayerView extends StartView {
  status: 'starting' | 'playing' | 'paused' | 'stalled' | 'ended' | 'failed';
  hasFrame: boolean; // Something was shown since the player was made.
  isFollowing: boolean;
  canSeek: boolean; // There is a window to go back in.
  delayS: number | null; // Rounded to what is shown.
  isAudioOnly: boolean;
  levels: readonly Choice[]; // Best first; empty when there is no choice.
  level: number; // The one chosen by the viewer; -1: automatic.
  playingLevel: number;
  audioTracks: readonly Choice[];
  audioTrack: number;
}

export const initialView: PlayerView = {
  status: 'starting',
  hasFrame: false,
  isFollowing: true,
  canSeek: true,
  delayS: null,
  isAudioOnly: false,
  levels: [],
  level: -1,
  playingLevel: -1,
  audioTracks: [],
  audioTrack: -1,
  needsUnmute: false,
  needsPlay: false,
};

export interface PlayerEngine {
  readonly video: HTMLVideoElement;
  readonly delays: History; // One a second, for the drawing in the statistics panel.
  readonly buffers: History;
  readonly subscribe: (listener: () => void) => () => void; // For useSyncExternalStore.
  readonly getView: () => PlayerView;
  togglePlay(): void;
  play(): Promise<void>;
  toggleMute(): void;
  unmute(): void;
  changeVolume(by: number): void;
  goLive(): void;
  seekBy(seconds: number): void;
  chooseLevel(id: number): void;
  chooseAudioTrack(id: number): void;
  startDateMs(): number | null; // The UTC time of the element's time 0, where it is known.
  stats(): PlayerStats;
  destroy(): void;
}

// The view as it changes: who draws is told only when something to be drawn has changed.
export class ViewStore {
  private view: PlayerView;
  private readonly listeners = new Set<() => void>();

  constructor(first: Partial<PlayerView> = {}) {
    this.view = { ...initialView, ...first };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly getView = (): PlayerView => this.view;

  change(change: Partial<PlayerView>): void {
    const next = { ...this.view, ...change };
    const keys = Object.keys(next) as (keyof PlayerView)[];
    if (keys.every((key) => Object.is(next[key], this.view[key]))) return;
    this.view = next;
    for (const listener of this.listeners) listener();
  }

  clear(): void {
    this.listeners.clear();
  }
}
