// How long to wait before the next attempt to come back. Pure.

export const kGiveUpMs = 120_000;

const kFirstMs = [0, 300, 1000];
const kLaterMs = 2000;
const kFirstSpreadMs = 200;

// `count` attempts have failed in `elapsedMs`; `random` is from 0 to 1, and spreads those who lost the same
// server. Whoever waits is back within three seconds of the server. Null: no more.
export function retryDelayMs(count: number, elapsedMs: number, random: number): number | null {
  if (elapsedMs >= kGiveUpMs) return null;
  if (count === 0) return Math.round(random * kFirstSpreadMs);
  return Math.round((kFirstMs[count] ?? kLaterMs) * (0.5 + random));
}
