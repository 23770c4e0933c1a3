// What the player can tell about itself: the statistics panel shows it and benchmarks read it through
// `window.stoa.stats()` (web/README.md). Times are seconds unless the name says otherwise, rates bit/s.

import type { ReceiverStats } from '../rtc/receiver_stats';

export interface PlayerEvent {
  timeS: number; // Since the page was opened.
  text: string;
  isFatal: boolean;
}

export interface PlayerStats {
  engine: 'hls.js' | 'native' | 'whep';
  status: string;
  // Delay.
  latency: number | null; // Playhead to the estimated live edge.
  targetLatency: number | null; // What is aimed at, with the cushion of recent stalls.
  holdBack: number | null; // What the playlist asks for.
  delay: number | null; // Playhead's PROGRAM-DATE-TIME to the server's clock now.
  clockOffsetMs: number; // Server's clock minus this machine's, 0 while it cannot be told from 0.
  playbackRate: number;
  isFollowing: boolean;
  // Picture and sound.
  width: number;
  height: number;
  videoCodec: string;
  audioCodec: string;
  framesPerSecond: number | null;
  framesDecoded: number;
  framesDropped: number;
  // Line.
  levelBitrate: number | null; // As the playlist says.
  receivedBitrate: number | null; // Media bytes of the last seconds.
  bandwidthEstimate: number | null;
  bytesReceived: number;
  // Buffer.
  position: number;
  forwardBuffer: number;
  backBuffer: number;
  stalls: number;
  stalledFor: number;
  jumps: number;
  restarts: number;
  // Loading.
  loadingUnit: 'parts' | 'segments' | '';
  partTarget: number | null;
  targetDuration: number | null;
  partsLoaded: number;
  segmentsLoaded: number;
  playlistsLoaded: number;
  lastLoadMs: number | null; // Request to last byte of the latest part or segment.
  lastSequence: string; // "112.3": media sequence number and part.
  // Start: milliseconds since the page was opened, null until it happened.
  loadStartedMs: number | null;
  manifestLoadedMs: number | null;
  firstFrameMs: number | null;
  events: readonly PlayerEvent[]; // The last ones, oldest first.
  rtc: RealtimeStats | null; // With WHEP; null with HLS.
}

export interface RealtimeStats extends ReceiverStats {
  state: string; // Of the session: "up", "restarting", …
  ice: string;
  sessions: number; // Begun so far, the first included.
  restarts: number; // Of ICE, within sessions.
}

// What `window.stoa` holds on the watch page while a player is on it.
export interface StoaHandle {
  hls: unknown; // The hls.js instance; null with native playback, with WHEP or before it is there.
  connection?: RTCPeerConnection | null; // With WHEP.
  video: HTMLVideoElement;
  stats(): PlayerStats;
}

declare global {
  interface Window {
    stoa?: StoaHandle;
  }
}
