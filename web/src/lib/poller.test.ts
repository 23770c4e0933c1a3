import { describe, expect, test, vi } from 'vitest';
import { Backoff } from './backoff';
import { Poller, type PollerWorld } from './poller';

class World implements PollerWorld {
  nowMs = 0;
  hidden = false;
  private timers = new Map<number, { atMs: number; run: () => void }>();
  private nextId = 1;
  private listeners = new Set<() => void>();

  setTimeout(run: () => void, ms: number): number {
    this.timers.set(this.nextId, { atMs: this.nowMs + ms, run });
    return this.nextId++;
  }
  clearTimeout(timer: number): void {
    this.timers.delete(timer);
  }
  isHidden(): boolean {
    return this.hidden;
  }
  onVisibilityChange(run: () => void): () => void {
    this.listeners.add(run);
    return () => this.listeners.delete(run);
  }
  show(isShown: boolean): void {
    this.hidden = !isShown;
    this.listeners.forEach((run) => run());
  }
  get pending(): number {
    return this.timers.size;
  }
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      await settle();
      const due = [...this.timers]
        .filter(([, timer]) => timer.atMs <= untilMs)
        .sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (due === undefined) break;
      this.timers.delete(due[0]);
      this.nowMs = due[1].atMs;
      due[1].run();
    }
    this.nowMs = untilMs;
  }
}
const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe('Poller', () => {
  test('runs at once and then after each wait that the task names', async () => {
    const world = new World();
    const times: number[] = [];
    const poller = new Poller(async () => {
      times.push(world.nowMs);
      return times.length * 1000;
    }, world);
    poller.start();
    await world.advance(6500);
    expect(times).toEqual([0, 1000, 3000, 6000]);
    poller.stop();
    await world.advance(60_000);
    expect(times).toHaveLength(4);
  });

  test('rests while the page is hidden and runs at once when it is shown', async () => {
    const world = new World();
    const task = vi.fn(async () => 1000);
    const poller = new Poller(task, world);
    poller.start();
    await world.advance(500);
    world.show(false);
    await world.advance(60_000);
    expect(task).toHaveBeenCalledTimes(1);
    world.show(true);
    await world.advance(0);
    expect(task).toHaveBeenCalledTimes(2);
  });

  test('sets no timer when the page was hidden during a run', async () => {
    const world = new World();
    let finish = (_: number) => {};
    const poller = new Poller(() => new Promise((resolve) => (finish = resolve)), world);
    poller.start();
    world.show(false);
    finish(100);
    await settle();
    expect(world.pending).toBe(0);
  });

  test('goes on after a task that failed', async () => {
    const world = new World();
    const task = vi.fn(async () => Promise.reject<number>(new Error('no')));
    new Poller(task, world).start();
    await world.advance(5000);
    expect(task).toHaveBeenCalledTimes(2);
  });

  test('a poke during a run means one more run right after, never two at once', async () => {
    const world = new World();
    let running = 0;
    let most = 0;
    const finishes: (() => void)[] = [];
    const poller = new Poller(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => finishes.push(resolve));
      running -= 1;
      return 1000;
    }, world);
    poller.start();
    poller.poke();
    poller.poke();
    finishes[0]?.();
    await settle();
    expect(finishes).toHaveLength(2);
    finishes[1]?.();
    await settle();
    expect(finishes).toHaveLength(2);
    expect(most).toBe(1);
  });

  test('stopping aborts the request in flight', async () => {
    const world = new World();
    let signal: AbortSignal | null = null;
    const poller = new Poller(async (given) => {
      signal = given;
      return new Promise(() => {});
    }, world);
    poller.start();
    poller.stop();
    expect((signal as AbortSignal | null)?.aborted).toBe(true);
  });
});

describe('Backoff', () => {
  const options = { firstMs: 1000, factor: 2, ceilingMs: 5000, jitter: 0.2 };

  test('grows to its ceiling and begins anew after a reset', () => {
    const backoff = new Backoff(options, () => 0.5);
    expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([1000, 2000, 4000, 5000, 5000]);
    backoff.reset();
    expect(backoff.next()).toBe(1000);
  });

  test('spreads its waits by the jitter and no more', () => {
    expect(new Backoff(options, () => 0).next()).toBe(800);
    expect(new Backoff(options, () => 1).next()).toBe(1200);
  });
});
