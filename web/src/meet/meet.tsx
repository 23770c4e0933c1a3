// The meeting page: before, during and after.

import { setLogLevel } from '@livekit/components-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { browserStore } from '../lib/preferences';
import type { Report } from '../rtc/report';
import { defaultChoices, kChoicesKey, parseChoices, type Choices } from './choices';
import { nameRuleOf, readGrants } from './invitation';
import { takeInvitation } from './invitation_store';
import { Left } from './left';
import { Lobby } from './lobby';
import { RoomView } from './room_view';
import { useSession, type Phase } from './use_session';
import { readTracks } from './use_track_numbers';

// The components report as errors what they put right themselves.
setLogLevel('silent', { liveKitClientLogLevel: 'warn' });

function useChoices() {
  const [choices, setChoices] = useState<Choices>(() => {
    try {
      return parseChoices(browserStore()?.getItem(kChoicesKey) ?? null);
    } catch {
      return defaultChoices;
    }
  });
  const change = useCallback((changed: Partial<Choices>) => {
    setChoices((last) => {
      const next = { ...last, ...changed };
      try {
        browserStore()?.setItem(kChoicesKey, JSON.stringify(next));
      } catch {
        // A full or forbidden store costs a remembered choice, nothing else.
      }
      return next;
    });
  }, []);
  return [choices, change] as const;
}

// For tests and benchmarks.
function useHandle(phase: Phase): void {
  useEffect(() => {
    if (phase.kind !== 'in') return;
    const { room } = phase;
    const before = new Map<string, Report>();
    const handle = { room, stats: () => readTracks(room, before) };
    Object.assign(window, { stoaMeet: handle });
    return () => {
      Object.assign(window, { stoaMeet: undefined });
    };
  }, [phase]);
}

export function Meet({ name }: { name: string }) {
  const [invitation, setInvitation] = useState(() => takeInvitation(name));
  const [choices, change] = useChoices();
  const { phase, token, join, backToLobby } = useSession(name, invitation);
  const [isRejoining, setRejoining] = useState(false);
  useHandle(phase);

  // Another invitation pasted into the address of this page changes the part behind # alone, and loads
  // nothing.
  const isIn = phase.kind === 'in';
  const isInRef = useRef(isIn);
  isInRef.current = isIn;
  useEffect(() => {
    const handleHash = () => {
      if (!isInRef.current) setInvitation(takeInvitation(name));
    };
    window.addEventListener('hashchange', handleHash);
    return () => window.removeEventListener('hashchange', handleHash);
  }, [name]);

  useEffect(() => {
    document.title = `${isIn ? '● ' : ''}${name} – Stoa`;
  }, [name, isIn]);

  const grants = useMemo(() => (invitation === '' ? null : readGrants(invitation)), [invitation]);
  if (phase.kind === 'in') {
    return (
      <RoomView
        room={phase.room}
        roomName={name}
        token={token}
        isHost={readGrants(token)?.isHost === true}
        tracks={phase.tracks}
        choices={choices}
        onChange={change}
      />
    );
  }
  if (phase.kind === 'left') {
    const rejoin = () => {
      setRejoining(true);
      backToLobby();
    };
    return <Left room={name} farewell={phase.farewell} reason={phase.reason} onRejoin={rejoin} />;
  }
  return (
    <Lobby
      key={invitation}
      room={name}
      choices={choices}
      nameRule={nameRuleOf(grants, choices.name)}
      mayCamera={grants?.mayCamera ?? true}
      mayMicrophone={grants?.mayMicrophone ?? true}
      isInvited={invitation !== ''}
      isRejoining={isRejoining}
      isJoining={phase.kind === 'joining'}
      error={phase.kind === 'lobby' ? phase.error : null}
      needsInvitation={phase.kind === 'lobby' && phase.needsInvitation}
      onChange={change}
      onJoin={(given, tracks) => {
        setRejoining(false);
        join(given, choices, tracks);
      }}
    />
  );
}
