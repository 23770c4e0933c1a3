// Measures the line by the parts and segments that come through it. Pure: times come in as arguments.
//
// Why not the estimator of hls.js: of a run of parts it counts the last one only, and it averages rates, so that
// one part at hundreds of Mbit/s outweighs many slow ones. Here bits and the seconds they took fade away
// separately, and the estimate is their quotient: a slow part, which takes many seconds, counts for more than a
// fast one. So it comes down with a part or two and goes up over some seconds.

export interface Load {
  bytes: number;
  startMs: number; // The request,
  firstMs: number; // the first byte of the answer,
  endMs: number; // and the last one. Monotonic.
}

const kFastHalfLifeS = 0.4;
const kSlowHalfLifeS = 2;
const kLeastMs = 0.5; // Clocks of browsers are coarse: nothing comes faster than this.
const kWaitsMax = 9;

// Bits and seconds, of which half is forgotten every `halfLifeS`.
class FadingRate {
  private bits = 0;
  private seconds = 0;

  constructor(private readonly halfLifeS: number) {}

  add(elapsedS: number, bits: number, seconds: number): void {
    const left = 2 ** (-elapsedS / this.halfLifeS);
    this.bits = this.bits * left + bits;
    this.seconds = this.seconds * left + seconds;
  }

  rate(): number {
    return this.bits / this.seconds;
  }
}

export class BandwidthMeter {
  private fast = new FadingRate(kFastHalfLifeS);
  private slow = new FadingRate(kSlowHalfLifeS);
  private lastEndMs: number | null = null;
  private lastRate = Infinity;
  private waits: number[] = []; // For the first byte, of the last loads.

  // `first`: what to believe before anything was measured, in bit/s.
  constructor(private first: number) {}

  get hasMeasured(): boolean {
    return this.lastEndMs !== null;
  }

  // bit/s.
  estimate(): number {
    return this.hasMeasured ? Math.min(this.fast.rate(), this.slow.rate()) : this.first;
  }

  // What the last load was given, or the estimate where that is less: for who must fear the worst.
  leastEstimate(): number {
    return Math.min(this.estimate(), this.lastRate);
  }

  // The usual wait for the first byte; null before anything was measured.
  usualWaitMs(): number | null {
    return this.waits.length === 0 ? null : ([...this.waits].sort((a, b) => a - b)[this.waits.length >> 1] ?? null);
  }

  handleLoad(load: Load): void {
    if (load.bytes <= 0) return;
    const tookMs = this.transferMs(load);
    const elapsedS = this.lastEndMs === null ? 0 : Math.max(0, load.endMs - this.lastEndMs) / 1000;
    for (const rate of [this.fast, this.slow]) rate.add(elapsedS, load.bytes * 8, tookMs / 1000);
    this.lastEndMs = load.endMs;
    this.lastRate = (load.bytes * 8000) / tookMs;
    this.waits.push(Math.max(0, load.firstMs - load.startMs));
    if (this.waits.length > kWaitsMax) this.waits.shift();
  }

  // What the line gives to a load so far, in bit/s. `endMs` is now.
  rateOf(load: Load): number {
    return (load.bytes * 8000) / this.transferMs(load);
  }

  // Forgets everything and believes in `first`.
  restart(first: number): void {
    this.first = first;
    this.fast = new FadingRate(kFastHalfLifeS);
    this.slow = new FadingRate(kSlowHalfLifeS);
    this.lastEndMs = null;
    this.lastRate = Infinity;
  }

  // From the first byte on. A first byte that comes later than usual was held up by the line, or both were seen late
  // by a busy page: that counts as well.
  private transferMs({ startMs, firstMs, endMs }: Load): number {
    const waitMs = firstMs - startMs;
    const heldUpMs = Math.max(0, waitMs - (this.usualWaitMs() ?? waitMs));
    return Math.max(kLeastMs, endMs - firstMs + heldUpMs);
  }
}
