import { expect, test } from 'vitest';
import type { LinkView } from './rtc_link';
import { SessionError } from './session_client';
import { linkWords } from './words';

const endedBy = (code: string): LinkView => ({
  phase: 'over',
  trouble: 'ended',
  error: code === '' ? null : new SessionError(410, code, ''),
  nextTryMs: null,
  ice: 'closed',
  endpoints: [],
  sessions: 1,
  restarts: 0,
});

test.each([
  ['taken_over', 'Another studio took over.'],
  ['broadcast_stopped', 'The broadcast was ended.'],
  ['key_revoked', 'The stream key was revoked.'],
  ['too_many_sources', 'The server has no room for another source of this channel.'],
  ['', 'The server has ended the session.'],
])('says why a publisher was let go: %s', (code, text) => {
  expect(linkWords(endedBy(code), 'publisher', '')).toBe(text);
});
