import { describe, expect, test } from 'vitest';
import { iceServersOf, parseLinks } from './link_header';

const turn = { urls: 'turn:t.example?transport=udp', username: 'u', credential: 'c' };

describe('iceServersOf', () => {
  const rows: [string, string | null, RTCIceServer[]][] = [
    ['no header', null, []],
    ['an empty one', '', []],
    ['one STUN server', '<stun:s.example:3478>; rel="ice-server"', [{ urls: 'stun:s.example:3478' }]],
    ['a bare token for rel', '<stun:s.example>;rel=ice-server', [{ urls: 'stun:s.example' }]],
    [
      'TURN with credentials',
      '<turn:t.example?transport=udp>; rel="ice-server"; username="u"; credential="c"; credential-type="password"',
      [turn],
    ],
    ['TURN without a type', '<turn:t.example?transport=udp>;rel="ice-server";username=u;credential=c', [turn]],
    ['TURN without credentials', '<turn:t.example>; rel="ice-server"', []],
    ['TURN with another kind', '<turn:t.example>; rel=ice-server; username=u; credential=c; credential-type=oauth', []],
    [
      'several in one header, as fetch joins them',
      '<stun:a.example>; rel="ice-server", <turns:b.example:5349>; rel="ice-server"; username="x, y"; credential="a;b"',
      [{ urls: 'stun:a.example' }, { urls: 'turns:b.example:5349', username: 'x, y', credential: 'a;b' }],
    ],
    [
      'quotes and backslashes in a credential',
      '<turn:t.example>; rel="ice-server"; username="u\\"1"; credential="\\\\"',
      [{ urls: 'turn:t.example', username: 'u"1', credential: '\\' }],
    ],
    ['links of other relations', '</x>; rel="next", <stun:s.example>; rel="ice-server"', [{ urls: 'stun:s.example' }]],
    ['one of several relations', '<stun:s.example>; rel="help ICE-SERVER"', [{ urls: 'stun:s.example' }]],
    ['addresses of other kinds', '<https://x.example>; rel="ice-server", <stun:>; rel="ice-server"', []],
    ['spaces and empty members', ' , <stun:s.example> ; rel = "ice-server" ,, ', [{ urls: 'stun:s.example' }]],
    ['the first of a name', '<stun:s.example>; rel="ice-server"; rel="next"', [{ urls: 'stun:s.example' }]],
    ['no closing bracket', '<stun:s.example; rel="ice-server"', []],
    ['no closing quote', '<stun:s.example>; rel="ice-server', []],
    ['rubbish after a good one', '<stun:s.example>; rel="ice-server" x <stun:t.example>; rel="ice-server"', [{ urls: 'stun:s.example' }]],
  ];
  test.each(rows)('%s', (_, header, servers) => {
    expect(iceServersOf(header)).toEqual(servers);
  });

  test('reads a bounded number', () => {
    expect(parseLinks('<stun:s>;rel=ice-server,'.repeat(500))).toHaveLength(32);
  });
  test('is not led to names that every object has', () => {
    expect(parseLinks('<stun:s>; constructor=x; __proto__=y')[0]?.parameters.constructor).toBe('x');
  });
});
