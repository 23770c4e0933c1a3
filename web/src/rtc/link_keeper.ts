// Decides how a WebRTC session is kept: when to wait, when to restart ICE, when to begin anew with another
// POST, when to give up. Pure: it is told what happened and asked a few times a second what to do.
//
//   posting ──► connecting ──► up ──► shaky ──► restarting ──► up
//      │            │           │        └──────────┴──► waiting ──► posting …
//      └────────────┴───────────┴──► waiting, or over
//
// What the server closed it says once, to those that are connected, and the word may be lost. Where it may
// have (a publisher's session was closed, or none came about) the server is asked first (probing). A publisher
// that was let go for a reason (410) ends: beginning anew would only take back what another studio took over
// or somebody stopped. A session that is merely not known any more (404) is begun anew.
//
// A patient keeper (a publisher; a viewer who asked for nothing but real-time) goes on for good, later each
// time. An impatient one (there is another way to watch) gives up as soon as it is clear why.

import { Backoff } from '../lib/backoff';

export type Trouble =
  | 'no_path' // ICE found no way: neither UDP nor TCP.
  | 'no_security' // A way, but no DTLS over it.
  | 'no_media' // Connected, and nothing comes.
  | 'lost' // Was up and is gone.
  | 'not_live' // 404: nobody publishes.
  | 'overloaded' // 503, 429.
  | 'ended' // The server let a publisher go, and says why.
  | 'unreachable' // HTTP brought no answer, or a broken one.
  | 'refused'; // The server will not, and asking again changes nothing.

export type LinkPhase = 'posting' | 'connecting' | 'up' | 'shaky' | 'restarting' | 'probing' | 'waiting' | 'over';
export type LinkAction = 'none' | 'restart' | 'probe' | 'renew' | 'give_up';

export interface Refused {
  status: number; // 0: no answer.
  code: string; // The server's word for it, "" when it had none.
  retryAfterS: number | null;
}

export interface KeeperOptions {
  isPatient: boolean;
  connectWithinMs: number; // From the answer to a connection.
  mediaWithinMs: number | null; // From the connection to the first media; null for who sends.
}

export const publisherOptions: KeeperOptions = { isPatient: true, connectWithinMs: 8000, mediaWithinMs: null };
export const viewerOptions = (isPatient: boolean): KeeperOptions => ({
  isPatient,
  connectWithinMs: 5000,
  mediaWithinMs: 4000,
});

const kShakyMs = 2000; // ICE's "disconnected" often heals by itself within this.
const kRestartWithinMs = 5000;
const kMediaGapMs = 8000; // Once media has come: silence that means trouble.
const kProbeWithinMs = 5000;
const kSteadyMs = 10_000; // Up this long, the next trouble begins with short waits again.
const kLostTriesMax = 2; // Of an impatient keeper: sessions lost in a row.
const kFailedTriesMax = 3; // … requests that failed for no reason of the broadcast's.
// Between two looks whether the broadcast has begun: 2 to 3 s at first, 3.4 to 5 s later. Servers that ask for
// two seconds leave the spread whole.
const kNotLiveWaits = { firstMs: 2500, factor: 1.2, ceilingMs: 4200, jitter: 0.19 };
// A server that closes a viewer's session in order has another one to give (other tracks, say) or nothing
// any more: the first question comes soon, spread so that not all ask at once.
const kClosedWaits = { firstMs: 200, factor: 1, ceilingMs: 200, jitter: 0.75 };
const kWaits = { firstMs: 500, factor: 1.7, ceilingMs: 10_000, jitter: 0.2 };

// Statuses after which the same request may do better later.
const kPassing = new Set([0, 408, 425, 429, 500, 502, 503, 504]);

export class LinkKeeper {
  private phaseNow: LinkPhase = 'posting';
  private troubleNow: Trouble | null = null;
  private deadlineMs: number | null = null;
  private upSinceMs = 0;
  private mediaAtMs: number | null = null;
  private hasBeenUp = false;
  private lostInRow = 0;
  private failedInRow = 0;
  private hasWaitedForRoom = false;
  private probedFor: Trouble = 'lost'; // What it is if the session is there.
  private readonly backoff: Backoff;
  private readonly notLive: Backoff;
  private readonly closed: Backoff;
  private options: KeeperOptions;

  constructor(options: KeeperOptions, random: () => number = Math.random) {
    this.options = options;
    this.backoff = new Backoff(kWaits, random);
    this.notLive = new Backoff(kNotLiveWaits, random);
    this.closed = new Backoff(kClosedWaits, random);
  }

  get phase(): LinkPhase {
    return this.phaseNow;
  }
  // What the last trouble was; stays until the link is up and well.
  get trouble(): Trouble | null {
    return this.troubleNow;
  }
  // When the next try is, while waiting for it.
  get nextTryMs(): number | null {
    return this.phaseNow === 'waiting' ? this.deadlineMs : null;
  }

  setPatient(isPatient: boolean): void {
    this.options = { ...this.options, isPatient };
  }

  handlePosting(): void {
    this.go('posting', null);
  }

  handleAnswered(nowMs: number): void {
    this.failedInRow = 0;
    this.hasWaitedForRoom = false;
    this.notLive.reset();
    this.go('connecting', nowMs + this.options.connectWithinMs);
  }

  handleRefused(nowMs: number, refused: Refused): LinkAction {
    const trouble = this.troubleOf(refused);
    if (trouble === 'refused') return this.giveUp(trouble);
    // Who can watch another way leaves the room to those who cannot. Too many of one address (429) are often
    // only the sessions of a moment ago: these are waited for once.
    if (trouble === 'overloaded' && !this.options.isPatient) {
      if (refused.status !== 429 || this.hasWaitedForRoom) return this.giveUp(trouble);
      this.hasWaitedForRoom = true;
    }
    if (trouble !== 'not_live') this.failedInRow += 1;
    if (!this.options.isPatient && this.failedInRow >= kFailedTriesMax) return this.giveUp(trouble);
    return this.wait(nowMs, trouble, refused.retryAfterS);
  }

  private get isPublisher(): boolean {
    return this.options.mediaWithinMs === null;
  }

  private troubleOf({ status, code }: Refused): Trouble {
    const isViewer = !this.isPublisher;
    // Any other 404 is of a server that has no WHEP.
    if (status === 404 && isViewer && code === 'not_live') return 'not_live';
    // After a break the server may still take our own lost session for another publisher.
    if (status === 409 && this.hasBeenUp) return 'lost';
    if (!kPassing.has(status)) return 'refused';
    return status === 503 || status === 429 ? 'overloaded' : 'unreachable';
  }

  handleConnected(nowMs: number): void {
    if (this.phaseNow === 'over' || this.phaseNow === 'waiting' || this.phaseNow === 'up') return;
    const isNew = this.phaseNow !== 'shaky' && this.phaseNow !== 'restarting';
    this.go('up', null);
    this.upSinceMs = nowMs;
    this.hasBeenUp = true;
    this.mediaAtMs = isNew ? null : nowMs;
    if (this.options.mediaWithinMs === null) this.troubleNow = null;
  }

  handleMedia(nowMs: number): void {
    this.mediaAtMs = nowMs;
    if (this.phaseNow === 'up') this.troubleNow = null;
  }

  handleDisconnected(nowMs: number): void {
    if (this.phaseNow === 'up') this.go('shaky', nowMs + kShakyMs);
  }

  // ICE or DTLS has failed for good, or the other end has closed.
  handleFailed(nowMs: number, how: { isIceUp: boolean; isClosed: boolean }): LinkAction {
    switch (this.phaseNow) {
      case 'connecting':
        return this.probe(nowMs, how.isIceUp ? 'no_security' : 'no_path');
      case 'up':
      case 'shaky':
        if (how.isClosed && this.isPublisher) return this.probe(nowMs, 'lost');
        return how.isClosed || how.isIceUp ? this.lose(nowMs, how.isClosed) : this.restart(nowMs);
      case 'restarting':
        return this.lose(nowMs);
      default:
        return 'none';
    }
  }

  // `goneAs`: 410 or 404 where the server has the session no more; null where it has, or nobody can say.
  handleProbed(nowMs: number, goneAs: number | null): LinkAction {
    if (this.phaseNow !== 'probing') return 'none';
    if (goneAs === 410 && this.isPublisher) return this.giveUp('ended');
    return goneAs !== null || this.probedFor === 'lost' ? this.lose(nowMs) : this.fail(nowMs, this.probedFor);
  }

  // `status` of the refusal; 0: no answer.
  handleRestartRefused(nowMs: number, status: number): LinkAction {
    if (this.phaseNow !== 'restarting') return 'none';
    return status === 410 && this.isPublisher ? this.giveUp('ended') : this.lose(nowMs);
  }

  // The network is back, the broadcast is said to have begun, or somebody pressed "again": no need to wait any
  // longer, nor as long as before afterwards.
  hurry(nowMs: number): void {
    this.notLive.reset();
    if (this.phaseNow === 'waiting') this.deadlineMs = nowMs;
  }

  // `isExpected`: media should be coming (false while the broadcast is interrupted, or nothing is received).
  handleTick(nowMs: number, isExpected = true): LinkAction {
    if (this.phaseNow === 'up') return this.watchMedia(nowMs, isExpected);
    if (this.deadlineMs === null || nowMs < this.deadlineMs) return 'none';
    switch (this.phaseNow) {
      case 'connecting':
        return this.probe(nowMs, 'no_path');
      case 'shaky':
        return this.restart(nowMs);
      case 'restarting':
        return this.lose(nowMs);
      case 'probing':
        return this.handleProbed(nowMs, null);
      case 'waiting':
        this.go('posting', null);
        return 'renew';
      default:
        return 'none';
    }
  }

  private watchMedia(nowMs: number, isExpected: boolean): LinkAction {
    if (nowMs - this.upSinceMs >= kSteadyMs && (this.mediaAtMs !== null || this.options.mediaWithinMs === null)) {
      this.backoff.reset();
      this.lostInRow = 0;
    }
    const { mediaWithinMs } = this.options;
    if (mediaWithinMs === null) return 'none';
    if (!isExpected) {
      this.mediaAtMs = nowMs;
      return 'none';
    }
    if (this.mediaAtMs === null) {
      return nowMs - this.upSinceMs >= mediaWithinMs ? this.fail(nowMs, 'no_media') : 'none';
    }
    return nowMs - this.mediaAtMs >= kMediaGapMs ? this.lose(nowMs) : 'none';
  }

  private restart(nowMs: number): LinkAction {
    this.troubleNow = 'lost';
    this.go('restarting', nowMs + kRestartWithinMs);
    return 'restart';
  }

  private probe(nowMs: number, trouble: Trouble): LinkAction {
    this.troubleNow = trouble;
    this.probedFor = trouble;
    this.go('probing', nowMs + kProbeWithinMs);
    return 'probe';
  }

  private lose(nowMs: number, isClosed = false): LinkAction {
    this.lostInRow += 1;
    if (!this.options.isPatient && this.lostInRow > kLostTriesMax) return this.giveUp('lost');
    if (isClosed && this.lostInRow === 1) return this.wait(nowMs, 'lost', null, this.closed);
    return this.wait(nowMs, 'lost', null);
  }

  private fail(nowMs: number, trouble: Trouble): LinkAction {
    return this.options.isPatient ? this.wait(nowMs, trouble, null) : this.giveUp(trouble);
  }

  private wait(
    nowMs: number,
    trouble: Trouble,
    retryAfterS: number | null,
    backoff = trouble === 'not_live' ? this.notLive : this.backoff,
  ): LinkAction {
    this.troubleNow = trouble;
    const waitMs = Math.max(backoff.next(), (retryAfterS ?? 0) * 1000);
    this.go('waiting', nowMs + waitMs);
    return 'none';
  }

  private giveUp(trouble: Trouble): LinkAction {
    this.troubleNow = trouble;
    this.go('over', null);
    return 'give_up';
  }

  private go(phase: LinkPhase, deadlineMs: number | null): void {
    this.phaseNow = phase;
    this.deadlineMs = deadlineMs;
  }
}
