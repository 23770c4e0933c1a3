// Which way a viewer watches: in real time (WHEP) or by LL-HLS. Pure: the page feeds it what is known and
// draws what it says.
//
// "auto" takes real time unless it would bring less than LL-HLS: no sound because the broadcast's is AAC, no
// smooth picture because of B-frames, no connection because a network lets neither UDP nor TCP through. A
// choice by hand is kept, and what is missing then is said instead.

import type { LiveChannel, Track } from './api';
import type { Wish } from './preferences';

export type { Wish };
export type Way = 'realtime' | 'hls';

export type Reason =
  | 'no_browser' // This browser has no WebRTC.
  | 'no_path'
  | 'no_security'
  | 'no_media'
  | 'lost'
  | 'not_offered' // The server has no WHEP, or not for this channel.
  | 'switched_off' // 501: it has none for any channel.
  | 'no_codec' // 406: nothing that this browser could decode.
  | 'overloaded'
  | 'unreachable'
  | 'refused'
  | 'incomplete'; // Something would be missing: `missing` says what.

// Something of the broadcast that does not arrive.
export interface Missing {
  kind: 'video' | 'audio';
  why: 'codec' | 'reordered_frames' | 'browser';
  isPartly: boolean;
  codecName: string;
}

export interface DeliveryState {
  wish: Wish;
  way: Way;
  reason: Reason | null; // Why it is not real time although that was wished or possible.
  detail: string; // The server's own sentence, where it gave one.
  failed: Reason | null; // How real time failed in this broadcast, or on this network.
  answered: { hasVideo: boolean; hasAudio: boolean } | null; // What the WHEP answer brings.
  tracks: readonly Track[] | null; // Of the broadcast; null until the server has spoken of it.
}

export type DeliveryEvent =
  | { kind: 'wished'; wish: Wish }
  | { kind: 'channel'; channel: LiveChannel }
  | { kind: 'answered'; hasVideo: boolean; hasAudio: boolean }
  | { kind: 'failed'; reason: Reason; detail: string }
  | { kind: 'again' } // Real time is to be tried once more.
  | { kind: 'broadcast' }; // Another broadcast began.

// The server's word alone: of a channel that is transcoded AAC is heard in real time, as Opus.
const obstacleOf = (track: Track, way: Way): string => (way === 'hls' ? track.hlsObstacle : track.realtimeObstacle);

// What of these tracks does not arrive this way. For real time the answer, once there, has the last word.
export function missingIn(way: Way, state: Pick<DeliveryState, 'tracks' | 'answered'>): Missing[] {
  const missing: Missing[] = [];
  for (const kind of ['video', 'audio'] as const) {
    const tracks = (state.tracks ?? []).filter((track) => track.kind === kind);
    const [first] = tracks;
    if (first === undefined) continue; // The broadcast has none.
    // One track that arrives is enough: the others are other qualities or languages.
    const isWhole = tracks.some((track) => obstacleOf(track, way) === '');
    const isPartly = tracks.some((track) => obstacleOf(track, way) === 'reordered_frames');
    const { codecName } = first;
    const answered = way === 'realtime' ? state.answered : null;
    const isAnswered = answered === null ? null : kind === 'video' ? answered.hasVideo : answered.hasAudio;
    if (isAnswered === false || (isAnswered === null && !isWhole && !isPartly)) {
      missing.push({ kind, why: isWhole || isPartly ? 'browser' : 'codec', isPartly: false, codecName });
    } else if (!isWhole && isPartly) {
      missing.push({ kind, why: 'reordered_frames', isPartly: true, codecName });
    }
  }
  return missing;
}

// A picture weighs more than sound, and half of it more than none.
const weightOf = (missing: readonly Missing[]): number =>
  missing.reduce((sum, { kind, isPartly }) => sum + (kind === 'video' ? 4 : 2) / (isPartly ? 2 : 1), 0);

function decide(state: DeliveryState): DeliveryState {
  if (state.wish === 'hls') return { ...state, way: 'hls', reason: null };
  if (state.failed === 'no_browser') return { ...state, way: 'hls', reason: 'no_browser' };
  if (state.wish === 'realtime') return { ...state, way: 'realtime', reason: state.failed };
  if (state.failed !== null) return { ...state, way: 'hls', reason: state.failed };
  const isLess = weightOf(missingIn('realtime', state)) > weightOf(missingIn('hls', state));
  return { ...state, way: isLess ? 'hls' : 'realtime', reason: isLess ? 'incomplete' : null };
}

// `tracks`: of the broadcast, where they are known already.
export function initialDelivery(
  wish: Wish,
  failed: Reason | null,
  tracks: readonly Track[] | null = null,
): DeliveryState {
  return decide({ wish, way: 'realtime', reason: null, detail: '', failed, answered: null, tracks });
}

// These are the network's, the browser's or the server's, and will be so in the next broadcast.
const kLasting: ReadonlySet<Reason | null> = new Set<Reason>([
  'no_browser',
  'no_path',
  'no_security',
  'switched_off',
]);
export const isLasting = (reason: Reason | null): boolean => kLasting.has(reason);

// What the next page of this tab's session should know of before it tries, as text for its store: a network
// that lets nothing through for a while, a server that is full for a little while (or as long as it asks for),
// one that has no real time until the tab is closed or the viewer asks for it. Null: nothing.
const kBlockedMs = 10 * 60_000;
const kFullMs = 90_000;

export function writeFailure(reason: Reason, nowMs: number, retryAfterS: number | null): string | null {
  if (reason === 'no_path') return JSON.stringify({ reason, untilMs: nowMs + kBlockedMs });
  if (reason === 'overloaded')
    return JSON.stringify({ reason, untilMs: nowMs + Math.max(kFullMs, (retryAfterS ?? 0) * 1000) });
  return reason === 'switched_off' ? JSON.stringify({ reason }) : null;
}

export function readFailure(text: string | null, nowMs: number): Reason | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    if (typeof value !== 'object' || value === null) return null;
    const { reason, untilMs } = value as { reason?: unknown; untilMs?: unknown };
    if (reason === 'switched_off') return reason;
    if (reason !== 'no_path' && reason !== 'overloaded') return null;
    return typeof untilMs === 'number' && untilMs > nowMs ? reason : null;
  } catch {
    return null;
  }
}

export function reduceDelivery(state: DeliveryState, event: DeliveryEvent): DeliveryState {
  switch (event.kind) {
    case 'wished': {
      // Choosing real time by hand asks for another try.
      const failed = event.wish === 'realtime' && state.failed !== 'no_browser' ? null : state.failed;
      return decide({ ...state, wish: event.wish, failed, detail: failed === null ? '' : state.detail });
    }
    case 'channel':
      return decide({ ...state, tracks: event.channel.tracks });
    case 'answered':
      return decide({ ...state, answered: { hasVideo: event.hasVideo, hasAudio: event.hasAudio } });
    case 'failed':
      return decide({ ...state, failed: event.reason, detail: event.detail });
    case 'again':
      return decide({
        ...state,
        failed: state.failed === 'no_browser' ? state.failed : null,
        detail: '',
        answered: null,
      });
    case 'broadcast':
      return decide({
        ...state,
        failed: isLasting(state.failed) ? state.failed : null,
        detail: '',
        answered: null,
        tracks: null,
      });
  }
}

// --- In plain words.

const reasonTexts: Record<Reason, string> = {
  no_browser: 'This browser has no real-time playback (WebRTC).',
  no_path: 'No real-time connection: the network lets neither UDP nor TCP to the media port through.',
  no_security: 'No real-time connection: the encrypted connection (DTLS) could not be made.',
  no_media: 'Connected in real time, but no media arrived.',
  lost: 'The real-time connection broke off again and again.',
  not_offered: 'This server does not offer the channel in real time.',
  switched_off: 'This server offers no real time.',
  no_codec: 'This browser cannot decode the broadcast in real time.',
  overloaded: 'The server has no room for another real-time viewer now.',
  unreachable: 'The server did not answer the request for real time.',
  refused: 'The server refused to play in real time.',
  incomplete: '',
};

export function missingText({ kind, why, codecName }: Missing, way: Way): string {
  const [thing, how] = [kind === 'video' ? 'picture' : 'sound', way === 'hls' ? 'LL-HLS' : 'real time'];
  const codec = codecName || 'of a kind';
  if (why === 'reordered_frames')
    return `The picture is not smooth in ${how}: it is encoded with B-frames, which WebRTC does not carry.`;
  if (why === 'browser') return `There is no ${thing} in ${how}: this browser does not decode ${codec} there.`;
  return `There is no ${thing} in ${how}: it is ${codec}, which ${way === 'hls' ? 'HLS' : 'WebRTC'} does not carry.`;
}

const sentence = (text: string): string => (text === '' || /[.!?]$/.test(text) ? text : `${text}.`);

export interface DeliveryWords {
  text: string; // "" when there is nothing to say.
  canRetry: boolean;
}

export function wordsOf(state: DeliveryState): DeliveryWords {
  const missing = missingIn(state.way, state).map((one) => missingText(one, state.way));
  if (state.way === 'realtime') return { text: missing.join(' '), canRetry: false };
  if (state.reason === null) return { text: missing.join(' '), canRetry: false };
  if (state.reason === 'incomplete') {
    const why = missingIn('realtime', state).map((one) => missingText(one, 'realtime'));
    return { text: `Playing LL-HLS. ${why.join(' ')}`, canRetry: false };
  }
  const parts = ['Playing LL-HLS.', reasonTexts[state.reason], sentence(state.detail), ...missing];
  return {
    text: parts.filter((part) => part !== '').join(' '),
    canRetry: !['no_browser', 'not_offered', 'switched_off'].includes(state.reason),
  };
}

// What a session's end means for the choice.
export function reasonOf(trouble: string, status: number): Reason {
  if (trouble === 'refused') {
    if (status === 406) return 'no_codec';
    if (status === 501) return 'switched_off';
    return status === 404 || status === 405 ? 'not_offered' : 'refused';
  }
  if (trouble === 'not_live') return 'not_offered';
  return Object.hasOwn(reasonTexts, trouble) ? (trouble as Reason) : 'refused';
}
