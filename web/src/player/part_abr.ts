// Joins bandwidth.ts and level_steps.ts to hls.js: its AbrController, which measures every part, changes levels where
// segments begin, and looks at the part in flight in time. Everything else (which level fits a bandwidth, codecs,
// errors) is left as it is.

import type Hls from 'hls.js';
import type {
  AbrController,
  Events,
  FragBufferedData,
  FragLoadedData,
  FragLoadingData,
  Fragment,
  Level,
  LevelDetails,
} from 'hls.js';
import type { BandwidthMeter, Load } from './bandwidth';
import { reserveIfStaying, shouldLeave, type LevelState } from './level_steps';

const kLookMs = 50;
const kEvidenceMs = 150; // What a part in flight has shown after this long is believed.
const kSilenceMs = 300;
const kRoundTrips = 3; // A change asks for a playlist, an initialization segment and a part, one after another.
const kPlaylistBits = 30_000;
const kSafeShare = 0.8; // Of the line, for the level that is gone down to.
const kDefaultWaitMs = 100;

// Where the load of pictures stands: the part that is next, or loading.
interface Place {
  level: number;
  sn: number;
  index: number;
}

// The estimator as hls.js sees it: it asks, and what it has to tell is known better.
class MeterForHls {
  constructor(private readonly meter: BandwidthMeter) {}
  get defaultEstimate(): number {
    return this.meter.estimate();
  }
  update(): void {}
  sample(): void {}
  sampleTTFB(): void {}
  destroy(): void {}
  canEstimate(): boolean {
    return this.meter.hasMeasured;
  }
  getEstimate(): number {
    return this.meter.estimate();
  }
  getEstimateTTFB(): number {
    return this.meter.usualWaitMs() ?? kDefaultWaitMs;
  }
}

const isPictures = (frag: Fragment): boolean => frag.type === 'main' && frag.sn !== 'initSegment';

// Parts of the segment `sn`: what is known of it, else as many as the last whole one had.
function partsOf(details: LevelDetails, sn: number): { count: number; isWhole: boolean } {
  const listed = details.partList?.filter((part) => part.fragment.sn === sn).length ?? 0;
  if (sn <= details.endSN && listed > 0) return { count: listed, isWhole: true };
  const last = details.fragments.at(-1)?.duration ?? details.targetduration;
  return { count: Math.max(listed, Math.round(last / details.partTarget)), isWhole: false };
}

// What the player asks while it plays.
export interface LevelWatch {
  reserveS(): number; // The least that will be in hand until the level can be changed; Infinity where that is no matter.
  partLoadS(): number; // What a part takes to come; 0 where parts are not loaded.
}

export function makePartAbr(
  Base: typeof AbrController,
  meter: BandwidthMeter,
  watch: (abr: LevelWatch) => void,
): typeof AbrController {
  return class PartAbr extends Base implements LevelWatch {
    private next: Place | null = null; // After the part that was loaded last; null unless parts are being loaded.
    private held: number | null = null; // The level that was kept though another one was wanted.
    private flight: Fragment | null = null;
    private look: number | null = null;
    private seen = { bytes: 0, atMs: 0 }; // Of the part in flight, when there was last more of it.

    constructor(hls: Hls) {
      super(hls);
      this.useMeter();
      watch(this);
    }

    private useMeter(): void {
      this.bwEstimator = new MeterForHls(meter) as unknown as AbrController['bwEstimator'];
    }

    resetEstimator(estimate?: number): void {
      super.resetEstimator(estimate);
      meter.restart(estimate ?? this.hls.config.abrEwmaDefaultEstimate);
      this.useMeter();
    }

    destroy(): void {
      this.stopLooking();
      super.destroy();
    }

    // --- What is loaded.

    protected onFragLoading(event: Events.FRAG_LOADING, data: FragLoadingData): void {
      super.onFragLoading(event, data);
      if (!isPictures(data.frag)) return;
      if (data.part === undefined) {
        this.next = null;
        this.stopLooking();
        return;
      }
      this.clearTimer(); // Of the rules of hls.js, which are for whole segments.
      if (this.hls.levels.length < 2) return;
      this.flight = data.frag;
      this.look ??= window.setInterval(() => this.lookAtFlight(), kLookMs);
    }

    protected onFragLoaded(event: Events.FRAG_LOADED, data: FragLoadedData): void {
      const { frag, part } = data;
      if (isPictures(frag)) {
        const { loading, loaded } = (part ?? frag).stats;
        meter.handleLoad({ bytes: loaded, startMs: loading.start, firstMs: loading.first, endMs: loading.end });
        this.next = part === null ? null : { level: frag.level, sn: frag.sn as number, index: part.index + 1 };
      }
      super.onFragLoaded(event, data);
    }

    protected onFragBuffered(event: Events.FRAG_BUFFERED, data: FragBufferedData): void {
      super.onFragBuffered(event, data);
      if (isPictures(data.frag) && data.frag.loader === null) this.stopLooking();
    }

    // --- Where levels change.

    get nextAutoLevel(): number {
      const isForced = this.forcedAutoLevel !== -1;
      const wanted = super.nextAutoLevel;
      const { next, hls } = this;
      this.held = null;
      if (isForced || next === null || wanted === next.level || hls.loadLevel !== next.level) return wanted;
      const state = this.stateAt(next, meter.estimate(), null);
      if (state === null || state.forwardBufferS <= 0 || state.partsLeft === 0) return wanted;
      if (wanted < next.level && shouldLeave(state)) return wanted;
      this.held = next.level;
      return next.level;
    }
    // hls.js sets what it was given, which would force that level, until a segment of it is there, on the getter above.
    set nextAutoLevel(level: number) {
      if (level !== this.held) super.nextAutoLevel = level;
    }

    reserveS(): number {
      const { hls, next } = this;
      if (next === null || !hls.autoLevelEnabled || hls.levels.length < 2) return Infinity;
      const rate = meter.leastEstimate();
      const state = this.flightState() ?? this.stateAt(next, rate, null);
      if (state === null) return Infinity;
      if (this.flight?.level === hls.loadLevel || next.level === hls.loadLevel) return reserveIfStaying(state);
      const bitrate = hls.levels[hls.loadLevel]?.averageBitrate ?? state.bitrate; // Of the level that is being gone to.
      return state.forwardBufferS - state.changeS - (state.partS * bitrate) / rate;
    }

    partLoadS(): number {
      const { hls, next } = this;
      const level = hls.levels[next?.level ?? -1];
      const partS = level?.details?.partTarget ?? 0;
      return level === undefined || !(partS > 0) || !meter.hasMeasured ? 0 : (partS * level.averageBitrate) / meter.estimate();
    }

    // `remainingBits` null: the part has not begun.
    private stateAt({ level, sn, index }: Place, rate: number, remainingBits: number | null): LevelState | null {
      const { hls } = this;
      const { levels, mainForwardBufferInfo } = hls;
      const current = levels[level];
      const details = current?.details;
      if (current === undefined || !details || !(details.partTarget > 0)) return null;
      const { count, isWhole } = partsOf(details, sn);
      const partS = details.partTarget;
      return {
        rate,
        forwardBufferS: mainForwardBufferInfo?.len ?? 0,
        partS,
        partsInSegment: count,
        partsLeft: isWhole ? Math.max(0, count - index) : Math.max(1, count - index),
        remainingBits: remainingBits ?? partS * current.averageBitrate,
        bitrate: current.averageBitrate,
        lowerBitrate: this.levelBelow(current, level, rate)?.averageBitrate ?? current.averageBitrate,
        changeS: (kRoundTrips * (meter.usualWaitMs() ?? kDefaultWaitMs)) / 1000 + kPlaylistBits / rate,
      };
    }

    // The best level below that the line carries with ease, else the lowest.
    private levelBelow(current: Level, index: number, rate: number): Level | undefined {
      const { levels, minAutoLevel } = this.hls;
      const below = levels.slice(Math.max(0, minAutoLevel), index).filter((one) => one.codecSet === current.codecSet);
      return below.filter((one) => one.maxBitrate < rate * kSafeShare).at(-1) ?? below[0];
    }

    // --- The part in flight.

    private stopLooking(): void {
      if (this.look !== null) window.clearInterval(this.look);
      this.look = null;
      this.flight = null;
    }

    private lookAtFlight(): void {
      const { flight, hls } = this;
      if (flight === null || !hls.autoLevelEnabled || hls.media?.paused !== false) return;
      const state = this.flightState();
      const current = hls.levels[flight.level];
      if (state === null || current === undefined || !shouldLeave(state)) return;
      const below = this.levelBelow(current, flight.level, state.rate);
      const load = this.loadInFlight();
      if (below === undefined || load === null) return;
      meter.handleLoad(load);
      this.stopLooking();
      this.held = null;
      // The part goes on until the playlist of the level below is there; then hls.js aborts it.
      hls.nextLoadLevel = hls.levels.indexOf(below);
    }

    // Until there was last more of it: a page that is busy hears late of what has come. Only a long silence counts.
    private loadInFlight(): Load | null {
      const stats = this.flight?.loader?.stats;
      if (!stats || stats.loading.first === 0) return null;
      const { start, first } = stats.loading;
      const now = performance.now();
      if (stats.loaded !== this.seen.bytes) this.seen = { bytes: stats.loaded, atMs: now };
      const { bytes, atMs } = this.seen;
      if (bytes === 0 || atMs < first) return null;
      return { bytes, startMs: start, firstMs: first, endMs: now - atMs > kSilenceMs ? now : atMs };
    }

    // Where the part in flight leads to; null while too little is known of it.
    private flightState(): LevelState | null {
      const { flight, hls } = this;
      const part = flight?.loader?.context?.part;
      const load = this.loadInFlight();
      const level = hls.levels[flight?.level ?? -1];
      if (!flight || !part || load === null || level === undefined || flight.level !== hls.loadLevel) return null;
      if (load.endMs - load.firstMs < kEvidenceMs) return null;
      const total = flight.loader?.stats.total || Math.max(load.bytes, (part.duration * level.averageBitrate) / 8);
      const place = { level: flight.level, sn: flight.sn as number, index: part.index };
      return this.stateAt(place, Math.min(meter.rateOf(load), meter.estimate()), (total - load.bytes) * 8);
    }
  };
}
