// Whether the connection stands, for the banner.

import { ConnectionState, RoomEvent, type Room } from 'livekit-client';
import { useEffect, useState, useSyncExternalStore } from 'react';
import type { LinkPhase } from './words';

const kBackShownMs = 4000;

export function useLink(room: Room): LinkPhase {
  const [phase, setPhase] = useState<LinkPhase>('up');
  useEffect(() => {
    let timer = 0;
    const handleState = (state: ConnectionState) => {
      window.clearTimeout(timer);
      if (state === ConnectionState.SignalReconnecting) setPhase('signal_lost');
      if (state === ConnectionState.Reconnecting) setPhase('lost');
      if (state !== ConnectionState.Connected) return;
      setPhase((last) => (last === 'up' ? 'up' : 'back'));
      timer = window.setTimeout(() => setPhase('up'), kBackShownMs);
    };
    room.on(RoomEvent.ConnectionStateChanged, handleState);
    return () => {
      window.clearTimeout(timer);
      room.off(RoomEvent.ConnectionStateChanged, handleState);
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
