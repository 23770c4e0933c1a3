import { describe, expect, test } from 'vitest';
import { bitrateOf, codecsToOffer, defaultSettings, encodingsFor, parseSettings, sendableCodecs } from './settings';
import type { CodecWish } from './settings';

const of = (change: Partial<typeof defaultSettings>) => ({ ...defaultSettings, ...change });

describe('encodingsFor', () => {
  const rows: [string, { width: number; height: number }, object, [string | undefined, number | undefined][]][] = [
    ['three layers of a large picture', { width: 1280, height: 720 }, {}, [['0', 4], ['1', 2], ['2', 1]]],
    ['two of a small one', { width: 640, height: 360 }, {}, [['0', 2], ['1', 1]]],
    ['one of a tiny one', { width: 320, height: 180 }, {}, [[undefined, undefined]]],
    ['one without simulcast', { width: 1920, height: 1080 }, { hasSimulcast: false }, [[undefined, undefined]]],
    ['a phone held upright', { width: 720, height: 1280 }, {}, [['0', 4], ['1', 2], ['2', 1]]],
  ];
  test.each(rows)('%s', (_, shown, change, expected) => {
    const made = encodingsFor(shown, of(change));
    expect(made.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy])).toEqual(expected);
  });
  test('smaller layers get less, and never nothing', () => {
    const made = encodingsFor({ width: 1280, height: 720 }, of({ bitrate: 500_000 }));
    expect(made.map(({ maxBitrate }) => maxBitrate)).toEqual([100_000, 150_000, 500_000]);
  });
  test('VP9 and AV1 are told that encodings are streams, not layers of one', () => {
    const modes = (codec: 'vp9' | 'h264') =>
      encodingsFor({ width: 1280, height: 720 }, of({ codec })).map((one) => one.scalabilityMode);
    expect(modes('vp9')).toEqual(['L1T1', 'L1T1', 'L1T1']);
    expect(modes('h264')).toEqual([undefined, undefined, undefined]);
  });
});

test('bitrate follows size, frame rate and codec until one is chosen', () => {
  expect(bitrateOf(of({}))).toBe(2_500_000);
  expect(bitrateOf(of({ frameRate: 60 }))).toBe(3_750_000);
  expect(bitrateOf(of({ size: '1080', codec: 'av1' }))).toBe(3_150_000);
  expect(bitrateOf(of({ bitrate: 6_000_000 }))).toBe(6_000_000);
});

describe('codecsToOffer', () => {
  const codec = (mimeType: string, sdpFmtpLine?: string) => ({
    mimeType,
    clockRate: 90_000,
    ...(sdpFmtpLine === undefined ? {} : { sdpFmtpLine }),
  });
  const all = [
    codec('video/VP8'),
    codec('video/rtx'),
    codec('video/VP9', 'profile-id=0'),
    codec('video/VP9', 'profile-id=2'),
    codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f'),
    codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640032'),
    codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f'),
    codec('video/AV1', 'profile=0'),
    codec('video/ulpfec'),
    codec('video/H265', 'profile-id=1'),
  ];
  const names = (wish: CodecWish) => codecsToOffer(all, wish).map((one) => one.mimeType.slice(6));

  test('puts H.264 first and keeps everything without a choice', () => {
    expect(names('auto')).toEqual(['H264', 'H264', 'H264', 'VP9', 'VP9', 'AV1', 'VP8', 'H265', 'rtx', 'ulpfec']);
  });
  test('puts constrained baseline with fragmentation before the other profiles', () => {
    expect(codecsToOffer(all, 'auto').slice(0, 3).map((one) => one.sdpFmtpLine?.slice(26))).toEqual([
      'packetization-mode=1;profile-level-id=42e01f',
      'packetization-mode=1;profile-level-id=640032',
      'packetization-mode=0;profile-level-id=42e01f',
    ]);
  });
  test('offers nothing beside the codec that was chosen but its repair', () => {
    expect(names('vp9')).toEqual(['VP9', 'VP9', 'rtx', 'ulpfec']);
    expect(codecsToOffer(all, 'vp9')[0]?.sdpFmtpLine).toBe('profile-id=0');
    expect(names('h264')).toEqual(['H264', 'H264', 'H264', 'rtx', 'ulpfec']);
    expect(codecsToOffer(all, 'h264')[0]?.sdpFmtpLine).toContain('packetization-mode=1;profile-level-id=42e01f');
    expect(names('av1')).toEqual(['AV1', 'rtx', 'ulpfec']);
    expect(names('vp8')).toEqual(['VP8', 'rtx', 'ulpfec']);
  });
  test('takes a choice that the browser does not have for none', () => {
    const few = all.filter((one) => one.mimeType !== 'video/AV1');
    expect(codecsToOffer(few, 'av1')).toEqual(codecsToOffer(few, 'auto'));
  });
  test('offers what can be sent', () => {
    expect(sendableCodecs(all)).toEqual(['auto', 'h264', 'vp9', 'av1', 'vp8']);
    expect(sendableCodecs([codec('video/VP8')])).toEqual(['auto', 'vp8']);
  });
});

test('settings come back checked field by field', () => {
  const kept = of({ source: 'screen', bitrate: 4_000_000, cameraId: 'c', hasSimulcast: false });
  expect(parseSettings(JSON.stringify(kept))).toEqual(kept);
  for (const text of [null, '', '7', '[]', '{"size":"9000","bitrate":-1,"codec":"x","source":4,"sound":null}']) {
    expect(parseSettings(text)).toEqual(defaultSettings);
  }
  expect(parseSettings('{"codec":"av1"}', ['auto', 'vp8']).codec).toBe('auto');
});
