// What a viewer's connection says of itself, from two reports a moment apart. Pure.

import {
  codecNameOf,
  growth,
  numberIn,
  pathOf,
  ratio,
  secondsBetween,
  statsOf,
  type Path,
  type Report,
  type Stat,
} from './report';

export interface ReceiverStats {
  path: Path;
  jitterMs: number | null; // Of the packets' arrival (RFC 3550), the worse of picture and sound.
  bufferMs: number | null; // How long a frame lately waited in the jitter buffer.
  decodeMs: number | null; // How long one lately took to decode.
  processingMs: number | null; // First packet in to frame decoded, lately.
  lossPercent: number | null; // Of the packets since the last report.
  packetsReceived: number;
  packetsLost: number;
  retransmitted: number; // Packets that came on a second try.
  nacks: number;
  keyframeRequests: number;
  freezes: number;
  frozenS: number;
  keyframesDecoded: number;
  concealedPercent: number | null; // Sound made up for what was missing, lately.
  videoCodec: string;
  audioCodec: string;
  videoBitrate: number | null; // bit/s
  audioBitrate: number | null;
  framesDecoded: number;
  framesDropped: number;
  framesPerSecond: number | null;
  bytesReceived: number;
  playoutUnixMs: number | null; // Time, by the sender's clock, of what is shown now.
}

// Clocks in RTCP count from 1900; browsers hand them on so, or from 1970.
const kNtpToUnixMs = 2_208_988_800_000;
const unixMsOf = (value: number | null): number | null => {
  if (value === null || value <= 0) return null;
  return value > 3e12 ? value - kNtpToUnixMs : value;
};

const sum = (streams: Stat[], name: string): number =>
  streams.reduce((total, stream) => total + (numberIn(stream, name) ?? 0), 0);
const times = (value: number | null, factor: number): number | null => (value === null ? null : value * factor);

export function readReceiver(report: Report, before: Report | null): ReceiverStats {
  const streams = statsOf(report, 'inbound-rtp');
  const pick = (kind: string) => streams.find((stream) => stream.kind === kind);
  const earlier = (stream: Stat | undefined) => before?.get(String(stream?.id ?? ''));
  const [video, audio] = [pick('video'), pick('audio')];
  const main = video ?? audio;
  const mainBefore = earlier(main);
  const bitrateOf = (stream: Stat | undefined) =>
    times(ratio(growth(stream, earlier(stream), 'bytesReceived'), secondsBetween(stream, earlier(stream))), 8);

  let lost = 0;
  let expected = 0;
  for (const stream of streams) {
    const received = growth(stream, earlier(stream), 'packetsReceived');
    // Lost packets count down again when they come late after all.
    const difference =
      (numberIn(stream, 'packetsLost') ?? 0) - (numberIn(earlier(stream), 'packetsLost') ?? 0);
    if (received === null) continue;
    lost += Math.max(0, difference);
    expected += received + Math.max(0, difference);
  }
  const jitters = streams.map((stream) => numberIn(stream, 'jitter')).filter((jitter) => jitter !== null);
  const perFrame = (total: string) =>
    times(ratio(growth(video, earlier(video), total), growth(video, earlier(video), 'framesDecoded')), 1000);
  return {
    path: pathOf(report),
    jitterMs: jitters.length === 0 ? null : Math.max(...jitters) * 1000,
    bufferMs: times(
      ratio(growth(main, mainBefore, 'jitterBufferDelay'), growth(main, mainBefore, 'jitterBufferEmittedCount')),
      1000,
    ),
    decodeMs: perFrame('totalDecodeTime'),
    processingMs: perFrame('totalProcessingDelay'),
    lossPercent: expected === 0 ? null : (100 * lost) / expected,
    packetsReceived: sum(streams, 'packetsReceived'),
    packetsLost: Math.max(0, sum(streams, 'packetsLost')),
    retransmitted: sum(streams, 'retransmittedPacketsReceived'),
    nacks: sum(streams, 'nackCount'),
    keyframeRequests: sum(streams, 'pliCount') + sum(streams, 'firCount'),
    freezes: numberIn(video, 'freezeCount') ?? 0,
    frozenS: numberIn(video, 'totalFreezesDuration') ?? 0,
    keyframesDecoded: numberIn(video, 'keyFramesDecoded') ?? 0,
    concealedPercent: times(
      ratio(
        growth(audio, earlier(audio), 'concealedSamples'),
        growth(audio, earlier(audio), 'totalSamplesReceived'),
      ),
      100,
    ),
    videoCodec: codecNameOf(report, video),
    audioCodec: codecNameOf(report, audio),
    videoBitrate: bitrateOf(video),
    audioBitrate: bitrateOf(audio),
    framesDecoded: numberIn(video, 'framesDecoded') ?? 0,
    framesDropped: numberIn(video, 'framesDropped') ?? 0,
    framesPerSecond: ratio(growth(video, earlier(video), 'framesDecoded'), secondsBetween(video, earlier(video))),
    bytesReceived: sum(streams, 'bytesReceived'),
    playoutUnixMs: unixMsOf(
      numberIn(video, 'estimatedPlayoutTimestamp') ?? numberIn(audio, 'estimatedPlayoutTimestamp'),
    ),
  };
}

// Seconds from the server's clock to the eye. By the sender's clock where the browser tells what time it
// shows; otherwise added up from half a round trip, the jitter buffer and decoding.
const kDelayMaxS = 30; // Beyond it the clock is not the server's.
export function delayOf(stats: ReceiverStats, serverNowMs: number): number | null {
  if (stats.playoutUnixMs !== null) {
    const delayS = (serverNowMs - stats.playoutUnixMs) / 1000;
    if (delayS > 0 && delayS < kDelayMaxS) return delayS;
  }
  const insideMs = stats.processingMs ?? stats.bufferMs;
  return insideMs === null ? null : ((stats.path.rttMs ?? 0) / 2 + insideMs) / 1000;
}
