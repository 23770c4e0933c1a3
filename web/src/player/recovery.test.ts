import { describe, expect, test } from 'vitest';
import { Recovery, type PlayerError } from './recovery';

const error = (change: Partial<PlayerError>): PlayerError => ({
  nowS: 0,
  kind: 'network',
  details: 'levelLoadError',
  isFatal: true,
  ...change,
});

describe('Recovery', () => {
  test('leaves to hls.js what it gets over by itself', () => {
    expect(new Recovery().handleError(error({ isFatal: false }))).toEqual({ kind: 'none' });
  });

  test('starts anew after a fatal network error, waiting longer each time up to five seconds', () => {
    const recovery = new Recovery();
    const waits = Array.from({ length: 12 }, () => {
      const action = recovery.handleError(error({}));
      return action.kind === 'restart' ? action.afterMs : NaN;
    });
    expect(waits[0]).toBe(300);
    expect(waits.every((wait, i) => i === 0 || wait >= (waits[i - 1] ?? 0))).toBe(true);
    expect(waits.at(-1)).toBe(5000);
  });

  test('begins with short waits again once it has played', () => {
    const recovery = new Recovery();
    for (let i = 0; i < 6; i++) recovery.handleError(error({}));
    recovery.handlePlaying();
    expect(recovery.handleError(error({}))).toEqual({ kind: 'restart', afterMs: 300 });
  });

  test('tries the media again, then the other audio codec, then starts anew', () => {
    const recovery = new Recovery();
    const media = (nowS: number) =>
      recovery.handleError(error({ nowS, kind: 'media', details: 'bufferAppendError' })).kind;
    expect([media(0), media(1), media(2), media(3)]).toEqual([
      'recover_media',
      'swap_audio_codec',
      'restart',
      'recover_media',
    ]);
  });

  test('forgets media errors that are long past', () => {
    const recovery = new Recovery();
    const media = (nowS: number) =>
      recovery.handleError(error({ nowS, kind: 'media', details: 'bufferAppendError' })).kind;
    expect([media(0), media(100), media(200)]).toEqual(['recover_media', 'recover_media', 'recover_media']);
  });

  test('gives up only when the browser lacks the codec', () => {
    const give = { kind: 'give_up', reason: 'unsupported' };
    expect(
      new Recovery().handleError(error({ kind: 'media', details: 'manifestIncompatibleCodecsError' })),
    ).toEqual(give);
    expect(new Recovery().handleError(error({ kind: 'other', details: 'internalException' })).kind).toBe(
      'restart',
    );
  });
});
