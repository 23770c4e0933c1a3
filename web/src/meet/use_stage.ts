// The tiles of a room, and who speaks.

import { useTracks } from '@livekit/components-react';
import { RoomEvent, Track, type Participant, type Room } from 'livekit-client';
import { useEffect, useMemo, useRef, useState, type RefObject } from 'react';
import { kSpeakerHoldMs, nextSpeaker, worthShowing, type Speaker } from './layout';
import type { StageTile } from './tile';

const kSources = [
  { source: Track.Source.Camera, withPlaceholder: true },
  { source: Track.Source.ScreenShare, withPlaceholder: false },
];

export function useTiles(room: Room): StageTile[] {
  const trackRefs = useTracks(kSources, { onlySubscribed: false, room });
  return useMemo(() => {
    const count = room.remoteParticipants.size + 1;
    return trackRefs
      .filter(({ participant }) =>
        worthShowing(count, participant.trackPublications.size > 0, participant.isLocal),
      )
      .map((trackRef) => ({
        key: `${trackRef.participant.identity}/${trackRef.source}`,
        identity: trackRef.participant.identity,
        isScreen: trackRef.source === Track.Source.ScreenShare,
        isLocal: trackRef.participant.isLocal,
        trackRef,
      }));
  }, [room, trackRefs]);
}

// The identity of who has the big picture.
export function useSpeaker(room: Room): string {
  const [speaker, setSpeaker] = useState<Speaker>({ identity: '', sinceMs: 0 });
  useEffect(() => {
    let talking: string[] = [];
    let timer = 0;
    const look = () => setSpeaker((last) => nextSpeaker(last, talking, performance.now()));
    const handleSpeakers = (speakers: Participant[]) => {
      talking = speakers.filter(({ isLocal }) => !isLocal).map(({ identity }) => identity);
      look();
      // Whoever had to wait for the hold gets the picture when it is over.
      window.clearTimeout(timer);
      timer = window.setTimeout(look, kSpeakerHoldMs);
    };
    room.on(RoomEvent.ActiveSpeakersChanged, handleSpeakers);
    return () => {
      window.clearTimeout(timer);
      room.off(RoomEvent.ActiveSpeakersChanged, handleSpeakers);
    };
  }, [room]);
  return speaker.identity;
}

export interface Size {
  width: number;
  height: number;
}

export function useSize<T extends HTMLElement>(): [RefObject<T | null>, Size] {
  const element = useRef<T>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      const { width, height } = entry.contentRect;
      setSize((last) => (last.width === width && last.height === height ? last : { width, height }));
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, size];
}
