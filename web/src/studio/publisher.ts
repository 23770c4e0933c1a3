// One broadcast from this browser: a stream of camera or screen over WHIP, kept up by the link, with its
// numbers once a second. Devices may be changed while it runs.

import { publisherOptions } from '../rtc/link_keeper';
import type { Report } from '../rtc/report';
import { RtcLink, type LinkView } from '../rtc/rtc_link';
import { withOpus } from '../rtc/sdp';
import { readSender, type SenderStats } from '../rtc/sender_stats';
import { browserCodecs } from './capture';
import { codecsToOffer, encodingsFor, type StudioSettings } from './settings';

export interface PublisherOptions {
  url: string; // Absolute, of the WHIP endpoint.
  key: string;
  stream: MediaStream;
  settings: StudioSettings;
  onLink: (view: LinkView) => void;
  onStats: (stats: SenderStats | null) => void;
}

const kReportEveryMs = 1000;
const kOpus = {
  voice: { isStereo: false, bitrate: 48_000 },
  music: { isStereo: true, bitrate: 160_000 },
} as const;

export class Publisher {
  private readonly link: RtcLink;
  private readonly ticker: number;
  private report: Report | null = null;
  private reported: RTCPeerConnection | null = null;
  private video: RTCRtpSender | null = null;
  private audio: RTCRtpSender | null = null;
  private stream: MediaStream;
  private wakeLock: { release(): Promise<void> } | null = null;
  private isClosed = false;

  constructor(private readonly options: PublisherOptions) {
    this.stream = options.stream;
    this.link = new RtcLink({
      url: options.url,
      key: options.key,
      keeper: publisherOptions,
      prepare: (connection) => this.prepare(connection),
      refine: (answer) => withOpus(answer, kOpus[options.settings.sound]),
      onChange: options.onLink,
    });
    this.ticker = window.setInterval(() => void this.readReport(), kReportEveryMs);
    void this.stayAwake();
  }

  close(): void {
    this.isClosed = true;
    window.clearInterval(this.ticker);
    this.link.close();
    void this.wakeLock?.release().catch(() => undefined);
  }

  retryNow(): void {
    this.link.retryNow();
  }
  get connection(): RTCPeerConnection | null {
    return this.link.connection;
  }

  // Another camera or microphone: the session goes on, unless picture or sound come or go with it.
  async replaceStream(stream: MediaStream): Promise<void> {
    this.stream = stream;
    const [picture] = stream.getVideoTracks();
    const [sound] = stream.getAudioTracks();
    const isSame = (picture === undefined) === (this.video === null) && (sound === undefined) === (this.audio === null);
    if (!isSame) {
      this.link.renew();
      return;
    }
    await this.video?.replaceTrack(picture ?? null);
    await this.audio?.replaceTrack(sound ?? null);
  }

  private prepare(connection: RTCPeerConnection): void {
    const { settings } = this.options;
    const streams = [this.stream];
    const [picture] = this.stream.getVideoTracks();
    const [sound] = this.stream.getAudioTracks();
    this.video = null;
    this.audio = null;
    if (picture !== undefined) {
      const { width = 1280, height = 720 } = picture.getSettings();
      const transceiver = connection.addTransceiver(picture, {
        direction: 'sendonly',
        streams,
        sendEncodings: encodingsFor({ width, height }, settings),
      });
      this.video = transceiver.sender;
      const codecs = browserCodecs();
      if (codecs.length > 0) transceiver.setCodecPreferences(codecsToOffer(codecs, settings.codec));
      void this.preferDegradation(transceiver.sender);
    }
    if (sound !== undefined) {
      this.audio = connection.addTransceiver(sound, { direction: 'sendonly', streams }).sender;
    }
  }

  // A shared screen is to stay readable, a camera to stay fluent.
  private async preferDegradation(sender: RTCRtpSender): Promise<void> {
    const isScreen = this.options.settings.source === 'screen';
    const parameters = sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
    parameters.degradationPreference = isScreen ? 'maintain-resolution' : 'balanced';
    await sender.setParameters(parameters).catch(() => undefined);
  }

  private async readReport(): Promise<void> {
    const { connection } = this.link;
    if (connection === null) {
      this.options.onStats(null);
      return;
    }
    try {
      const report = (await connection.getStats()) as unknown as Report;
      if (this.isClosed || connection !== this.link.connection) return;
      if (this.reported !== connection) this.report = null;
      this.reported = connection;
      this.options.onStats(readSender(report, this.report));
      this.report = report;
    } catch {
      // Closed meanwhile.
    }
  }

  // A phone that goes to sleep ends the broadcast.
  private async stayAwake(): Promise<void> {
    try {
      this.wakeLock = await navigator.wakeLock.request('screen');
      if (this.isClosed) await this.wakeLock.release();
    } catch {
      // Not every browser can, and none while it is low on power.
    }
  }
}
