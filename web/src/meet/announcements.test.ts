import { describe, expect, test } from 'vitest';
import { announcementOf, shortName, type Happening } from './announcements';

const joined = (name: string): Happening => ({ kind: 'joined', name });

describe('announcementOf', () => {
  test('says who came and who went', () => {
    expect(announcementOf([joined('Anna')])).toBe('Anna joined.');
    expect(announcementOf([joined('Anna'), joined('Ben'), { kind: 'left', name: 'Cleo' }])).toBe(
      'Anna and Ben joined. Cleo left.',
    );
  });

  test('counts instead of naming a crowd', () => {
    expect(announcementOf(['A', 'B', 'C', 'D', 'E'].map(joined))).toBe('A, B, C and 2 more joined.');
  });

  test('says nothing of what was undone in the same moment', () => {
    expect(announcementOf([joined('Anna'), { kind: 'left', name: 'Anna' }])).toBe('');
    expect(
      announcementOf([
        { kind: 'hand_up', name: 'Anna' },
        { kind: 'hand_up', name: 'Ben' },
        { kind: 'hand_down', name: 'Anna' },
      ]),
    ).toBe('Ben raised a hand.');
  });

  test('passes sentences on as they are, after the others', () => {
    expect(
      announcementOf([
        { kind: 'said', text: 'Connected again.' },
        { kind: 'muted', name: 'Ben' },
      ]),
    ).toBe('Ben muted. Connected again.');
  });

  test('cuts names that are too long to be heard', () => {
    expect(shortName('x'.repeat(300))).toHaveLength(40);
    expect(shortName('Anna')).toBe('Anna');
  });
});
