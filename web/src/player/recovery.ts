// What to do about an error that hls.js could not get over by itself. Pure.
//
// Nothing but a codec the browser lacks makes the player give up: a live channel may be back in a second,
// so everything else ends in another try, later each time, and the page meanwhile asks the server whether
// the channel is still on air.

export type ErrorKind = 'network' | 'media' | 'mux' | 'other';

export interface PlayerError {
  nowS: number;
  kind: ErrorKind;
  details: string; // hls.js names: "bufferAppendError", "levelLoadError", …
  isFatal: boolean;
}

export type RecoveryAction =
  | { kind: 'none' }
  | { kind: 'recover_media' } // Attach the media again, keep everything else.
  | { kind: 'swap_audio_codec' } // The same, with the other guess about AAC.
  | { kind: 'restart'; afterMs: number } // A new player from the multivariant playlist on.
  | { kind: 'give_up'; reason: 'unsupported' };

const kUnsupported = new Set([
  'manifestIncompatibleCodecsError',
  'bufferIncompatibleCodecsError',
  'bufferAddCodecError',
]);
const kMediaTriesWindowS = 20;
const kRestartFirstMs = 300;
const kRestartFactor = 1.7;
const kRestartCeilingMs = 5000;

export class Recovery {
  private mediaTries: number[] = []; // Times of recent attempts, at most three.
  private restarts = 0;

  handleError(error: PlayerError): RecoveryAction {
    if (!error.isFatal) return { kind: 'none' };
    if (kUnsupported.has(error.details)) return { kind: 'give_up', reason: 'unsupported' };
    if (error.kind !== 'media') return this.restart();
    this.mediaTries = this.mediaTries.filter((time) => error.nowS - time < kMediaTriesWindowS);
    const tries = this.mediaTries.length;
    if (tries >= 2) {
      this.mediaTries = [];
      return this.restart();
    }
    this.mediaTries.push(error.nowS);
    return { kind: tries === 0 ? 'recover_media' : 'swap_audio_codec' };
  }

  // Playback runs: the next trouble begins with short waits again.
  handlePlaying(): void {
    this.restarts = 0;
  }

  restart(): RecoveryAction {
    const afterMs = Math.min(kRestartCeilingMs, kRestartFirstMs * kRestartFactor ** this.restarts);
    this.restarts += 1;
    return { kind: 'restart', afterMs: Math.round(afterMs) };
  }
}
