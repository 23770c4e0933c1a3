import { describe, expect, test } from 'vitest';
import { answersWith, endpointsOf, endpointsText, sectionsOf, withFragment, withOpus, writeFragment } from './sdp';

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n`;
const head = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1'];
const offer = lines(
  ...head,
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:secret',
  'a=mid:0',
  'a=recvonly',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:secret',
  'a=mid:1',
  'a=recvonly',
);
const answer = lines(
  ...head,
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:old',
  'a=ice-pwd:oldsecret',
  'a=mid:0',
  'a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host',
  'a=candidate:2 1 tcp 1671430143 192.0.2.1 7882 typ host tcptype passive',
  'a=candidate:3 1 udp 2130706431 2001:db8::1 7882 typ host',
  'a=end-of-candidates',
  'a=sendonly',
  'm=audio 0 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:old',
  'a=ice-pwd:oldsecret',
  'a=mid:1',
  'a=inactive',
);

describe('answersWith', () => {
  test('sees what comes and what was declined', () => {
    expect([answersWith(answer, 'video'), answersWith(answer, 'audio')]).toEqual([true, false]);
  });
  const rows: [string, string[], boolean][] = [
    ['an open section', ['m=audio 9 X 111', 'a=sendonly'], true],
    ['no direction means both', ['m=audio 9 X 111'], true],
    ['port 0', ['m=audio 0 X 111', 'a=sendonly'], false],
    ['port 0, but bundle-only', ['m=audio 0 X 111', 'a=bundle-only', 'a=sendonly'], true],
    ['inactive', ['m=audio 9 X 111', 'a=inactive'], false],
    ['the wrong way', ['m=audio 9 X 111', 'a=recvonly'], false],
    ['none at all', [], false],
  ];
  test.each(rows)('%s', (_, section, expected) => {
    expect(answersWith(lines(...head, ...section), 'audio')).toBe(expected);
  });
  test('reads sections with their mids, whatever ends the lines', () => {
    expect(sectionsOf(offer.replaceAll('\r\n', '\n')).map(({ kind, mid }) => [kind, mid])).toEqual([
      ['video', '0'],
      ['audio', '1'],
    ]);
  });
});

describe('endpoints', () => {
  test('are where the server listens', () => {
    expect(endpointsOf(answer)).toEqual([
      { protocol: 'udp', address: '192.0.2.1', port: 7882 },
      { protocol: 'tcp', address: '192.0.2.1', port: 7882 },
      { protocol: 'udp', address: '2001:db8::1', port: 7882 },
    ]);
    expect(endpointsText(endpointsOf(answer))).toBe(
      'UDP and TCP port 7882 of 192.0.2.1, UDP port 7882 of 2001:db8::1',
    );
  });
  test('are not made of broken lines', () => {
    expect(endpointsOf('a=candidate:\r\na=candidate:1 1 udp 1 h notaport typ host\r\n')).toEqual([]);
  });
  test('are not made of those that only call out', () => {
    expect(endpointsOf('a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active\r\n')).toEqual([]);
  });
});

describe('writeFragment', () => {
  const host = 'candidate:1 1 udp 2122260223 192.0.2.9 50000 typ host';
  const first = ['m=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0'];
  const credentials = ['a=group:BUNDLE 0 1', 'a=ice-ufrag:abcd', 'a=ice-pwd:secret'];
  const rows: [string, { candidate: string; sdpMid: string | null }[], boolean, string[]][] = [
    ['credentials alone, for a restart', [], false, [...credentials, ...first]],
    ['a candidate', [{ candidate: host, sdpMid: '0' }], false, [...credentials, ...first, `a=${host}`]],
    ['one without a mid', [{ candidate: host, sdpMid: null }], false, [...credentials, ...first, `a=${host}`]],
    ['not those of bundled sections', [{ candidate: host, sdpMid: '1' }], false, [...credentials, ...first]],
    ['the end', [{ candidate: '', sdpMid: '0' }], true, [...credentials, ...first, 'a=end-of-candidates']],
    ['no lines of others', [{ candidate: `${host}\r\na=x`, sdpMid: '0' }], false, [...credentials, ...first]],
  ];
  test.each(rows)('%s', (_, candidates, isComplete, expected) => {
    expect(writeFragment(offer, candidates, isComplete)).toBe(lines(...expected));
  });
  test('there is none without credentials or sections', () => {
    expect(writeFragment(lines(...head), [], false)).toBeNull();
    expect(writeFragment(offer.replaceAll(/a=ice-pwd.*\r\n/g, ''), [], false)).toBeNull();
  });
});

describe('withFragment', () => {
  test('renews credentials everywhere and candidates in the first section', () => {
    const renewed = withFragment(
      answer,
      lines('a=ice-ufrag:new', 'a=ice-pwd:newsecret', 'm=video 9 X 96', 'a=mid:0', 'a=candidate:9 1 udp 1 192.0.2.2 1 typ host'),
    );
    expect(renewed).not.toContain('old');
    expect(renewed?.match(/a=ice-ufrag:new\r\n/g)).toHaveLength(2);
    expect(endpointsOf(renewed ?? '')).toEqual([{ protocol: 'udp', address: '192.0.2.2', port: 1 }]);
    expect(sectionsOf(renewed ?? '')[0]?.lines.at(-1)).toContain('192.0.2.2');
  });
  test('keeps the candidates when the fragment names none', () => {
    const renewed = withFragment(answer, lines('a=ice-ufrag:new', 'a=ice-pwd:newsecret'));
    expect(endpointsOf(renewed ?? '')).toHaveLength(3);
    expect(renewed).toContain('a=end-of-candidates');
  });
  test('is nothing without credentials', () => {
    expect(withFragment(answer, 'a=ice-ufrag:new\r\n')).toBeNull();
  });
});

describe('withOpus', () => {
  const sound = (...more: string[]) => lines(...head, 'm=audio 9 X 111', 'a=rtpmap:111 opus/48000/2', ...more);
  test('adds to the parameters that are there', () => {
    const text = withOpus(sound('a=fmtp:111 minptime=10;useinbandfec=1'), { isStereo: true, bitrate: 160_000 });
    expect(text).toContain(
      'a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=160000;stereo=1;sprop-stereo=1\r\n',
    );
  });
  test('makes parameters where there are none, and no stereo for a voice', () => {
    const text = withOpus(sound(), { isStereo: false, bitrate: 48_000 });
    expect(text).toContain('a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxaveragebitrate=48000\r\n');
  });
  test('leaves other codecs alone', () => {
    expect(withOpus(offer, { isStereo: true, bitrate: 1 })).toBe(offer);
  });
});
