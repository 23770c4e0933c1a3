import { describe, expect, test } from 'vitest';
import { delayOf, readReceiver } from './receiver_stats';
import type { Report, Stat } from './report';
import { healthOf, readSender } from './sender_stats';

const reportOf = (...stats: Stat[]): Report => new Map(stats.map((stat) => [String(stat.id), stat]));
const transport: Stat[] = [
  { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
  {
    id: 'P',
    type: 'candidate-pair',
    localCandidateId: 'L',
    remoteCandidateId: 'R',
    currentRoundTripTime: 0.02,
    availableOutgoingBitrate: 3e6,
  },
  { id: 'L', type: 'local-candidate', protocol: 'udp', candidateType: 'host' },
  { id: 'R', type: 'remote-candidate', protocol: 'udp', address: '2001:db8::1', port: 7882 },
  { id: 'C', type: 'codec', mimeType: 'video/H264' },
];

describe('readReceiver', () => {
  const at = (s: number, more: Stat = {}) =>
    reportOf(...transport, {
      id: 'V',
      type: 'inbound-rtp',
      kind: 'video',
      codecId: 'C',
      timestamp: s * 1000,
      bytesReceived: s * 125_000,
      packetsReceived: s * 90,
      packetsLost: s * 10,
      jitter: 0.004,
      framesDecoded: s * 30,
      totalDecodeTime: s * 0.06,
      totalProcessingDelay: s * 1.5,
      jitterBufferDelay: s * 1.2,
      jitterBufferEmittedCount: s * 30,
      ...more,
    });

  test('makes rates of what grew between two reports', () => {
    const stats = readReceiver(at(4), at(2));
    expect(stats).toMatchObject({
      videoCodec: 'H.264',
      audioCodec: '',
      videoBitrate: 1_000_000,
      audioBitrate: null,
      framesPerSecond: 30,
      jitterMs: 4,
      lossPercent: 10,
      packetsLost: 40,
      path: { protocol: 'udp', remote: '[2001:db8::1]:7882', rttMs: 20, isRelayed: false },
    });
    expect(stats.bufferMs).toBeCloseTo(40);
    expect(stats.decodeMs).toBeCloseTo(2);
    expect(stats.processingMs).toBeCloseTo(50);
  });

  test('says nothing about rates after one report', () => {
    const stats = readReceiver(at(4), null);
    expect([stats.videoBitrate, stats.lossPercent, stats.bufferMs, stats.framesPerSecond]).toEqual([null, null, null, null]);
  });

  test('gets along with an empty report', () => {
    const stats = readReceiver(new Map(), null);
    expect([stats.path.protocol, stats.path.remote, stats.jitterMs, stats.bytesReceived]).toEqual(['', '', null, 0]);
  });

  test('counts packets that came late after all as not lost', () => {
    expect(readReceiver(at(4, { packetsLost: 5 }), at(2)).lossPercent).toBe(0);
  });

  test('delay is by the sender’s clock, from 1900 or from 1970', () => {
    const now = 1_800_000_000_000;
    for (const epoch of [0, 2_208_988_800_000]) {
      const stats = readReceiver(at(4, { estimatedPlayoutTimestamp: now + epoch - 180 }), at(2));
      expect(delayOf(stats, now)).toBeCloseTo(0.18);
    }
  });

  test('delay is added up where the clock says nothing, or nonsense', () => {
    for (const estimatedPlayoutTimestamp of [undefined, 5, 1_900_000_000_000]) {
      expect(delayOf(readReceiver(at(4, { estimatedPlayoutTimestamp }), at(2)), 1_800_000_000_000)).toBeCloseTo(0.06);
    }
  });
});

describe('readSender', () => {
  const layer = (rid: string, s: number, width: number, bitrate: number, more: Stat = {}): Stat => ({
    id: `V${rid}`,
    type: 'outbound-rtp',
    kind: 'video',
    rid,
    codecId: 'C',
    timestamp: s * 1000,
    bytesSent: (s * bitrate) / 8,
    framesEncoded: s * 30,
    framesSent: s * 30,
    packetsSent: s * 100,
    frameWidth: width,
    frameHeight: (width * 9) / 16,
    qualityLimitationReason: 'none',
    totalEncodeTime: s * 0.09,
    ...more,
  });
  const remote = (rid: string, fractionLost: number): Stat => ({
    id: `RI${rid}`,
    type: 'remote-inbound-rtp',
    kind: 'video',
    localId: `V${rid}`,
    fractionLost,
    jitter: 0.003,
    roundTripTime: 0.05,
  });
  const at = (s: number, more: Stat = {}, lost = 0) =>
    reportOf(...transport, layer('0', s, 320, 200_000), layer('1', s, 1280, 2e6, more), remote('1', lost));

  test('lists the layers, largest first, each with its own numbers', () => {
    const stats = readSender(at(4, {}, 0.05), at(2));
    expect(stats.layers.map(({ rid, width, bitrate, framesPerSecond }) => [rid, width, bitrate, framesPerSecond])).toEqual([
      ['1', 1280, 2_000_000, 30],
      ['0', 320, 200_000, 30],
    ]);
    expect(stats.layers[0]?.lossPercent).toBe(5);
    expect(stats.layers[1]?.lossPercent).toBeNull();
    expect(stats.layers[0]?.encodeMs).toBeCloseTo(3);
    expect(stats).toMatchObject({ totalBitrate: 2_200_000, rttMs: 20, lossPercent: 5, videoCodec: 'H.264' });
  });

  const verdicts: [string, Stat, number, string, RegExp][] = [
    ['all is well', {}, 0, 'good', /arrives/],
    ['the line is too thin', { qualityLimitationReason: 'bandwidth' }, 0, 'fair', /line/],
    ['the computer is too slow', { qualityLimitationReason: 'cpu' }, 0, 'fair', /computer/],
    ['some loss', {}, 0.03, 'fair', /3\.0 %/],
    ['much loss before all else', { qualityLimitationReason: 'bandwidth' }, 0.2, 'poor', /20 %/],
  ];
  test.each(verdicts)('%s', (_, more, lost, grade, text) => {
    const health = healthOf(readSender(at(4, more, lost), at(2)), true);
    expect(health.grade).toBe(grade);
    expect(health.text).toMatch(text);
  });

  test('calls nothing a limit while a browser feels its way up', () => {
    const limited = (none: number, bandwidth: number) =>
      readSender(
        at(4, { qualityLimitationReason: 'bandwidth', qualityLimitationDurations: { none, bandwidth, cpu: 0, other: 0 } }, 0),
        at(2),
      ).layers[0]?.limitation;
    expect(limited(0, 4)).toBe('none');
    expect(limited(5.5, 4)).toBe('none');
    expect(limited(6, 4)).toBe('bandwidth');
  });

  test('says when no picture goes out', () => {
    const still = reportOf(layer('', 2, 1280, 0));
    expect(healthOf(readSender(still, reportOf(layer('', 1, 1280, 0))), true).grade).toBe('poor');
  });
});
