// What a publisher's connection says of itself, from two reports a moment apart. Pure.

import {
  codecNameOf,
  growth,
  numberIn,
  pathOf,
  ratio,
  secondsBetween,
  statsOf,
  textIn,
  type Path,
  type Report,
  type Stat,
} from './report';

export interface LayerStats {
  rid: string; // "" without simulcast.
  isActive: boolean;
  width: number;
  height: number;
  framesPerSecond: number | null;
  bitrate: number | null; // bit/s, media without headers.
  limitation: string; // "none", "cpu", "bandwidth", "other".
  encodeMs: number | null; // Per frame, lately.
  lossPercent: number | null; // As the server reports it.
  encoder: string;
}

export interface SenderStats {
  layers: LayerStats[]; // Largest first.
  path: Path;
  videoCodec: string;
  audioCodec: string;
  audioBitrate: number | null;
  totalBitrate: number | null;
  rttMs: number | null;
  jitterMs: number | null;
  lossPercent: number | null; // The worst of the streams.
  retransmittedPercent: number | null;
  keyframeRequests: number;
  framesSent: number;
}

const times = (value: number | null, factor: number): number | null => (value === null ? null : value * factor);
const worst = (values: (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
};
const total = (values: (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
};

// At first a browser feels its way up and calls that a lack of bandwidth.
const kSettledAfter = 10; // Seconds of sending.
function limitationOf(stream: Stat): string {
  const durations = stream.qualityLimitationDurations as Record<string, number> | undefined;
  const sending = Object.values(durations ?? { unknown: kSettledAfter }).reduce((sum, value) => sum + value, 0);
  return sending < kSettledAfter ? 'none' : textIn(stream, 'qualityLimitationReason') || 'none';
}

export function readSender(report: Report, before: Report | null): SenderStats {
  const streams = statsOf(report, 'outbound-rtp');
  const remotes = statsOf(report, 'remote-inbound-rtp');
  const earlier = (stream: Stat | undefined) => before?.get(String(stream?.id ?? ''));
  const remoteOf = (stream: Stat) => remotes.find((remote) => remote.localId === stream.id);
  const perSecond = (stream: Stat | undefined, name: string) =>
    ratio(growth(stream, earlier(stream), name), secondsBetween(stream, earlier(stream)));
  const lossOf = (stream: Stat | undefined) =>
    stream === undefined ? null : times(numberIn(remoteOf(stream), 'fractionLost'), 100);

  const videos = streams.filter((stream) => stream.kind === 'video');
  const audio = streams.find((stream) => stream.kind === 'audio');
  const layers = videos
    .map((stream): LayerStats => {
      const bitrate = times(perSecond(stream, 'bytesSent'), 8);
      const framesPerSecond = perSecond(stream, 'framesEncoded') ?? numberIn(stream, 'framesPerSecond');
      return {
        rid: textIn(stream, 'rid'),
        isActive: stream.active !== false && (bitrate === null || bitrate > 0),
        width: numberIn(stream, 'frameWidth') ?? 0,
        height: numberIn(stream, 'frameHeight') ?? 0,
        framesPerSecond,
        bitrate,
        limitation: limitationOf(stream),
        encodeMs: times(
          ratio(
            growth(stream, earlier(stream), 'totalEncodeTime'),
            growth(stream, earlier(stream), 'framesEncoded'),
          ),
          1000,
        ),
        lossPercent: lossOf(stream),
        encoder: textIn(stream, 'encoderImplementation'),
      };
    })
    .sort((a, b) => b.width * b.height - a.width * a.height || b.rid.localeCompare(a.rid));
  const path = pathOf(report);
  const rtts = remotes.map((remote) => times(numberIn(remote, 'roundTripTime'), 1000));
  const sent = total(videos.map((stream) => growth(stream, earlier(stream), 'packetsSent')));
  const again = total(videos.map((stream) => growth(stream, earlier(stream), 'retransmittedPacketsSent')));
  const audioBitrate = times(perSecond(audio, 'bytesSent'), 8);
  return {
    layers,
    path,
    videoCodec: codecNameOf(report, videos[0]),
    audioCodec: codecNameOf(report, audio),
    audioBitrate,
    totalBitrate: total([...layers.map(({ bitrate }) => bitrate), audioBitrate]),
    rttMs: path.rttMs ?? worst(rtts),
    jitterMs: worst(remotes.map((remote) => times(numberIn(remote, 'jitter'), 1000))),
    lossPercent: worst(streams.map(lossOf)),
    retransmittedPercent: times(ratio(again, sent), 100),
    keyframeRequests: videos.reduce(
      (sum, stream) => sum + (numberIn(stream, 'pliCount') ?? 0) + (numberIn(stream, 'firCount') ?? 0),
      0,
    ),
    framesSent: videos.reduce((sum, stream) => sum + (numberIn(stream, 'framesSent') ?? 0), 0),
  };
}

export interface Health {
  grade: 'good' | 'fair' | 'poor';
  text: string;
}

const kLossFair = 2; // Per cent.
const kLossPoor = 8;
const kRttFairMs = 300;

// One verdict, the worst thing first, with what can be done about it.
export function healthOf(stats: SenderStats, hasVideo: boolean): Health {
  const [largest] = stats.layers;
  const loss = stats.lossPercent ?? 0;
  if (hasVideo && largest !== undefined && stats.layers.every(({ bitrate }) => bitrate === 0)) {
    return { grade: 'poor', text: 'No picture is being sent.' };
  }
  if (loss >= kLossPoor) {
    return {
      grade: 'poor',
      text: `${loss.toFixed(0)} % of the packets are lost: the line is overloaded or bad. Choose less bitrate.`,
    };
  }
  const limited = (reason: string) => stats.layers.some(({ limitation }) => limitation === reason);
  if (limited('bandwidth')) {
    return { grade: 'fair', text: 'The line does not carry the chosen bitrate: quality is held back.' };
  }
  if (limited('cpu')) {
    return {
      grade: 'fair',
      text: 'This computer does not keep up with encoding: choose a smaller size, or fewer layers.',
    };
  }
  if (loss >= kLossFair) return { grade: 'fair', text: `${loss.toFixed(1)} % of the packets are lost.` };
  if ((stats.rttMs ?? 0) > kRttFairMs) {
    return { grade: 'fair', text: 'The way to the server is long: repairs of lost packets come late.' };
  }
  return { grade: 'good', text: 'Everything arrives.' };
}
