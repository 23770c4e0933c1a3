import { describe, expect, test } from 'vitest';
import {
  cutOf,
  kEverybodyMax,
  kSpeakerHoldMs,
  kTilesOnPageMax,
  nextLayout,
  nextSpeaker,
  pageOf,
  pageSizeOf,
  stageOf,
  worthShowing,
  type Tile,
} from './layout';

const camera = (identity: string, isLocal = false): Tile => ({
  key: `${identity}/camera`,
  identity,
  isScreen: false,
  isLocal,
});
const screen = (identity: string, isLocal = false): Tile => ({
  key: `${identity}/screen`,
  identity,
  isScreen: true,
  isLocal,
});
const me = camera('me', true);
const anna = camera('anna');
const ben = camera('ben');

describe('stageOf', () => {
  test('shows everybody alike in a grid', () => {
    expect(stageOf([me, anna, ben], 'grid', '', 'anna')).toEqual({
      focus: null,
      corner: null,
      others: [me, anna, ben],
    });
  });

  test('makes a shared screen big in every layout', () => {
    const shared = screen('ben');
    for (const layout of ['grid', 'speaker', 'sidebar'] as const) {
      expect(stageOf([me, anna, ben, shared], layout, '', 'anna').focus).toBe(shared);
    }
  });

  test('prefers what is pinned to a shared screen, and forgets a pin that is gone', () => {
    const tiles = [me, anna, screen('ben')];
    expect(stageOf(tiles, 'grid', anna.key, '').focus).toBe(anna);
    expect(stageOf(tiles, 'grid', 'gone/camera', '').focus).toBe(tiles[2]);
  });

  test('does not make one’s own screen big by itself', () => {
    const own = screen('me', true);
    expect(stageOf([me, anna, own], 'grid', '', '').focus).toBeNull();
    expect(stageOf([me, anna, own], 'sidebar', '', 'anna').focus).toBe(anna);
    expect(stageOf([me, anna, own], 'grid', own.key, '').focus).toBe(own);
  });

  test('puts who speaks in front of the others', () => {
    expect(stageOf([me, anna, ben], 'sidebar', '', 'ben')).toEqual({
      focus: ben,
      corner: null,
      others: [me, anna],
    });
    expect(stageOf([me, anna, ben], 'sidebar', '', '').focus).toBe(anna);
    expect(stageOf([me], 'sidebar', '', '').focus).toBe(me);
    expect(stageOf([], 'speaker', '', '').focus).toBeNull();
  });

  test('shows two in the speaker layout: the big one, and oneself or who speaks', () => {
    expect(stageOf([me, anna, ben], 'speaker', '', 'ben')).toEqual({ focus: ben, corner: me, others: [] });
    const shared = screen('anna');
    expect(stageOf([me, anna, ben, shared], 'speaker', '', 'ben')).toEqual({
      focus: shared,
      corner: ben,
      others: [],
    });
    expect(stageOf([me], 'speaker', '', '')).toEqual({ focus: me, corner: null, others: [] });
  });
});

describe('cutOf', () => {
  const gap = 8;
  const fits = (count: number, width: number, height: number) => {
    const cut = cutOf(count, width, height, gap);
    expect(cut.columns * cut.rows).toBeGreaterThanOrEqual(count);
    expect(cut.columns * (cut.width + gap) - gap).toBeLessThanOrEqual(width);
    expect(cut.rows * (cut.height + gap) - gap).toBeLessThanOrEqual(height);
    return cut;
  };

  test('fits into the stage whatever the count', () => {
    for (const [width, height] of [
      [1280, 700],
      [700, 1280],
      [390, 600],
      [320, 300],
    ] as const) {
      for (let count = 1; count <= kTilesOnPageMax; count++) fits(count, width, height);
    }
  });

  test('gives one the whole width, two halves, nine three by three', () => {
    expect(fits(1, 1280, 720)).toEqual({ columns: 1, rows: 1, width: 1280, height: 720 });
    expect(fits(2, 1280, 700).columns).toBe(2);
    expect(fits(9, 1280, 700)).toMatchObject({ columns: 3, rows: 3 });
  });

  test('has one or two columns on a phone', () => {
    expect(fits(2, 390, 600).columns).toBe(1);
    expect(fits(6, 390, 600).columns).toBe(2);
    expect(fits(25, 390, 600).columns).toBe(2);
  });

  test('survives a stage without size', () => {
    expect(cutOf(3, 0, 0, gap)).toEqual({ columns: 1, rows: 1, width: 0, height: 0 });
  });
});

describe('pages', () => {
  test('hold no more tiles than can be seen', () => {
    expect(pageSizeOf(1920, 1080, 8)).toBe(kTilesOnPageMax);
    expect(pageSizeOf(390, 600, 8)).toBe(10);
    expect(pageSizeOf(0, 0, 8)).toBe(1);
  });

  test('are cut in order, and a page that is gone becomes the last', () => {
    const tiles = [1, 2, 3, 4, 5];
    expect(pageOf(tiles, 1, 2)).toEqual({ tiles: [3, 4], page: 1, pages: 3 });
    expect(pageOf(tiles, 9, 2)).toEqual({ tiles: [5], page: 2, pages: 3 });
    expect(pageOf([], 0, 2)).toEqual({ tiles: [], page: 0, pages: 1 });
  });

  test('leave out the silent ones of an audience, but never oneself', () => {
    expect(worthShowing(kEverybodyMax, false, false)).toBe(true);
    expect(worthShowing(kEverybodyMax + 1, false, false)).toBe(false);
    expect(worthShowing(kEverybodyMax + 1, true, false)).toBe(true);
    expect(worthShowing(kEverybodyMax + 1, false, true)).toBe(true);
  });
});

describe('nextSpeaker', () => {
  const anna1 = { identity: 'anna', sinceMs: 1000 };

  test('takes the first who speaks at once', () => {
    expect(nextSpeaker({ identity: '', sinceMs: 0 }, ['ben', 'anna'], 10)).toEqual({
      identity: 'ben',
      sinceMs: 10,
    });
  });

  test('stays while the speaker speaks, and in silence', () => {
    expect(nextSpeaker(anna1, ['ben', 'anna'], 99_000)).toBe(anna1);
    expect(nextSpeaker(anna1, [], 99_000)).toBe(anna1);
  });

  test('changes when another speaks alone, but not within the hold', () => {
    expect(nextSpeaker(anna1, ['ben'], 1000 + kSpeakerHoldMs - 1)).toBe(anna1);
    expect(nextSpeaker(anna1, ['ben'], 1000 + kSpeakerHoldMs).identity).toBe('ben');
  });
});

test('layouts follow each other in a circle', () => {
  expect(nextLayout('grid')).toBe('speaker');
  expect(nextLayout('speaker')).toBe('sidebar');
  expect(nextLayout('sidebar')).toBe('grid');
});
