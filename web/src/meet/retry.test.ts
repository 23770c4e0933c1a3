import { expect, test } from 'vitest';
import { kGiveUpMs, retryDelayMs } from './retry';

test('the first attempt comes at once, later ones within three seconds', () => {
  expect(retryDelayMs(0, 0, 0)).toBe(0);
  expect(retryDelayMs(0, 0, 1)).toBe(200);
  for (let count = 1; count < 100; count++) {
    const delay = retryDelayMs(count, 1000, 1);
    expect(delay).toBeGreaterThan(0);
    expect(delay).toBeLessThanOrEqual(3000);
  }
});

test('attempts are spread, so that not all come back in the same moment', () => {
  expect(retryDelayMs(9, 20_000, 0)).toBe(1000);
  expect(retryDelayMs(9, 20_000, 1)).toBe(3000);
});

test('it ends by time and not by count: attempts may be slow', () => {
  expect(retryDelayMs(500, kGiveUpMs - 1, 0)).not.toBeNull();
  expect(retryDelayMs(1, kGiveUpMs, 0)).toBeNull();
});
