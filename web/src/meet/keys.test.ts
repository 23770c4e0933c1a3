import { describe, expect, test } from 'vitest';
import { commandOf, keyHelp } from './keys';

const press = (key: string, change = {}) =>
  commandOf({ key, hasModifier: false, isRepeat: false, isTyping: false, ...change });

describe('commandOf', () => {
  test('knows every key that the overview names', () => {
    for (const { keys } of keyHelp) for (const key of keys) expect(press(key), key).not.toBeNull();
  });

  test('takes upper and lower case for the same key', () => {
    expect(press('M')).toBe('microphone');
    expect(press('m')).toBe('microphone');
  });

  test('leaves typing, shortcuts and held keys alone, and closes even while typing', () => {
    expect(press('m', { isTyping: true })).toBeNull();
    expect(press('c', { hasModifier: true })).toBeNull();
    expect(press('m', { isRepeat: true })).toBeNull();
    expect(press('Escape', { isTyping: true })).toBe('close');
  });

  test('is no command for the names of built-in properties', () => {
    for (const key of ['constructor', '__proto__', 'x']) expect(press(key)).toBeNull();
  });
});
