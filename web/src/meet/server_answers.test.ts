import { describe, expect, test } from 'vitest';
import { refusalOf } from './moderation';
import { tokenAnswerOf } from './token_client';

describe('tokenAnswerOf', () => {
  test('takes the token of a 201', () => {
    expect(tokenAnswerOf(201, { token: 'a.b.c' })).toEqual({ kind: 'token', token: 'a.b.c' });
  });

  test('asks for an invitation on 401 and 403', () => {
    expect(tokenAnswerOf(401, null)).toEqual({ kind: 'invitation_needed' });
    expect(tokenAnswerOf(403, { error: { message: 'x' } })).toEqual({ kind: 'invitation_needed' });
  });

  test('hands the server’s own words on', () => {
    expect(tokenAnswerOf(503, { error: { code: 'full', message: 'no more rooms' } })).toEqual({
      kind: 'failed',
      text: 'The server has no room for another meeting now. no more rooms.',
    });
  });

  test('says the status where the server said nothing, or nothing that can be used', () => {
    expect(tokenAnswerOf(404, null)).toEqual({
      kind: 'failed',
      text: 'This server has no rooms. (HTTP 404)',
    });
    expect(tokenAnswerOf(502, '<html>')).toEqual({ kind: 'failed', text: 'The server failed. (HTTP 502)' });
    expect(tokenAnswerOf(201, { token: 7 }).kind).toBe('failed');
    expect(tokenAnswerOf(201, null).kind).toBe('failed');
  });
});

describe('refusalOf', () => {
  test('is empty when it was done', () => {
    expect(refusalOf(200, {})).toBe('');
  });

  test('says what stands against it', () => {
    expect(refusalOf(403, { code: 'permission_denied', msg: 'no' })).toContain('invitation');
    expect(refusalOf(404, null)).toContain('not there');
    expect(refusalOf(500, { msg: 'broken' })).toBe('The server refused: broken');
    expect(refusalOf(500, null)).toBe('The server refused (HTTP 500).');
  });
});
