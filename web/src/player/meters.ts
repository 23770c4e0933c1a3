// Rates out of counters and short histories, for the statistics panel. Pure.

// Turns a growing counter into a rate over the last `windowS` seconds.
export class RateMeter {
  private samples: { timeS: number; count: number }[] = [];

  constructor(private readonly windowS = 3) {}

  add(timeS: number, count: number): void {
    const last = this.samples.at(-1);
    if (last !== undefined && (count < last.count || timeS < last.timeS)) this.samples = [];
    this.samples.push({ timeS, count });
    while (this.samples.length > 2 && timeS - (this.samples[1]?.timeS ?? timeS) >= this.windowS) {
      this.samples.shift();
    }
  }

  perSecond(): number | null {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.timeS - first.timeS < 0.5) return null;
    return (last.count - first.count) / (last.timeS - first.timeS);
  }
}

// The last values of something, oldest first.
export class History {
  private readonly values: number[] = [];

  constructor(private readonly limit: number) {}

  add(value: number): void {
    this.values.push(value);
    if (this.values.length > this.limit) this.values.shift();
  }

  list(): readonly number[] {
    return this.values;
  }
}

// Seconds from `position` to the end of the buffered range that holds it; a hole up to `holeS` is passed over.
export function forwardBufferOf(
  ranges: readonly { start: number; end: number }[],
  position: number,
  holeS = 0.1,
): number {
  let end: number | null = null;
  for (const range of ranges) {
    if (end === null) {
      if (position >= range.start - holeS && position < range.end) end = range.end;
    } else if (range.start - end <= holeS) {
      end = range.end;
    } else {
      break;
    }
  }
  return end === null ? 0 : end - position;
}
