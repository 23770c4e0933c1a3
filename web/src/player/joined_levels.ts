// Joins one level to another at a segment's start. What is buffered ends some microseconds before the segment does, by
// rounding, and hls.js, asked for the next segment of another level, gives the same one once more: it would be loaded
// from its beginning, over what is there, and the picture would stand until the next one.

import type { HlsConfig, LevelDetails, MediaFragment } from 'hls.js';

const kRoundingS = 0.005; // Less than a frame.

export function makeJoinedLevels(Base: HlsConfig['streamController']): HlsConfig['streamController'] {
  return class JoinedLevels extends Base {
    protected getNextFragment(positionS: number, details: LevelDetails): MediaFragment | null {
      return super.getNextFragment(positionS + kRoundingS, details);
    }
  };
}
