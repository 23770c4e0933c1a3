// The bar below: one's own media, the panels, leaving.

import { Icon, type IconName } from '../ui/icons';
import type { OwnMedia, Switch } from './use_own_media';

export type PanelName = 'chat' | 'people' | 'statistics' | 'settings';

interface Props {
  own: OwnMedia;
  panel: PanelName | null;
  unread: number;
  people: number;
  hands: number;
  onPanel: (panel: PanelName) => void;
  onLeave: () => void;
}

interface ControlProps {
  label: string;
  icon: IconName;
  keyName: string;
  isPressed: boolean;
  tone?: 'off' | 'active' | undefined;
  disabled?: boolean;
  hint?: string; // In place of the key, on disabled ones.
  count?: number;
  countLabel?: string;
  isUrgent?: boolean;
  className?: string;
  onPress: () => void;
}

function Control(props: ControlProps) {
  const {
    label,
    icon,
    keyName,
    isPressed,
    tone,
    disabled = false,
    hint = '',
    count = 0,
    countLabel,
    isUrgent = false,
    className = '',
    onPress,
  } = props;
  return (
    <button
      type="button"
      className={`control ${tone === undefined ? '' : `is_${tone}`} ${className}`.trim()}
      aria-pressed={isPressed}
      aria-label={label}
      title={hint === '' ? `${label} (${keyName})` : `${label}: ${hint}`}
      disabled={disabled}
      onClick={onPress}
      {...(count > 0 && countLabel !== undefined ? { 'aria-description': countLabel } : {})}
    >
      <Icon name={icon} />
      <span className="control_text" aria-hidden="true">
        {label}
      </span>
      {count > 0 && (
        <span className={`control_count ${isUrgent ? 'is_urgent' : ''}`.trim()} aria-hidden="true">
          {count > 99 ? '99+' : count}
        </span>
      )}
    </button>
  );
}

const offTone = ({ isOn }: Switch) => (isOn ? undefined : ('off' as const));
const activeTone = ({ isOn }: Switch) => (isOn ? ('active' as const) : undefined);

export function Controls({ own, panel, unread, people, hands, onPanel, onLeave }: Props) {
  const common = ({ isOn, isBusy, obstacle, toggle }: Switch) => ({
    isPressed: isOn,
    disabled: isBusy || obstacle !== '',
    hint: obstacle,
    onPress: toggle,
  });
  const { microphone, camera, screen, hand } = own;
  return (
    <div className="controls" role="group" aria-label="Meeting controls">
      <div className="controls_group">
        <Control
          label="Microphone"
          keyName="M"
          icon={microphone.isOn ? 'microphone' : 'microphone_off'}
          tone={offTone(microphone)}
          {...common(microphone)}
        />
        <Control
          label="Camera"
          keyName="V"
          icon={camera.isOn ? 'camera' : 'camera_off'}
          tone={offTone(camera)}
          {...common(camera)}
        />
        <Control
          label="Share screen"
          keyName="S"
          icon="screen"
          tone={activeTone(screen)}
          className={screen.obstacle === '' ? '' : 'is_spare'}
          {...common(screen)}
        />
        <Control label="Raise hand" keyName="H" icon="hand" tone={activeTone(hand)} {...common(hand)} />
      </div>
      <div className="controls_group">
        <Control
          label="Chat"
          keyName="C"
          icon="chat"
          isPressed={panel === 'chat'}
          count={unread}
          countLabel={`${unread} new`}
          onPress={() => onPanel('chat')}
        />
        <Control
          label="People"
          keyName="P"
          icon="people"
          isPressed={panel === 'people'}
          count={hands > 0 ? hands : people}
          countLabel={hands > 0 ? `${people} people, ${hands} raised` : `${people} people`}
          isUrgent={hands > 0}
          onPress={() => onPanel('people')}
        />
      </div>
      <button type="button" className="control is_leave" aria-label="Leave" title="Leave" onClick={onLeave}>
        <Icon name="leave" />
        <span className="control_text" aria-hidden="true">
          Leave
        </span>
      </button>
    </div>
  );
}
