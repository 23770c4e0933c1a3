// Cameras, microphones and loudspeakers: which there are, and opening them.

import { createLocalTracks, LocalAudioTrack, LocalVideoTrack, VideoPresets } from 'livekit-client';
import { useCallback, useEffect, useState } from 'react';

// Browsers keep cameras from pages that came over plain HTTP, except from this very machine.
export const canCapture = (): boolean => window.isSecureContext && navigator.mediaDevices !== undefined;
export const canShareScreen = (): boolean =>
  canCapture() && typeof navigator.mediaDevices.getDisplayMedia === 'function';
export const canChooseSpeaker = (): boolean => 'setSinkId' in HTMLMediaElement.prototype;

export interface Devices {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

const kNone: Devices = { cameras: [], microphones: [], speakers: [] };

async function listDevices(): Promise<Devices> {
  if (!canCapture()) return kNone;
  const all = await navigator.mediaDevices.enumerateDevices();
  // Before permission was given devices have no id: nothing to choose from yet.
  const known = (kind: MediaDeviceKind) =>
    all.filter((device) => device.kind === kind && device.deviceId !== '');
  return { cameras: known('videoinput'), microphones: known('audioinput'), speakers: known('audiooutput') };
}

// `refresh` when a permission may have come: names and ids are there from then on.
export function useDevices(): { devices: Devices; refresh: () => void } {
  const [devices, setDevices] = useState(kNone);
  const refresh = useCallback(() => {
    listDevices().then(setDevices, () => undefined);
  }, []);
  useEffect(() => {
    refresh();
    if (!canCapture()) return;
    const { mediaDevices } = navigator;
    mediaDevices.addEventListener('devicechange', refresh);
    return () => mediaDevices.removeEventListener('devicechange', refresh);
  }, [refresh]);
  return { devices, refresh };
}

// Null: not wanted; "": the browser's choice.
export interface Ids {
  camera: string | null;
  microphone: string | null;
}

export interface DeviceError {
  name: string;
  message: string;
}

export interface Opened {
  camera: LocalVideoTrack | null;
  microphone: LocalAudioTrack | null;
  cameraError: DeviceError | null;
  microphoneError: DeviceError | null;
}

export const deviceErrorOf = (error: unknown): DeviceError =>
  error instanceof Error || error instanceof DOMException
    ? { name: error.name, message: error.message }
    : { name: '', message: '' };

async function openTogether({ camera, microphone }: Ids): Promise<Pick<Opened, 'camera' | 'microphone'>> {
  const tracks: readonly unknown[] = await createLocalTracks({
    video:
      camera === null
        ? false
        : { resolution: VideoPresets.h720.resolution, ...(camera === '' ? {} : { deviceId: camera }) },
    audio: microphone === null ? false : microphone === '' ? true : { deviceId: microphone },
  });
  return {
    camera: tracks.find((track): track is LocalVideoTrack => track instanceof LocalVideoTrack) ?? null,
    microphone: tracks.find((track): track is LocalAudioTrack => track instanceof LocalAudioTrack) ?? null,
  };
}

async function isGranted(name: 'camera' | 'microphone'): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: name as PermissionName })).state === 'granted';
  } catch {
    return false;
  }
}

// Both with one question to the person, and each for itself where that fails: a missing camera is no reason
// to be without a microphone. Whoever said no is not asked a second time.
export async function openDevices(ids: Ids): Promise<Opened> {
  const opened: Opened = { camera: null, microphone: null, cameraError: null, microphoneError: null };
  if (!canCapture()) {
    const error = { name: 'InsecureContext', message: '' };
    return {
      ...opened,
      cameraError: ids.camera === null ? null : error,
      microphoneError: ids.microphone === null ? null : error,
    };
  }
  let denied: DeviceError | null = null;
  if (ids.camera !== null && ids.microphone !== null) {
    try {
      return { ...opened, ...(await openTogether(ids)) };
    } catch (error) {
      const { name } = deviceErrorOf(error);
      if (name === 'NotAllowedError') denied = deviceErrorOf(error);
    }
  }
  for (const kind of ['camera', 'microphone'] as const) {
    if (ids[kind] === null) continue;
    try {
      if (denied !== null && !(await isGranted(kind))) throw new DOMException(denied.message, denied.name);
      const only = await openTogether({ camera: null, microphone: null, [kind]: ids[kind] });
      opened.camera ??= only.camera;
      opened.microphone ??= only.microphone;
    } catch (error) {
      opened[`${kind}Error`] = deviceErrorOf(error);
    }
  }
  return opened;
}
