// Waiting for a condition, never for time to pass.

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls `probe` again and again until it gives something truthy, which is returned. What it throws counts
// as "not yet" and is told when the deadline passes, unless it is marked as final: see `never`.
export async function until(what, probe, { within = 10_000, every = 50 } = {}) {
  const deadline = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      if (error.isFinal) throw error;
      last = error;
    }
    if (Date.now() > deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`not within ${within / 1000} s: ${what} (last: ${seen})`);
    }
    await pause(every);
  }
}

// An error after which waiting is of no use.
export function never(message) {
  return Object.assign(new Error(message), { isFinal: true });
}
