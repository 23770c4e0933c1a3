// Notices that the picture stands although it should move, and says what to do about it, a stronger means
// the longer it lasts. Pure: fed with what the media element shows a few times a second.

export interface PlaybackSample {
  nowS: number; // Monotonic.
  positionS: number;
  shouldPlay: boolean; // Neither paused, nor ended, nor seeking by the viewer's hand, and once started.
  canJump: boolean; // The live position is well ahead of the playhead.
}

export type StallAction = 'none' | 'jump' | 'reload' | 'restart';

const kStallAfterS = 0.4; // Standing this long is a stall; a few dropped frames are not.
const kJumpAfterS = 1.5;
const kJumpAgainS = 4;
const kReloadAfterS = 8;
const kRestartAfterS = 16;
const kProgressS = 0.01;
const kLeapS = 0.2; // More than could have been played: a seek. It does not end a stall, only running on does.

export class StallWatch {
  private positionS: number | null = null;
  private movedAtS = 0;
  private lastJumpS = -Infinity;
  private hasReloaded = false;
  private isStalledNow = false;
  private stalls = 0;
  private stalledTotalS = 0;
  private lastSampleS: number | null = null;

  get isStalled(): boolean {
    return this.isStalledNow;
  }
  get count(): number {
    return this.stalls;
  }
  // Time spent standing, in seconds, over all stalls.
  get totalS(): number {
    return this.stalledTotalS;
  }

  handleSample(sample: PlaybackSample): StallAction {
    const { nowS, positionS } = sample;
    const elapsedS = this.lastSampleS === null ? 0 : nowS - this.lastSampleS;
    this.lastSampleS = nowS;
    const movedS = this.positionS === null ? Infinity : Math.abs(positionS - this.positionS);
    const isLeap = movedS > 2 * elapsedS + kLeapS;
    this.positionS = movedS > kProgressS ? positionS : this.positionS;
    if (!sample.shouldPlay || (movedS > kProgressS && !(isLeap && this.isStalledNow))) {
      this.movedAtS = nowS;
      this.isStalledNow = false;
      this.hasReloaded = false;
      return 'none';
    }
    const standingS = nowS - this.movedAtS;
    if (standingS < kStallAfterS) return 'none';
    if (this.isStalledNow) {
      this.stalledTotalS += elapsedS;
    } else {
      this.isStalledNow = true;
      this.stalls += 1;
      this.stalledTotalS += standingS;
    }
    return this.actionFor(sample, standingS);
  }

  private actionFor({ nowS, canJump }: PlaybackSample, standingS: number): StallAction {
    if (standingS >= kRestartAfterS) {
      this.movedAtS = nowS; // Counts anew for the player that comes after.
      this.hasReloaded = false;
      return 'restart';
    }
    if (standingS >= kReloadAfterS && !this.hasReloaded) {
      this.hasReloaded = true;
      return 'reload';
    }
    if (standingS >= kJumpAfterS && canJump && nowS - this.lastJumpS >= kJumpAgainS) {
      this.lastJumpS = nowS;
      return 'jump';
    }
    return 'none';
  }
}
