import { afterEach, describe, expect, test, vi } from 'vitest';
import { capture, captureSound, forgottenWords, listenForEnd, type TrackKind } from './capture';
import { defaultSettings, type StudioSettings } from './settings';

const of = (change: Partial<StudioSettings>): StudioSettings => ({ ...defaultSettings, ...change });

class FakeTrack extends EventTarget {
  contentHint = '';
  constructor(
    readonly kind: TrackKind,
    readonly deviceId: string,
  ) {
    super();
  }
  getSettings = () => ({ deviceId: this.deviceId });
}
class FakeStream {
  constructor(readonly tracks: FakeTrack[]) {}
  getTracks = () => this.tracks;
  getVideoTracks = () => this.tracks.filter(({ kind }) => kind === 'video');
  getAudioTracks = () => this.tracks.filter(({ kind }) => kind === 'audio');
}

type Wanted = { exact?: string; ideal?: string } | undefined;
type Asked = { video?: { deviceId?: Wanted }; audio: { deviceId?: Wanted } | false };

// A browser with these devices, of each kind the first being its own choice.
function plugIn(cameras: string[], microphones: string[], constraint = 'deviceId'): Asked[] {
  const asked: Asked[] = [];
  const pick = (kind: TrackKind, ids: string[], wanted: Wanted): FakeTrack => {
    const named = wanted?.exact ?? wanted?.ideal ?? '';
    if (wanted?.exact !== undefined && !ids.includes(named)) {
      throw Object.assign(new Error(''), { name: 'OverconstrainedError', constraint });
    }
    const id = ids.includes(named) ? named : ids[0];
    if (id === undefined) throw Object.assign(new Error(''), { name: 'NotFoundError' });
    return new FakeTrack(kind, id);
  };
  const getUserMedia = async (one: Asked) => {
    asked.push(one);
    return new FakeStream([
      ...(one.video ? [pick('video', cameras, one.video.deviceId)] : []),
      ...(one.audio ? [pick('audio', microphones, one.audio.deviceId)] : []),
    ]);
  };
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
  vi.stubGlobal('MediaStream', FakeStream);
  return asked;
}
afterEach(() => vi.unstubAllGlobals());

const idsOf = (stream: MediaStream) => stream.getTracks().map((track) => track.getSettings().deviceId);

describe('capture', () => {
  test('takes the devices that were chosen, and no other', async () => {
    const asked = plugIn(['c1', 'c2'], ['m1', 'm2']);
    const { stream, forgotten } = await capture(of({ cameraId: 'c2', microphoneId: 'm2' }));
    expect([idsOf(stream), forgotten, asked.length]).toEqual([['c2', 'm2'], {}, 1]);
  });
  const rows: [string, Partial<StudioSettings>, object, string[]][] = [
    ['a camera', { cameraId: 'gone', microphoneId: 'm2' }, { cameraId: '' }, ['c1', 'm2']],
    ['a microphone', { cameraId: 'c2', microphoneId: 'gone' }, { microphoneId: '' }, ['c2', 'm1']],
    ['both', { cameraId: 'gone', microphoneId: 'gone' }, { cameraId: '', microphoneId: '' }, ['c1', 'm1']],
    ['a camera, and no microphone is wanted', { cameraId: 'gone', microphoneId: 'none' }, { cameraId: '' }, ['c1']],
  ];
  test.each(rows)('asks once more without %s that is gone, and forgets it', async (_, chosen, expected, ids) => {
    for (const constraint of ['deviceId', '']) {
      const asked = plugIn(['c1', 'c2'], ['m1', 'm2'], constraint);
      const { stream, forgotten } = await capture(of(chosen));
      expect([idsOf(stream), forgotten, asked.length]).toEqual([ids, expected, 2]);
    }
  });
  test('does not ask again when something else is wrong', async () => {
    const asked = plugIn(['c1'], []);
    await expect(capture(of({ cameraId: 'c1' }))).rejects.toThrow();
    plugIn(['c1'], ['m1'], 'width');
    await expect(capture(of({ cameraId: 'gone' }))).rejects.toThrow();
    expect(asked.length).toBe(1);
  });
});

test('another microphone leaves the picture as it is', async () => {
  const asked = plugIn(['c1'], ['m1', 'm2']);
  const { stream } = await capture(of({}));
  const next = await captureSound(of({ microphoneId: 'm2' }), stream.getVideoTracks());
  expect(next.stream.getVideoTracks()).toEqual(stream.getVideoTracks());
  expect(idsOf(next.stream)).toEqual(['c1', 'm2']);
  expect(asked[1]?.video).toBeUndefined();
  const silent = await captureSound(of({ microphoneId: 'none' }), stream.getVideoTracks());
  expect(idsOf(silent.stream)).toEqual(['c1']);
});

test('sound that ends is told like a picture that ends', async () => {
  plugIn(['c1'], ['m1']);
  const { stream } = await capture(of({}));
  const ended: TrackKind[] = [];
  listenForEnd(stream, (kind) => ended.push(kind));
  stream.getAudioTracks()[0]?.dispatchEvent(new Event('ended'));
  expect(ended).toEqual(['audio']);
  stream.getVideoTracks()[0]?.dispatchEvent(new Event('ended'));
  expect(ended).toEqual(['audio', 'video']);
});

test('what was forgotten is named', () => {
  expect(forgottenWords({})).toBe('');
  expect(forgottenWords({ cameraId: '' })).toContain('The camera chosen before is not there');
  expect(forgottenWords({ cameraId: '', microphoneId: '' })).toContain('The camera and microphone chosen before are not');
});
