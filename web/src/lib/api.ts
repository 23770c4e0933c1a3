// What the server says about live channels: GET /api/v1/live and GET /api/v1/live/{channel}.
// Answers are checked field by field, so that a page never trips over a server older or newer than it.

export type ChannelState = 'live' | 'interrupted';

export interface Track {
  id: string;
  kind: 'video' | 'audio';
  codec: string; // RFC 6381, for machines.
  codecName: string; // For people.
  width: number;
  height: number;
  frameRate: number;
  sampleRate: number;
  channels: number;
  bitrate: number; // bit/s
  label: string;
  language: string;
  // Why it does not reach viewers this way, or only in part: "codec", "reordered_frames"; "" when it does.
  realtimeObstacle: string;
  hlsObstacle: string;
}

export interface LiveChannel {
  name: string;
  title: string;
  state: ChannelState;
  startedAt: string; // ISO 8601; also tells one broadcast from the next.
  uptimeS: number;
  viewers: number;
  hlsUrl: string;
  whepUrl: string;
  posterUrl: string; // A picture of now, another address for each; "" when there is none.
  storyboardUrl: string;
  warnings: string[];
  tracks: Track[];
}

export type ChannelAnswer =
  | { kind: 'channel'; channel: LiveChannel }
  | { kind: 'offline' }
  | { kind: 'not_found' }
  | { kind: 'unreachable' };

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;

const obstacleOf = (value: unknown): string => textOf(value).replace(/^none$/, '');

export function parseTrack(value: unknown): Track | null {
  if (!isFields(value)) return null;
  const id = textOf(value.id);
  if (id === '' || (value.kind !== 'video' && value.kind !== 'audio')) return null;
  return {
    id,
    kind: value.kind,
    codec: textOf(value.codec),
    codecName: textOf(value.codec_name) || textOf(value.codec),
    width: numberOf(value.width),
    height: numberOf(value.height),
    frameRate: numberOf(value.frame_rate),
    sampleRate: numberOf(value.sample_rate),
    channels: numberOf(value.channels),
    bitrate: numberOf(value.bitrate),
    label: textOf(value.label),
    language: textOf(value.language),
    realtimeObstacle: obstacleOf(value.realtime_obstacle),
    hlsObstacle: obstacleOf(value.hls_obstacle),
  };
}

// Media comes from this server or through its caches; a page must not be led elsewhere by a script URL.
const isWebAddress = (url: string): boolean => /^(\/(?!\/)|https?:\/\/)/.test(url);

const pictureOf = (value: unknown): string => (isWebAddress(textOf(value)) ? textOf(value) : '');

export function parseChannel(value: unknown): LiveChannel | null {
  if (!isFields(value)) return null;
  const name = textOf(value.name);
  if (name === '' || (value.state !== 'live' && value.state !== 'interrupted')) return null;
  const tracks = Array.isArray(value.tracks) ? value.tracks : [];
  const warnings = Array.isArray(value.warnings) ? value.warnings : [];
  const hlsUrl = textOf(value.hls_url);
  const whepUrl = textOf(value.whep_url);
  return {
    name,
    title: textOf(value.title) || name,
    state: value.state,
    startedAt: textOf(value.started_at),
    uptimeS: numberOf(value.uptime_s),
    viewers: Math.round(numberOf(value.viewers)),
    hlsUrl: isWebAddress(hlsUrl) ? hlsUrl : hlsUrlOf(name),
    whepUrl: isWebAddress(whepUrl) ? whepUrl : whepUrlOf(name),
    posterUrl: pictureOf(value.poster_url),
    storyboardUrl: pictureOf(value.storyboard_url),
    warnings: warnings.filter((warning): warning is string => typeof warning === 'string'),
    tracks: tracks.map(parseTrack).filter((track) => track !== null),
  };
}

export function parseChannels(value: unknown): LiveChannel[] | null {
  if (!isFields(value) || !Array.isArray(value.channels)) return null;
  return value.channels.map(parseChannel).filter((channel) => channel !== null);
}

export const hlsUrlOf = (channel: string): string => `/live/${encodeURIComponent(channel)}/index.m3u8`;
export const whepUrlOf = (channel: string): string => `/whep/${encodeURIComponent(channel)}`;
export const whipUrlOf = (channel: string): string => `/whip/${encodeURIComponent(channel)}`;

// Also reports when and with which `Date` an answer came, for lib/clock.ts.
export type DateListener = (date: string, sentMs: number, receivedMs: number) => void;

async function getJson(url: string, signal: AbortSignal, onDate?: DateListener) {
  const sentMs = Date.now();
  const response = await fetch(url, { signal, cache: 'no-store', headers: { accept: 'application/json' } });
  const date = response.headers.get('date');
  if (date !== null && response.headers.get('age') === null) onDate?.(date, sentMs, Date.now());
  const body: unknown = await response.json().catch(() => null);
  return { status: response.status, body };
}

// Throws when the server cannot be reached or answers with something else than a list.
export async function fetchLiveChannels(signal: AbortSignal): Promise<LiveChannel[]> {
  const { status, body } = await getJson('/api/v1/live', signal);
  const channels = status === 200 ? parseChannels(body) : null;
  if (channels === null) throw new Error(`unexpected answer (${status})`);
  return channels;
}

export function answerOf(status: number, body: unknown): ChannelAnswer {
  if (status === 200) {
    const channel = parseChannel(body);
    return channel === null ? { kind: 'unreachable' } : { kind: 'channel', channel };
  }
  if (status === 404 || status === 410) {
    const code = isFields(body) && isFields(body.error) ? body.error.code : '';
    if (code === 'channel_offline') return { kind: 'offline' };
    if (code === 'channel_not_found') return { kind: 'not_found' };
  }
  return { kind: 'unreachable' };
}

export async function fetchChannel(
  name: string,
  signal: AbortSignal,
  onDate?: DateListener,
): Promise<ChannelAnswer> {
  try {
    const { status, body } = await getJson(`/api/v1/live/${encodeURIComponent(name)}`, signal, onDate);
    return answerOf(status, body);
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: 'unreachable' };
  }
}
