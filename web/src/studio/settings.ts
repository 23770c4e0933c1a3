// What is sent and how: sizes, bitrates, layers, codecs. Pure.

export type SourceKind = 'camera' | 'screen';
export type SoundKind = 'voice' | 'music';
export type CodecWish = 'auto' | 'h264' | 'vp9' | 'av1' | 'vp8';

export interface Size {
  id: string;
  label: string;
  width: number;
  height: number;
  bitrate: number; // bit/s at 30 frames a second, for the whole picture in H.264.
}

export const sizes: readonly Size[] = [
  { id: '1080', label: '1080p', width: 1920, height: 1080, bitrate: 4_500_000 },
  { id: '720', label: '720p', width: 1280, height: 720, bitrate: 2_500_000 },
  { id: '540', label: '540p', width: 960, height: 540, bitrate: 1_500_000 },
  { id: '360', label: '360p', width: 640, height: 360, bitrate: 800_000 },
];
export const frameRates = [30, 60, 15] as const;
export const bitrates = [500_000, 1_000_000, 1_500_000, 2_500_000, 4_000_000, 6_000_000, 8_000_000, 12_000_000];

export interface StudioSettings {
  source: SourceKind;
  size: string;
  frameRate: number;
  bitrate: number | null; // null: by size and frame rate.
  codec: CodecWish;
  hasSimulcast: boolean;
  sound: SoundKind;
  cameraId: string; // "": the browser's choice.
  microphoneId: string; // "none": no microphone.
}

export const defaultSettings: StudioSettings = {
  source: 'camera',
  size: '720',
  frameRate: 30,
  bitrate: null,
  codec: 'auto',
  hasSimulcast: true,
  sound: 'voice',
  cameraId: '',
  microphoneId: '',
};

const kCodecs: readonly CodecWish[] = ['auto', 'h264', 'vp9', 'av1', 'vp8'];

// What was kept from another visit, field by field. `sendable`: the codecs that can be had still.
export function parseSettings(text: string | null, sendable: readonly CodecWish[] = kCodecs): StudioSettings {
  let value: unknown = null;
  try {
    value = JSON.parse(text ?? 'null');
  } catch {
    return defaultSettings;
  }
  if (typeof value !== 'object' || value === null) return defaultSettings;
  const fields = value as Record<string, unknown>;
  const pick = <T>(name: string, allowed: readonly T[], fallback: T): T =>
    allowed.includes(fields[name] as T) ? (fields[name] as T) : fallback;
  const textOf = (name: string) => (typeof fields[name] === 'string' ? (fields[name] as string).slice(0, 256) : '');
  return {
    source: pick('source', ['camera', 'screen'], defaultSettings.source),
    size: pick(
      'size',
      sizes.map(({ id }) => id),
      defaultSettings.size,
    ),
    frameRate: pick<number>('frameRate', frameRates, defaultSettings.frameRate),
    bitrate: pick<number | null>('bitrate', [null, ...bitrates], null),
    codec: pick('codec', sendable, defaultSettings.codec),
    hasSimulcast: fields.hasSimulcast !== false,
    sound: pick('sound', ['voice', 'music'], defaultSettings.sound),
    cameraId: textOf('cameraId'),
    microphoneId: textOf('microphoneId'),
  };
}

export const sizeOf = (id: string): Size => sizes.find((size) => size.id === id) ?? (sizes[1] as Size);

const kRoundTo = 50_000;
export function bitrateOf({ bitrate, size, frameRate, codec }: StudioSettings): number {
  if (bitrate !== null) return bitrate;
  const byRate = frameRate > 30 ? 1.5 : frameRate < 30 ? 0.7 : 1;
  const byCodec = codec === 'av1' ? 0.7 : codec === 'vp9' ? 0.8 : 1;
  return Math.round((sizeOf(size).bitrate * byRate * byCodec) / kRoundTo) * kRoundTo;
}

// --- Simulcast.

export interface Encoding {
  rid?: string;
  scaleResolutionDownBy?: number;
  maxBitrate: number;
  maxFramerate?: number;
  scalabilityMode?: string;
}

const kThreeFrom = 480; // Short side from which a quarter of the picture is still worth watching,
const kTwoFrom = 270; // and half of it.
// Halving each side leaves a quarter of the pixels, which want more than a quarter of the bits.
const kShares = [1, 0.3, 0.12];
const kLayerFloor = 100_000;

export function encodingsFor(
  shown: { width: number; height: number },
  settings: StudioSettings,
): Encoding[] {
  const bitrate = bitrateOf(settings);
  const short = Math.min(shown.width, shown.height);
  const count = !settings.hasSimulcast ? 1 : short >= kThreeFrom ? 3 : short >= kTwoFrom ? 2 : 1;
  if (count === 1) return [{ maxBitrate: bitrate }];
  // VP9 and AV1 take several encodings for spatial layers of one stream unless told otherwise.
  const isLayered = settings.codec === 'vp9' || settings.codec === 'av1';
  // The smallest comes first: browsers and servers take the order for the order of quality.
  return Array.from({ length: count }, (_, i) => {
    const level = count - 1 - i;
    return {
      rid: String(i),
      scaleResolutionDownBy: 2 ** level,
      maxBitrate: level === 0 ? bitrate : Math.max(kLayerFloor, Math.round(bitrate * (kShares[level] ?? 0.1))),
      ...(isLayered ? { scalabilityMode: 'L1T1' } : {}),
    };
  });
}

// --- Codecs.

export interface Codec {
  mimeType: string;
  clockRate: number;
  channels?: number;
  sdpFmtpLine?: string;
}

const formatOf = (codec: Codec, name: string): string =>
  new RegExp(`(?:^|;)\\s*${name}=([^;]*)`, 'i').exec(codec.sdpFmtpLine ?? '')?.[1]?.trim().toLowerCase() ?? '';

// Plain H.264 first: every HLS player and every WebRTC browser takes constrained baseline, and packetization
// mode 1 lets a frame be larger than a packet.
function h264Rank(codec: Codec): number {
  const profile = formatOf(codec, 'profile-level-id').slice(0, 4);
  const order = ['42e0', '4200', '4d00', '6400'];
  const byProfile = order.indexOf(profile);
  const byMode = formatOf(codec, 'packetization-mode') === '1' ? 0 : 10;
  return byMode + (byProfile < 0 ? order.length : byProfile);
}

const kHelpers = /^video\/(rtx|red|ulpfec|flexfec(-\d+)?)$/i;
const kAutomatic = ['h264', 'vp9', 'av1', 'vp8'];
const nameOf = (codec: Codec): string => codec.mimeType.slice(codec.mimeType.indexOf('/') + 1).toLowerCase();

// What is offered to the server, best first: by default every codec of the browser, after a choice that one
// alone, because the answer may prefer another (H.264, for LL-HLS) of those it is offered. Retransmission and
// its like stay at the end. A choice that the browser does not have is none.
export function codecsToOffer<T extends Codec>(codecs: readonly T[], wish: CodecWish): T[] {
  const isWished = codecs.some((codec) => nameOf(codec) === wish);
  const isOffered = (codec: T): boolean => !isWished || nameOf(codec) === wish || kHelpers.test(codec.mimeType);
  const rank = (codec: T): number => {
    if (kHelpers.test(codec.mimeType)) return 10_000;
    const place = kAutomatic.indexOf(nameOf(codec));
    if (place < 0) return 9000;
    return place * 100 + (nameOf(codec) === 'h264' ? h264Rank(codec) : Number(formatOf(codec, 'profile-id') || 0));
  };
  return codecs
    .filter(isOffered)
    .map((codec, i) => ({ codec, i }))
    .sort((a, b) => rank(a.codec) - rank(b.codec) || a.i - b.i)
    .map(({ codec }) => codec);
}

export const codecChoices: readonly { id: CodecWish; label: string }[] = [
  { id: 'auto', label: 'Automatic (H.264 first)' },
  { id: 'h264', label: 'H.264: every viewer' },
  { id: 'vp9', label: 'VP9: sharper, newer players' },
  { id: 'av1', label: 'AV1: sharpest, much work' },
  { id: 'vp8', label: 'VP8: real-time viewers only' },
];

// Those that this browser can send at all.
export function sendableCodecs(codecs: readonly Codec[]): CodecWish[] {
  const names = new Set(codecs.map(nameOf));
  return codecChoices.map(({ id }) => id).filter((id) => id === 'auto' || names.has(id));
}
