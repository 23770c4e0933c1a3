import { describe, expect, test } from 'vitest';
import { BandwidthMeter, type Load } from './bandwidth';

const kPartMs = 1000 / 3;
const kHighBits = 600_000; // Of a part at 1.8 Mbit/s,
const kLowBits = 200_000; // and at 0.6 Mbit/s.

// A part that comes over a line of `rate` bit/s, with a wait for its first byte.
function load(startMs: number, bits: number, rate: number, waitMs = 20): Load {
  return { bytes: bits / 8, startMs, firstMs: startMs + waitMs, endMs: startMs + waitMs + (bits / rate) * 1000 };
}

// Parts one after another, at most one each third of a second. Gives the time after the last one.
function play(meter: BandwidthMeter, fromMs: number, parts: number, bits: number, rate: number): number {
  let nowMs = fromMs;
  for (let i = 0; i < parts; ++i) {
    const part = load(nowMs, bits, rate);
    meter.handleLoad(part);
    nowMs = Math.max(nowMs + kPartMs, part.endMs);
  }
  return nowMs;
}

// How many parts it takes until `is` holds.
function partsUntil(meter: BandwidthMeter, fromMs: number, bits: number, rate: number, is: () => boolean): number {
  let nowMs = fromMs;
  for (let parts = 1; parts <= 100; ++parts) {
    nowMs = play(meter, nowMs, 1, bits, rate);
    if (is()) return parts;
  }
  return Infinity;
}

describe('BandwidthMeter', () => {
  test('believes what it is told until it has measured', () => {
    const meter = new BandwidthMeter(4e6);
    expect(meter.hasMeasured).toBe(false);
    expect(meter.estimate()).toBe(4e6);
    play(meter, 0, 1, kHighBits, 10e6);
    expect(meter.estimate()).toBeCloseTo(10e6);
  });

  test('tells the rate of a steady line, whatever the size of the parts', () => {
    const meter = new BandwidthMeter(1e6);
    const endMs = play(meter, 0, 20, kHighBits, 5e6);
    expect(meter.estimate()).toBeCloseTo(5e6);
    play(meter, endMs, 20, kLowBits, 5e6);
    expect(meter.estimate()).toBeCloseTo(5e6);
  });

  test.each([4e6, 50e6, 800e6])('comes down from %d bit/s to what a line has become with two parts', (wide) => {
    const meter = new BandwidthMeter(1e6);
    const endMs = play(meter, 0, 60, kHighBits, wide);
    const parts = partsUntil(meter, endMs, kHighBits, 1.3e6, () => meter.estimate() < 1.8e6);
    expect(parts).toBeLessThanOrEqual(2);
    expect(meter.leastEstimate()).toBeCloseTo(1.3e6);
  });

  test('takes some seconds to trust a line that has become wide', () => {
    const meter = new BandwidthMeter(1e6);
    const endMs = play(meter, 0, 60, kLowBits, 1.3e6);
    const parts = partsUntil(meter, endMs, kLowBits, 4e6, () => meter.estimate() * 0.7 > 1.8e6);
    expect(parts).toBeGreaterThan(6);
    expect(parts).toBeLessThan(24);
  });

  test('is not moved much by a tiny part that came at once', () => {
    const meter = new BandwidthMeter(1e6);
    const endMs = play(meter, 0, 10, kHighBits, 2e6);
    meter.handleLoad({ bytes: 300, startMs: endMs, firstMs: endMs + 5, endMs: endMs + 5 });
    expect(meter.estimate()).toBeLessThan(2.2e6);
    meter.handleLoad({ bytes: 0, startMs: endMs, firstMs: endMs, endMs });
    expect(meter.estimate()).toBeLessThan(2.2e6);
  });

  test('leaves out the usual wait for the first byte, and counts what is above it', () => {
    const meter = new BandwidthMeter(1e6);
    let nowMs = 0;
    for (let i = 0; i < 9; ++i, nowMs += 1000) meter.handleLoad(load(nowMs, kHighBits, 3e6, 150));
    expect(meter.usualWaitMs()).toBeCloseTo(150);
    expect(meter.estimate()).toBeCloseTo(3e6);
    // A busy page saw the first byte and the last one together, a second late.
    meter.handleLoad({ bytes: kHighBits / 8, startMs: nowMs, firstMs: nowMs + 1150, endMs: nowMs + 1150 });
    expect(meter.estimate()).toBeLessThan(1e6);
  });

  test('begins anew when told to', () => {
    const meter = new BandwidthMeter(1e6);
    play(meter, 0, 5, kHighBits, 9e6);
    meter.restart(2e6);
    expect(meter.hasMeasured).toBe(false);
    expect(meter.estimate()).toBe(2e6);
    play(meter, 0, 1, kHighBits, 5e6);
    expect(meter.estimate()).toBeCloseTo(5e6);
  });
});
