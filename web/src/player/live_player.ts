// One video element playing one live channel: hls.js where the browser has Media Source Extensions, the
// browser's own HLS otherwise. It joins the pure parts (latency, stalls, recovery) to the real things and
// offers a view that changes only when something to be drawn has changed.

import type Hls from 'hls.js';
import type { ErrorData, FragLoadedData, ManifestParsedData, MediaPlaylist } from 'hls.js';
import { browserStore, readPreferences, writePreferences } from '../lib/preferences';
import { ViewStore, type PlayerEngine, type PlayerView } from './engine';
import { audioLabelOf, errorKindOf, levelChoices, rangesOf } from './hls_words';
import { BandwidthMeter } from './bandwidth';
import { firstBandwidth, hlsConfigFor } from './hls_config';
import { makeJoinedLevels } from './joined_levels';
import { LatencyKeeper, shouldSkipAtStart } from './latency';
import { forwardBufferOf, History, RateMeter } from './meters';
import { makePartAbr, type LevelWatch } from './part_abr';
import { PlayControl } from './play_control';
import { Recovery } from './recovery';
import { StallWatch } from './stall';
import type { PlayerEvent, PlayerStats } from './stats';

type HlsModule = typeof import('hls.js');

const canUseMediaSource = (): boolean => 'MediaSource' in window || 'ManagedMediaSource' in window;
// Begins to load together with the page, not when the first player is made.
const hlsModule: Promise<HlsModule> | null = canUseMediaSource() ? import('hls.js') : null;

const kTickMs = 200;
const kFollowWithinS = 3; // A viewer this near the target is one who wants to be live.
const kEventsMax = 12;

export interface PlayerOptions {
  url: string;
  clockOffsetMs: () => number;
  isInterrupted: () => boolean; // The server waits for the encoder: so does the player.
  onTrouble: () => void; // The channel may have gone: ask the server.
  onEnded: () => void; // Everything was played and the playlist has ended.
}

const nowS = (): number => performance.now() / 1000;

export class LivePlayer implements PlayerEngine {
  private hls: Hls | null = null;
  private module: HlsModule | null = null;
  private meter: BandwidthMeter | null = null;
  private levelWatch: LevelWatch | null = null;
  private readonly latency = new LatencyKeeper();
  private readonly stall = new StallWatch();
  private readonly recovery = new Recovery();
  private readonly frames = new RateMeter();
  private readonly bytes = new RateMeter(5);
  private readonly aborter = new AbortController();
  private readonly store = new ViewStore();
  private readonly control: PlayControl;
  private ticker: number | null = null;
  private restartTimer: number | null = null;
  private isDestroyed = false;
  private isFollowing = true;
  private hasStarted = false; // Has played since the source was (re)loaded.
  private startedAtS: number | null = null; // When it first played after that; null once it has skipped.
  private lastPosition = 0;
  private lastTroubleS = -Infinity;

  private jumps = 0;
  private restarts = 0;
  private bytesReceived = 0;
  private partsLoaded = 0;
  private segmentsLoaded = 0;
  private playlistsLoaded = 0;
  private lastLoadMs: number | null = null;
  private lastSequence = '';
  private loadStartedMs: number | null = null;
  private manifestLoadedMs: number | null = null;
  private firstFrameMs: number | null = null;
  private events: PlayerEvent[] = [];
  readonly delays = new History(120); // One a second, for the drawing in the statistics panel.
  readonly buffers = new History(120);
  private lastHistoryS = -Infinity;

  constructor(
    readonly video: HTMLVideoElement,
    private readonly options: PlayerOptions,
  ) {
    this.control = new PlayControl(video, this.aborter.signal, (change) => this.change(change));
    this.listenToVideo();
    window.stoa = { hls: null, video, stats: () => this.stats() };
    this.ticker = window.setInterval(() => this.tick(), kTickMs);
    void this.load();
  }

  destroy(): void {
    this.isDestroyed = true;
    this.aborter.abort();
    if (this.ticker !== null) window.clearInterval(this.ticker);
    if (this.restartTimer !== null) window.clearTimeout(this.restartTimer);
    this.rememberBandwidth();
    this.hls?.destroy();
    this.hls = null;
    this.video.removeAttribute('src');
    this.video.load();
    if (window.stoa?.video === this.video) delete window.stoa;
    this.store.clear();
  }

  readonly subscribe = this.store.subscribe;
  readonly getView = this.store.getView;
  private get view(): PlayerView {
    return this.store.getView();
  }

  // --- What a viewer can ask for.

  togglePlay(): void {
    this.control.toggle();
  }

  async play(): Promise<void> {
    await this.control.play();
  }

  toggleMute(): void {
    this.control.toggleMute();
  }

  unmute(): void {
    this.control.unmute();
  }

  changeVolume(by: number): void {
    this.control.changeVolume(by);
  }

  goLive(): void {
    this.isFollowing = true;
    this.jumpToLive();
    if (this.video.paused) void this.play();
    this.change({ isFollowing: true });
  }

  seekBy(seconds: number): void {
    const { seekable } = this.video;
    if (seekable.length === 0) return;
    const live = this.livePosition() ?? seekable.end(seekable.length - 1);
    const wanted = this.video.currentTime + seconds;
    if (wanted >= live) this.goLive();
    else this.video.currentTime = Math.max(seekable.start(0) + 0.1, wanted);
  }

  chooseLevel(id: number): void {
    if (this.hls === null) return;
    if (id < 0) this.hls.loadLevel = -1;
    else this.hls.nextLevel = id;
    this.change({ level: id });
  }

  chooseAudioTrack(id: number): void {
    if (this.hls === null) return;
    this.hls.audioTrack = id;
    this.change({ audioTrack: id });
  }

  // --- Loading.

  private async load(): Promise<void> {
    this.loadStartedMs ??= performance.now();
    this.hasStarted = false;
    try {
      this.module = hlsModule === null ? null : await hlsModule;
    } catch {
      this.module = null; // The script did not arrive; perhaps the browser can do without.
    }
    if (this.isDestroyed) return;
    if (this.module?.default.isSupported() === true) {
      this.loadWithHls(this.module);
    } else if (this.video.canPlayType('application/vnd.apple.mpegurl') !== '') {
      this.video.src = this.options.url;
    } else {
      this.fail('this browser plays no HLS');
      return;
    }
    void this.control.start();
  }

  private loadWithHls(module: HlsModule): void {
    const { default: HlsClass, Events, AbrController } = module;
    const bandwidth = firstBandwidth(readPreferences(browserStore()).bandwidth);
    const meter = new BandwidthMeter(bandwidth);
    const abrController = makePartAbr(AbrController, meter, (watch) => {
      this.levelWatch = watch;
    });
    const streamController = makeJoinedLevels(HlsClass.DefaultConfig.streamController);
    const hls = new HlsClass({ ...hlsConfigFor(bandwidth), abrController, streamController });
    this.meter = meter;
    this.hls = hls;
    if (window.stoa?.video === this.video) window.stoa.hls = hls;
    hls.on(Events.MANIFEST_PARSED, (_, data) => this.handleManifest(data));
    hls.on(Events.LEVEL_SWITCHED, (_, { level }) => this.change({ playingLevel: level }));
    hls.on(Events.LEVELS_UPDATED, (_, { levels }) => this.change({ levels: levelChoices(levels) }));
    hls.on(Events.AUDIO_TRACKS_UPDATED, (_, data) => this.handleAudioTracks(data.audioTracks));
    hls.on(Events.AUDIO_TRACK_SWITCHED, (_, { id }) => this.change({ audioTrack: id }));
    hls.on(Events.LEVEL_LOADED, () => {
      this.playlistsLoaded += 1;
    });
    hls.on(Events.FRAG_LOADED, (_, data) => this.handleFragment(data));
    hls.on(Events.ERROR, (_, data) => this.handleError(data));
    hls.loadSource(this.options.url);
    hls.attachMedia(this.video);
  }

  private restartAfter(ms: number): void {
    if (this.restartTimer !== null || this.isDestroyed) return;
    this.restarts += 1;
    this.log(`starting anew in ${ms} ms`, false);
    this.rememberBandwidth();
    this.hls?.destroy();
    this.hls = null;
    this.restartTimer = window.setTimeout(() => {
      this.restartTimer = null;
      void this.load();
    }, ms);
  }

  private handleManifest(data: ManifestParsedData): void {
    this.manifestLoadedMs ??= performance.now();
    const isAudioOnly = data.levels.every((level) => !level.videoCodec && level.height === 0);
    this.change({ levels: levelChoices(data.levels), level: -1, isAudioOnly });
  }

  private handleAudioTracks(tracks: MediaPlaylist[]): void {
    const choices = tracks.map((track, id) => ({ id, label: audioLabelOf(track) }));
    this.change({
      audioTracks: choices.length > 1 ? choices : [],
      audioTrack: this.hls?.audioTrack ?? -1,
    });
  }

  private handleFragment({ frag, part, payload }: FragLoadedData): void {
    if (frag.sn === 'initSegment') return;
    const { loading } = (part ?? frag).stats;
    this.bytesReceived += payload.byteLength;
    this.lastLoadMs = loading.end - loading.start;
    this.lastSequence = part === null ? String(frag.sn) : `${frag.sn}.${part.index}`;
    if (part === null) this.segmentsLoaded += 1;
    else this.partsLoaded += 1;
  }

  private handleError(data: ErrorData): void {
    if (data.details !== 'bufferStalledError') this.log(data.details, data.fatal);
    const action = this.recovery.handleError({
      nowS: nowS(),
      kind: errorKindOf(data.type),
      details: data.details,
      isFatal: data.fatal,
    });
    if (action.kind === 'none') return;
    this.reportTrouble();
    switch (action.kind) {
      case 'recover_media':
        this.hls?.recoverMediaError();
        break;
      case 'swap_audio_codec':
        this.hls?.swapAudioCodec();
        this.hls?.recoverMediaError();
        break;
      case 'restart':
        this.restartAfter(action.afterMs);
        break;
      case 'give_up':
        this.fail(data.details);
        break;
    }
    void this.control.start();
  }

  private fail(reason: string): void {
    this.log(reason, true);
    this.hls?.destroy();
    this.hls = null;
    this.change({ status: 'failed' });
  }

  // --- The media element.

  private listenToVideo(): void {
    const { video } = this;
    const { signal } = this.aborter;
    const on = (name: string, run: () => void) => video.addEventListener(name, run, { signal });
    on('playing', () => this.handlePlaying());
    on('play', () => {
      this.control.wantsPlay = true;
      this.isFollowing = this.excessS() < kFollowWithinS;
    });
    on('pause', () => {
      // The end of a stream and the removal of a source pause too; a viewer's pause has a frame to stand on.
      if (!video.ended && this.hasStarted && video.readyState >= 2) this.control.wantsPlay = false;
    });
    on('seeking', () => {
      const isBack = video.currentTime < this.lastPosition - 0.5;
      const excess = this.excessS();
      if (excess < 1) this.isFollowing = true;
      else if (isBack && excess > kFollowWithinS) this.isFollowing = false;
      this.lastPosition = video.currentTime;
    });
    on('ended', () => {
      this.change({ status: 'ended' });
      this.options.onEnded();
    });
    on('error', () => {
      if (this.hls !== null || video.error === null) return; // hls.js reports its own.
      this.log(`media error ${video.error.code}`, true);
      this.reportTrouble();
      const action = this.recovery.restart();
      if (action.kind === 'restart') this.restartAfter(action.afterMs);
    });
    on('loadeddata', () => this.noteFirstFrame());
    document.addEventListener('visibilitychange', () => this.tick(), { signal });
    window.addEventListener('online', () => this.hls?.startLoad(-1), { signal });
    window.addEventListener('pagehide', () => this.rememberBandwidth(), { signal });
  }

  private noteFirstFrame(): void {
    if (this.view.hasFrame) return;
    const note = () => {
      this.firstFrameMs ??= performance.now();
      this.change({ hasFrame: true });
    };
    if (this.video.videoWidth > 0 && 'requestVideoFrameCallback' in this.video) {
      this.video.requestVideoFrameCallback(note);
    } else if (this.video.videoWidth > 0 || this.view.isAudioOnly) {
      note();
    }
  }

  private handlePlaying(): void {
    if (!this.hasStarted) this.startedAtS = nowS();
    this.hasStarted = true;
    this.recovery.handlePlaying();
    this.noteFirstFrame();
    this.change({ needsPlay: false });
  }

  // --- Keeping up with the live edge.

  private holdBackS(): number | null {
    const details = this.hls?.latestLevelDetails;
    if (!details) return null;
    return details.partHoldBack || details.holdBack || details.targetduration * 3;
  }

  private partTargetS(): number {
    const details = this.hls?.latestLevelDetails;
    return details?.partTarget || details?.targetduration || 1;
  }

  // Playhead to live edge. While the playlist stands still the edge is not taken to run ahead of it for good.
  private latencyS(): number | null {
    const details = this.hls?.latestLevelDetails;
    if (!details) return null;
    const age = Math.min(details.age, 3 * (details.partTarget || details.targetduration));
    return details.edge + age - this.video.currentTime;
  }

  private excessS(): number {
    const latency = this.latencyS();
    const holdBack = this.holdBackS();
    if (latency === null || holdBack === null) return 0;
    return latency - this.latency.targetS(holdBack);
  }

  private livePosition(): number | null {
    if (this.hls !== null) {
      const position = this.hls.liveSyncPosition;
      return position === null ? null : position - this.latency.cushion;
    }
    const { seekable } = this.video;
    return seekable.length === 0 ? null : seekable.end(seekable.length - 1) - 1;
  }

  private jumpToLive(): void {
    const position = this.livePosition();
    if (position === null || position < this.video.currentTime + 0.2) return;
    this.jumps += 1;
    this.latency.handleJump(nowS());
    this.video.currentTime = position;
  }

  private tick(): void {
    if (this.isDestroyed) return;
    const { video } = this;
    const now = nowS();
    const shouldPlay = this.hasStarted && !video.paused && !video.ended && this.restartTimer === null;
    const live = this.livePosition();
    const wasStalled = this.stall.isStalled;
    const action = this.stall.handleSample({
      nowS: now,
      positionS: video.currentTime,
      shouldPlay: shouldPlay && !document.hidden,
      canJump: live !== null && live > video.currentTime + 0.5,
    });
    if (this.stall.isStalled && !wasStalled) {
      this.log('stalled', false);
      this.latency.handleStall(now, this.partTargetS());
      this.reportTrouble();
    }
    this.act(action);
    this.skipAtStart(now);
    this.adjustRate(now, shouldPlay);
    this.lastPosition = video.currentTime;
    this.bytes.add(now, this.bytesReceived);
    this.frames.add(now, video.getVideoPlaybackQuality?.().totalVideoFrames ?? 0);
    this.noteFirstFrame();
    this.refresh(now);
  }

  private skipAtStart(now: number): void {
    if (this.startedAtS === null || this.hls === null || this.video.seeking) return;
    const position = this.livePosition();
    if (position === null) return;
    const bufferAfterS = forwardBufferOf(rangesOf(this.video.buffered), position);
    if (!shouldSkipAtStart(now - this.startedAtS, this.excessS(), bufferAfterS, this.partTargetS())) return;
    this.startedAtS = null;
    this.jumpToLive();
  }

  private act(action: ReturnType<StallWatch['handleSample']>): void {
    if (action === 'none' || (action !== 'jump' && this.options.isInterrupted())) return;
    this.log(`stall: ${action}`, false);
    this.reportTrouble();
    if (action === 'jump') {
      this.isFollowing = true;
      this.jumpToLive();
    } else if (action === 'reload') {
      this.hls?.stopLoad();
      this.hls?.startLoad(-1);
    } else {
      const restart = this.recovery.restart();
      if (restart.kind === 'restart') this.restartAfter(restart.afterMs);
    }
  }

  private adjustRate(now: number, shouldPlay: boolean): void {
    const latencyS = this.latencyS();
    const holdBackS = this.holdBackS();
    if (latencyS === null || holdBackS === null) return;
    const { rate, shouldJump } = this.latency.handleSample({
      nowS: now,
      latencyS,
      holdBackS,
      partTargetS: this.partTargetS(),
      forwardBufferS: this.forwardBufferS(),
      reserveS: this.levelWatch?.reserveS() ?? Infinity,
      loadS: this.levelWatch?.partLoadS() ?? 0,
      isPlaying: shouldPlay && !this.video.seeking && !this.stall.isStalled,
      isFollowing: this.isFollowing,
    });
    if (Math.abs(this.video.playbackRate - rate) > 0.001) this.video.playbackRate = rate;
    if (shouldJump) {
      this.log('jump to live', false);
      this.jumpToLive();
    }
  }

  private forwardBufferS(): number {
    return forwardBufferOf(rangesOf(this.video.buffered), this.video.currentTime);
  }

  private playingDateMs(): number | null {
    return this.hls === null ? this.nativeDate() : (this.hls.playingDate?.getTime() ?? null);
  }

  startDateMs(): number | null {
    const date = this.playingDateMs();
    return date === null ? null : date - this.video.currentTime * 1000;
  }

  private delayS(): number | null {
    const date = this.playingDateMs();
    if (date === null) return null;
    return (Date.now() + this.options.clockOffsetMs() - date) / 1000;
  }

  private nativeDate(): number | null {
    const video = this.video as HTMLVideoElement & { getStartDate?: () => Date };
    const start = video.getStartDate?.().getTime() ?? NaN;
    return Number.isNaN(start) ? null : start + video.currentTime * 1000;
  }

  // --- What is drawn.

  private refresh(now: number): void {
    const { video } = this;
    const delay = this.delayS() ?? this.latencyS();
    if (now - this.lastHistoryS >= 1) {
      this.lastHistoryS = now;
      if (delay !== null && this.view.hasFrame) this.delays.add(delay);
      this.buffers.add(this.forwardBufferS());
    }
    let status: PlayerView['status'] = 'playing';
    if (this.view.status === 'failed') status = 'failed';
    else if (video.ended) status = 'ended';
    else if (!this.hasStarted) status = 'starting';
    else if (video.paused) status = 'paused';
    else if (this.stall.isStalled) status = 'stalled';
    this.change({
      status,
      isFollowing: this.isFollowing && !(video.paused && this.excessS() > kFollowWithinS),
      delayS: delay === null || !this.view.hasFrame ? null : Math.round(delay * 10) / 10,
    });
  }

  private change(change: Partial<PlayerView>): void {
    this.store.change(change);
  }

  private log(text: string, isFatal: boolean): void {
    this.events = [...this.events, { timeS: nowS(), text, isFatal }].slice(-kEventsMax);
  }

  private reportTrouble(): void {
    const now = nowS();
    if (now - this.lastTroubleS < 1) return;
    this.lastTroubleS = now;
    this.options.onTrouble();
  }

  private rememberBandwidth(): void {
    const { meter } = this;
    if (this.partsLoaded + this.segmentsLoaded > 10 && meter?.hasMeasured === true) {
      writePreferences(browserStore(), { bandwidth: Math.round(meter.estimate()) });
    }
  }

  stats(): PlayerStats {
    const { hls, video } = this;
    const details = hls?.latestLevelDetails ?? null;
    const level = hls === null ? undefined : hls.levels[Math.max(0, hls.currentLevel)];
    const quality = video.getVideoPlaybackQuality?.();
    const holdBack = this.holdBackS();
    const received = this.bytes.perSecond();
    const estimate = this.meter?.estimate() ?? NaN;
    const back = video.buffered.length === 0 ? 0 : video.currentTime - video.buffered.start(0);
    return {
      engine: hls === null ? 'native' : 'hls.js',
      status: this.view.status,
      latency: this.latencyS(),
      targetLatency: holdBack === null ? null : this.latency.targetS(holdBack),
      holdBack,
      delay: this.delayS(),
      clockOffsetMs: this.options.clockOffsetMs(),
      playbackRate: video.playbackRate,
      isFollowing: this.isFollowing,
      width: video.videoWidth,
      height: video.videoHeight,
      videoCodec: level?.videoCodec ?? '',
      audioCodec: level?.audioCodec ?? '',
      framesPerSecond: this.frames.perSecond(),
      framesDecoded: quality?.totalVideoFrames ?? 0,
      framesDropped: quality?.droppedVideoFrames ?? 0,
      levelBitrate: level?.bitrate || null,
      receivedBitrate: received === null ? null : received * 8,
      bandwidthEstimate: Number.isFinite(estimate) ? estimate : null,
      bytesReceived: this.bytesReceived,
      position: video.currentTime,
      forwardBuffer: this.forwardBufferS(),
      backBuffer: Math.max(0, back),
      stalls: this.stall.count,
      stalledFor: this.stall.totalS,
      jumps: this.jumps,
      restarts: this.restarts,
      loadingUnit: details === null ? '' : details.partTarget > 0 ? 'parts' : 'segments',
      partTarget: details?.partTarget || null,
      targetDuration: details?.targetduration ?? null,
      partsLoaded: this.partsLoaded,
      segmentsLoaded: this.segmentsLoaded,
      playlistsLoaded: this.playlistsLoaded,
      lastLoadMs: this.lastLoadMs,
      lastSequence: this.lastSequence,
      loadStartedMs: this.loadStartedMs,
      manifestLoadedMs: this.manifestLoadedMs,
      firstFrameMs: this.firstFrameMs,
      events: this.events,
      rtc: null,
    };
  }
}
