import { describe, expect, test } from 'vitest';
import { forwardBufferOf, History, RateMeter } from './meters';

describe('RateMeter', () => {
  test('tells the rate over its window', () => {
    const meter = new RateMeter(3);
    for (let t = 0; t <= 10; t += 0.5) meter.add(t, t * 30);
    expect(meter.perSecond()).toBeCloseTo(30);
    for (let t = 10.5; t <= 16; t += 0.5) meter.add(t, 300);
    expect(meter.perSecond()).toBe(0);
  });

  test('knows nothing from one look', () => {
    const meter = new RateMeter();
    expect(meter.perSecond()).toBeNull();
    meter.add(0, 0);
    expect(meter.perSecond()).toBeNull();
  });

  test('begins anew when the counter does', () => {
    const meter = new RateMeter();
    meter.add(0, 1000);
    meter.add(1, 1030);
    meter.add(2, 5);
    expect(meter.perSecond()).toBeNull();
    meter.add(3, 35);
    expect(meter.perSecond()).toBeCloseTo(30);
  });
});

describe('History', () => {
  test('keeps the last values up to its limit', () => {
    const history = new History(3);
    [1, 2, 3, 4].forEach((value) => history.add(value));
    expect(history.list()).toEqual([2, 3, 4]);
  });
});

describe('forwardBufferOf', () => {
  const ranges = [
    { start: 0, end: 4 },
    { start: 4.05, end: 6 },
    { start: 8, end: 9 },
  ];
  test('counts to the end of the range, over holes too small to matter', () => {
    expect(forwardBufferOf(ranges, 1)).toBeCloseTo(5);
    expect(forwardBufferOf(ranges, 8.5)).toBeCloseTo(0.5);
  });
  test('is nothing in a hole and beyond the end', () => {
    expect(forwardBufferOf(ranges, 7)).toBe(0);
    expect(forwardBufferOf(ranges, 20)).toBe(0);
    expect(forwardBufferOf([], 0)).toBe(0);
  });
});
