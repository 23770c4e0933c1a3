// Gathers what happens in a room into announcements.

import { useParticipants } from '@livekit/components-react';
import { RoomEvent, Track, type Participant, type Room, type TrackPublication } from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { announcementOf, kTellMutesMax, type Happening } from './announcements';
import { kHandAttribute } from './hands';
import { nameOf } from './people';

const kGatherMs = 400;
const kShownMs = 5000;
const kGatheredMax = 200; // What comes in one moment beyond it is not told.

export interface Announcer {
  text: string; // "" when there is nothing new.
  announce: (happening: Happening) => void;
}

export function useAnnouncer(): Announcer {
  const [text, setText] = useState('');
  const gathered = useRef<Happening[]>([]);
  const timers = useRef<{ gather: number; clear: number }>({ gather: 0, clear: 0 });
  const announce = useCallback((happening: Happening) => {
    if (gathered.current.length >= kGatheredMax) return;
    gathered.current.push(happening);
    if (timers.current.gather !== 0) return;
    timers.current.gather = window.setTimeout(() => {
      timers.current.gather = 0;
      const said = announcementOf(gathered.current);
      gathered.current = [];
      if (said === '') return;
      setText(said);
      window.clearTimeout(timers.current.clear);
      timers.current.clear = window.setTimeout(() => setText(''), kShownMs);
    }, kGatherMs);
  }, []);
  useEffect(() => {
    const mine = timers.current;
    return () => {
      window.clearTimeout(mine.gather);
      window.clearTimeout(mine.clear);
      mine.gather = 0;
    };
  }, []);
  return { text, announce };
}

// Others' comings, goings, hands, microphones and screens.
export function useRoomHappenings(room: Room, announce: Announcer['announce']): void {
  const count = useRef(0);
  count.current = useParticipants({ room, updateOnlyOn: [] }).length;
  useEffect(() => {
    const handleJoined = (participant: Participant) =>
      announce({ kind: 'joined', name: nameOf(participant) });
    const handleLeft = (participant: Participant) => announce({ kind: 'left', name: nameOf(participant) });
    const handleAttributes = (changed: Record<string, string>, participant: Participant) => {
      const hand = changed[kHandAttribute];
      if (hand === undefined || participant.isLocal) return;
      announce({ kind: hand === '' ? 'hand_down' : 'hand_up', name: nameOf(participant) });
    };
    const handleMute = (publication: TrackPublication, participant: Participant) => {
      if (
        publication.source !== Track.Source.Microphone ||
        participant.isLocal ||
        count.current > kTellMutesMax
      )
        return;
      announce({ kind: publication.isMuted ? 'muted' : 'unmuted', name: nameOf(participant) });
    };
    const handleScreen = (isThere: boolean) => (publication: TrackPublication, participant: Participant) => {
      if (publication.source !== Track.Source.ScreenShare) return;
      announce({ kind: isThere ? 'sharing' : 'not_sharing', name: nameOf(participant) });
    };
    const handleShared = handleScreen(true);
    const handleUnshared = handleScreen(false);
    room
      .on(RoomEvent.ParticipantConnected, handleJoined)
      .on(RoomEvent.ParticipantDisconnected, handleLeft)
      .on(RoomEvent.ParticipantAttributesChanged, handleAttributes)
      .on(RoomEvent.TrackMuted, handleMute)
      .on(RoomEvent.TrackUnmuted, handleMute)
      .on(RoomEvent.TrackPublished, handleShared)
      .on(RoomEvent.TrackUnpublished, handleUnshared);
    return () => {
      room
        .off(RoomEvent.ParticipantConnected, handleJoined)
        .off(RoomEvent.ParticipantDisconnected, handleLeft)
        .off(RoomEvent.ParticipantAttributesChanged, handleAttributes)
        .off(RoomEvent.TrackMuted, handleMute)
        .off(RoomEvent.TrackUnmuted, handleMute)
        .off(RoomEvent.TrackPublished, handleShared)
        .off(RoomEvent.TrackUnpublished, handleUnshared);
    };
  }, [room, announce]);
}
