import { describe, expect, test } from 'vitest';
import { parseStoryboard } from './storyboard';

const text = `WEBVTT

NOTE 00:00:00.000 is 2026-01-01T10:00:00.250Z

00:00:05.000 --> 00:00:10.040
storyboard-5000.jpg?v=k3vq-2#xywh=0,0,160,90

01:00:10.040 --> 01:00:15.080
storyboard-5000.jpg?v=k3vq-2#xywh=160,0,160,90
`;

describe('storyboards', () => {
  test('have tiles, and a time at which their 0 was', () => {
    const storyboard = parseStoryboard(text);
    expect(storyboard?.zeroMs).toBe(Date.UTC(2026, 0, 1, 10, 0, 0, 250));
    expect(storyboard?.tiles).toEqual([
      { beginsS: 5, endsS: 10.04, address: 'storyboard-5000.jpg?v=k3vq-2#xywh=0,0,160,90' },
      { beginsS: 3610.04, endsS: 3615.08, address: 'storyboard-5000.jpg?v=k3vq-2#xywh=160,0,160,90' },
    ]);
    expect(parseStoryboard(text.replaceAll('\n', '\r\n'))).toEqual(storyboard);
  });

  test('are not made of anything else', () => {
    expect(parseStoryboard('')).toBeNull();
    expect(parseStoryboard('<!doctype html>')).toBeNull();
    expect(parseStoryboard(text.replace(/^NOTE.*$/m, ''))).toBeNull();
    expect(parseStoryboard(text.replace('2026-01', 'then'))).toBeNull();
    expect(parseStoryboard(text.replaceAll('#xywh', '#'))?.tiles).toEqual([]);
  });
});
