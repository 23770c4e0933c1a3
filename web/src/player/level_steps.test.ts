import { describe, expect, test } from 'vitest';
import { reserveIfLeaving, reserveIfStaying, shouldLeave, type LevelState } from './level_steps';

const kPart = 1 / 3;
// At the first of six parts of 2 Mbit/s, on a line that became too narrow for them.
const narrow: LevelState = {
  rate: 1.2e6,
  forwardBufferS: 0.6,
  partS: kPart,
  partsInSegment: 6,
  partsLeft: 6,
  remainingBits: 2e6 * kPart,
  bitrate: 2e6,
  lowerBitrate: 0.6e6,
  changeS: 0.1,
};
const wide: LevelState = { ...narrow, rate: 4e6 };

describe('a level at the live edge', () => {
  test('is kept on a line that carries it', () => {
    expect(reserveIfStaying(wide)).toBeCloseTo(0.6 - kPart / 2);
    expect(reserveIfStaying({ ...wide, partsLeft: 0 })).toBeCloseTo(0.6 - kPart / 2);
    expect(shouldLeave(wide)).toBe(false);
  });

  test('is left at once where a segment begins that would not come in time', () => {
    expect(reserveIfStaying(narrow)).toBeLessThan(-0.5);
    expect(reserveIfLeaving(narrow)).toBeGreaterThan(0.3);
    expect(shouldLeave(narrow)).toBe(true);
  });

  test('is kept where a segment begins that will be through before the buffer is empty', () => {
    expect(shouldLeave({ ...narrow, rate: 1.95e6 })).toBe(false);
    expect(shouldLeave({ ...narrow, forwardBufferS: 4 })).toBe(false);
  });

  test('is kept to the end of a segment that has begun, though that runs short', () => {
    for (const partsLeft of [1, 2, 3, 4, 5]) expect(shouldLeave({ ...narrow, partsLeft })).toBe(false);
    expect(reserveIfStaying({ ...narrow, partsLeft: 5 })).toBeLessThan(0);
    expect(reserveIfStaying({ ...narrow, partsLeft: 1 })).toBeGreaterThan(0);
  });

  test('is left in the midst of a segment when its rest would take for ever', () => {
    expect(shouldLeave({ ...narrow, partsLeft: 5, rate: 0.4e6 })).toBe(true);
  });

  test('is not left when the change itself would take longer', () => {
    expect(shouldLeave({ ...narrow, changeS: 3 })).toBe(false);
  });

  test('counts only what is still to come of a part in flight', () => {
    const half = { ...narrow, partsLeft: 1, remainingBits: narrow.remainingBits / 2 };
    expect(reserveIfStaying(half)).toBeCloseTo(0.6 - (0.5 * kPart * 2) / 1.2);
  });
});
