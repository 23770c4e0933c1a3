// Joining a room, being in it, and how it ends.

import {
  ConnectionError,
  ConnectionErrorReason,
  DisconnectReason,
  Room,
  RoomEvent,
  VideoPresets,
  type RoomOptions,
} from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Choices } from './choices';
import { obstacleOf, readGrants } from './invitation';
import { retryDelayMs } from './retry';
import { fetchToken } from './token_client';
import type { PreviewTracks } from './use_preview';
import { farewellOf, joinErrorOf, type Farewell, type JoinError } from './words';

export type Phase =
  | { kind: 'lobby'; error: JoinError | null; needsInvitation: boolean }
  | { kind: 'joining' }
  | { kind: 'in'; room: Room; tracks: PreviewTracks }
  | { kind: 'left'; farewell: Farewell; reason: string };

export interface Session {
  phase: Phase;
  token: string; // The newest: servers renew them as time passes.
  join: (name: string, choices: Choices, tracks: () => PreviewTracks) => void;
  backToLobby: () => void;
}

const kConnectMs = 15_000;

function optionsOf({ cameraId, microphoneId, speakerId }: Choices): RoomOptions {
  return {
    adaptiveStream: true,
    dynacast: true,
    reconnectPolicy: {
      nextRetryDelayInMs: ({ retryCount, elapsedMs }) => retryDelayMs(retryCount, elapsedMs, Math.random()),
    },
    videoCaptureDefaults: {
      resolution: VideoPresets.h720.resolution,
      ...(cameraId === '' ? {} : { deviceId: cameraId }),
    },
    audioCaptureDefaults: microphoneId === '' ? {} : { deviceId: microphoneId },
    ...(speakerId === '' ? {} : { audioOutput: { deviceId: speakerId } }),
  };
}

const reasonName = (reason: DisconnectReason | undefined): string =>
  reason === undefined || reason === DisconnectReason.UNKNOWN_REASON
    ? ''
    : (DisconnectReason[reason] ?? String(reason));

function joinErrorFrom(error: unknown): JoinError {
  const message = error instanceof Error ? error.message : '';
  if (!(error instanceof ConnectionError))
    return joinErrorOf({ name: '', message, status: null, farewell: '' });
  const isLeave = error.reason === ConnectionErrorReason.LeaveRequest;
  return joinErrorOf({
    name: error.reasonName,
    message,
    status: typeof error.status === 'number' ? error.status : null,
    farewell: isLeave ? reasonName(error.context as DisconnectReason | undefined) : '',
  });
}

// Follows what livekit-client tells of its engine alone: renewed tokens, and whether the server was reached
// again while media was not.
function followEngine(room: Room, onToken: (token: string) => void): { isMediaMissing: () => boolean } {
  const followed = new WeakSet<object>();
  let isSignalBack = false;
  const follow = () => {
    if (followed.has(room.engine)) return;
    followed.add(room.engine);
    room.engine.on('tokenRefreshed', onToken);
    room.engine.on('signalResumed', () => (isSignalBack = true));
    room.engine.on('signalRestarted', () => (isSignalBack = true));
  };
  follow();
  room.on(RoomEvent.ConnectionStateChanged, follow);
  room.on(RoomEvent.Reconnecting, () => (isSignalBack = false));
  room.on(RoomEvent.SignalReconnecting, () => (isSignalBack = false));
  room.on(RoomEvent.Reconnected, () => (isSignalBack = false));
  return { isMediaMissing: () => isSignalBack };
}

const lobby = (error: JoinError | null = null, needsInvitation = false): Phase => ({
  kind: 'lobby',
  error,
  needsInvitation,
});

export function useSession(roomName: string, invitation: string): Session {
  const [phase, setPhase] = useState<Phase>(lobby);
  const [token, setToken] = useState('');
  const current = useRef<{ aborter: AbortController; room: Room | null } | null>(null);

  const leaveNow = useCallback(() => {
    current.current?.aborter.abort();
    void current.current?.room?.disconnect().catch(() => undefined);
    current.current = null;
  }, []);
  useEffect(() => leaveNow, [leaveNow]);

  const join = useCallback(
    (name: string, choices: Choices, tracks: () => PreviewTracks) => {
      leaveNow();
      const mine = { aborter: new AbortController(), room: null as Room | null };
      current.current = mine;
      const { signal } = mine.aborter;
      setPhase({ kind: 'joining' });

      const findToken = async (): Promise<string> => {
        if (invitation !== '') {
          const text = obstacleOf(invitation, roomName, Date.now() / 1000);
          if (text !== '') setPhase(lobby({ text, reason: '' }));
          return text === '' ? invitation : '';
        }
        const answer = await fetchToken(roomName, name, signal);
        if (answer.kind === 'token') return answer.token;
        if (!signal.aborted) {
          setPhase(answer.kind === 'failed' ? lobby({ text: answer.text, reason: '' }) : lobby(null, true));
        }
        return '';
      };

      const enter = async (): Promise<void> => {
        const found = await findToken();
        if (found === '' || signal.aborted) return;
        const room = new Room(optionsOf(choices));
        mine.room = room;
        const engine = followEngine(room, setToken);
        await room.connect(location.origin.replace(/^http/, 'ws'), found, {
          peerConnectionTimeout: kConnectMs,
        });
        if (signal.aborted) return void room.disconnect();
        setToken(found);
        room.on(RoomEvent.Disconnected, (reason) => {
          if (current.current !== mine) return;
          current.current = null;
          const said = reasonName(reason) || (engine.isMediaMissing() ? 'MEDIA_FAILURE' : '');
          setPhase({ kind: 'left', farewell: farewellOf(said), reason: said });
        });
        if (name !== '' && room.localParticipant.name !== name && readGrants(found)?.mayRename === true) {
          void room.localParticipant.setName(name).catch(() => undefined);
        }
        setPhase({ kind: 'in', room, tracks: tracks() });
      };

      enter().catch((error: unknown) => {
        if (signal.aborted) return;
        setPhase(lobby(joinErrorFrom(error)));
      });
    },
    [invitation, leaveNow, roomName],
  );

  const backToLobby = useCallback(() => {
    leaveNow();
    setPhase(lobby());
  }, [leaveNow]);

  return { phase, token, join, backToLobby };
}
