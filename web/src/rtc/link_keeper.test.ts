import { describe, expect, test } from 'vitest';
import { LinkKeeper, publisherOptions, viewerOptions, type LinkAction } from './link_keeper';

const middle = () => 0.5; // No jitter.
const refused = (status: number, code = '', retryAfterS: number | null = null) => ({ status, code, retryAfterS });
const broken = { isIceUp: false, isClosed: false };

// Runs the clock until something is to be done.
function runUntilAction(keeper: LinkKeeper, fromMs: number, toMs: number): { action: LinkAction; atMs: number } {
  for (let t = fromMs; t <= toMs; t += 50) {
    const action = keeper.handleTick(t);
    if (action !== 'none') return { action, atMs: t };
  }
  return { action: 'none', atMs: toMs };
}
function upAt(nowMs: number, keeper: LinkKeeper): LinkKeeper {
  keeper.handlePosting();
  keeper.handleAnswered(nowMs);
  keeper.handleConnected(nowMs);
  return keeper;
}
const publisher = () => new LinkKeeper(publisherOptions, middle);
const viewer = (isPatient = false) => new LinkKeeper(viewerOptions(isPatient), middle);

describe('a publisher', () => {
  test('gives an unsteady connection two seconds, then restarts ICE, then begins anew', () => {
    const keeper = upAt(0, publisher());
    keeper.handleDisconnected(1000);
    expect(keeper.phase).toBe('shaky');
    expect(runUntilAction(keeper, 1000, 10_000)).toEqual({ action: 'restart', atMs: 3000 });
    expect(keeper.phase).toBe('restarting');
    expect(runUntilAction(keeper, 3000, 20_000)).toEqual({ action: 'renew', atMs: 8500 });
    expect(keeper.trouble).toBe('lost');
  });

  test('goes on as before when the connection heals by itself', () => {
    const keeper = upAt(0, publisher());
    keeper.handleDisconnected(1000);
    keeper.handleConnected(1500);
    expect(keeper.phase).toBe('up');
    expect(runUntilAction(keeper, 1500, 20_000).action).toBe('none');
  });

  test('restarts ICE at once when it has failed, and is well when that helps', () => {
    const keeper = upAt(0, publisher());
    expect(keeper.handleFailed(1000, broken)).toBe('restart');
    expect(keeper.trouble).toBe('lost');
    keeper.handleConnected(1800);
    expect([keeper.phase, keeper.trouble]).toEqual(['up', null]);
  });

  test('asks after what the other end has closed, and does not take it back', () => {
    const keeper = upAt(0, publisher());
    expect(keeper.handleFailed(1000, { isIceUp: true, isClosed: true })).toBe('probe');
    expect(keeper.phase).toBe('probing');
    expect(keeper.handleProbed(1200, 410)).toBe('give_up');
    expect([keeper.phase, keeper.trouble]).toEqual(['over', 'ended']);
    expect(runUntilAction(keeper, 1200, 60_000).action).toBe('none');
  });

  test('does not take back what it was not told that it lost', () => {
    const restarting = upAt(0, publisher());
    expect(restarting.handleFailed(1000, broken)).toBe('restart');
    expect(restarting.handleRestartRefused(1100, 410)).toBe('give_up');
    expect([restarting.phase, restarting.trouble]).toEqual(['over', 'ended']);
    const connecting = publisher();
    connecting.handlePosting();
    connecting.handleAnswered(0);
    expect(runUntilAction(connecting, 0, 8000).action).toBe('probe');
    expect(connecting.handleProbed(8100, 410)).toBe('give_up');
    expect(connecting.trouble).toBe('ended');
  });

  test('begins anew where nobody says that it was let go', () => {
    for (const said of [null, 404]) {
      const answered = upAt(0, publisher());
      answered.handleFailed(1000, { isIceUp: true, isClosed: true });
      expect(answered.handleProbed(1200, said)).toBe('none');
      expect(runUntilAction(answered, 1200, 10_000)).toEqual({ action: 'renew', atMs: 1700 });
    }
    const silent = upAt(0, publisher());
    silent.handleFailed(1000, { isIceUp: true, isClosed: true });
    expect(runUntilAction(silent, 1000, 20_000)).toEqual({ action: 'renew', atMs: 6500 });
  });

  test('begins anew when the server restarts nothing', () => {
    const keeper = upAt(0, publisher());
    keeper.handleFailed(1000, broken);
    keeper.handleRestartRefused(1100, 404);
    expect(runUntilAction(keeper, 1100, 5000)).toEqual({ action: 'renew', atMs: 1600 });
  });

  test('never gives up on a network, but waits longer each time', () => {
    const keeper = publisher();
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 12; i += 1) {
      keeper.handlePosting();
      keeper.handleRefused(now, refused(0));
      const { action, atMs } = runUntilAction(keeper, now, now + 60_000);
      expect(action).toBe('renew');
      waits.push(atMs - now);
      now = atMs;
    }
    expect(waits[0]).toBe(500);
    expect(waits.every((wait, i) => i === 0 || wait >= (waits[i - 1] ?? 0))).toBe(true);
    expect(waits.at(-1)).toBe(10_000);
  });

  test('says that neither UDP nor TCP got through, and tries again', () => {
    const keeper = publisher();
    keeper.handlePosting();
    keeper.handleAnswered(0);
    expect(runUntilAction(keeper, 0, 8100)).toEqual({ action: 'probe', atMs: 8000 });
    expect(keeper.handleProbed(8100, null)).toBe('none');
    expect([keeper.phase, keeper.trouble]).toEqual(['waiting', 'no_path']);
  });

  test('tells a failed DTLS from a failed ICE', () => {
    const keeper = publisher();
    keeper.handlePosting();
    keeper.handleAnswered(0);
    keeper.handleFailed(500, { isIceUp: true, isClosed: false });
    expect(keeper.trouble).toBe('no_security');
  });

  test.each([400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 501])('stops at %i', (status) => {
    const keeper = publisher();
    keeper.handlePosting();
    expect(keeper.handleRefused(0, refused(status))).toBe('give_up');
    expect([keeper.phase, keeper.trouble]).toEqual(['over', 'refused']);
  });

  test('takes a conflict after a break for its own lost session', () => {
    const keeper = upAt(0, publisher());
    keeper.handleFailed(1000, { isIceUp: true, isClosed: false });
    runUntilAction(keeper, 1000, 5000);
    keeper.handlePosting();
    expect(keeper.handleRefused(2000, refused(409))).toBe('none');
    expect(keeper.phase).toBe('waiting');
  });

  test('waits as long as a full server asks for', () => {
    const keeper = publisher();
    keeper.handlePosting();
    keeper.handleRefused(0, refused(503, 'overloaded', 7));
    expect(keeper.trouble).toBe('overloaded');
    expect(runUntilAction(keeper, 0, 20_000).atMs).toBe(7000);
  });

  test('tries at once when it is told to hurry', () => {
    const keeper = publisher();
    keeper.handlePosting();
    keeper.handleRefused(0, refused(503, 'overloaded', 60));
    keeper.hurry(1000);
    expect(keeper.handleTick(1000)).toBe('renew');
  });

  test('waits shortly again after a good while', () => {
    const keeper = publisher();
    for (let i = 0; i < 8; i += 1) keeper.handleRefused(0, refused(0));
    upAt(100_000, keeper);
    runUntilAction(keeper, 100_000, 111_000);
    keeper.handleFailed(112_000, { isIceUp: true, isClosed: false });
    expect(keeper.nextTryMs).toBe(112_500);
  });
});

describe('a viewer who can watch another way', () => {
  test('gives up five seconds after the answer without a connection', () => {
    const keeper = viewer();
    keeper.handlePosting();
    keeper.handleAnswered(1000);
    expect(runUntilAction(keeper, 1000, 20_000)).toEqual({ action: 'probe', atMs: 6000 });
    expect(keeper.handleProbed(6100, null)).toBe('give_up');
    expect(keeper.trouble).toBe('no_path');
  });

  test('blames no network where the server has closed the session before it connected', () => {
    for (const said of [404, 410]) {
      const keeper = viewer();
      keeper.handlePosting();
      keeper.handleAnswered(0);
      expect(runUntilAction(keeper, 0, 5000).action).toBe('probe');
      expect(keeper.handleProbed(5100, said)).toBe('none');
      expect(keeper.trouble).toBe('lost');
      expect(runUntilAction(keeper, 5100, 10_000).action).toBe('renew');
    }
  });

  test('goes on when the connection comes while it asks, and does not ask for good', () => {
    const late = viewer();
    late.handlePosting();
    late.handleAnswered(0);
    runUntilAction(late, 0, 5000);
    late.handleConnected(5050);
    expect([late.handleProbed(5100, null), late.phase]).toEqual(['none', 'up']);
    const silent = viewer();
    silent.handlePosting();
    silent.handleAnswered(0);
    runUntilAction(silent, 0, 5000);
    expect(runUntilAction(silent, 5050, 20_000)).toEqual({ action: 'give_up', atMs: 10_000 });
    expect(silent.trouble).toBe('no_path');
  });

  test('gives up four seconds after the connection without media', () => {
    const keeper = upAt(0, viewer());
    expect(runUntilAction(keeper, 0, 20_000)).toEqual({ action: 'give_up', atMs: 4000 });
    expect(keeper.trouble).toBe('no_media');
  });

  test('waits for a channel that is not live, as long as it takes', () => {
    const keeper = viewer();
    for (let i = 0; i < 50; i += 1) {
      keeper.handlePosting();
      expect(keeper.handleRefused(i * 6000, refused(404, 'not_live', 2))).toBe('none');
      expect(keeper.trouble).toBe('not_live');
      expect(runUntilAction(keeper, i * 6000, i * 6000 + 5000).action).toBe('renew');
    }
  });

  test('looks whether it has begun after two to five seconds, each at a time of its own', () => {
    const waits = (random: () => number) => {
      const keeper = new LinkKeeper(viewerOptions(false), random);
      return Array.from({ length: 8 }, () => {
        keeper.handlePosting();
        keeper.handleRefused(0, refused(404, 'not_live', 2));
        return keeper.nextTryMs ?? 0;
      });
    };
    const [early, late] = [waits(() => 0), waits(() => 1)];
    expect([early[0], late[0]]).toEqual([2025, 2975]);
    expect([early.at(-1), late.at(-1)]).toEqual([3402, 4998]);
  });

  test('leaves real time at the first word that there is no room', () => {
    const keeper = viewer();
    keeper.handlePosting();
    expect(keeper.handleRefused(0, refused(503, 'overloaded', 5))).toBe('give_up');
    expect(keeper.trouble).toBe('overloaded');
  });

  test('waits once for the sessions of its address that do not connect', () => {
    const keeper = viewer();
    keeper.handlePosting();
    expect(keeper.handleRefused(0, refused(429, 'too_many_sessions', 5))).toBe('none');
    expect(runUntilAction(keeper, 0, 20_000)).toEqual({ action: 'renew', atMs: 5000 });
    expect(keeper.handleRefused(5100, refused(429, 'too_many_sessions', 5))).toBe('give_up');
    expect(keeper.trouble).toBe('overloaded');
  });

  test('looks often again once it was told that the broadcast has begun', () => {
    const keeper = viewer();
    for (let i = 0; i < 8; i += 1) keeper.handleRefused(0, refused(404, 'not_live', 2));
    expect(keeper.nextTryMs).toBeGreaterThan(4000);
    keeper.hurry(0);
    keeper.handleRefused(0, refused(404, 'not_live', 2));
    expect(keeper.nextTryMs).toBe(2500);
  });

  test('asks again soon for a session that the server closed in order', () => {
    const keeper = upAt(0, viewer());
    keeper.handleMedia(100);
    keeper.handleFailed(1000, { isIceUp: true, isClosed: true });
    expect(runUntilAction(keeper, 1000, 5000)).toEqual({ action: 'renew', atMs: 1200 });
    upAt(1300, keeper).handleFailed(1400, { isIceUp: true, isClosed: true });
    expect(runUntilAction(keeper, 1400, 5000)).toEqual({ action: 'renew', atMs: 1900 });
  });

  test('gives up at once where the server has no WHEP or no codec', () => {
    for (const one of [refused(404), refused(405), refused(406, 'no_common_codec'), refused(501)]) {
      const keeper = viewer();
      keeper.handlePosting();
      expect(keeper.handleRefused(0, one)).toBe('give_up');
    }
  });

  test('gives up after three requests that failed, and after three sessions that were lost', () => {
    const failing = viewer();
    expect([0, 1, 2].map((i) => failing.handleRefused(i, refused(0)))).toEqual(['none', 'none', 'give_up']);
    const losing = viewer();
    const closed = { isIceUp: true, isClosed: true };
    expect([0, 1, 2].map((i) => upAt(i * 100, losing).handleFailed(i * 100 + 50, closed))).toEqual([
      'none',
      'none',
      'give_up',
    ]);
  });

  test('takes silence for trouble only while media should come', () => {
    const keeper = upAt(0, viewer());
    keeper.handleMedia(100);
    for (let t = 100; t < 60_000; t += 250) expect(keeper.handleTick(t, false)).toBe('none');
    expect(keeper.phase).toBe('up');
    expect(runUntilAction(keeper, 60_000, 75_000)).toMatchObject({ action: 'renew' });
    expect(keeper.trouble).toBe('lost');
  });
});

describe('a viewer who wants nothing but real-time', () => {
  test('keeps trying, and says why meanwhile', () => {
    const keeper = viewer(true);
    keeper.handlePosting();
    keeper.handleAnswered(0);
    expect(runUntilAction(keeper, 0, 5600).action).toBe('probe');
    keeper.handleProbed(5000, null);
    expect(runUntilAction(keeper, 5000, 5600)).toEqual({ action: 'renew', atMs: 5500 });
    expect(keeper.trouble).toBe('no_path');
    upAt(6000, keeper);
    expect(keeper.trouble).toBe('no_path');
    keeper.handleMedia(6100);
    expect(keeper.trouble).toBeNull();
  });
});
