// What happens to one's own tracks and rights though nobody asked for it here.

import {
  ConnectionState,
  ParticipantEvent,
  RoomEvent,
  Track,
  type Participant,
  type TrackPublication,
} from 'livekit-client';
import { useEffect } from 'react';
import { useMeeting } from './meeting_context';
import type { SourceKind } from './words';

export const kStoppedSharing = 'You stopped sharing.';

const kKinds: Partial<Record<Track.Source, SourceKind>> = {
  [Track.Source.Microphone]: 'microphone',
  [Track.Source.Camera]: 'camera',
  [Track.Source.ScreenShare]: 'screen',
};

// A host's doing, a device that is gone, sharing ended in the browser's own bar. `isBusy`: it was asked for.
export function useSurprises(isBusy: (kind: SourceKind) => boolean): void {
  const { room, notify, announce } = useMeeting();
  const me = room.localParticipant;
  useEffect(() => {
    const byHost = new Set<string>(); // The tracks that the server said to mute, until they are.
    const handleRemote = (sid: string, isMuted: boolean) => {
      if (isMuted && me.trackPublications.get(sid)?.isMuted === false) byHost.add(sid);
    };
    const handleMuted = (publication: TrackPublication, participant: Participant) => {
      const isByHost = byHost.delete(publication.trackSid);
      const kind = kKinds[publication.source];
      if (!participant.isLocal || kind === undefined || isBusy(kind)) return;
      notify(
        isByHost
          ? `A host switched your ${kind} off. You can switch it on again.`
          : `The ${kind} is gone. Plug it in again, or choose another in the settings.`,
      );
    };
    const handleUnpublished = (publication: TrackPublication) => {
      byHost.delete(publication.trackSid);
      const isSurprise = kKinds[publication.source] === 'screen' && !isBusy('screen');
      if (isSurprise && room.state === ConnectionState.Connected)
        announce({ kind: 'said', text: kStoppedSharing });
    };
    const { engine } = room;
    engine.on('remoteMute', handleRemote);
    room.on(RoomEvent.TrackMuted, handleMuted).on(RoomEvent.LocalTrackUnpublished, handleUnpublished);
    return () => {
      engine.off('remoteMute', handleRemote);
      room.off(RoomEvent.TrackMuted, handleMuted).off(RoomEvent.LocalTrackUnpublished, handleUnpublished);
    };
  }, [announce, isBusy, me, notify, room]);
}

// A change of what one may do here is told.
export function useOwnRights(): void {
  const { room, announce } = useMeeting();
  useEffect(() => {
    const handleRights = () => announce({ kind: 'said', text: 'Your rights in this room have changed.' });
    const me = room.localParticipant;
    me.on(ParticipantEvent.ParticipantPermissionsChanged, handleRights);
    return () => {
      me.off(ParticipantEvent.ParticipantPermissionsChanged, handleRights);
    };
  }, [room, announce]);
}
