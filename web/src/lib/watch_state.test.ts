import { describe, expect, test } from 'vitest';
import { parseChannel, type LiveChannel } from './api';
import {
  hasPlayer,
  initialWatchState,
  pollWaitMs,
  reduceWatch,
  type WatchEvent,
  type WatchState,
} from './watch_state';

function channelOf(state: 'live' | 'interrupted' = 'live', startedAt = '2026-01-01T10:00:00Z'): LiveChannel {
  const channel = parseChannel({ name: 'demo', state, started_at: startedAt });
  if (channel === null) throw new Error('not a channel');
  return channel;
}
const live: WatchEvent = { kind: 'channel', channel: channelOf() };
const interrupted: WatchEvent = { kind: 'channel', channel: channelOf('interrupted') };
const next: WatchEvent = { kind: 'channel', channel: channelOf('live', '2026-01-01T11:00:00Z') };
const after = (...events: WatchEvent[]): WatchState => events.reduce(reduceWatch, initialWatchState(null));

describe('reduceWatch', () => {
  test('shows the player from the first moment, before the server has answered', () => {
    expect(hasPlayer(initialWatchState(null).phase)).toBe(true);
    expect(after(live).generation).toBe(0);
  });

  test('begins with what the list of channels said, and notices that it is out of date', () => {
    const begin = initialWatchState(channelOf());
    expect(begin).toMatchObject({ phase: 'loading', channel: { name: 'demo' } });
    expect(reduceWatch(begin, live)).toMatchObject({ phase: 'live', generation: 0 });
    expect(reduceWatch(begin, next)).toMatchObject({ phase: 'live', generation: 1 });
    expect(reduceWatch(begin, { kind: 'offline' }).phase).toBe('offline');
  });

  test('tells offline from unknown', () => {
    expect(after({ kind: 'offline' }).phase).toBe('offline');
    expect(after({ kind: 'not_found' }).phase).toBe('unknown');
  });

  test('goes live by itself from every waiting page', () => {
    for (const kind of ['offline', 'not_found', 'unreachable'] as const) {
      expect(after({ kind }, live).phase).toBe('live');
    }
  });

  test('keeps the same player through an interruption', () => {
    const state = after(live, interrupted, live);
    expect(state.phase).toBe('live');
    expect(state.generation).toBe(0);
    expect(after(live, interrupted).phase).toBe('interrupted');
  });

  test('lets the player finish before it says that the broadcast has ended', () => {
    expect(after(live, { kind: 'offline' }).phase).toBe('ending');
    expect(after(live, { kind: 'offline' }, { kind: 'offline' }).phase).toBe('ending');
    expect(after(live, { kind: 'offline' }, { kind: 'playback_ended' }).phase).toBe('ended');
    expect(after(live, { kind: 'playback_ended' }, { kind: 'offline' }).phase).toBe('ended');
  });

  test('still knows the title after the end', () => {
    expect(after(live, { kind: 'playback_ended' }).channel?.name).toBe('demo');
  });

  test('gives the next broadcast a new player', () => {
    expect(after(live, { kind: 'offline' }, next)).toMatchObject({ phase: 'live', generation: 1 });
    expect(after(live, next)).toMatchObject({ phase: 'live', generation: 1 });
    expect(after(live, { kind: 'playback_ended' }, next)).toMatchObject({ phase: 'live', generation: 1 });
  });

  test('does not take the picture away when the server stops answering', () => {
    expect(after(live, { kind: 'unreachable' })).toMatchObject({ phase: 'live', isServerReachable: false });
    expect(after({ kind: 'unreachable' }).phase).toBe('unreachable');
    expect(after(live, { kind: 'unreachable' }, live).isServerReachable).toBe(true);
  });

  test('an ended player of a channel that never played is nothing', () => {
    expect(after({ kind: 'playback_ended' }).phase).toBe('loading');
    expect(after({ kind: 'offline' }, { kind: 'playback_ended' }).phase).toBe('offline');
  });
});

describe('pollWaitMs', () => {
  test('asks often only while something is about to change', () => {
    expect(pollWaitMs('offline', 1234)).toBe(1234);
    expect(pollWaitMs('ended', 1234)).toBe(1234);
    expect(pollWaitMs('interrupted', 1234)).toBeLessThanOrEqual(2000);
    expect(pollWaitMs('live', 1234)).toBeGreaterThanOrEqual(5000);
  });
});
