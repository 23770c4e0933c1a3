import { useId, type ReactNode } from 'react';
import { formatBitrate } from '../lib/format';
import { browserCodecs, canShareScreen, type Devices } from './capture';
import {
  bitrateOf,
  bitrates,
  codecChoices,
  frameRates,
  sendableCodecs,
  sizes,
  type CodecWish,
  type SoundKind,
  type StudioSettings,
} from './settings';

interface Props {
  settings: StudioSettings;
  devices: Devices;
  isLive: boolean;
  onChange: (change: Partial<StudioSettings>) => void;
}

function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  );
}

const nameOf = (device: MediaDeviceInfo, i: number, kind: string): string => device.label || `${kind} ${i + 1}`;

// The devices of one kind, and the one that was chosen though it is not among them: gone, or not named before
// the browser has given permission.
function DeviceOptions({ kind, chosen, devices }: { kind: string; chosen: string; devices: MediaDeviceInfo[] }) {
  const isKnown = ['', 'none'].includes(chosen) || devices.some(({ deviceId }) => deviceId === chosen);
  return (
    <>
      <option value="">The browser’s choice</option>
      {!isKnown && (
        <option value={chosen}>{devices.length === 0 ? 'As chosen before' : 'As chosen before (not there now)'}</option>
      )}
      {devices.map((device, i) => (
        <option key={device.deviceId} value={device.deviceId}>
          {nameOf(device, i, kind)}
        </option>
      ))}
    </>
  );
}

function DeviceFields({ settings, devices, onChange }: Props) {
  return (
    <>
      {settings.source === 'camera' && (
        <Field label="Camera">
          {(id) => (
            <select
              id={id}
              value={settings.cameraId}
              onChange={(event) => onChange({ cameraId: event.target.value })}
            >
              <DeviceOptions kind="Camera" chosen={settings.cameraId} devices={devices.cameras} />
            </select>
          )}
        </Field>
      )}
      <Field label="Microphone">
        {(id) => (
          <select
            id={id}
            value={settings.microphoneId}
            onChange={(event) => onChange({ microphoneId: event.target.value })}
          >
            <DeviceOptions kind="Microphone" chosen={settings.microphoneId} devices={devices.microphones} />
            <option value="none">No microphone</option>
          </select>
        )}
      </Field>
    </>
  );
}

export function SettingsPanel(props: Props) {
  const { settings, isLive, onChange } = props;
  const codecs = sendableCodecs(browserCodecs());
  return (
    <section className="panel studio_settings" aria-label="What is sent">
      <div className="segments" role="radiogroup" aria-label="Source">
        {(['camera', 'screen'] as const).map((source) => (
          <label key={source}>
            <input
              type="radio"
              name="source"
              checked={settings.source === source}
              disabled={source === 'screen' && !canShareScreen()}
              onChange={() => onChange({ source })}
            />
            <span>{source === 'camera' ? 'Camera' : 'Screen'}</span>
          </label>
        ))}
      </div>
      <DeviceFields {...props} />
      <Field label="Sound">
        {(id) => (
          <select
            id={id}
            value={settings.sound}
            disabled={isLive}
            onChange={(event) => onChange({ sound: event.target.value as SoundKind })}
          >
            <option value="voice">Voice: without echo and noise</option>
            <option value="music">Music: as it is, stereo</option>
          </select>
        )}
      </Field>
      <div className="field_pair">
        <Field label="Size">
          {(id) => (
            <select
              id={id}
              value={settings.size}
              disabled={isLive}
              onChange={(event) => onChange({ size: event.target.value })}
            >
              {sizes.map((size) => (
                <option key={size.id} value={size.id}>
                  {size.label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Frames a second">
          {(id) => (
            <select
              id={id}
              value={settings.frameRate}
              disabled={isLive}
              onChange={(event) => onChange({ frameRate: Number(event.target.value) })}
            >
              {frameRates.map((rate) => (
                <option key={rate} value={rate}>
                  {rate}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <Field label="Bitrate">
        {(id) => (
          <select
            id={id}
            value={settings.bitrate ?? ''}
            disabled={isLive}
            onChange={(event) =>
              onChange({ bitrate: event.target.value === '' ? null : Number(event.target.value) })
            }
          >
            <option value="">Automatic ({formatBitrate(bitrateOf({ ...settings, bitrate: null }))})</option>
            {bitrates.map((bitrate) => (
              <option key={bitrate} value={bitrate}>
                {formatBitrate(bitrate)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Codec">
        {(id) => (
          <select
            id={id}
            value={settings.codec}
            disabled={isLive}
            onChange={(event) => onChange({ codec: event.target.value as CodecWish })}
          >
            {codecChoices
              .filter(({ id: codec }) => codecs.includes(codec))
              .map(({ id: codec, label }) => (
                <option key={codec} value={codec}>
                  {label}
                </option>
              ))}
          </select>
        )}
      </Field>
      <label className="check">
        <input
          type="checkbox"
          checked={settings.hasSimulcast}
          disabled={isLive}
          onChange={(event) => onChange({ hasSimulcast: event.target.checked })}
        />
        <span>
          Simulcast
          <small>Up to three sizes at once, so that each viewer gets what the line allows</small>
        </span>
      </label>
      {isLive && <p className="hint">Size, bitrate, codec and layers can be changed when you are off air.</p>}
    </section>
  );
}
