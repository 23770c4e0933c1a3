// One's own microphone, camera, screen and hand: what is on, and switching.

import { useConnectionState, useLocalParticipant } from '@livekit/components-react';
import {
  ConnectionState,
  ScreenSharePresets,
  Track,
  type LocalParticipant,
  type LocalTrack,
} from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Choices } from './choices';
import { canShareScreen, deviceErrorOf } from './devices';
import { useMeeting } from './meeting_context';
import { maySend, mayRaiseHand } from './people';
import { useHand } from './use_hand';
import type { PreviewTracks } from './use_preview';
import { kStoppedSharing, useSurprises } from './use_surprises';
import { deviceErrorText, publishErrorText, type SourceKind } from './words';

export interface Switch {
  isOn: boolean;
  isBusy: boolean;
  obstacle: string; // Why it cannot be switched; "" when it can.
  toggle: () => void;
}

export type SwitchKind = SourceKind | 'hand';
export type OwnMedia = Record<SwitchKind, Switch>;
export type Run = (kind: SwitchKind, work: () => Promise<unknown>) => Promise<void>;

const kSources: Record<SourceKind, Track.Source> = {
  microphone: Track.Source.Microphone,
  camera: Track.Source.Camera,
  screen: Track.Source.ScreenShare,
};

const kSaid: Record<SourceKind, [string, string]> = {
  microphone: ['Microphone on.', 'Microphone off.'],
  camera: ['Camera on.', 'Camera off.'],
  screen: ['You share your screen.', kStoppedSharing],
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

// One change of a kind at a time: who presses twice means it once.
function useRuns() {
  const [busy, setBusy] = useState<ReadonlySet<SwitchKind>>(new Set());
  const current = useRef(new Set<SwitchKind>()); // The same, for two presses within one drawing.
  const isBusy = useCallback((kind: SwitchKind) => current.current.has(kind), []);
  const run = useCallback(async (kind: SwitchKind, work: () => Promise<unknown>) => {
    if (current.current.has(kind)) return;
    current.current.add(kind);
    setBusy(new Set(current.current));
    try {
      await work();
    } finally {
      current.current.delete(kind);
      setBusy(new Set(current.current));
    }
  }, []);
  return { busy, isBusy, run };
}

export function useOwnMedia(tracks: PreviewTracks, onChange: (change: Partial<Choices>) => void): OwnMedia {
  const { room, notify, announce } = useMeeting();
  const local = useLocalParticipant({ room });
  const me = room.localParticipant;
  const { busy, isBusy, run } = useRuns();

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

  useSurprises(isBusy);
  const hand = useHand(run);

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
      isOn: hand.isUp,
      isBusy: busy.has('hand'),
      obstacle: away !== '' ? away : mayRaiseHand(me) ? '' : 'Your invitation does not allow it.',
      toggle: hand.toggle,
    },
  };
}
