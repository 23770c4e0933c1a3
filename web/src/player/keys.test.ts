import { describe, expect, test } from 'vitest';
import { commandOf, keyHelp, type KeyPress } from './keys';

const press = (key: string, focus: KeyPress['focus'] = 'page', hasModifier = false) =>
  commandOf({ key, focus, hasModifier })?.kind ?? null;

describe('commandOf', () => {
  test('knows every key that the overview names', () => {
    const names: Record<string, string> = {
      Space: ' ',
      '←': 'ArrowLeft',
      '→': 'ArrowRight',
      '↑': 'ArrowUp',
      '↓': 'ArrowDown',
    };
    for (const { keys } of keyHelp) {
      for (const key of keys) expect(press(names[key] ?? key), key).not.toBeNull();
    }
  });

  test('takes upper and lower case for the same key', () => {
    expect(press('L')).toBe('go_live');
    expect(press('l')).toBe('go_live');
  });

  test('leaves typing and browser shortcuts alone', () => {
    expect(press('s', 'text')).toBeNull();
    expect(press('s', 'page', true)).toBeNull();
    expect(press('x')).toBeNull();
  });

  test('leaves Space to a focused button and arrows to sliders and menus', () => {
    expect(press(' ', 'button')).toBeNull();
    expect(press('ArrowUp', 'range')).toBeNull();
    expect(press('ArrowDown', 'menu')).toBeNull();
    expect(press('m', 'button')).toBe('toggle_mute');
    expect(press('ArrowLeft', 'button')).toBe('seek');
  });

  test('is no command for the names of built-in properties', () => {
    for (const key of ['constructor', '__proto__']) {
      expect(commandOf({ key, focus: 'page', hasModifier: false })).toBeNull();
    }
  });
});
