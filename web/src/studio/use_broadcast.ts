// The broadcast of this page as a hook: begins and ends a publisher and holds what it says.

import { useCallback, useEffect, useRef, useState } from 'react';
import { whipUrlOf } from '../lib/api';
import type { LinkView } from '../rtc/rtc_link';
import type { SenderStats } from '../rtc/sender_stats';
import { Publisher } from './publisher';
import type { StudioSettings } from './settings';

export interface Broadcast {
  isRunning: boolean; // Wanted: connecting, on air or coming back.
  link: LinkView | null;
  stats: SenderStats | null;
  liveSinceMs: number | null; // Date.now() of the first connection.
  start: (key: string, stream: MediaStream, settings: StudioSettings) => void;
  stop: () => void;
  retryNow: () => void;
}

declare global {
  interface Window {
    stoaStudio?: { connection: RTCPeerConnection | null; link: LinkView | null; stats: SenderStats | null };
  }
}

export function useBroadcast(channel: string, stream: MediaStream | null): Broadcast {
  const publisher = useRef<Publisher | null>(null);
  const [link, setLink] = useState<LinkView | null>(null);
  const [stats, setStats] = useState<SenderStats | null>(null);
  const [liveSinceMs, setLiveSince] = useState<number | null>(null);

  const stop = useCallback(() => {
    publisher.current?.close(); // Says so by onLink.
    publisher.current = null;
    setStats(null);
    setLiveSince(null);
  }, []);

  const start = useCallback(
    (key: string, taken: MediaStream, settings: StudioSettings) => {
      publisher.current?.close();
      setLiveSince(null);
      const made = new Publisher({
        url: new URL(whipUrlOf(channel), location.href).href,
        key,
        stream: taken,
        settings,
        onLink: (view) => {
          if (publisher.current !== made) return;
          setLink(view);
          if (view.phase === 'up') setLiveSince((since) => since ?? Date.now());
          if (view.phase === 'over') setStats(null);
        },
        onStats: (read) => {
          if (publisher.current === made) setStats(read);
        },
      });
      publisher.current = made;
    },
    [channel],
  );

  useEffect(() => {
    if (stream !== null) void publisher.current?.replaceStream(stream).catch(() => undefined);
  }, [stream]);
  useEffect(() => () => publisher.current?.close(), []);
  // For tests and benchmarks.
  useEffect(() => {
    window.stoaStudio = { connection: publisher.current?.connection ?? null, link, stats };
    return () => {
      delete window.stoaStudio;
    };
  }, [link, stats]);

  const retryNow = useCallback(() => publisher.current?.retryNow(), []);
  const isRunning = link !== null && link.phase !== 'over' && link.phase !== 'closed';
  return { isRunning, link, stats, liveSinceMs, start, stop, retryNow };
}
