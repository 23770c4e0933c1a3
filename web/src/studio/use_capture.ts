// Camera, microphone or screen as a hook: what is captured now, which devices there are, what went wrong.

import { useCallback, useEffect, useRef, useState } from 'react';
import {
  canCapture,
  capture,
  captureSound,
  captureWords,
  listDevices,
  listenForEnd,
  stopStream,
  type Captured,
  type Devices,
  type Forgotten,
  type TrackKind,
} from './capture';
import type { StudioSettings } from './settings';

export interface Capture {
  stream: MediaStream | null;
  isAsking: boolean;
  error: string;
  devices: Devices;
  isSoundLost: boolean; // The microphone went away by itself; the picture is there still.
  start: (settings: StudioSettings) => Promise<void>;
  startSound: (settings: StudioSettings) => Promise<void>; // The microphone alone; the picture stays as it is.
  stop: () => void;
}

export interface CaptureEvents {
  onEnded: (kind: TrackKind) => void; // A source is gone by itself.
  onForgotten: (forgotten: Forgotten) => void; // A device that was chosen is gone, and another came in its place.
}

export function useCapture(events: CaptureEvents): Capture {
  const [stream, setStream] = useState<MediaStream | null>(null);
  const [isAsking, setAsking] = useState(false);
  const [error, setError] = useState('');
  const [isSoundLost, setSoundLost] = useState(false);
  const [devices, setDevices] = useState<Devices>({ cameras: [], microphones: [] });
  const current = useRef<MediaStream | null>(null);
  const turn = useRef(0); // Of the latest request: an earlier one that comes late is not wanted any more.
  const latest = useRef(events);
  latest.current = events;

  const refresh = useCallback(() => {
    listDevices().then(setDevices, () => undefined);
  }, []);

  const stop = useCallback(() => {
    turn.current += 1;
    stopStream(current.current);
    current.current = null;
    setStream(null);
    setSoundLost(false);
    setAsking(false);
  }, []);

  const take = useCallback(({ stream: made, forgotten }: Captured) => {
    const before = current.current;
    current.current = made;
    listenForEnd(made, (kind) => {
      if (current.current !== made) return;
      if (kind === 'audio') setSoundLost(true);
      latest.current.onEnded(kind);
    });
    setStream(made);
    setSoundLost(false);
    if (Object.keys(forgotten).length > 0) latest.current.onForgotten(forgotten);
    // What is being sent changes over first; then the old devices go dark.
    const kept = made.getTracks();
    const old = (before?.getTracks() ?? []).filter((track) => !kept.includes(track));
    window.setTimeout(() => old.forEach((track) => track.stop()), 300);
  }, []);

  const ask = useCallback(
    async (settings: StudioSettings, how: () => Promise<Captured>) => {
      const mine = ++turn.current;
      setAsking(true);
      setError('');
      try {
        const captured = await how();
        if (mine === turn.current) {
          take(captured);
        } else {
          const kept = current.current?.getTracks() ?? [];
          captured.stream.getTracks().forEach((track) => kept.includes(track) || track.stop());
        }
      } catch (failure) {
        if (mine === turn.current) setError(captureWords(failure, settings));
      } finally {
        if (mine === turn.current) setAsking(false);
        refresh();
      }
    },
    [refresh, take],
  );

  const start = useCallback((settings: StudioSettings) => ask(settings, () => capture(settings)), [ask]);
  const startSound = useCallback(
    (settings: StudioSettings) =>
      ask(settings, () => captureSound(settings, current.current?.getVideoTracks() ?? [])),
    [ask],
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

  return { stream, isAsking, error, devices, isSoundLost, start, startSound, stop };
}
