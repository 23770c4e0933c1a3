import { useId } from 'react';

interface Props {
  label: string;
  kind: string; // For devices without a name: "Camera 2".
  chosen: string;
  devices: readonly MediaDeviceInfo[];
  disabled?: boolean;
  onChoose: (id: string) => void;
}

// The devices of one kind, and the one that was chosen though it is not among them: gone, or not named before
// the browser has given permission.
export function DeviceField({ label, kind, chosen, devices, disabled = false, onChoose }: Props) {
  const id = useId();
  const isKnown = chosen === '' || devices.some(({ deviceId }) => deviceId === chosen);
  const hasDefault = devices.some(({ deviceId }) => deviceId === 'default');
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={chosen === '' && hasDefault ? 'default' : chosen}
        disabled={disabled}
        onChange={(event) => onChoose(event.target.value)}
      >
        {!hasDefault && <option value="">The browser’s choice</option>}
        {!isKnown && (
          <option value={chosen}>As chosen before{devices.length === 0 ? '' : ' (not there now)'}</option>
        )}
        {devices.map((device, i) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${kind} ${i + 1}`}
          </option>
        ))}
      </select>
    </div>
  );
}
