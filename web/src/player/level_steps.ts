// When the player may go to another level (rendition), at the live edge, where it has less than a second in hand. Pure.
//
// Only the first part of a segment is sure to be a place where another level can be joined. In the midst of a segment
// hls.js would load it from its beginning, and a browser would drop what it holds of it, so that the picture stands
// until the next one begins. So a segment is played to its end as it was begun, unless that would take far too long.

export interface LevelState {
  rate: number; // What the line gives, bit/s.
  forwardBufferS: number;
  partS: number; // Duration of a part.
  partsInSegment: number;
  partsLeft: number; // To come of the segment, with the one that is loading or next; 0: the next one begins another.
  remainingBits: number; // Of that one.
  bitrate: number; // Of this level,
  lowerBitrate: number; // and of the one below that would be taken.
  changeS: number; // What a change takes until the first part is asked for.
}

const kLeastS = 0.2; // Less than this in hand is as good as a stall: browsers decode so much ahead.
const kWorthS = 1; // In the midst of a segment a change must save so much standing time.

// The least that will be in hand until the segment is through. Below zero: how long the picture will stand.
export function reserveIfStaying(state: LevelState): number {
  const { rate, forwardBufferS, partS, partsLeft, remainingBits, bitrate } = state;
  const afterFirstS = forwardBufferS - remainingBits / rate;
  const perPartS = partS - (partS * bitrate) / rate;
  return Math.min(afterFirstS, afterFirstS + Math.max(0, partsLeft - 1) * perPartS);
}

// The same until the first part of the lower level that can be shown.
export function reserveIfLeaving(state: LevelState): number {
  const { rate, forwardBufferS, partS, partsInSegment, partsLeft, lowerBitrate, changeS } = state;
  const parts = partsLeft >= partsInSegment ? 1 : partsInSegment;
  return forwardBufferS - changeS - (parts * partS * lowerBitrate) / rate;
}

// Whether to go down although the part in flight, or the segment, is not through.
export function shouldLeave(state: LevelState): boolean {
  const staying = reserveIfStaying(state);
  const worthS = state.partsLeft >= state.partsInSegment ? 0 : kWorthS;
  return staying < kLeastS && reserveIfLeaving(state) > staying + worthS;
}
