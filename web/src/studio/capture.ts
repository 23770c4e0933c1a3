// Camera, microphone and screen: asking for them, and saying what is wrong when they do not come.

import { sizeOf, type StudioSettings } from './settings';

export interface Devices {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
}

// Browsers keep cameras from pages that came over plain HTTP, except from this very machine.
export const canCapture = (): boolean => window.isSecureContext && navigator.mediaDevices !== undefined;
export const canShareScreen = (): boolean =>
  canCapture() && typeof navigator.mediaDevices.getDisplayMedia === 'function';

// The video codecs that a page may choose from; none in browsers that give no choice.
export function browserCodecs(): RTCRtpCodec[] {
  if (!('RTCRtpTransceiver' in window) || !('setCodecPreferences' in RTCRtpTransceiver.prototype)) return [];
  return RTCRtpSender.getCapabilities?.('video')?.codecs ?? [];
}

export async function listDevices(): Promise<Devices> {
  if (!canCapture()) return { cameras: [], microphones: [] };
  const all = await navigator.mediaDevices.enumerateDevices();
  // Before permission was given devices have no id: nothing to choose from yet.
  const known = all.filter((device) => device.deviceId !== '');
  return {
    cameras: known.filter((device) => device.kind === 'videoinput'),
    microphones: known.filter((device) => device.kind === 'audioinput'),
  };
}

function microphoneConstraints({ microphoneId, sound }: StudioSettings): MediaTrackConstraints | false {
  if (microphoneId === 'none') return false;
  const isVoice = sound === 'voice';
  return {
    ...(microphoneId === '' ? {} : { deviceId: { exact: microphoneId } }),
    echoCancellation: isVoice,
    noiseSuppression: isVoice,
    autoGainControl: isVoice,
    channelCount: { ideal: isVoice ? 1 : 2 },
  };
}

// Which of the devices chosen by hand were not to be had, as settings that name them no more.
export type Forgotten = Partial<Pick<StudioSettings, 'cameraId' | 'microphoneId'>>;

export interface Captured {
  stream: MediaStream;
  forgotten: Forgotten;
}

const kChoices = { video: 'cameraId', audio: 'microphoneId' } as const;

// A choice remembered from another day must not be the end of it: where a device is gone the browser is asked
// once more and may give another for it.
async function captureDevices(asked: {
  video?: MediaTrackConstraints;
  audio: MediaTrackConstraints | false;
}): Promise<Captured> {
  const { mediaDevices } = navigator;
  const chosen = (['video', 'audio'] as const).flatMap((kind) => {
    const constraints = asked[kind] || {};
    const { deviceId } = constraints;
    return typeof deviceId === 'object' && 'exact' in deviceId ? [{ kind, constraints, id: deviceId.exact }] : [];
  });
  try {
    return { stream: await mediaDevices.getUserMedia(asked), forgotten: {} };
  } catch (error) {
    // Not every browser names the constraint, and no other is strict here.
    const { name = '', constraint = '' } = error as { name?: string; constraint?: string };
    const isGone = name === 'OverconstrainedError' && (constraint === 'deviceId' || constraint === '');
    if (!isGone || chosen.length === 0) throw error;
  }
  const eased = { ...asked };
  for (const { kind, constraints, id } of chosen) eased[kind] = { ...constraints, deviceId: { ideal: id ?? '' } };
  const stream = await mediaDevices.getUserMedia(eased);
  const forgotten: Forgotten = {};
  for (const { kind, id } of chosen) {
    const isThere = stream.getTracks().some((track) => track.kind === kind && track.getSettings().deviceId === id);
    if (!isThere) forgotten[kChoices[kind]] = '';
  }
  return { stream, forgotten };
}

function captureCamera(settings: StudioSettings): Promise<Captured> {
  const { width, height } = sizeOf(settings.size);
  const video = {
    ...(settings.cameraId === '' ? {} : { deviceId: { exact: settings.cameraId } }),
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: settings.frameRate },
  };
  return captureDevices({ video, audio: microphoneConstraints(settings) });
}

// The screen's own sound where the browser gives it, and the microphone otherwise.
async function captureScreen(settings: StudioSettings): Promise<Captured> {
  const { width, height } = sizeOf(settings.size);
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: { width: { max: width }, height: { max: height }, frameRate: { max: settings.frameRate } },
    audio: true,
  });
  const audio = microphoneConstraints(settings);
  if (stream.getAudioTracks().length > 0 || audio === false) return { stream, forgotten: {} };
  try {
    const voice = await captureDevices({ audio });
    for (const track of voice.stream.getAudioTracks()) stream.addTrack(track);
    return { stream, forgotten: voice.forgotten };
  } catch {
    // A screen without sound is still worth showing; the page says that there is none.
    return { stream, forgotten: {} };
  }
}

function hint({ stream }: Captured, { source, sound }: StudioSettings): void {
  for (const track of stream.getVideoTracks()) track.contentHint = source === 'screen' ? 'detail' : 'motion';
  for (const track of stream.getAudioTracks()) track.contentHint = sound === 'music' ? 'music' : 'speech';
}

export async function capture(settings: StudioSettings): Promise<Captured> {
  const captured = await (settings.source === 'camera' ? captureCamera(settings) : captureScreen(settings));
  hint(captured, settings);
  return captured;
}

// Another microphone, or none, beside the picture that is there.
export async function captureSound(settings: StudioSettings, picture: readonly MediaStreamTrack[]): Promise<Captured> {
  const audio = microphoneConstraints(settings);
  const voice = audio === false ? null : await captureDevices({ audio });
  const stream = new MediaStream([...picture, ...(voice?.stream.getAudioTracks() ?? [])]);
  const captured = { stream, forgotten: voice?.forgotten ?? {} };
  hint(captured, settings);
  return captured;
}

export type TrackKind = 'audio' | 'video';

// Tells of tracks that end by themselves: sharing stopped in the browser's bar, a cable pulled. Those that the
// page stops make no event.
export function listenForEnd(stream: MediaStream, onEnded: (kind: TrackKind) => void): void {
  for (const track of stream.getTracks()) {
    track.addEventListener('ended', () => onEnded(track.kind === 'audio' ? 'audio' : 'video'), { once: true });
  }
}

export function forgottenWords({ cameraId, microphoneId }: Forgotten): string {
  const names = [cameraId === '' ? 'camera' : '', microphoneId === '' ? 'microphone' : ''].filter((one) => one !== '');
  if (names.length === 0) return '';
  const are = names.length > 1 ? 'are' : 'is';
  return `The ${names.join(' and ')} chosen before ${are} not there any more: this is the browser’s choice.`;
}

export const stopStream = (stream: MediaStream | null): void =>
  stream?.getTracks().forEach((track) => track.stop());

// "" when the choice was simply called off.
export function captureWords(error: unknown, settings: Pick<StudioSettings, 'source'>): string {
  const name = error instanceof DOMException || error instanceof Error ? error.name : '';
  const isScreen = settings.source === 'screen';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return isScreen
        ? 'The screen was not shared.'
        : 'The browser may not use camera and microphone. Allow them for this site in the address bar, then try again.';
    case 'NotFoundError':
      return 'There is no camera or microphone here. Plug one in, or choose “No microphone”.';
    case 'NotReadableError':
    case 'AbortError':
      return 'Another program is using the camera or microphone.';
    case 'OverconstrainedError':
      return 'The chosen device is not there any more, or cannot do this size. Choose another.';
    default:
      return error instanceof Error && error.message !== '' ? error.message : 'Camera and microphone did not start.';
  }
}
