// Runs a task again and again, one at a time, each run telling how long to wait before the next.
// While the page is hidden nothing runs; when it is shown again the task runs at once.

export interface PollerWorld {
  setTimeout(run: () => void, ms: number): number;
  clearTimeout(timer: number): void;
  isHidden(): boolean;
  onVisibilityChange(run: () => void): () => void; // Returns how to stop listening.
}

export const browserWorld: PollerWorld = {
  setTimeout: (run, ms) => window.setTimeout(run, ms),
  clearTimeout: (timer) => window.clearTimeout(timer),
  isHidden: () => document.hidden,
  onVisibilityChange: (run) => {
    document.addEventListener('visibilitychange', run);
    return () => document.removeEventListener('visibilitychange', run);
  },
};

// Resolves with the wait in milliseconds. A task that throws is tried again after `kAfterFailureMs`.
export type PollTask = (signal: AbortSignal) => Promise<number>;

const kAfterFailureMs = 5000;

export class Poller {
  private timer: number | null = null;
  private running: AbortController | null = null;
  private isPoked = false;
  private isStopped = true;
  private unlisten: (() => void) | null = null;

  constructor(
    private readonly task: PollTask,
    private readonly world: PollerWorld = browserWorld,
  ) {}

  start(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    this.unlisten = this.world.onVisibilityChange(() => {
      if (this.world.isHidden()) this.clearTimer();
      else this.poke();
    });
    this.poke();
  }

  stop(): void {
    this.isStopped = true;
    this.isPoked = false;
    this.clearTimer();
    this.running?.abort();
    this.running = null;
    this.unlisten?.();
    this.unlisten = null;
  }

  // Runs the task now, or once more right after the run in progress.
  poke(): void {
    if (this.isStopped || this.world.isHidden()) return;
    if (this.running !== null) {
      this.isPoked = true;
      return;
    }
    this.clearTimer();
    void this.run();
  }

  private async run(): Promise<void> {
    const controller = new AbortController();
    this.running = controller;
    let waitMs = kAfterFailureMs;
    try {
      waitMs = await this.task(controller.signal);
    } catch {
      // The task speaks about its failures itself; here they only mean the longer wait.
    }
    if (this.running !== controller) return; // Stopped, and perhaps started again, meanwhile.
    this.running = null;
    if (this.isStopped || this.world.isHidden()) return;
    if (this.isPoked) {
      this.isPoked = false;
      void this.run();
      return;
    }
    this.timer = this.world.setTimeout(() => {
      this.timer = null;
      void this.run();
    }, waitMs);
  }

  private clearTimer(): void {
    if (this.timer !== null) this.world.clearTimeout(this.timer);
    this.timer = null;
  }
}
