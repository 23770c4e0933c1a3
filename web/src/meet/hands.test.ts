import { expect, test } from 'vitest';
import { handOrder } from './hands';

const person = (identity: string, hand = '') => ({ identity, hand });

test('hands stand in the order in which they went up', () => {
  const people = [
    person('late', '2026-01-01T10:00:05Z'),
    person('down'),
    person('early', '2026-01-01T10:00:01.500Z'),
    person('elsewhere', '2026-01-01T12:00:03+02:00'),
  ];
  expect(handOrder(people)).toEqual(['early', 'elsewhere', 'late']);
});

test('hands of the same moment stand by identity, whatever the order of the list', () => {
  const now = '2026-01-01T10:00:00Z';
  expect(handOrder([person('b', now), person('a', now)])).toEqual(['a', 'b']);
  expect(handOrder([person('a', now), person('b', now)])).toEqual(['a', 'b']);
});

test('a hand whose time cannot be read is up, and last', () => {
  expect(handOrder([person('odd', 'yes'), person('a', '2030-01-01T00:00:00Z')])).toEqual(['a', 'odd']);
});
