import { describe, expect, test } from 'vitest';
import type { Report, Stat } from '../rtc/report';
import { layerText, pathText, pictureText, receivedNumbers, sentNumbers, totalsOf } from './track_stats';

const reportOf = (...stats: Stat[]): Report => new Map(stats.map((stat) => [String(stat.id), stat]));

const codec = { id: 'c', type: 'codec', mimeType: 'video/VP8' };
const transport = [
  { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
  {
    id: 'p',
    type: 'candidate-pair',
    currentRoundTripTime: 0.02,
    localCandidateId: 'l',
    remoteCandidateId: 'r',
  },
  { id: 'l', type: 'local-candidate', protocol: 'udp', candidateType: 'host' },
  { id: 'r', type: 'remote-candidate', address: '192.0.2.1', port: 7882 },
];
const layer = (
  id: string,
  rid: string,
  width: number,
  bytes: number,
  frames: number,
  timestamp: number,
  more = {},
) => ({
  id,
  type: 'outbound-rtp',
  kind: 'video',
  rid,
  codecId: 'c',
  frameWidth: width,
  frameHeight: (width * 9) / 16,
  bytesSent: bytes,
  framesEncoded: frames,
  packetsSent: frames,
  timestamp,
  ...more,
});
const heard = {
  id: 'x',
  type: 'remote-inbound-rtp',
  kind: 'video',
  localId: 'f',
  fractionLost: 0.05,
  jitter: 0.004,
};

describe('sentNumbers', () => {
  const before = reportOf(
    codec,
    layer('q', 'q', 320, 1000, 10, 1000),
    layer('f', 'f', 1280, 5000, 10, 1000),
    heard,
    ...transport,
  );
  const after = reportOf(
    codec,
    layer('q', 'q', 320, 26_000, 40, 2000),
    layer('f', 'f', 1280, 255_000, 40, 2000, { qualityLimitationReason: 'cpu' }),
    layer('h', 'h', 640, 0, 0, 2000, { active: false }),
    heard,
    ...transport,
  );

  test('counts every layer, the largest first', () => {
    const numbers = sentNumbers(after, before);
    expect(numbers.layers.map(({ name, isActive }) => [name, isActive])).toEqual([
      ['high', true],
      ['medium', false],
      ['low', true],
    ]);
    expect(numbers).toMatchObject({ codec: 'VP8', width: 1280, height: 720, framesPerSecond: 30 });
    expect(numbers.bitrate).toBe(8 * (25_000 + 250_000));
    expect(numbers).toMatchObject({ lossPercent: 5, jitterMs: 4, rttMs: 20 });
    expect(numbers.layers.map(layerText)).toEqual([
      'high: 1280×720, 30 fps, 2.0 Mb/s, held back by cpu',
      'medium: not wanted',
      'low: 320×180, 30 fps, 200 kb/s',
    ]);
  });

  test('reads sound, which has no layers', () => {
    const sound = (bytes: number, timestamp: number) =>
      reportOf(
        { id: 'c', type: 'codec', mimeType: 'audio/opus' },
        { id: 'a', type: 'outbound-rtp', kind: 'audio', codecId: 'c', bytesSent: bytes, timestamp },
      );
    expect(sentNumbers(sound(4000, 2000), sound(0, 1000))).toMatchObject({
      codec: 'Opus',
      bitrate: 32_000,
      layers: [],
      width: 0,
    });
  });
});

describe('receivedNumbers', () => {
  const inbound = (bytes: number, received: number, lost: number, timestamp: number) =>
    reportOf(
      codec,
      {
        id: 'i',
        type: 'inbound-rtp',
        kind: 'video',
        codecId: 'c',
        frameWidth: 640,
        frameHeight: 360,
        bytesReceived: bytes,
        packetsReceived: received,
        packetsLost: lost,
        jitter: 0.003,
        framesDecoded: received,
        timestamp,
      },
      ...transport,
    );

  test('reads rate, loss and jitter since the last report', () => {
    const numbers = receivedNumbers(inbound(51_000, 190, 10, 2000), inbound(1000, 100, 0, 1000));
    expect(numbers).toMatchObject({
      codec: 'VP8',
      width: 640,
      height: 360,
      bitrate: 400_000,
      jitterMs: 3,
      rttMs: 20,
    });
    expect(numbers.lossPercent).toBeCloseTo(10);
    expect(pathText(numbers.path)).toBe('UDP, 192.0.2.1:7882');
  });

  test('knows no rates from a single report', () => {
    expect(receivedNumbers(inbound(1000, 1, 0, 1000), null).bitrate).toBeNull();
  });
});

test('totals add up each way and take the worst loss', () => {
  const numbers = (bitrate: number | null, lossPercent: number | null) => ({
    ...receivedNumbers(reportOf(...transport), null),
    bitrate,
    lossPercent,
  });
  const totals = totalsOf([
    { isLocal: true, numbers: numbers(100, null) },
    { isLocal: false, numbers: numbers(200, 1) },
    { isLocal: false, numbers: numbers(null, 3) },
  ]);
  expect(totals).toMatchObject({ sent: 100, received: 200, lossPercent: 3, rttMs: 20 });
  expect(totalsOf([])).toEqual({ sent: 0, received: 0, lossPercent: null, rttMs: null, path: null });
});

test('what is not known is a dash', () => {
  expect(pictureText(0, 0, 30)).toBe('–');
  expect(pathText(null)).toBe('–');
});
