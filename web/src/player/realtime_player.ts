// One video element playing one live channel in real time: WHEP into a MediaStream. The browser's jitter
// buffer keeps the delay, the link keeps the session; this joins both to the element and to the controls.

import type { SessionError } from '../rtc/session_client';
import { RtcLink, type LinkView } from '../rtc/rtc_link';
import { viewerOptions, type Trouble } from '../rtc/link_keeper';
import { delayOf, readReceiver, type ReceiverStats } from '../rtc/receiver_stats';
import type { Report } from '../rtc/report';
import { answersWith } from '../rtc/sdp';
import { ViewStore, type PlayerEngine, type PlayerView } from './engine';
import { History } from './meters';
import { PlayControl } from './play_control';
import type { PlayerEvent, PlayerStats } from './stats';

export interface RealtimeAnswer {
  hasVideo: boolean;
  hasAudio: boolean;
}
export interface RealtimeOptions {
  url: string; // Absolute, of the WHEP endpoint.
  isPatient: boolean; // There is no other way to watch, or none is wanted.
  clockOffsetMs: () => number;
  isInterrupted: () => boolean;
  onTrouble: () => void; // The channel may have gone: ask the server.
  onAnswer: (answer: RealtimeAnswer) => void;
  onLink: (view: LinkView) => void;
  onGiveUp: (trouble: Trouble, error: SessionError | null, link: LinkView) => void;
}

const kTickMs = 200;
const kReportEveryMs = 500;
const kStalledAfterMs = 700; // Frames come many times a second; a hole this long is seen.
const kEventsMax = 12;

const nowS = (): number => performance.now() / 1000;

export class RealtimePlayer implements PlayerEngine {
  readonly delays = new History(120);
  readonly buffers = new History(120);
  private readonly store = new ViewStore({ canSeek: false });
  private readonly aborter = new AbortController();
  private readonly control: PlayControl;
  private readonly link: RtcLink;
  private stream = new MediaStream(); // Of the session; each has its own.
  private readonly ticker: number;
  private readonly startedMs = performance.now();
  private linkView: LinkView | null = null;
  private report: Report | null = null;
  private receiver: ReceiverStats | null = null;
  private reportedMs = -Infinity;
  private isReading = false;
  private historyMs = -Infinity;
  private delayS: number | null = null;
  private answer: RealtimeAnswer | null = null;
  private hasGivenUp = false;
  private lastTrouble: Trouble | null = null;
  private lastPosition = 0;
  private movedMs = performance.now();
  private stalls = 0;
  private stalledMs = 0;
  private answeredMs: number | null = null;
  private firstFrameMs: number | null = null;
  private events: PlayerEvent[] = [];

  constructor(
    readonly video: HTMLVideoElement,
    private readonly options: RealtimeOptions,
  ) {
    const { signal } = this.aborter;
    this.control = new PlayControl(video, signal, (change) => this.store.change(change));
    video.addEventListener('playing', () => this.handlePlaying(), { signal });
    video.addEventListener('loadeddata', () => this.noteFirstFrame(), { signal });
    video.addEventListener('resize', () => this.noteFirstFrame(), { signal });
    video.addEventListener('play', () => (this.control.wantsPlay = true), { signal });
    video.addEventListener(
      'pause',
      () => {
        // The end of a session pauses too.
        const isOurs = video.srcObject === this.stream && this.stream.active;
        if (this.view.hasFrame && isOurs) this.control.wantsPlay = false;
      },
      { signal },
    );
    // A page that comes back from the browser's cache has an ended session.
    window.addEventListener('pageshow', (event) => event.persisted && location.reload(), { signal });
    this.link = new RtcLink({
      url: options.url,
      key: '',
      keeper: viewerOptions(options.isPatient),
      prepare: (connection) => this.prepare(connection),
      onAnswer: (answer) => this.handleAnswer(answer),
      onChange: (view) => this.handleLink(view),
      isMediaExpected: () => !options.isInterrupted() && !document.hidden,
    });
    window.stoa = { hls: null, video, connection: null, stats: () => this.stats() };
    this.ticker = window.setInterval(() => this.tick(), kTickMs);
  }

  destroy(): void {
    this.aborter.abort();
    window.clearInterval(this.ticker);
    this.link.close();
    this.video.srcObject = null;
    this.video.load();
    if (window.stoa?.video === this.video) delete window.stoa;
    this.store.clear();
  }

  readonly subscribe = this.store.subscribe;
  readonly getView = this.store.getView;
  private get view(): PlayerView {
    return this.store.getView();
  }

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
    if (this.video.paused) void this.play();
  }
  // Real time has no past, one quality at a time and one sound track.
  seekBy(): void {}
  chooseLevel(): void {}
  chooseAudioTrack(): void {}

  setPatient(isPatient: boolean): void {
    this.link.setPatient(isPatient);
  }
  retryNow(): void {
    this.link.retryNow();
  }

  // --- The session.

  private prepare(connection: RTCPeerConnection): void {
    const stream = new MediaStream();
    this.stream = stream;
    this.report = null;
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.ontrack = ({ track }) => {
      if (this.stream !== stream) return;
      stream.addTrack(track);
      if (this.video.srcObject !== stream) this.video.srcObject = stream;
      track.onunmute = () => this.link.handleMedia();
      void this.control.start();
    };
    if (window.stoa?.video === this.video) window.stoa.connection = connection;
  }

  private handleAnswer(sdp: string): void {
    this.answeredMs ??= performance.now();
    this.answer = { hasVideo: answersWith(sdp, 'video'), hasAudio: answersWith(sdp, 'audio') };
    this.store.change({ isAudioOnly: !this.answer.hasVideo });
    this.options.onAnswer(this.answer);
  }

  private handleLink(view: LinkView): void {
    this.linkView = view;
    if (view.trouble !== this.lastTrouble) {
      this.lastTrouble = view.trouble;
      if (view.trouble !== null) {
        this.log(`${view.trouble.replaceAll('_', ' ')}, ${view.phase}`, view.phase === 'over');
        this.options.onTrouble();
      }
    }
    this.options.onLink(view);
    if (view.phase !== 'over' || this.hasGivenUp || view.trouble === null) return;
    this.hasGivenUp = true;
    this.options.onGiveUp(view.trouble, view.error, view);
  }

  // --- The element.

  private handlePlaying(): void {
    this.noteFirstFrame();
    this.store.change({ needsPlay: false });
  }

  private noteFirstFrame(): void {
    const { video } = this;
    if (this.view.hasFrame || video.srcObject !== this.stream) return;
    const note = () => {
      if (this.view.hasFrame) return;
      this.firstFrameMs ??= performance.now();
      this.link.handleMedia();
      this.store.change({ hasFrame: true });
    };
    if (video.videoWidth > 0 && 'requestVideoFrameCallback' in video) video.requestVideoFrameCallback(note);
    else if (video.videoWidth > 0 || (this.answer?.hasVideo === false && video.currentTime > 0)) note();
  }

  private tick(): void {
    const now = performance.now();
    const { video } = this;
    if (video.currentTime !== this.lastPosition) {
      this.lastPosition = video.currentTime;
      this.movedMs = now;
    }
    if (!this.view.hasFrame) this.noteFirstFrame();
    const isStanding = this.view.hasFrame && !video.paused && now - this.movedMs > kStalledAfterMs;
    const isLinkUp = this.linkView?.phase === 'up' && this.linkView.trouble === null;
    const isStalled = isStanding || (this.view.hasFrame && !isLinkUp && this.linkView?.phase !== 'shaky');
    if (isStalled && this.view.status !== 'stalled') this.stalls += 1;
    if (isStalled) this.stalledMs += kTickMs;
    let status: PlayerView['status'] = 'playing';
    if (!this.view.hasFrame) status = 'starting';
    else if (video.paused) status = 'paused';
    else if (isStalled) status = 'stalled';
    this.store.change({
      status,
      delayS: this.delayS === null || !this.view.hasFrame ? null : Math.round(this.delayS * 10) / 10,
    });
    if (now - this.reportedMs >= kReportEveryMs) void this.readReport(now);
    if (now - this.historyMs >= 1000) {
      this.historyMs = now;
      if (this.delayS !== null && this.view.hasFrame) this.delays.add(this.delayS);
      this.buffers.add((this.receiver?.bufferMs ?? 0) / 1000);
    }
  }

  private async readReport(now: number): Promise<void> {
    const { connection } = this.link;
    if (connection === null || this.isReading) return;
    this.isReading = true;
    this.reportedMs = now;
    try {
      const report = (await connection.getStats()) as unknown as Report;
      if (connection !== this.link.connection) return;
      const last = this.receiver;
      const isFirst = this.report === null;
      this.receiver = readReceiver(report, this.report);
      this.report = report;
      if (this.receiver.bytesReceived > (isFirst ? 0 : (last?.bytesReceived ?? 0))) this.link.handleMedia();
      this.delayS = delayOf(this.receiver, Date.now() + this.options.clockOffsetMs());
    } catch {
      // The connection was closed meanwhile.
    } finally {
      this.isReading = false;
    }
  }

  private log(text: string, isFatal: boolean): void {
    this.events = [...this.events, { timeS: nowS(), text, isFatal }].slice(-kEventsMax);
  }

  startDateMs(): number | null {
    return null; // There is no window.
  }

  stats(): PlayerStats {
    const { video, receiver, linkView } = this;
    const quality = video.getVideoPlaybackQuality?.();
    const received =
      receiver === null || (receiver.videoBitrate === null && receiver.audioBitrate === null)
        ? null
        : (receiver.videoBitrate ?? 0) + (receiver.audioBitrate ?? 0);
    return {
      engine: 'whep',
      status: this.view.status,
      latency: this.delayS,
      targetLatency: null,
      holdBack: null,
      delay: this.delayS,
      clockOffsetMs: this.options.clockOffsetMs(),
      playbackRate: video.playbackRate,
      isFollowing: true,
      width: video.videoWidth,
      height: video.videoHeight,
      videoCodec: receiver?.videoCodec ?? '',
      audioCodec: receiver?.audioCodec ?? '',
      framesPerSecond: receiver?.framesPerSecond ?? null,
      framesDecoded: receiver?.framesDecoded ?? quality?.totalVideoFrames ?? 0,
      framesDropped: receiver?.framesDropped ?? quality?.droppedVideoFrames ?? 0,
      levelBitrate: null,
      receivedBitrate: received,
      bandwidthEstimate: null,
      bytesReceived: receiver?.bytesReceived ?? 0,
      position: video.currentTime,
      forwardBuffer: (receiver?.bufferMs ?? 0) / 1000,
      backBuffer: 0,
      stalls: this.stalls,
      stalledFor: this.stalledMs / 1000,
      jumps: 0,
      restarts: Math.max(0, (linkView?.sessions ?? 0) - 1),
      loadingUnit: '',
      partTarget: null,
      targetDuration: null,
      partsLoaded: 0,
      segmentsLoaded: 0,
      playlistsLoaded: 0,
      lastLoadMs: null,
      lastSequence: '',
      loadStartedMs: this.startedMs,
      manifestLoadedMs: this.answeredMs,
      firstFrameMs: this.firstFrameMs,
      events: this.events,
      rtc:
        receiver === null
          ? null
          : {
              ...receiver,
              state: linkView?.phase ?? 'closed',
              ice: linkView?.ice ?? 'closed',
              sessions: linkView?.sessions ?? 0,
              restarts: linkView?.restarts ?? 0,
            },
    };
  }
}
