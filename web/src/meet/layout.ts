// Who is seen where: the choice between a grid, one big picture, and one with the others beside it; and how a
// grid is cut. Pure.

export type Layout = 'grid' | 'speaker' | 'sidebar';
export const kLayouts: readonly Layout[] = ['grid', 'speaker', 'sidebar'];

export const nextLayout = (layout: Layout): Layout =>
  kLayouts[(kLayouts.indexOf(layout) + 1) % kLayouts.length] ?? 'grid';

export interface Tile {
  key: string;
  identity: string;
  isScreen: boolean;
  isLocal: boolean;
}

export interface Stage<T extends Tile> {
  focus: T | null; // The big one.
  corner: T | null; // Small, upon the big one.
  others: T[]; // All of the grid, or beside the big one; with `focus` and no `others` the rest is not seen.
}

// What is pinned is big, then a screen that somebody shares, then who speaks. One's own screen is big only
// when it is pinned: a picture of itself in itself helps nobody.
function focusOf<T extends Tile>(
  tiles: readonly T[],
  layout: Layout,
  pinned: string,
  speaker: string,
): T | null {
  const marked =
    tiles.find(({ key }) => key === pinned) ?? tiles.find(({ isScreen, isLocal }) => isScreen && !isLocal);
  if (marked !== undefined || layout === 'grid') return marked ?? null;
  const cameras = tiles.filter(({ isScreen }) => !isScreen);
  return (
    cameras.find(({ identity }) => identity === speaker) ??
    cameras.find(({ isLocal }) => !isLocal) ??
    cameras[0] ??
    null
  );
}

// `pinned` is a tile's key, `speaker` an identity; "" for none.
export function stageOf<T extends Tile>(
  tiles: readonly T[],
  layout: Layout,
  pinned: string,
  speaker: string,
): Stage<T> {
  const focus = focusOf(tiles, layout, pinned, speaker);
  const rest = tiles.filter((tile) => tile !== focus);
  if (layout !== 'speaker' || focus === null) return { focus, corner: null, others: rest };
  const talking = rest.find(
    ({ identity, isScreen }) => !isScreen && identity === speaker && identity !== focus.identity,
  );
  return {
    focus,
    corner: talking ?? rest.find(({ isScreen, isLocal }) => isLocal && !isScreen) ?? null,
    others: [],
  };
}

// In a large audience only those who send something have a tile.
export const kEverybodyMax = 16;
export const worthShowing = (count: number, sends: boolean, isLocal: boolean): boolean =>
  count <= kEverybodyMax || sends || isLocal;

export interface Cut {
  columns: number;
  rows: number;
  width: number; // Of a tile, px.
  height: number;
}

const kWidest = 16 / 9;
export const kTilesOnPageMax = 25;
const kPhoneWidth = 600;

// On a phone there are one or two columns.
const columnsMax = (width: number, leastWidth: number, gap: number): number =>
  Math.max(1, Math.min(width <= kPhoneWidth ? 2 : 5, Math.floor((width + gap) / (leastWidth + gap))));

// Pictures of cameras are 16:9 and may be cropped to what fits better: to 4:3, on upright screens to 3:4.
const narrowestOf = (width: number, height: number): number => (height > width ? 3 / 4 : 4 / 3);

const leastWidthOf = (width: number): number => (width <= kPhoneWidth ? 140 : 200);

// How many tiles a page may have before they become too small.
export function pageSizeOf(width: number, height: number, gap: number): number {
  const least = leastWidthOf(width);
  const leastHeight = least / (height > width ? 4 / 3 : kWidest);
  const rows = Math.max(1, Math.floor((height + gap) / (leastHeight + gap)));
  return Math.min(kTilesOnPageMax, columnsMax(width, least, gap) * rows);
}

// The cut that gives the largest tiles; of equals the one with fewer columns.
export function cutOf(count: number, width: number, height: number, gap: number): Cut {
  const narrowest = narrowestOf(width, height);
  let best: Cut = { columns: 1, rows: 1, width: 0, height: 0 };
  const most = Math.min(Math.max(1, count), columnsMax(width, leastWidthOf(width), gap));
  for (let columns = 1; columns <= most; columns++) {
    const rows = Math.max(1, Math.ceil(count / columns));
    const cellWidth = Math.max(0, (width - gap * (columns - 1)) / columns);
    const cellHeight = Math.max(0, (height - gap * (rows - 1)) / rows);
    const tileWidth = Math.floor(Math.min(cellWidth, cellHeight * kWidest));
    const tileHeight = Math.floor(Math.min(cellHeight, tileWidth / narrowest));
    if (tileWidth * tileHeight > best.width * best.height) {
      best = { columns, rows, width: tileWidth, height: tileHeight };
    }
  }
  return best;
}

// The tiles of one page, and how many pages there are. A page that is gone becomes the last.
export function pageOf<T>(
  tiles: readonly T[],
  page: number,
  size: number,
): { tiles: T[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(tiles.length / Math.max(1, size)));
  const shown = Math.min(Math.max(0, page), pages - 1);
  return { tiles: tiles.slice(shown * size, (shown + 1) * size), page: shown, pages };
}

export interface Speaker {
  identity: string; // "": nobody has spoken yet.
  sinceMs: number;
}

// Nobody loses the big picture by a cough of another: who has it keeps it this long, and as long as nobody
// else speaks.
export const kSpeakerHoldMs = 1500;

// `talking`: who speaks now, the loudest first, without oneself. Also for timers: `talking` as it was last.
export function nextSpeaker(speaker: Speaker, talking: readonly string[], nowMs: number): Speaker {
  const [loudest] = talking;
  if (loudest === undefined || talking.includes(speaker.identity)) return speaker;
  if (speaker.identity !== '' && nowMs - speaker.sinceMs < kSpeakerHoldMs) return speaker;
  return { identity: loudest, sinceMs: nowMs };
}
