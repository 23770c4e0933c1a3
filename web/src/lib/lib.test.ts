import { describe, expect, test } from 'vitest';
import { answerOf, parseChannel, parseChannels } from './api';
import { ServerClock } from './clock';
import {
  formatBitrate,
  formatChannels,
  formatCount,
  formatDelay,
  formatFrameRate,
  formatLanguage,
  formatResolution,
  formatUptime,
  formatViewers,
} from './format';
import { initialsOf, posterOf } from './poster';
import { defaultPreferences, readPreferences, writePreferences } from './preferences';
import { isRoomName, meetPath, routeOf, studioPath, watchPath } from './route';

const demo = {
  name: 'demo',
  title: 'Demo',
  state: 'live',
  started_at: '2026-01-01T10:00:00Z',
  uptime_s: 12,
  viewers: 3,
  hls_url: '/live/demo/index.m3u8',
  warnings: ['keyframe_interval_too_long'],
  tracks: [
    {
      id: 'v0',
      kind: 'video',
      codec: 'avc1.64001f',
      codec_name: 'H.264',
      width: 1280,
      height: 720,
      frame_rate: 30,
      bitrate: 2e6,
    },
    {
      id: 'a0',
      kind: 'audio',
      codec: 'mp4a.40.2',
      codec_name: 'AAC',
      sample_rate: 48000,
      channels: 2,
      bitrate: 128000,
    },
  ],
};

describe('parseChannel', () => {
  test('reads a channel with its tracks', () => {
    const channel = parseChannel(demo);
    expect(channel).toMatchObject({ name: 'demo', uptimeS: 12, viewers: 3, hlsUrl: '/live/demo/index.m3u8' });
    expect(channel?.tracks.map((track) => [track.id, track.codecName, track.height])).toEqual([
      ['v0', 'H.264', 720],
      ['a0', 'AAC', 0],
    ]);
  });

  test('gets along with fields that are missing or of another kind', () => {
    const channel = parseChannel({
      name: 'a b',
      state: 'live',
      viewers: 'many',
      tracks: [null, { id: 'x' }, 7],
      warnings: [1, 'w'],
    });
    expect(channel).toMatchObject({
      title: 'a b',
      viewers: 0,
      tracks: [],
      warnings: ['w'],
      hlsUrl: '/live/a%20b/index.m3u8',
    });
  });

  test('refuses what is not a live channel', () => {
    for (const value of [
      null,
      7,
      'x',
      [],
      {},
      { name: 'x' },
      { name: '', state: 'live' },
      { name: 'x', state: 'offline' },
    ]) {
      expect(parseChannel(value)).toBeNull();
    }
  });

  test('does not follow a media address that is no web address', () => {
    for (const hls_url of ['javascript:alert(1)', '//other/x.m3u8', 'data:text/plain,x', '']) {
      expect(parseChannel({ ...demo, hls_url })?.hlsUrl).toBe('/live/demo/index.m3u8');
    }
  });

  test('leaves single broken channels out of a list, and refuses what is no list', () => {
    expect(parseChannels({ channels: [demo, { name: 'x' }] })).toHaveLength(1);
    expect(parseChannels({})).toBeNull();
    expect(parseChannels([demo])).toBeNull();
  });
});

describe('answerOf', () => {
  test('tells the answers apart by their code, not by their sentence', () => {
    expect(answerOf(200, demo).kind).toBe('channel');
    expect(answerOf(404, { error: { code: 'channel_offline', message: 'x' } }).kind).toBe('offline');
    expect(answerOf(404, { error: { code: 'channel_not_found', message: 'x' } }).kind).toBe('not_found');
  });
  test('takes everything else for a server that cannot be reached', () => {
    expect(answerOf(404, null).kind).toBe('unreachable');
    expect(answerOf(503, { error: { code: 'channel_offline' } }).kind).toBe('unreachable');
    expect(answerOf(200, '<html>').kind).toBe('unreachable');
  });
});

describe('ServerClock', () => {
  const second = (ms: number) => new Date(Math.floor(ms / 1000) * 1000).toUTCString();

  test('corrects nothing when the clocks are the same', () => {
    const clock = new ServerClock();
    for (let t = 0; t < 60_000; t += 1370) clock.observe(second(t + 20), t, t + 40);
    expect(clock.offsetMs()).toBe(0);
  });

  test('finds an offset to within a round trip from stamps of whole seconds', () => {
    for (const offset of [-7400, 2350, 86_400_000]) {
      const clock = new ServerClock();
      for (let t = 0; t < 120_000; t += 1370) clock.observe(second(t + 20 + offset), t, t + 40);
      expect(Math.abs(clock.offsetMs() - offset)).toBeLessThan(60);
    }
  });

  test('begins anew when a clock was set', () => {
    const clock = new ServerClock();
    for (let t = 0; t < 60_000; t += 1370) clock.observe(second(t), t, t + 40);
    for (let t = 60_000; t < 180_000; t += 1370) clock.observe(second(t + 30_000), t, t + 40);
    expect(Math.abs(clock.offsetMs() - 30_000)).toBeLessThan(100);
  });

  test('ignores a date that is none', () => {
    const clock = new ServerClock();
    clock.observe('yesterday', 0, 1);
    expect(clock.offsetMs()).toBe(0);
  });
});

describe('formats', () => {
  test('bitrates', () => {
    expect([0, NaN, 128_000, 999_400, 999_600, 2_540_000, 12_300_000].map(formatBitrate)).toEqual([
      '–',
      '–',
      '128 kb/s',
      '999 kb/s',
      '1.0 Mb/s',
      '2.5 Mb/s',
      '12 Mb/s',
    ]);
  });
  test('delays', () => {
    expect([null, NaN, -0.2, 1.44, 9.96, 59.4, 59.6, 125].map(formatDelay)).toEqual([
      '–',
      '–',
      '0.0 s',
      '1.4 s',
      '10 s',
      '59 s',
      '1:00',
      '2:05',
    ]);
  });
  test('uptimes', () => {
    expect([-1, 42, 60, 3599, 3600, 11_100, 90_000].map(formatUptime)).toEqual([
      '0 s',
      '42 s',
      '1 min',
      '59 min',
      '1 h 00 min',
      '3 h 05 min',
      '1 d 1 h',
    ]);
  });
  test('counts', () => {
    expect([0, 999, 1000, 1290, 10_900, 999_499, 1_250_000].map(formatCount)).toEqual([
      '0',
      '999',
      '1k',
      '1.2k',
      '10k',
      '999k',
      '1.2M',
    ]);
    expect([0, 1, 2].map(formatViewers)).toEqual(['0 viewers', '1 viewer', '2 viewers']);
  });
  test('pictures', () => {
    expect(formatResolution(1920, 1080, 59.94)).toBe('1080p60');
    expect(formatResolution(1280, 720, 30)).toBe('720p');
    expect(formatResolution(720, 1280, 25)).toBe('720p');
    expect(formatResolution(1920, 800, 60)).toBe('1920×800');
    expect(formatResolution(0, 0)).toBe('');
    expect([0, 30, 29.97, 59.999].map(formatFrameRate)).toEqual(['', '30', '29.97', '60']);
  });
  test('sound', () => {
    expect([0, 1, 2, 6, 8, 4].map(formatChannels)).toEqual([
      '',
      'mono',
      'stereo',
      '5.1',
      '7.1',
      '4 channels',
    ]);
    expect(formatLanguage('')).toBe('');
    expect(formatLanguage('not a language!')).toBe('not a language!');
  });
});

describe('routeOf', () => {
  test('knows the pages', () => {
    expect(routeOf('/')).toEqual({ page: 'home' });
    expect(routeOf('/watch/demo')).toEqual({ page: 'watch', channel: 'demo' });
    expect(routeOf('/watch/demo/')).toEqual({ page: 'watch', channel: 'demo' });
    expect(routeOf('/watch/a%20b')).toEqual({ page: 'watch', channel: 'a b' });
    expect(routeOf(watchPath('ä/ö?'))).toEqual({ page: 'watch', channel: 'ä/ö?' });
    expect(routeOf('/studio')).toEqual({ page: 'studio', channel: '' });
    expect(routeOf(studioPath('ä/ö?'))).toEqual({ page: 'studio', channel: 'ä/ö?' });
    expect(routeOf('/meet')).toEqual({ page: 'meet', channel: '' });
    expect(routeOf(meetPath('Team_1.weekly-x'))).toEqual({ page: 'meet', channel: 'Team_1.weekly-x' });
  });
  test('knows the names that a room can have', () => {
    for (const name of ['a', '...', 'Team_1.weekly-x', 'x'.repeat(64)]) expect(isRoomName(name), name).toBe(true);
    for (const name of ['', '.', '..', 'my room', 'ä', 'a/b', 'a\n', 'x'.repeat(65)]) {
      expect(isRoomName(name), name).toBe(false);
    }
  });
  test('takes nothing else for a page', () => {
    for (const path of [
      '/watch',
      '/watch/',
      '/watch/a/b',
      '/watch/%E0%A4%A',
      '/nothing',
      '/studio/a/b',
      '/meet/a/b',
      '/meet/my%20room',
      '/meet/%2E%2E',
      `/meet/${'x'.repeat(65)}`,
      `/watch/${'x'.repeat(300)}`,
    ]) {
      expect(routeOf(path)).toEqual({ page: 'not_found' });
    }
  });
});

describe('preferences', () => {
  const storeOf = (text: string | null) => {
    let kept = text;
    return { getItem: () => kept, setItem: (_: string, value: string) => void (kept = value) };
  };
  test('come back as they were written, change by change', () => {
    const store = storeOf(null);
    writePreferences(store, { volume: 0.4 });
    writePreferences(store, { theme: 'dark', isTheatre: true });
    expect(readPreferences(store)).toEqual({
      ...defaultPreferences,
      volume: 0.4,
      theme: 'dark',
      isTheatre: true,
    });
  });
  test('are the defaults where what was kept makes no sense', () => {
    for (const text of ['', '{', '7', '[]', '{"volume":9,"theme":"pink","bandwidth":-1,"delivery":"pigeon"}']) {
      expect(readPreferences(storeOf(text))).toEqual(defaultPreferences);
    }
    expect(readPreferences(null)).toEqual(defaultPreferences);
  });
  test('cost nothing but themselves when the store refuses', () => {
    const full = {
      getItem: () => null,
      setItem: () => {
        throw new Error('full');
      },
    };
    expect(() => writePreferences(full, { volume: 0.1 })).not.toThrow();
  });
});

describe('posters', () => {
  test('are the same for the same name and differ for others', () => {
    expect(posterOf('demo')).toEqual(posterOf('demo'));
    expect(new Set(['a', 'b', 'c', 'd', 'e'].map((name) => posterOf(name).hue)).size).toBeGreaterThan(3);
  });
  test('stay within their picture', () => {
    for (let i = 0; i < 500; i++) {
      const { hue, arches, sunX, sunY } = posterOf(`channel ${i}`);
      expect(hue >= 180 && hue < 350 && arches >= 4 && arches <= 6).toBe(true);
      expect(sunX >= 0.2 && sunX <= 0.8 && sunY >= 0.3 && sunY <= 0.6).toBe(true);
    }
  });
  test('take initials from words in any script', () => {
    expect(['Demo channel', 'demo', 'город света', '', '東京 ライブ'].map(initialsOf)).toEqual([
      'DC',
      'D',
      'ГС',
      '?',
      '東ラ',
    ]);
  });
});
