import { describe, expect, test } from 'vitest';
import {
  kCushionMaxS,
  kJumpExcessS,
  kRateMax,
  kRateMin,
  kRateShort,
  LatencyKeeper,
  shouldSkipAtStart,
  type LatencySample,
} from './latency';

const kPart = 1 / 3;
const sample = (change: Partial<LatencySample>): LatencySample => ({
  nowS: 0,
  latencyS: 1,
  holdBackS: 1,
  partTargetS: kPart,
  forwardBufferS: 0.8,
  reserveS: Infinity,
  loadS: 0,
  isPlaying: true,
  isFollowing: true,
  ...change,
});

// A player in virtual time: the edge runs with the clock, the playhead with the rate it is given.
function simulate(keeper: LatencyKeeper, startLatencyS: number, seconds: number, fromS = 0) {
  let latencyS = startLatencyS;
  let jumps = 0;
  const rates: number[] = [];
  for (let t = 0; t < seconds; t += 0.2) {
    const { rate, shouldJump } = keeper.handleSample(
      sample({ nowS: fromS + t, latencyS, forwardBufferS: Math.max(0, latencyS - 0.3) }),
    );
    if (shouldJump) {
      jumps += 1;
      latencyS = keeper.targetS(1);
    }
    rates.push(rate);
    latencyS -= (rate - 1) * 0.2;
  }
  return { latencyS, jumps, rates };
}

describe('LatencyKeeper', () => {
  test('plays at normal speed while at its distance', () => {
    const { rates, jumps } = simulate(new LatencyKeeper(), 1.05, 60);
    expect(new Set(rates)).toEqual(new Set([1]));
    expect(jumps).toBe(0);
  });

  test('comes back to the hold-back from two seconds too late within half a minute, by speed alone', () => {
    const { latencyS, jumps, rates } = simulate(new LatencyKeeper(), 2.5, 40);
    expect(latencyS).toBeLessThan(1.06);
    expect(latencyS).toBeGreaterThan(0.95);
    expect(jumps).toBe(0);
    expect(Math.max(...rates)).toBeLessThanOrEqual(kRateMax);
  });

  test('catches up with less than a second of buffer, as three parts of a third leave it', () => {
    const { rate } = new LatencyKeeper().handleSample(sample({ latencyS: 1.5, forwardBufferS: 0.7 }));
    expect(rate).toBeGreaterThan(1);
  });

  test('does not speed up on a buffer of less than a part', () => {
    const { rate } = new LatencyKeeper().handleSample(sample({ latencyS: 2, forwardBufferS: 0.3 }));
    expect(rate).toBe(1);
  });

  test('slows down when the buffer is about to run dry, and stops doing so when a part is there', () => {
    const keeper = new LatencyKeeper();
    expect(keeper.handleSample(sample({ forwardBufferS: 0.1 })).rate).toBe(kRateMin);
    expect(keeper.handleSample(sample({ nowS: 0.2, forwardBufferS: 0.25 })).rate).toBe(kRateMin);
    expect(keeper.handleSample(sample({ nowS: 0.4, forwardBufferS: 0.4 })).rate).toBe(1);
  });

  test('changes no speed between beginning and end of catching up', () => {
    const keeper = new LatencyKeeper();
    expect(keeper.handleSample(sample({ latencyS: 1.1 })).rate).toBe(1);
    expect(keeper.handleSample(sample({ nowS: 0.2, latencyS: 1.2 })).rate).toBeGreaterThan(1);
    expect(keeper.handleSample(sample({ nowS: 0.4, latencyS: 1.1 })).rate).toBeGreaterThan(1);
    expect(keeper.handleSample(sample({ nowS: 0.6, latencyS: 1.03 })).rate).toBe(1);
  });

  test('jumps when it drifted far, once the drift has lasted a second', () => {
    const keeper = new LatencyKeeper();
    const far = 1 + kJumpExcessS + 1;
    expect(keeper.handleSample(sample({ nowS: 0, latencyS: far })).shouldJump).toBe(false);
    expect(keeper.handleSample(sample({ nowS: 0.8, latencyS: far })).shouldJump).toBe(false);
    expect(keeper.handleSample(sample({ nowS: 1.1, latencyS: far })).shouldJump).toBe(true);
  });

  test('does not jump for a moment of a late playlist', () => {
    const keeper = new LatencyKeeper();
    const far = 1 + kJumpExcessS + 1;
    keeper.handleSample(sample({ nowS: 0, latencyS: far }));
    keeper.handleSample(sample({ nowS: 0.6, latencyS: 1.2 }));
    expect(keeper.handleSample(sample({ nowS: 1.2, latencyS: far })).shouldJump).toBe(false);
  });

  test('does not jump again and again when a jump did not help', () => {
    const keeper = new LatencyKeeper();
    let jumps = 0;
    for (let t = 0; t < 12; t += 0.2) {
      if (keeper.handleSample(sample({ nowS: t, latencyS: 9 })).shouldJump) jumps += 1;
    }
    expect(jumps).toBeLessThanOrEqual(2);
    expect(jumps).toBeGreaterThanOrEqual(1);
  });

  test('leaves a viewer alone who went back in time', () => {
    const keeper = new LatencyKeeper();
    for (let t = 0; t < 20; t += 0.2) {
      expect(keeper.handleSample(sample({ nowS: t, latencyS: 20, isFollowing: false }))).toEqual({
        rate: 1,
        shouldJump: false,
      });
    }
  });

  test('a stall buys a part of distance, bounded however many there are', () => {
    const keeper = new LatencyKeeper();
    keeper.handleStall(1, kPart);
    expect(keeper.targetS(1)).toBeCloseTo(1 + kPart);
    for (let i = 0; i < 50; i++) keeper.handleStall(2 + i, kPart);
    expect(keeper.targetS(1)).toBeLessThanOrEqual(1 + kCushionMaxS);
    expect(keeper.targetS(1)).toBeCloseTo(1 + 4 * kPart);
  });

  test('forgets stalls after smooth playback: the distance does not ratchet', () => {
    const keeper = new LatencyKeeper();
    keeper.handleStall(0, kPart);
    keeper.handleStall(1, kPart);
    simulate(keeper, 1.6, 25, 1);
    expect(keeper.cushion).toBeCloseTo(2 * kPart);
    const { latencyS } = simulate(keeper, 1.6, 90, 26);
    expect(keeper.cushion).toBe(0);
    expect(latencyS).toBeLessThan(1.1);
  });

  test('slows down at once while the line does not carry the level, but not without end', () => {
    const keeper = new LatencyKeeper();
    expect(keeper.handleSample(sample({ nowS: 0, reserveS: 0.1 })).rate).toBe(0.9);
    expect(keeper.handleSample(sample({ nowS: 0.1, reserveS: -0.7 })).rate).toBe(kRateShort);
    expect(keeper.handleSample(sample({ nowS: 0.2, reserveS: 0.6 })).rate).toBe(1);
    expect(keeper.handleSample(sample({ nowS: 0.4, reserveS: 0.1, latencyS: 2.5 })).rate).toBeGreaterThanOrEqual(1);
  });

  test('keeps farther away by what a part takes to come, and goes there without haste', () => {
    const keeper = new LatencyKeeper();
    let latencyS = 1;
    const rates = new Set<number>();
    for (let t = 0; t < 20; t += 0.2) {
      const { rate } = keeper.handleSample(sample({ nowS: t, latencyS, loadS: 0.2 }));
      latencyS -= (rate - 1) * 0.2;
      rates.add(rate);
    }
    expect(keeper.targetS(1)).toBeCloseTo(1.2);
    expect(latencyS).toBeGreaterThan(1.15);
    expect(latencyS).toBeLessThan(1.2);
    expect(rates).toEqual(new Set([1, kRateMin]));
    for (let t = 20; t < 60; t += 0.2) keeper.handleSample(sample({ nowS: t, loadS: 0 }));
    expect(keeper.targetS(1)).toBeCloseTo(1);
  });

  test('never goes farther away for slow parts than one part', () => {
    const keeper = new LatencyKeeper();
    for (let t = 0; t < 20; t += 0.2) keeper.handleSample(sample({ nowS: t, loadS: 5 }));
    expect(keeper.targetS(1)).toBeCloseTo(1 + kPart);
  });
});

describe('shouldSkipAtStart', () => {
  test('skips only in the first moments, for a distance worth it, onto enough buffer', () => {
    expect(shouldSkipAtStart(0.2, 1, 0.7, kPart)).toBe(true);
    expect(shouldSkipAtStart(2, 1, 0.7, kPart)).toBe(false);
    expect(shouldSkipAtStart(0.2, 0.2, 0.7, kPart)).toBe(false);
    expect(shouldSkipAtStart(0.2, 1, 0.2, kPart)).toBe(false);
  });
});
