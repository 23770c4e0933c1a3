import { describe, expect, test } from 'vitest';
import { nameRuleOf, obstacleOf, readGrants, tokenIn } from './invitation';

const base64url = (text: string) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const tokenOf = (payload: unknown) =>
  `${base64url('{"alg":"HS256"}')}.${base64url(JSON.stringify(payload))}.c2ln`;

describe('tokenIn', () => {
  test('finds the token behind the #, alone or among others', () => {
    expect(tokenIn('#token=a.b.c')).toBe('a.b.c');
    expect(tokenIn('#x=1&token=a.b.c')).toBe('a.b.c');
  });

  test('is empty without one, or with one that is longer than any token', () => {
    expect(tokenIn('')).toBe('');
    expect(tokenIn('#main')).toBe('');
    expect(tokenIn(`#token=${'a'.repeat(20_000)}`)).toBe('');
  });
});

describe('readGrants', () => {
  test('reads room, name beyond ASCII and rights', () => {
    const token = tokenOf({
      sub: 'anna-1',
      name: 'Zoë Ångström',
      exp: 1_900_000_000,
      video: { room: 'demo', roomAdmin: true, canUpdateOwnMetadata: true },
    });
    expect(readGrants(token)).toEqual({
      room: 'demo',
      identity: 'anna-1',
      name: 'Zoë Ångström',
      isHost: true,
      mayRename: true,
      mayCamera: true,
      mayMicrophone: true,
      expiresS: 1_900_000_000,
    });
  });

  test('gives no right that is not said to be true', () => {
    expect(readGrants(tokenOf({ video: { roomAdmin: 'yes' } }))).toMatchObject({
      isHost: false,
      mayRename: false,
    });
    expect(readGrants(tokenOf({}))).toMatchObject({ room: '', isHost: false, expiresS: null });
  });

  test('knows what may be sent', () => {
    const sent = (video: unknown) => {
      const grants = readGrants(tokenOf({ video }));
      return [grants?.mayCamera, grants?.mayMicrophone];
    };
    expect(sent({})).toEqual([true, true]);
    expect(sent({ canPublish: false })).toEqual([false, false]);
    expect(sent({ canPublish: false, canPublishSources: ['microphone'] })).toEqual([false, true]);
    expect(sent({ canPublishSources: [] })).toEqual([true, true]);
  });

  test('is null for what is no token', () => {
    for (const text of [
      '',
      'abc',
      'a.b',
      'a.b.c',
      'a.!!.c',
      tokenOf([1]),
      tokenOf(7),
      `a.${base64url('\xff{')}.c`,
    ]) {
      expect(readGrants(text), text).toBeNull();
    }
  });
});

describe('obstacleOf', () => {
  const token = tokenOf({ exp: 1000, video: { room: 'demo' } });

  test('says nothing of a token that may be good', () => {
    expect(obstacleOf(token, 'demo', 999)).toBe('');
    expect(obstacleOf(tokenOf({}), 'demo', 999)).toBe('');
  });

  test('names another room, an end that has passed and damage', () => {
    expect(obstacleOf(token, 'other', 10)).toContain('another room: “demo”');
    expect(obstacleOf(token, 'demo', 1000)).toContain('expired');
    expect(obstacleOf('nothing', 'demo', 0)).toContain('damaged');
  });
});

describe('nameRuleOf', () => {
  const grants = {
    room: '',
    identity: 'id-7',
    name: 'Anna',
    isHost: false,
    mayRename: false,
    mayCamera: true,
    mayMicrophone: true,
    expiresS: null,
  };

  test('takes the remembered name without an invitation', () => {
    expect(nameRuleOf(null, 'Ben')).toEqual({ name: 'Ben', isFixed: false });
  });

  test('leaves the name to the invitation unless one may change it', () => {
    expect(nameRuleOf(grants, 'Ben')).toEqual({ name: 'Anna', isFixed: true });
    expect(nameRuleOf({ ...grants, name: '' }, 'Ben')).toEqual({ name: 'id-7', isFixed: true });
    expect(nameRuleOf({ ...grants, mayRename: true }, 'Ben')).toEqual({ name: 'Anna', isFixed: false });
    expect(nameRuleOf({ ...grants, name: '', mayRename: true }, 'Ben')).toEqual({
      name: 'Ben',
      isFixed: false,
    });
  });
});
