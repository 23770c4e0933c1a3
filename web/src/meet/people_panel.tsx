import { useConnectionQualityIndicator, useIsSpeaking, useParticipants } from '@livekit/components-react';
import { Track, type Participant } from 'livekit-client';
import { useState } from 'react';
import { CopyButton } from '../ui/copy_button';
import { Icon, type IconName } from '../ui/icons';
import { useMeeting } from './meeting_context';
import { muteTrack, removeParticipant } from './moderation';
import { Panel } from './panel';
import { handsOf, hueOf, initials, labelOf, nameOf } from './people';
import { QualityIcon } from './quality_icon';

const kShownMax = 250; // Rows; the field above finds the others.
const kFindFrom = 12; // People from whom on there is a field for finding.

const isOn = (participant: Participant, source: Track.Source): boolean => {
  const publication = participant.getTrackPublication(source);
  return publication !== undefined && !publication.isMuted;
};

function HostButton({
  icon,
  label,
  onPress,
}: {
  icon: IconName;
  label: string;
  onPress: () => Promise<string>;
}) {
  const { notify } = useMeeting();
  const [isBusy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    const refusal = await onPress();
    setBusy(false);
    if (refusal !== '') notify(refusal);
  };
  return (
    <button
      type="button"
      className="icon_button"
      aria-label={label}
      title={label}
      disabled={isBusy}
      onClick={() => void press()}
    >
      <Icon name={icon} />
    </button>
  );
}

const kMutable: { source: Track.Source; icon: IconName; what: string }[] = [
  { source: Track.Source.Microphone, icon: 'microphone_off', what: 'microphone' },
  { source: Track.Source.Camera, icon: 'camera_off', what: 'camera' },
  { source: Track.Source.ScreenShare, icon: 'screen', what: 'screen' },
];

function HostActions({ participant }: { participant: Participant }) {
  const { roomName, token } = useMeeting();
  const name = nameOf(participant);
  const { identity } = participant;
  return (
    <div className="host_actions" role="group" aria-label={`Actions on ${name}`}>
      {kMutable
        .filter(({ source }) => isOn(participant, source))
        .map(({ source, icon, what }) => (
          <HostButton
            key={what}
            icon={icon}
            label={`Mute ${what} of ${name}`}
            onPress={() => {
              const sid = participant.getTrackPublication(source)?.trackSid ?? '';
              return sid === '' ? Promise.resolve('') : muteTrack(roomName, identity, sid, token);
            }}
          />
        ))}
      <HostButton
        icon="remove"
        label={`Remove ${name}`}
        onPress={() =>
          window.confirm(`Remove ${name} from the room?`)
            ? removeParticipant(roomName, identity, token)
            : Promise.resolve('')
        }
      />
    </div>
  );
}

function Row({ participant, handPlace }: { participant: Participant; handPlace: number }) {
  const { isHost } = useMeeting();
  const isSpeaking = useIsSpeaking(participant);
  const { quality } = useConnectionQualityIndicator({ participant });
  const hasSound = isOn(participant, Track.Source.Microphone);
  const hasPicture = isOn(participant, Track.Source.Camera);
  return (
    <li className={isSpeaking ? 'person is_speaking' : 'person'} aria-label={labelOf(participant)}>
      <span
        className="avatar"
        style={{ '--hue': hueOf(participant) } as React.CSSProperties}
        aria-hidden="true"
      >
        <span>{initials(participant)}</span>
      </span>
      <span className="person_name">{labelOf(participant)}</span>
      {handPlace > 0 && (
        <span className="tile_hand">
          <Icon name="hand" />
          <span className="visually_hidden">Hand raised, place </span>
          {handPlace}
        </span>
      )}
      {isOn(participant, Track.Source.ScreenShare) && (
        <span title="Shares a screen">
          <Icon name="screen" />
          <span className="visually_hidden">Shares a screen</span>
        </span>
      )}
      <span title={hasSound ? 'Microphone on' : 'Microphone off'} className={hasSound ? undefined : 'is_off'}>
        <Icon name={hasSound ? 'microphone' : 'microphone_off'} />
        <span className="visually_hidden">{hasSound ? 'Microphone on' : 'Microphone off'}</span>
      </span>
      <span title={hasPicture ? 'Camera on' : 'Camera off'} className={hasPicture ? undefined : 'is_off'}>
        <Icon name={hasPicture ? 'camera' : 'camera_off'} />
        <span className="visually_hidden">{hasPicture ? 'Camera on' : 'Camera off'}</span>
      </span>
      <QualityIcon quality={quality} />
      {isHost && !participant.isLocal && <HostActions participant={participant} />}
    </li>
  );
}

export function PeoplePanel({ onClose }: { onClose: () => void }) {
  const { room, roomName } = useMeeting();
  const [wanted, setWanted] = useState('');
  const people = useParticipants({ room });
  const hands = handsOf(people);
  const placeOf = ({ identity }: Participant) => hands.indexOf(identity) + 1;
  // Raised hands first, in their order; then oneself, then the others as they came.
  const sorted = [...people].sort((a, b) => (placeOf(a) || Infinity) - (placeOf(b) || Infinity) || 0);
  const found = sorted.filter((one) =>
    nameOf(one).toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()),
  );
  const more = found.length - kShownMax;
  return (
    <Panel title="People" onClose={onClose}>
      <p className="hint">
        {people.length === 1 ? 'Only you are here.' : `${people.length} people are here.`}
        {hands.length > 0 && ` ${hands.length === 1 ? 'One hand is' : `${hands.length} hands are`} up.`}
      </p>
      {people.length >= kFindFrom && (
        <input
          aria-label="Find a person"
          placeholder="Find a person"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
      )}
      <ul className="people" aria-label="People">
        {found.slice(0, kShownMax).map((participant) => (
          <Row key={participant.identity} participant={participant} handPlace={placeOf(participant)} />
        ))}
        {found.length === 0 && <li className="hint">Nobody has this name.</li>}
        {more > 0 && <li className="hint">and {more} more</li>}
      </ul>
      <CopyButton
        text={`${location.origin}/meet/${roomName}`}
        label="Copy the address of this meeting"
        icon="link"
      >
        Copy the address
      </CopyButton>
    </Panel>
  );
}
