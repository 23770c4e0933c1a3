// What the watch page knows of its channel. A pure machine: the page feeds it the server's answers and the
// player's end, and draws what it says.
//
//   loading ──► live ◄──► interrupted
//      └──────► offline, unknown, unreachable ──► live
//   live, interrupted ──► ending ──► ended ──► live (a new broadcast)
//
// A server that stops answering does not take a running picture away: the player knows better whether
// media still arrives. `ending` leaves the player a moment to show what it has already buffered.

import type { ChannelAnswer, LiveChannel } from './api';

export type Phase =
  | 'loading'
  | 'live'
  | 'interrupted'
  | 'ending'
  | 'ended'
  | 'offline'
  | 'unknown'
  | 'unreachable';

export interface WatchState {
  phase: Phase;
  channel: LiveChannel | null; // The last that was heard of it, also after its end.
  isServerReachable: boolean;
  generation: number; // Counts broadcasts: each gets a player of its own.
}

export type WatchEvent = ChannelAnswer | { kind: 'playback_ended' };

// `known`: the channel as it was heard of before the page.
export const initialWatchState = (known: LiveChannel | null): WatchState => ({
  phase: 'loading',
  channel: known,
  isServerReachable: true,
  generation: 0,
});

export const isOnAir = (phase: Phase): boolean => phase === 'live' || phase === 'interrupted';
// Phases in which the player is on the page. It does not wait for the server's answer about the channel:
// most who come find it on air, and see it sooner so.
export const hasPlayer = (phase: Phase): boolean =>
  isOnAir(phase) || phase === 'ending' || phase === 'loading';

function isNewBroadcast(state: WatchState, channel: LiveChannel): boolean {
  if (state.phase === 'ending' || state.phase === 'ended') return true;
  return state.channel !== null && state.channel.startedAt !== channel.startedAt;
}

export function reduceWatch(state: WatchState, event: WatchEvent): WatchState {
  switch (event.kind) {
    case 'channel':
      return {
        phase: event.channel.state,
        channel: event.channel,
        isServerReachable: true,
        generation: isNewBroadcast(state, event.channel) ? state.generation + 1 : state.generation,
      };
    case 'offline':
    case 'not_found':
      if (isOnAir(state.phase)) return { ...state, phase: 'ending', isServerReachable: true };
      if (state.phase === 'ending' || state.phase === 'ended') return { ...state, isServerReachable: true };
      return { ...state, phase: event.kind === 'offline' ? 'offline' : 'unknown', isServerReachable: true };
    case 'unreachable':
      return {
        ...state,
        phase: state.phase === 'loading' ? 'unreachable' : state.phase,
        isServerReachable: false,
      };
    case 'playback_ended':
      return state.phase !== 'loading' && hasPlayer(state.phase) ? { ...state, phase: 'ended' } : state;
  }
}

// How long to wait before asking the server again, in milliseconds. On air the player itself notices most
// things first and asks for a poll; while waiting for a channel to start the answer decides how soon the
// viewer sees it.
export const kPollOnAirMs = 10_000;
export const kPollInterruptedMs = 2_000;
export const kPollUnknownMs = 10_000;

export function pollWaitMs(phase: Phase, backoffMs: number): number {
  switch (phase) {
    case 'live':
      return kPollOnAirMs;
    case 'interrupted':
      return kPollInterruptedMs;
    case 'unknown':
      return kPollUnknownMs;
    default:
      return backoffMs;
  }
}
