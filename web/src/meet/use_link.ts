// Whether the connection stands, for the banner.

import { ConnectionState, RoomEvent, type Room } from 'livekit-client';
import { useEffect, useState, useSyncExternalStore } from 'react';
import type { LinkPhase } from './words';

const kBackShownMs = 4000;
const kMediaWaitMs = 4000; // After the server was reached; longer means that something is in the way.

export function useLink(room: Room): LinkPhase {
  const [phase, setPhase] = useState<LinkPhase>('up');
  useEffect(() => {
    let timer = 0;
    const { engine } = room;
    const handleSignal = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setPhase('no_media'), kMediaWaitMs);
    };
    const handleState = (state: ConnectionState) => {
      window.clearTimeout(timer);
      if (state === ConnectionState.SignalReconnecting) setPhase('signal_lost');
      if (state === ConnectionState.Reconnecting) setPhase('lost');
      if (state !== ConnectionState.Connected) return;
      setPhase((last) => (last === 'up' ? 'up' : 'back'));
      timer = window.setTimeout(() => setPhase('up'), kBackShownMs);
    };
    room.on(RoomEvent.ConnectionStateChanged, handleState);
    engine.on('signalResumed', handleSignal);
    engine.on('signalRestarted', handleSignal);
    return () => {
      window.clearTimeout(timer);
      room.off(RoomEvent.ConnectionStateChanged, handleState);
      engine.off('signalResumed', handleSignal);
      engine.off('signalRestarted', handleSignal);
    };
  }, [room]);
  return phase;
}

const subscribe = (listener: () => void) => {
  window.addEventListener('online', listener);
  window.addEventListener('offline', listener);
  return () => {
    window.removeEventListener('online', listener);
    window.removeEventListener('offline', listener);
  };
};

export const useOnline = (): boolean => useSyncExternalStore(subscribe, () => navigator.onLine);
