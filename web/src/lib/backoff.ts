// How long to wait before the next try: grows by a factor up to a ceiling, with jitter so that the viewers
// of one channel do not all come back in the same instant.

export interface BackoffOptions {
  firstMs: number;
  factor: number;
  ceilingMs: number;
  jitter: number; // 0.2 spreads a wait over ±20 %.
}

export class Backoff {
  private tries = 0;

  constructor(
    private readonly options: BackoffOptions,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const { firstMs, factor, ceilingMs, jitter } = this.options;
    const wait = Math.min(ceilingMs, firstMs * factor ** this.tries);
    if (wait < ceilingMs) this.tries += 1;
    return Math.round(wait * (1 + jitter * (2 * this.random() - 1)));
  }

  reset(): void {
    this.tries = 0;
  }
}
