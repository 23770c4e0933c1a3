// Keeps playback at its distance behind the live edge by playing a little faster or slower, and decides when
// only a jump helps. Pure: it is fed a sample a few times a second and answers with a rate.
//
// Why not the catch-up built into hls.js: it wants more than one second of forward buffer before it speeds
// up, which a player at three parts of 0.333 s behind the edge never has, so it would settle about half a
// second too late; and each stall raises its target for good. Here a stall buys a cushion of one part that
// melts away again once playback has been smooth for a while.

export interface LatencySample {
  nowS: number; // Monotonic.
  latencyS: number; // Behind the estimated live edge.
  holdBackS: number; // What the playlist asks for: PART-HOLD-BACK, or HOLD-BACK.
  partTargetS: number; // PART-TARGET, or the target duration of an ordinary playlist.
  forwardBufferS: number;
  reserveS: number; // The least that is to be expected of it until a lower level can be had; Infinity: no matter.
  loadS: number; // What a part takes to come.
  isPlaying: boolean; // Not paused, seeking, stalled or ended.
  isFollowing: boolean; // The viewer wants to be at the live edge.
}

export interface LatencyDecision {
  rate: number;
  shouldJump: boolean;
}

export const kRateMax = 1.08;
export const kRateMin = 0.95;
export const kRateShort = 0.8; // The least, while the line does not carry the level, and that cannot be changed yet.
const kReserveS = 0.3; // With less than this, or a part, to be expected, playback is slowed,
const kReservePerRate = 0.5; // 0.4 s less asks for the least rate.
const kBeginGivingWayS = 0.12; // So much too near the edge, playback is slowed a little,
const kEndGivingWayS = 0.03; // until it is this near to where it should be.
const kReachPerS = 0.1;
const kBeginCatchUpS = 0.15; // Excess at which catching up begins,
const kEndCatchUpS = 0.04; // and below which it is done.
const kRatePerExcess = 0.1; // 0.8 s of excess asks for the full rate.
export const kJumpExcessS = 4; // Beyond this, catching up by rate would take most of a minute.
const kJumpAfterS = 1; // The excess must last this long, so that a late playlist does not cause a jump.
const kJumpCooldownS = 6;
const kCushionPartsMax = 4;
export const kCushionMaxS = 2;
const kCushionHoldS = 30; // Smooth playback after which the cushion begins to melt,
const kCushionMeltPerS = 0.02; // by this much of each second.

// Loading the first parts takes time, in which the edge runs away. In the first moments a skip ahead within
// what is already buffered goes unnoticed, where catching up would take many seconds.
const kStartSkipWithinS = 1.5;
const kStartSkipExcessS = 0.35;
export function shouldSkipAtStart(
  sinceStartS: number,
  excessS: number,
  bufferAfterS: number,
  partTargetS: number,
): boolean {
  const enoughS = Math.min(partTargetS, 0.5);
  return sinceStartS < kStartSkipWithinS && excessS > kStartSkipExcessS && bufferAfterS >= enoughS;
}

function shortRate(reserveS: number, enoughS: number): number {
  const rate = 1 - (enoughS - reserveS) * kReservePerRate;
  return Math.round(Math.max(kRateShort, rate) * 100) / 100;
}

export class LatencyKeeper {
  private rate = 1;
  private cushionS = 0;
  private reachS = 0; // For the time that a part takes to come: on a line just wide enough it is not in hand.
  private lastStallS = -Infinity;
  private lastSampleS: number | null = null;
  private lastJumpS = -Infinity;
  private excessSinceS: number | null = null;
  private isCatchingUp = false;
  private isSlowing = false;
  private isGivingWay = false;

  // The distance to keep, with the cushion.
  targetS(holdBackS: number): number {
    return holdBackS + this.cushion;
  }
  get cushion(): number {
    return this.cushionS + this.reachS;
  }

  handleStall(nowS: number, partTargetS: number): void {
    const step = Math.min(Math.max(partTargetS, 0.1), 0.5);
    this.cushionS = Math.min(this.cushionS + step, step * kCushionPartsMax, kCushionMaxS);
    this.lastStallS = nowS;
  }

  handleJump(nowS: number): void {
    this.lastJumpS = nowS;
    this.excessSinceS = null;
    this.isCatchingUp = false;
  }

  handleSample(sample: LatencySample): LatencyDecision {
    const elapsedS = this.lastSampleS === null ? 0 : Math.max(0, sample.nowS - this.lastSampleS);
    this.lastSampleS = sample.nowS;
    this.meltCushion(sample, elapsedS);
    this.moveReach(sample, elapsedS);
    if (!sample.isPlaying || !sample.isFollowing) {
      this.excessSinceS = null;
      this.isCatchingUp = false;
      this.isSlowing = false;
      this.isGivingWay = false;
      this.rate = 1;
      return { rate: 1, shouldJump: false };
    }
    const excessS = sample.latencyS - this.targetS(sample.holdBackS);
    if (this.wantsJump(sample.nowS, excessS)) {
      this.handleJump(sample.nowS);
      this.rate = 1;
      return { rate: 1, shouldJump: true };
    }
    this.rate = this.rateFor(sample, excessS);
    return { rate: this.rate, shouldJump: false };
  }

  private moveReach({ loadS, partTargetS }: LatencySample, elapsedS: number): void {
    const most = kReachPerS * elapsedS;
    const missing = Math.min(loadS, partTargetS) - this.reachS;
    this.reachS += Math.min(Math.max(missing, -most), most);
  }

  private meltCushion({ nowS }: LatencySample, elapsedS: number): void {
    if (nowS - this.lastStallS < kCushionHoldS) return;
    this.cushionS = Math.max(0, this.cushionS - elapsedS * kCushionMeltPerS);
  }

  private wantsJump(nowS: number, excessS: number): boolean {
    if (excessS < kJumpExcessS) {
      this.excessSinceS = null;
      return false;
    }
    this.excessSinceS ??= nowS;
    return nowS - this.excessSinceS >= kJumpAfterS && nowS - this.lastJumpS >= kJumpCooldownS;
  }

  private rateFor(sample: LatencySample, excessS: number): number {
    const { forwardBufferS, partTargetS } = sample;
    const scarceS = Math.min(0.5 * partTargetS, 0.25);
    const enoughS = Math.min(partTargetS, 0.5);
    if (this.isSlowing) this.isSlowing = forwardBufferS < enoughS;
    else this.isSlowing = forwardBufferS < scarceS;
    const reserveWantedS = Math.min(kReserveS, partTargetS);
    if (sample.reserveS < reserveWantedS && excessS < 1) {
      this.isCatchingUp = false;
      return shortRate(sample.reserveS, reserveWantedS);
    }
    // Slowing down is for the last moments before a stall; far behind, the network is what is missing.
    if (this.isSlowing) {
      this.isCatchingUp = false;
      return excessS < 1 ? kRateMin : 1;
    }
    if (excessS < -kBeginGivingWayS) this.isGivingWay = true;
    if (excessS > -kEndGivingWayS) this.isGivingWay = false;
    if (this.isGivingWay) return kRateMin;
    if (excessS > kBeginCatchUpS && forwardBufferS > enoughS) this.isCatchingUp = true;
    if (excessS < kEndCatchUpS) this.isCatchingUp = false;
    if (!this.isCatchingUp) return 1;
    const rate = 1 + Math.min(kRateMax - 1, Math.max(0.02, excessS * kRatePerExcess));
    return Math.round(rate * 100) / 100;
  }
}
