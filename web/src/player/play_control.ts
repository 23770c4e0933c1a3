// Starting and sound of a video element, the same whatever feeds it. Sound needs a gesture in most browsers:
// begin silently rather than not at all, and offer the sound.

import { browserStore, readPreferences, writePreferences } from '../lib/preferences';

export interface StartView {
  needsUnmute: boolean; // The browser allowed only a silent start.
  needsPlay: boolean; // It allowed no start at all.
}

export class PlayControl {
  wantsPlay = true;
  private mutedByUs = false;
  private needsUnmute = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly signal: AbortSignal, // Aborted when the player is destroyed.
    private readonly change: (change: Partial<StartView>) => void,
  ) {
    const preferences = readPreferences(browserStore());
    video.volume = preferences.volume;
    video.muted = preferences.isMuted;
    video.addEventListener('volumechange', () => this.handleVolume(), { signal });
  }

  toggle(): void {
    if (this.video.paused) void this.play();
    else this.video.pause();
  }

  async play(): Promise<void> {
    this.wantsPlay = true;
    await this.start();
  }

  toggleMute(): void {
    if (this.needsUnmute) this.unmute();
    else this.video.muted = !this.video.muted;
  }

  unmute(): void {
    this.mutedByUs = false;
    this.video.muted = false;
    if (this.video.volume === 0) this.video.volume = 0.5;
    this.setNeedsUnmute(false);
    if (this.video.paused) void this.play();
  }

  changeVolume(by: number): void {
    this.video.volume = Math.min(1, Math.max(0, this.video.volume + by));
    if (by > 0 && this.video.muted) this.unmute();
  }

  async start(): Promise<void> {
    if (!this.wantsPlay || this.signal.aborted) return;
    try {
      await this.video.play();
    } catch (error) {
      const isRefused = error instanceof DOMException && error.name === 'NotAllowedError';
      if (this.signal.aborted || !isRefused) return;
      if (this.video.muted) {
        this.change({ needsPlay: true });
        return;
      }
      this.mutedByUs = true;
      this.video.muted = true;
      this.setNeedsUnmute(true);
      await this.start();
    }
  }

  private handleVolume(): void {
    const { video } = this;
    if (!video.muted) {
      this.setNeedsUnmute(false);
      this.mutedByUs = false;
    }
    if (!this.mutedByUs) writePreferences(browserStore(), { volume: video.volume, isMuted: video.muted });
  }

  private setNeedsUnmute(needsUnmute: boolean): void {
    if (this.needsUnmute === needsUnmute) return;
    this.needsUnmute = needsUnmute;
    this.change({ needsUnmute });
  }
}
