// The choice between real-time and LL-HLS as a hook: lib/delivery.ts decides, this feeds it.

import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import {
  initialDelivery,
  isLasting,
  reasonOf,
  reduceDelivery,
  type DeliveryState,
  type Reason,
  type Wish,
} from '../lib/delivery';
import { browserStore, readPreferences, writePreferences } from '../lib/preferences';
import type { WatchState } from '../lib/watch_state';
import type { Trouble } from '../rtc/link_keeper';
import type { LinkView } from '../rtc/rtc_link';
import { endpointsText } from '../rtc/sdp';
import type { SessionError } from '../rtc/session_client';
import type { RealtimeAnswer } from './realtime_player';

// A network that lets nothing through is remembered for a while, so that the next channel starts at once.
const kBlockedKey = 'stoa.realtime_blocked_until';
const kBlockedMs = 10 * 60_000;
// Live by the API and not by WHEP, for this long: it is not offered.
const kNotLiveWithinMs = 5000;

function blockedReason(): Reason | null {
  if (!('RTCPeerConnection' in window)) return 'no_browser';
  try {
    return Number(sessionStorage.getItem(kBlockedKey)) > Date.now() ? 'no_path' : null;
  } catch {
    return null;
  }
}

function rememberBlocked(isBlocked: boolean): void {
  try {
    if (isBlocked) sessionStorage.setItem(kBlockedKey, String(Date.now() + kBlockedMs));
    else sessionStorage.removeItem(kBlockedKey);
  } catch {
    // Then the next channel tries again.
  }
}

// `?via=realtime`, `?via=hls` or `?via=auto` in the address overrules what was chosen before, for this page.
function firstWish(): Wish {
  const via = new URLSearchParams(location.search).get('via');
  if (via === 'realtime' || via === 'hls' || via === 'auto') return via;
  return readPreferences(browserStore()).delivery;
}

export interface Delivery {
  state: DeliveryState;
  link: LinkView | null; // Of the real-time session, while that is the way.
  wish: (wish: Wish) => void;
  again: () => void;
  handleAnswer: (answer: RealtimeAnswer) => void;
  handleLink: (link: LinkView) => void;
  handleGiveUp: (trouble: Trouble, error: SessionError | null, link: LinkView) => void;
}

export function useDelivery(watch: WatchState, poke: () => void): Delivery {
  const [state, dispatch] = useReducer(reduceDelivery, null, () => initialDelivery(firstWish(), blockedReason()));
  const [link, setLink] = useState<LinkView | null>(null);
  const { channel, generation } = watch;

  const lastGeneration = useRef(generation);
  useEffect(() => {
    if (lastGeneration.current !== generation) dispatch({ kind: 'broadcast' });
    lastGeneration.current = generation;
    if (channel !== null) dispatch({ kind: 'channel', channel });
  }, [channel, generation]);

  useEffect(() => {
    if (state.way === 'hls') setLink(null);
  }, [state.way]);

  const isWaitingInVain =
    state.way === 'realtime' && state.wish === 'auto' && watch.phase === 'live' && link?.trouble === 'not_live';
  useEffect(() => {
    if (!isWaitingInVain) return;
    const fail = () => dispatch({ kind: 'failed', reason: 'not_offered', detail: '' });
    const timer = window.setTimeout(fail, kNotLiveWithinMs);
    return () => window.clearTimeout(timer);
  }, [isWaitingInVain]);

  const wish = useCallback((wished: Wish) => {
    writePreferences(browserStore(), { delivery: wished });
    dispatch({ kind: 'wished', wish: wished });
  }, []);
  const again = useCallback(() => dispatch({ kind: 'again' }), []);
  const handleAnswer = useCallback(
    (answer: RealtimeAnswer) => dispatch({ kind: 'answered', ...answer }),
    [],
  );
  const handleLink = useCallback((view: LinkView) => {
    if (view.phase === 'up') rememberBlocked(false);
    setLink(view);
  }, []);
  const handleGiveUp = useCallback(
    (trouble: Trouble, error: SessionError | null, view: LinkView) => {
      const reason = reasonOf(trouble, error?.status ?? 0);
      if (reason === 'no_path') rememberBlocked(true);
      const where = isLasting(reason) ? endpointsText(view.endpoints) : '';
      const detail = where === '' ? (error?.message ?? '') : `Tried: ${where}`;
      dispatch({ kind: 'failed', reason, detail });
      poke();
    },
    [poke],
  );
  return { state, link, wish, again, handleAnswer, handleLink, handleGiveUp };
}
