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

async function captureCamera(settings: StudioSettings): Promise<MediaStream> {
  const { width, height } = sizeOf(settings.size);
  const audio = microphoneConstraints(settings);
  const video = {
    ...(settings.cameraId === '' ? {} : { deviceId: { exact: settings.cameraId } }),
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: settings.frameRate },
  };
  return navigator.mediaDevices.getUserMedia({ video, audio });
}

// The screen's own sound where the browser gives it, and the microphone otherwise.
async function captureScreen(settings: StudioSettings): Promise<MediaStream> {
  const { width, height } = sizeOf(settings.size);
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: { width: { max: width }, height: { max: height }, frameRate: { max: settings.frameRate } },
    audio: true,
  });
  const microphone = microphoneConstraints(settings);
  if (stream.getAudioTracks().length > 0 || microphone === false) return stream;
  try {
    const voice = await navigator.mediaDevices.getUserMedia({ audio: microphone });
    for (const track of voice.getAudioTracks()) stream.addTrack(track);
  } catch {
    // A screen without sound is still worth showing; the page says that there is none.
  }
  return stream;
}

export async function capture(settings: StudioSettings): Promise<MediaStream> {
  const stream = await (settings.source === 'camera' ? captureCamera(settings) : captureScreen(settings));
  for (const track of stream.getVideoTracks()) {
    track.contentHint = settings.source === 'screen' ? 'detail' : 'motion';
  }
  for (const track of stream.getAudioTracks()) {
    track.contentHint = settings.sound === 'music' ? 'music' : 'speech';
  }
  return stream;
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
