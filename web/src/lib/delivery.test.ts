import { describe, expect, test } from 'vitest';
import { parseChannel, type LiveChannel } from './api';
import {
  initialDelivery,
  missingIn,
  readFailure,
  reasonOf,
  reduceDelivery,
  wordsOf,
  writeFailure,
  type DeliveryEvent,
  type DeliveryState,
  type Wish,
} from './delivery';

const video = (more = {}) => ({ id: 'v0', kind: 'video', codec: 'avc1.42e01f', codec_name: 'H.264', ...more });
const opus = { id: 'a0', kind: 'audio', codec: 'opus', codec_name: 'Opus' };
const transcoded = { id: 'a0', kind: 'audio', codec: 'mp4a.40.2', codec_name: 'AAC' };
const aac = { ...transcoded, realtime_obstacle: 'codec' };
const vp8 = video({ codec: 'vp8', codec_name: 'VP8', hls_obstacle: 'codec' });
function channelOf(...tracks: object[]): LiveChannel {
  const channel = parseChannel({ name: 'x', state: 'live', tracks });
  if (channel === null) throw new Error('not a channel');
  return channel;
}
const heard = (...tracks: object[]): DeliveryEvent => ({ kind: 'channel', channel: channelOf(...tracks) });
const answered = (hasVideo: boolean, hasAudio: boolean): DeliveryEvent => ({ kind: 'answered', hasVideo, hasAudio });
const failed = (reason: 'no_path' | 'lost' | 'not_offered', detail = ''): DeliveryEvent => ({ kind: 'failed', reason, detail });
const after = (wish: Wish, ...events: DeliveryEvent[]): DeliveryState =>
  events.reduce(reduceDelivery, initialDelivery(wish, null));

describe('automatic delivery', () => {
  test('begins in real time, before anything is known', () => {
    expect(after('auto')).toMatchObject({ way: 'realtime', reason: null });
    expect(after('auto', heard(video(), opus), answered(true, true)).way).toBe('realtime');
  });

  test('begins with the way that suits what is known of the broadcast', () => {
    expect(initialDelivery('auto', null, channelOf(video(), aac).tracks)).toMatchObject({ way: 'hls', reason: 'incomplete' });
    expect(initialDelivery('auto', null, channelOf(video(), opus).tracks).way).toBe('realtime');
    expect(initialDelivery('auto', null, channelOf(video(), transcoded).tracks).way).toBe('realtime');
  });

  test('prefers LL-HLS to real time without the sound, and says so', () => {
    const state = after('auto', heard(video(), aac));
    expect(state).toMatchObject({ way: 'hls', reason: 'incomplete' });
    expect(wordsOf(state).text).toBe(
      'Playing LL-HLS. There is no sound in real time: it is AAC, which WebRTC does not carry.',
    );
  });

  test('learns from the answer what the server did not say before', () => {
    const state = after('auto', heard(video(), opus), answered(true, false));
    expect(state.way).toBe('hls');
    expect(wordsOf(state).text).toContain('this browser does not decode Opus');
    expect(after('auto', answered(true, false)).way).toBe('realtime'); // Perhaps the broadcast has no sound.
    expect(after('auto', answered(true, false), heard(video())).way).toBe('realtime');
    expect(after('auto', answered(true, false), heard(video(), aac)).way).toBe('hls');
  });

  test('prefers LL-HLS to a picture that is not smooth', () => {
    const state = after('auto', heard(video({ realtime_obstacle: 'reordered_frames' }), opus), answered(true, true));
    expect(state.way).toBe('hls');
    expect(wordsOf(state).text).toContain('B-frames');
  });

  test('takes real time where LL-HLS would bring less', () => {
    expect(after('auto', heard(vp8, opus)).way).toBe('realtime');
    // A picture weighs more than sound.
    expect(after('auto', heard(vp8, aac)).way).toBe('realtime');
    expect(missingIn('hls', { tracks: channelOf(vp8, opus).tracks, answered: null })).toMatchObject([
      { kind: 'video', why: 'codec' },
    ]);
  });

  test('is content with one track of a kind that arrives', () => {
    expect(after('auto', heard(video(), aac, { ...opus, id: 'a1' })).way).toBe('realtime');
  });

  test('falls back when real time fails, says why, and tries again when asked', () => {
    const state = after('auto', failed('no_path', 'Tried: UDP port 7882 of 192.0.2.1'));
    expect(state).toMatchObject({ way: 'hls', reason: 'no_path' });
    expect(wordsOf(state)).toEqual({
      text:
        'Playing LL-HLS. No real-time connection: the network lets neither UDP nor TCP to the media port ' +
        'through. Tried: UDP port 7882 of 192.0.2.1.',
      canRetry: true,
    });
    expect(reduceDelivery(state, { kind: 'again' })).toMatchObject({ way: 'realtime', reason: null });
  });

  test('remembers a blocked network in the next broadcast, but not a lost session', () => {
    expect(after('auto', failed('no_path'), { kind: 'broadcast' }).way).toBe('hls');
    expect(after('auto', failed('lost'), { kind: 'broadcast' }).way).toBe('realtime');
  });

  test('remembers a server without real time until the tab is closed, a full one for a while, and says so', () => {
    for (const [reason, words, next, later] of [
      ['overloaded', 'no room', 'realtime', null],
      ['switched_off', 'no real time', 'hls', 'switched_off'],
    ] as const) {
      const text = writeFailure(reason, 0, 5);
      const state = initialDelivery('auto', readFailure(text, 89_999));
      expect(state).toMatchObject({ way: 'hls', reason });
      expect(wordsOf(state).text).toContain(words);
      expect(reduceDelivery(state, { kind: 'broadcast' }).way).toBe(next);
      expect(reduceDelivery(state, { kind: 'wished', wish: 'realtime' }).way).toBe('realtime');
      expect(readFailure(text, 90_000)).toBe(later);
    }
    const long = writeFailure('overloaded', 0, 300);
    expect([readFailure(long, 299_999), readFailure(long, 300_000)]).toEqual(['overloaded', null]);
    expect(wordsOf(initialDelivery('auto', 'overloaded')).canRetry).toBe(true);
    expect(wordsOf(initialDelivery('auto', 'switched_off')).canRetry).toBe(false);
  });

  test('remembers a blocked network for ten minutes, and nothing of a broadcast', () => {
    const text = writeFailure('no_path', 1000, null);
    expect(readFailure(text, 600_999)).toBe('no_path');
    expect(readFailure(text, 601_000)).toBeNull();
    expect(writeFailure('lost', 0, null)).toBeNull();
    for (const bad of [null, '', 'null', '1', '{"reason":"no_browser"}', '{"reason":"no_path"}', '{"reason":"overloaded"}', '{'])
      expect(readFailure(bad, 0)).toBeNull();
  });

  test('offers no second try of what is not there', () => {
    expect(wordsOf(after('auto', failed('not_offered'))).canRetry).toBe(false);
  });
});

describe('delivery chosen by hand', () => {
  test('is kept, and what is missing is said', () => {
    const state = after('realtime', heard(video(), aac), answered(true, false));
    expect(state.way).toBe('realtime');
    expect(wordsOf(state).text).toBe('There is no sound in real time: it is AAC, which WebRTC does not carry.');
    expect(after('hls', heard(vp8, opus)).way).toBe('hls');
    expect(wordsOf(after('hls', heard(vp8, opus))).text).toContain('no picture in LL-HLS');
  });

  test('of real time gives a failed one another try', () => {
    const state = after('auto', failed('no_path'), { kind: 'wished', wish: 'realtime' });
    expect(state).toMatchObject({ way: 'realtime', reason: null });
  });

  test('cannot be real time where the browser has none', () => {
    const state = reduceDelivery(initialDelivery('auto', 'no_browser'), { kind: 'wished', wish: 'realtime' });
    expect(state).toMatchObject({ way: 'hls', reason: 'no_browser' });
    expect(wordsOf(state).text).toContain('no real-time playback');
  });
});

test.each([
  ['no_path', 0, 'no_path'],
  ['refused', 406, 'no_codec'],
  ['refused', 404, 'not_offered'],
  ['refused', 405, 'not_offered'],
  ['refused', 501, 'switched_off'],
  ['overloaded', 503, 'overloaded'],
  ['refused', 403, 'refused'],
  ['not_live', 404, 'not_offered'],
  ['constructor', 0, 'refused'],
] as const)('%s with status %i means %s', (trouble, status, reason) => {
  expect(reasonOf(trouble, status)).toBe(reason);
});
