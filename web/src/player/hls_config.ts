// How hls.js is set up for channels of Stoa, and why it differs from its defaults.

import type { HlsConfig } from 'hls.js';

export const kFirstBandwidth = 4_000_000; // bit/s, before anything was measured.

// What to begin with, in bit/s.
export function firstBandwidth(remembered: number | null): number {
  return Math.min(Math.max(remembered ?? kFirstBandwidth, 500_000), 50_000_000);
}

export function hlsConfigFor(bandwidth: number): Partial<HlsConfig> {
  return {
    lowLatencyMode: true,
    // Catching up is done by latency.ts. At 1 hls.js leaves the playback rate alone; above it, both would
    // set it. And a stall must not move the target away for good, which is what this increase does.
    maxLiveSyncPlaybackRate: 1,
    liveSyncOnStallIncrease: 0,
    // The media is fragmented MP4 already: there is nothing to repackage, so a worker would only cost the
    // time to start it, and copying.
    enableWorker: false,
    liveDurationInfinity: true,
    startFragPrefetch: true,
    // No throw-away first segment to measure the line: begin with what the line gave last time.
    testBandwidth: false,
    abrEwmaDefaultEstimate: bandwidth,
    capLevelToPlayerSize: true,
    backBufferLength: 60,
    maxBufferLength: 20,
    // A fault in a playlist or part is retried soon: at this distance from live a second is long.
    manifestLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 8000,
        maxLoadTimeMs: 15_000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 3, retryDelayMs: 250, maxRetryDelayMs: 2000, backoff: 'exponential' },
      },
    },
    playlistLoadPolicy: {
      default: {
        // A blocked reload may be held for three target durations before the server says 503.
        maxTimeToFirstByteMs: 20_000,
        maxLoadTimeMs: 25_000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 4, retryDelayMs: 250, maxRetryDelayMs: 2000, backoff: 'exponential' },
      },
    },
    fragLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 10_000,
        maxLoadTimeMs: 20_000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 4, retryDelayMs: 200, maxRetryDelayMs: 2000, backoff: 'exponential' },
      },
    },
    enableInterstitialPlayback: false,
  };
}
