// Camera, microphone or screen as a hook: what is captured now, which devices there are, what went wrong.

import { useCallback, useEffect, useRef, useState } from 'react';
import { capture, captureWords, canCapture, listDevices, stopStream, type Devices } from './capture';
import type { StudioSettings } from './settings';

export interface Capture {
  stream: MediaStream | null;
  isAsking: boolean;
  error: string;
  devices: Devices;
  start: (settings: StudioSettings) => Promise<void>;
  stop: () => void;
}

// `onEnded`: the picture's source is gone by itself (sharing stopped in the browser's bar, cable pulled).
export function useCapture(onEnded: () => void): Capture {
  const [stream, setStream] = useState<MediaStream | null>(null);
  const [isAsking, setAsking] = useState(false);
  const [error, setError] = useState('');
  const [devices, setDevices] = useState<Devices>({ cameras: [], microphones: [] });
  const current = useRef<MediaStream | null>(null);
  const turn = useRef(0); // Of the latest request: an earlier one that comes late is not wanted any more.
  const latest = useRef(onEnded);
  latest.current = onEnded;

  const refresh = useCallback(() => {
    listDevices().then(setDevices, () => undefined);
  }, []);

  const stop = useCallback(() => {
    turn.current += 1;
    stopStream(current.current);
    current.current = null;
    setStream(null);
    setAsking(false);
  }, []);

  const start = useCallback(
    async (settings: StudioSettings) => {
      const mine = ++turn.current;
      setAsking(true);
      setError('');
      try {
        const made = await capture(settings);
        if (mine !== turn.current) {
          stopStream(made);
          return;
        }
        const before = current.current;
        current.current = made;
        for (const track of made.getVideoTracks()) {
          track.addEventListener('ended', () => {
            if (current.current === made) latest.current();
          });
        }
        setStream(made);
        // What is being sent changes over first; then the old devices go dark.
        window.setTimeout(() => stopStream(before), 300);
      } catch (failure) {
        if (mine === turn.current) setError(captureWords(failure, settings));
      } finally {
        if (mine === turn.current) setAsking(false);
        refresh();
      }
    },
    [refresh],
  );

  useEffect(() => {
    refresh();
    if (canCapture()) navigator.mediaDevices.addEventListener('devicechange', refresh);
    return () => {
      if (canCapture()) navigator.mediaDevices.removeEventListener('devicechange', refresh);
      turn.current += 1;
      stopStream(current.current);
      current.current = null;
    };
  }, [refresh]);

  return { stream, isAsking, error, devices, start, stop };
}
