// How far this machine's clock is from the server's, so that "delay behind live" is not the clock's error.
//
// A `Date` header has whole seconds: an answer stamped D, asked at s and received at r, says that the
// server's clock was in [D, D + 1 s) at some moment of [s, r], so offset = server − local lies in
// (D − r, D + 1 s − s). Intersecting these over many answers narrows to little more than a round trip.
// While 0 is possible the clocks count as equal: a machine whose clock is right is never "corrected".

export class ServerClock {
  private lowMs = -Infinity;
  private highMs = Infinity;

  observe(date: string, sentMs: number, receivedMs: number): void {
    const stampMs = Date.parse(date);
    if (Number.isNaN(stampMs) || receivedMs < sentMs) return;
    const low = stampMs - receivedMs;
    const high = stampMs + 1000 - sentMs;
    if (low > this.highMs || high < this.lowMs) {
      // A clock was set meanwhile: what was known before is void.
      this.lowMs = low;
      this.highMs = high;
      return;
    }
    this.lowMs = Math.max(this.lowMs, low);
    this.highMs = Math.min(this.highMs, high);
  }

  // Milliseconds to add to the local clock to get the server's.
  offsetMs(): number {
    if (this.lowMs === -Infinity || (this.lowMs <= 0 && this.highMs >= 0)) return 0;
    return (this.lowMs + this.highMs) / 2;
  }
}
