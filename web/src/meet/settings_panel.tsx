import { useLocalParticipant, useMediaDeviceSelect } from '@livekit/components-react';
import { useMemo } from 'react';
import { LevelMeter } from '../ui/level_meter';
import type { Choices } from './choices';
import { DeviceField } from './device_field';
import { canChooseSpeaker, deviceErrorOf } from './devices';
import { useMeeting } from './meeting_context';
import { Panel } from './panel';
import { deviceErrorText } from './words';

const kFields = [
  { media: 'audioinput', label: 'Microphone', kind: 'microphone', choice: 'microphoneId' },
  { media: 'videoinput', label: 'Camera', kind: 'camera', choice: 'cameraId' },
  { media: 'audiooutput', label: 'Loudspeaker', kind: 'speaker', choice: 'speakerId' },
] as const;

function Device({
  field,
  onChange,
}: {
  field: (typeof kFields)[number];
  onChange: (change: Partial<Choices>) => void;
}) {
  const { room, notify } = useMeeting();
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({ kind: field.media, room });
  const choose = async (id: string) => {
    try {
      await setActiveMediaDevice(id === '' ? 'default' : id);
      onChange({ [field.choice]: id === 'default' ? '' : id });
    } catch (error) {
      const { name, message } = deviceErrorOf(error);
      notify(
        field.kind === 'speaker'
          ? `The loudspeaker could not be changed. ${message}`.trim()
          : deviceErrorText(field.kind, name, message),
      );
    }
  };
  const known = devices.filter(({ deviceId }) => deviceId !== '');
  const chosen = activeDeviceId === 'default' ? '' : activeDeviceId;
  return (
    <DeviceField
      label={field.label}
      kind={field.label}
      chosen={chosen}
      devices={known}
      disabled={known.length === 0}
      onChoose={(id) => void choose(id)}
    />
  );
}

function OwnLevel() {
  const { room } = useMeeting();
  const { microphoneTrack, isMicrophoneEnabled } = useLocalParticipant({ room });
  const media = microphoneTrack?.track?.mediaStreamTrack;
  const stream = useMemo(() => (media === undefined ? null : new MediaStream([media])), [media]);
  return <LevelMeter stream={stream} isMuted={!isMicrophoneEnabled} />;
}

export function SettingsPanel({
  onChange,
  onClose,
}: {
  onChange: (change: Partial<Choices>) => void;
  onClose: () => void;
}) {
  return (
    <Panel title="Settings" onClose={onClose}>
      {kFields
        .filter(({ media }) => media !== 'audiooutput' || canChooseSpeaker())
        .map((field) => (
          <Device key={field.media} field={field} onChange={onChange} />
        ))}
      <div className="settings_level">
        <OwnLevel />
      </div>
    </Panel>
  );
}
