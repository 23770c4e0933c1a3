import { describe, expect, test } from 'vitest';
import { StallWatch, type StallAction } from './stall';

// Stands at one position from `fromS` on and lists what it is told to do, with the time.
function stand(watch: StallWatch, fromS: number, seconds: number, canJump = true) {
  const actions: [number, StallAction][] = [];
  for (let t = 0; t <= seconds; t += 0.2) {
    const action = watch.handleSample({ nowS: fromS + t, positionS: 10, shouldPlay: true, canJump });
    if (action !== 'none') actions.push([Math.round(t * 10) / 10, action]);
  }
  return actions;
}

function run(watch: StallWatch, fromS: number, seconds: number, positionS = 0): void {
  for (let t = 0; t <= seconds; t += 0.2) {
    watch.handleSample({ nowS: fromS + t, positionS: positionS + t, shouldPlay: true, canJump: true });
  }
}

describe('StallWatch', () => {
  test('says nothing while the picture moves', () => {
    const watch = new StallWatch();
    run(watch, 0, 30);
    expect(watch.count).toBe(0);
    expect(watch.totalS).toBe(0);
  });

  test('counts one stall and its length, however long it lasts', () => {
    const watch = new StallWatch();
    run(watch, 0, 9.8);
    stand(watch, 10, 3);
    expect(watch.isStalled).toBe(true);
    expect(watch.count).toBe(1);
    expect(watch.totalS).toBeGreaterThan(2.5);
    expect(watch.totalS).toBeLessThan(3.5);
    run(watch, 13.2, 2, 10.2);
    expect(watch.isStalled).toBe(false);
    stand(watch, 20, 1);
    expect(watch.count).toBe(2);
  });

  test('does not take a few late frames for a stall', () => {
    const watch = new StallWatch();
    watch.handleSample({ nowS: 0, positionS: 10, shouldPlay: true, canJump: true });
    watch.handleSample({ nowS: 0.3, positionS: 10, shouldPlay: true, canJump: true });
    watch.handleSample({ nowS: 0.4, positionS: 10.3, shouldPlay: true, canJump: true });
    expect(watch.count).toBe(0);
  });

  test('jumps first, then loads anew, then starts anew', () => {
    const actions = stand(new StallWatch(), 0, 17).map(([, action]) => action);
    expect(actions[0]).toBe('jump');
    expect(actions).toContain('reload');
    expect(actions.indexOf('reload')).toBeLessThan(actions.indexOf('restart'));
    expect(actions.filter((action) => action === 'reload')).toHaveLength(1);
    expect(actions.at(-1)).toBe('restart');
  });

  test('does not jump when there is nothing to jump to', () => {
    expect(stand(new StallWatch(), 0, 7, false)).toEqual([]);
  });

  test('a jump that changes nothing does not make it forget how long it has stood', () => {
    const watch = new StallWatch();
    const actions: StallAction[] = [];
    let positionS = 10;
    for (let t = 0; t <= 17; t += 0.2) {
      const action = watch.handleSample({ nowS: t, positionS, shouldPlay: true, canJump: true });
      if (action === 'jump') positionS += 3;
      if (action !== 'none') actions.push(action);
    }
    expect(watch.count).toBe(1);
    expect(actions).toContain('reload');
    expect(actions.at(-1)).toBe('restart');
  });

  test('a pause is no stall, and ends one', () => {
    const watch = new StallWatch();
    for (let t = 0; t < 60; t += 0.2) {
      expect(watch.handleSample({ nowS: t, positionS: 10, shouldPlay: false, canJump: true })).toBe('none');
    }
    expect(watch.count).toBe(0);
    expect(stand(watch, 60, 1)).toEqual([]);
    expect(watch.count).toBe(1);
    watch.handleSample({ nowS: 62, positionS: 10, shouldPlay: false, canJump: true });
    expect(watch.isStalled).toBe(false);
  });
});
