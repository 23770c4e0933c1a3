// The choice between real-time and LL-HLS as a hook: lib/delivery.ts decides, this feeds it.

import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import {
  initialDelivery,
  readFailure,
  reasonOf,
  reduceDelivery,
  writeFailure,
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

// What failed is remembered in this tab's session, so that the next channel starts at once.
const kFailedKey = 'stoa.realtime_failed';
// Live by the API and not by WHEP, for this long: it is not offered.
const kNotLiveWithinMs = 10_000; // Two looks at least.

function rememberedFailure(): Reason | null {
  if (!('RTCPeerConnection' in window)) return 'no_browser';
  try {
    return readFailure(sessionStorage.getItem(kFailedKey), Date.now());
  } catch {
    return null;
  }
}

function rememberFailure(reason: Reason | null, retryAfterS: number | null = null): void {
  const text = reason === null ? null : writeFailure(reason, Date.now(), retryAfterS);
  try {
    if (text !== null) sessionStorage.setItem(kFailedKey, text);
    else if (reason === null) sessionStorage.removeItem(kFailedKey);
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
  const [state, dispatch] = useReducer(reduceDelivery, null, () =>
    initialDelivery(firstWish(), rememberedFailure(), watch.channel?.tracks),
  );
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
    if (wished === 'realtime') rememberFailure(null);
    dispatch({ kind: 'wished', wish: wished });
  }, []);
  const again = useCallback(() => {
    rememberFailure(null);
    dispatch({ kind: 'again' });
  }, []);
  const handleAnswer = useCallback(
    (answer: RealtimeAnswer) => dispatch({ kind: 'answered', ...answer }),
    [],
  );
  const handleLink = useCallback((view: LinkView) => {
    if (view.phase === 'up') rememberFailure(null);
    setLink(view);
  }, []);
  const handleGiveUp = useCallback(
    (trouble: Trouble, error: SessionError | null, view: LinkView) => {
      const reason = reasonOf(trouble, error?.status ?? 0);
      rememberFailure(reason, error?.retryAfterS ?? null);
      const where = reason === 'no_path' || reason === 'no_security' ? endpointsText(view.endpoints) : '';
      const detail = where === '' ? (error?.message ?? '') : `Tried: ${where}`;
      dispatch({ kind: 'failed', reason, detail });
      poke();
    },
    [poke],
  );
  return { state, link, wish, again, handleAnswer, handleLink, handleGiveUp };
}
