// Camera and microphone before joining. They are handed over to the room as they are: no second question, no
// flicker.

import { TrackEvent, type LocalAudioTrack, type LocalVideoTrack } from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { openDevices, type Ids } from './devices';
import { deviceErrorText } from './words';

interface Tracks {
  camera: LocalVideoTrack | null;
  microphone: LocalAudioTrack | null;
}

export interface PreviewTracks extends Tracks {
  pending: ('camera' | 'microphone')[]; // Wanted, and neither there yet nor refused.
}

export interface Preview extends Tracks {
  cameraError: string;
  microphoneError: string;
  isAsking: boolean;
  release: () => PreviewTracks; // The tracks are the caller's from then on.
}

interface Held extends Tracks {
  ids: Ids; // With which they were opened.
}

const kKinds = ['camera', 'microphone'] as const;
const kNothing = { camera: null, microphone: null, cameraError: '', microphoneError: '' };

export function usePreview(camera: string | null, microphone: string | null, onOpened: () => void): Preview {
  const [view, setView] = useState<Omit<Preview, 'isAsking' | 'release'>>(kNothing);
  const [isAsking, setAsking] = useState(false);
  const held = useRef<Held>({ camera: null, microphone: null, ids: { camera: null, microphone: null } });
  const work = useRef(Promise.resolve()); // One change after the other.
  const turn = useRef(0); // Of the latest wish: what an earlier one opens is not wanted any more.
  const wished = useRef<Ids>({ camera, microphone });
  wished.current = { camera, microphone };
  const hasFailed = useRef({ camera: false, microphone: false });
  const opened = useRef(onOpened);
  opened.current = onOpened;

  const stop = useCallback((kind: 'camera' | 'microphone') => {
    held.current[kind]?.stop();
    held.current[kind] = null;
    held.current.ids[kind] = null;
  }, []);

  const apply = useCallback(
    async (wish: Ids, mine: number) => {
      if (mine !== turn.current) return;
      const missing: Ids = { camera: null, microphone: null };
      for (const kind of kKinds) {
        if (held.current.ids[kind] === wish[kind] && held.current[kind] !== null) continue;
        stop(kind);
        missing[kind] = wish[kind];
      }
      const errors = { cameraError: '', microphoneError: '' };
      if (missing.camera !== null || missing.microphone !== null) {
        setAsking(true);
        const got = await openDevices(missing);
        setAsking(false);
        if (mine !== turn.current) {
          got.camera?.stop();
          got.microphone?.stop();
          return;
        }
        for (const kind of kKinds) {
          const track = got[kind];
          const error = got[`${kind}Error`];
          hasFailed.current[kind] = error !== null;
          if (error !== null) errors[`${kind}Error`] = deviceErrorText(kind, error.name, error.message);
          if (track === null) continue;
          held.current.ids[kind] = missing[kind];
          track.once(TrackEvent.Ended, () => {
            if (held.current[kind] !== track) return;
            stop(kind);
            const gone = `The ${kind} is gone. Plug it in again, or choose another.`;
            setView((last) => ({ ...last, [kind]: null, [`${kind}Error`]: gone }));
          });
        }
        held.current.camera ??= got.camera;
        held.current.microphone ??= got.microphone;
        opened.current();
      }
      setView((last) => ({
        camera: held.current.camera,
        microphone: held.current.microphone,
        // What was not touched keeps its trouble.
        cameraError: wish.camera !== null && missing.camera === null ? last.cameraError : errors.cameraError,
        microphoneError:
          wish.microphone !== null && missing.microphone === null
            ? last.microphoneError
            : errors.microphoneError,
      }));
    },
    [stop],
  );

  useEffect(() => {
    const mine = ++turn.current;
    work.current = work.current.then(() => apply({ camera, microphone }, mine)).catch(() => undefined);
  }, [camera, microphone, apply]);

  useEffect(
    () => () => {
      turn.current += 1;
      kKinds.forEach(stop);
    },
    [stop],
  );

  const release = useCallback((): PreviewTracks => {
    turn.current += 1;
    const { camera: picture, microphone: sound } = held.current;
    const isPending = (kind: 'camera' | 'microphone') =>
      wished.current[kind] !== null && held.current[kind] === null && !hasFailed.current[kind];
    const pending = kKinds.filter(isPending);
    held.current = { camera: null, microphone: null, ids: { camera: null, microphone: null } };
    return { camera: picture, microphone: sound, pending };
  }, []);

  return { ...view, isAsking, release };
}
