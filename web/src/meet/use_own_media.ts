// One's own microphone, camera, screen and hand: what is on, and switching.

import { useConnectionState, useLocalParticipant, useParticipantAttribute } from '@livekit/components-react';
import {
  ConnectionState,
  ParticipantEvent,
  RoomEvent,
  ScreenSharePresets,
  Track,
  type LocalParticipant,
  type LocalTrack,
  type Participant,
  type TrackPublication,
} from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Choices } from './choices';
import { canShareScreen, deviceErrorOf } from './devices';
import { kHandAttribute } from './hands';
import { useMeeting } from './meeting_context';
import { maySend, mayRaiseHand } from './people';
import type { PreviewTracks } from './use_preview';
import { deviceErrorText, publishErrorText, type SourceKind } from './words';

export interface Switch {
  isOn: boolean;
  isBusy: boolean;
  obstacle: string; // Why it cannot be switched; "" when it can.
  toggle: () => void;
}

export type OwnMedia = Record<SourceKind | 'hand', Switch>;

const kSources: Record<SourceKind, Track.Source> = {
  microphone: Track.Source.Microphone,
  camera: Track.Source.Camera,
  screen: Track.Source.ScreenShare,
};

const kSaid: Record<SourceKind, [string, string]> = {
  microphone: ['Microphone on.', 'Microphone off.'],
  camera: ['Camera on.', 'Camera off.'],
  screen: ['You share your screen.', 'You stopped sharing.'],
};

function switchSource(me: LocalParticipant, kind: SourceKind, isOn: boolean): Promise<unknown> {
  if (kind === 'microphone') return me.setMicrophoneEnabled(isOn);
  if (kind === 'camera') return me.setCameraEnabled(isOn);
  return me.setScreenShareEnabled(
    isOn,
    {
      audio: true,
      contentHint: 'detail',
      resolution: ScreenSharePresets.h1080fps15.resolution,
      selfBrowserSurface: 'include',
    },
    { screenShareEncoding: ScreenSharePresets.h1080fps15.encoding },
  );
}

function troubleOf(kind: SourceKind, error: unknown): string {
  const { name, message } = deviceErrorOf(error);
  const isDevice = error instanceof DOMException || name === 'DeviceUnsupportedError';
  return isDevice ? deviceErrorText(kind, name, message) : publishErrorText(kind, name, message);
}

export function useOwnMedia(tracks: PreviewTracks, onChange: (change: Partial<Choices>) => void): OwnMedia {
  const { room, notify, announce } = useMeeting();
  const local = useLocalParticipant({ room });
  const me = room.localParticipant;
  const [busy, setBusy] = useState<ReadonlySet<SourceKind | 'hand'>>(new Set());
  const isBusy = useRef(new Set<SourceKind | 'hand'>()); // The same, for two presses within one drawing.

  const run = useCallback(async (kind: SourceKind | 'hand', work: () => Promise<unknown>) => {
    if (isBusy.current.has(kind)) return;
    isBusy.current.add(kind);
    setBusy(new Set(isBusy.current));
    try {
      await work();
    } finally {
      isBusy.current.delete(kind);
      setBusy(new Set(isBusy.current));
    }
  }, []);

  const set = useCallback(
    (kind: SourceKind, isOn: boolean) =>
      run(kind, async () => {
        try {
          await switchSource(me, kind, isOn);
          // Whoever comes back finds them as they were left.
          if (kind === 'microphone') onChange({ hasMicrophone: isOn });
          if (kind === 'camera') onChange({ hasCamera: isOn });
          announce({ kind: 'said', text: kSaid[kind][isOn ? 0 : 1] });
        } catch (error) {
          // Closing the browser's choice of screens is no trouble.
          const isCalledOff = kind === 'screen' && deviceErrorOf(error).name === 'NotAllowedError';
          if (!isCalledOff) notify(troubleOf(kind, error));
        }
      }),
    [announce, me, notify, onChange, run],
  );

  // What was on before joining is sent at once.
  const handed = useRef<PreviewTracks | null>(tracks);
  useEffect(() => {
    const given = handed.current;
    handed.current = null;
    if (given === null) return;
    for (const kind of ['microphone', 'camera'] as const) {
      const track = given[kind];
      if (!maySend(me, kSources[kind])) track?.stop();
      else if (track === null && given.pending.includes(kind)) void set(kind, true);
      else if (track !== null) {
        void run(kind, () =>
          me.publishTrack(track as LocalTrack, { source: kSources[kind] }).catch((error: unknown) => {
            track.stop();
            notify(troubleOf(kind, error));
          }),
        );
      }
    }
  }, [me, notify, run, set]);

  // What nobody asked for here: a host's doing, a device that is gone, sharing ended in the browser's own
  // bar.
  useEffect(() => {
    const byHost = new Set<string>(); // The tracks that the server said to mute, until they are.
    const kindOf = ({ source }: TrackPublication) =>
      (Object.keys(kSources) as SourceKind[]).find((kind) => kSources[kind] === source);
    const handleRemote = (sid: string, isMuted: boolean) => {
      if (isMuted && me.trackPublications.get(sid)?.isMuted === false) byHost.add(sid);
    };
    const handleMuted = (publication: TrackPublication, participant: Participant) => {
      const isByHost = byHost.delete(publication.trackSid);
      const kind = kindOf(publication);
      if (!participant.isLocal || kind === undefined || isBusy.current.has(kind)) return;
      notify(
        isByHost
          ? `A host switched your ${kind} off. You can switch it on again.`
          : `The ${kind} is gone. Plug it in again, or choose another in the settings.`,
      );
    };
    const handleUnpublished = (publication: TrackPublication) => {
      byHost.delete(publication.trackSid);
      const isSurprise = kindOf(publication) === 'screen' && !isBusy.current.has('screen');
      if (isSurprise && room.state === ConnectionState.Connected)
        announce({ kind: 'said', text: kSaid.screen[1] });
    };
    const { engine } = room;
    engine.on('remoteMute', handleRemote);
    room.on(RoomEvent.TrackMuted, handleMuted).on(RoomEvent.LocalTrackUnpublished, handleUnpublished);
    return () => {
      engine.off('remoteMute', handleRemote);
      room.off(RoomEvent.TrackMuted, handleMuted).off(RoomEvent.LocalTrackUnpublished, handleUnpublished);
    };
  }, [announce, me, notify, room]);

  // The attribute belongs to the session on the server: a new one begins without, and a raised hand goes up
  // again.
  const hand = useParticipantAttribute(kHandAttribute, { participant: me }) || '';
  const raisedAt = useRef('');
  const setHand = useCallback(
    (time: string) =>
      run('hand', async () => {
        try {
          await me.setAttributes({ [kHandAttribute]: time });
          raisedAt.current = time;
          announce({ kind: 'said', text: time === '' ? 'Your hand is down.' : 'Your hand is up.' });
        } catch (error) {
          notify(
            `Your hand could not be ${time === '' ? 'lowered' : 'raised'}. ${deviceErrorOf(error).message}`.trim(),
          );
        }
      }),
    [announce, me, notify, run],
  );
  useEffect(() => {
    const raiseAgain = () => {
      if (raisedAt.current !== '' && !me.attributes[kHandAttribute]) void setHand(raisedAt.current);
    };
    room.on(RoomEvent.Reconnected, raiseAgain);
    return () => {
      room.off(RoomEvent.Reconnected, raiseAgain);
    };
  }, [me, room, setHand]);

  // While the room is joined again everything is taken down and sent anew: what is shown is what will be
  // again.
  const isAway = useConnectionState(room) === ConnectionState.Reconnecting;
  const now: Record<SourceKind, boolean> = {
    microphone: local.isMicrophoneEnabled,
    camera: local.isCameraEnabled,
    screen: local.isScreenShareEnabled,
  };
  const lastOn = useRef(now);
  if (!isAway) lastOn.current = now;
  const isOn = lastOn.current;
  const away = isAway ? 'The connection is lost, joining again.' : '';
  const source = (kind: SourceKind): Switch => ({
    isOn: isOn[kind],
    isBusy: busy.has(kind),
    obstacle:
      away !== ''
        ? away
        : !maySend(me, kSources[kind])
          ? 'Your invitation does not allow it.'
          : kind === 'screen' && !canShareScreen()
            ? 'This browser cannot share a screen.'
            : '',
    toggle: () => void set(kind, !isOn[kind]),
  });
  return {
    microphone: source('microphone'),
    camera: source('camera'),
    screen: source('screen'),
    hand: {
      isOn: hand !== '',
      isBusy: busy.has('hand'),
      obstacle: away !== '' ? away : mayRaiseHand(me) ? '' : 'Your invitation does not allow it.',
      toggle: () => void setHand(hand === '' ? new Date().toISOString() : ''),
    },
  };
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
