import { expect, test } from 'vitest';
import { kMessageMaxChars, piecesOf } from './chat_text';

test('addresses become links, without the sentence around them', () => {
  expect(piecesOf('See https://example.org/a?b=1, (http://example.org).')).toEqual([
    { kind: 'text', text: 'See ' },
    { kind: 'link', text: 'https://example.org/a?b=1' },
    { kind: 'text', text: ', (' },
    { kind: 'link', text: 'http://example.org' },
    { kind: 'text', text: ').' },
  ]);
});

test('nothing but web addresses becomes a link', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'https://', 'plain']) {
    expect(piecesOf(text)).toEqual([{ kind: 'text', text }]);
  }
});

test('a message is cut where it is longer than anybody reads', () => {
  const [piece] = piecesOf('x'.repeat(100_000));
  expect(piece?.text).toHaveLength(kMessageMaxChars + 1);
});

test('an empty message has no pieces', () => {
  expect(piecesOf('')).toEqual([]);
});
