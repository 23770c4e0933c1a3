// Before joining: name, camera and microphone, and what stands in the way.

import { isBrowserSupported, type LocalVideoTrack } from 'livekit-client';
import { useEffect, useId, useMemo, useRef, useState, type FormEvent } from 'react';
import { Icon } from '../ui/icons';
import { LevelMeter } from '../ui/level_meter';
import { kNameMaxChars, type Choices } from './choices';
import { DeviceField } from './device_field';
import { canCapture, canChooseSpeaker, useDevices } from './devices';
import type { NameRule } from './invitation';
import { usePreview, type Preview, type PreviewTracks } from './use_preview';
import type { JoinError } from './words';

interface Props {
  room: string;
  choices: Choices;
  nameRule: NameRule;
  mayCamera: boolean; // The invitation lets one send it.
  mayMicrophone: boolean;
  isInvited: boolean;
  isJoining: boolean;
  isRejoining: boolean; // Join at once, as before.
  error: JoinError | null;
  needsInvitation: boolean;
  onChange: (change: Partial<Choices>) => void;
  onJoin: (name: string, tracks: () => PreviewTracks) => void;
}

function SelfView({ track }: { track: LocalVideoTrack }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (element === null) return;
    track.attach(element);
    return () => {
      track.detach(element);
    };
  }, [track]);
  return <video ref={video} muted playsInline autoPlay className="is_mirrored" aria-label="Your camera" />;
}

interface ToggleProps {
  kind: 'camera' | 'microphone';
  isOn: boolean;
  isAllowed: boolean;
  onToggle: () => void;
}

function Toggle({ kind, isOn, isAllowed, onToggle }: ToggleProps) {
  const name = kind === 'camera' ? 'Camera' : 'Microphone';
  return (
    <button
      type="button"
      className={isOn ? 'control' : 'control is_off'}
      aria-pressed={isOn}
      aria-label={name}
      title={isAllowed ? `${name} ${isOn ? 'off' : 'on'}` : `${name}: your invitation does not allow it`}
      disabled={!isAllowed || !canCapture()}
      onClick={onToggle}
    >
      <Icon name={isOn ? kind : `${kind}_off`} />
    </button>
  );
}

type PictureProps = { preview: Preview } & Pick<
  Props,
  'choices' | 'mayCamera' | 'mayMicrophone' | 'onChange'
>;

function Picture({ preview, choices, mayCamera, mayMicrophone, onChange }: PictureProps) {
  const { camera, microphone, isAsking } = preview;
  const hasCamera = choices.hasCamera && mayCamera;
  const hasMicrophone = choices.hasMicrophone && mayMicrophone;
  // The meter measures the track as it is now: choosing another device makes another track.
  const media = microphone?.mediaStreamTrack;
  const sound = useMemo(() => (media === undefined ? null : new MediaStream([media])), [media]);
  return (
    <div className="lobby_preview">
      <div className="lobby_picture">
        {camera !== null && <SelfView track={camera} />}
        {camera === null && (
          <p>
            <Icon name={hasCamera ? 'camera' : 'camera_off'} />
            {isAsking ? 'The browser is asking…' : hasCamera ? 'No picture' : 'The camera is off'}
          </p>
        )}
      </div>
      <div className="lobby_toggles">
        <Toggle
          kind="microphone"
          isOn={hasMicrophone}
          isAllowed={mayMicrophone}
          onToggle={() => onChange({ hasMicrophone: !choices.hasMicrophone })}
        />
        <Toggle
          kind="camera"
          isOn={hasCamera}
          isAllowed={mayCamera}
          onToggle={() => onChange({ hasCamera: !choices.hasCamera })}
        />
        {hasMicrophone ? (
          <LevelMeter stream={sound} isMuted={false} />
        ) : (
          <p className="no_sound">The microphone is off</p>
        )}
      </div>
      {[preview.cameraError, preview.microphoneError]
        .filter((text) => text !== '')
        .map((text) => (
          <p key={text} className="notice" role="alert">
            {text}
          </p>
        ))}
    </div>
  );
}

function Trouble({ error, needsInvitation }: Pick<Props, 'error' | 'needsInvitation'>) {
  if (needsInvitation) {
    return (
      <div className="notice" role="alert">
        <p>
          <strong>You need an invitation.</strong> This server lets people in by a link that holds a token.
          Ask whoever invited you for one and open it here.
        </p>
      </div>
    );
  }
  if (error === null) return null;
  return (
    <div className="notice" role="alert">
      <p>{error.text}</p>
      {error.reason !== '' && <p className="hint">Reason: {error.reason}</p>}
    </div>
  );
}

function hintOf({ isInvited, mayCamera, mayMicrophone }: Props): string {
  if (!isInvited) return 'You can join without camera and microphone, and switch them on later.';
  const keep = 'Keep the link: you need it to come back.';
  if (mayCamera && mayMicrophone) return `You are invited. ${keep}`;
  if (mayCamera || mayMicrophone)
    return `You are invited, and can send your ${mayCamera ? 'picture' : 'sound'} alone. ${keep}`;
  return `You are invited to watch and to listen. ${keep}`;
}

export function Lobby(props: Props) {
  const {
    room,
    choices,
    nameRule,
    mayCamera,
    mayMicrophone,
    isJoining,
    isRejoining,
    error,
    needsInvitation,
    onChange,
    onJoin,
  } = props;
  const id = useId();
  const [name, setName] = useState(nameRule.name);
  const { devices, refresh } = useDevices();
  const preview = usePreview(
    choices.hasCamera && mayCamera && canCapture() ? choices.cameraId : null,
    choices.hasMicrophone && mayMicrophone && canCapture() ? choices.microphoneId : null,
    refresh,
  );
  const joinOnce = useRef(() => {
    if (isRejoining && name.trim() !== '') onJoin(name.trim(), preview.release);
  });
  useEffect(() => joinOnce.current(), []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = name.trim();
    if (given === '' || isJoining) return;
    if (!nameRule.isFixed) onChange({ name: given });
    onJoin(given, preview.release);
  };
  const hasTrouble = error !== null || needsInvitation;
  return (
    <div className="lobby">
      <div className="lobby_head">
        <h1>{room}</h1>
        <p>Meeting</p>
      </div>
      <div className="lobby_columns">
        <Picture
          preview={preview}
          choices={choices}
          mayCamera={mayCamera}
          mayMicrophone={mayMicrophone}
          onChange={onChange}
        />
        <form className="panel lobby_form" onSubmit={submit} aria-label="Join the meeting">
          <div className="field">
            <label htmlFor={id}>Your name</label>
            <input
              id={id}
              value={name}
              required
              maxLength={kNameMaxChars}
              autoComplete="name"
              readOnly={nameRule.isFixed}
              onChange={(event) => setName(event.target.value)}
              {...(nameRule.isFixed ? { 'aria-describedby': `${id}hint` } : {})}
            />
            {nameRule.isFixed && (
              <p className="hint" id={`${id}hint`}>
                As your invitation has it.
              </p>
            )}
          </div>
          <DeviceField
            label="Camera"
            kind="Camera"
            chosen={choices.cameraId}
            devices={devices.cameras}
            disabled={!mayCamera || !canCapture()}
            onChoose={(cameraId) => onChange({ cameraId, hasCamera: true })}
          />
          <DeviceField
            label="Microphone"
            kind="Microphone"
            chosen={choices.microphoneId}
            devices={devices.microphones}
            disabled={!mayMicrophone || !canCapture()}
            onChoose={(microphoneId) => onChange({ microphoneId, hasMicrophone: true })}
          />
          {canChooseSpeaker() && devices.speakers.length > 1 && (
            <DeviceField
              label="Loudspeaker"
              kind="Loudspeaker"
              chosen={choices.speakerId}
              devices={devices.speakers}
              onChoose={(speakerId) => onChange({ speakerId })}
            />
          )}
          {!canCapture() && (
            <p className="notice">
              This page came over plain HTTP, and browsers keep camera and microphone from such pages. Open it
              by HTTPS, or on the server’s own machine as <code>http://localhost</code>. You can listen and
              watch either way.
            </p>
          )}
          <Trouble error={error} needsInvitation={needsInvitation} />
          {!isBrowserSupported() && (
            <p className="notice" role="alert">
              This browser cannot join meetings: it has no WebRTC, or it is switched off.
            </p>
          )}
          <button
            type="submit"
            className="button"
            disabled={isJoining || name.trim() === '' || !isBrowserSupported()}
          >
            {isJoining ? 'Joining…' : hasTrouble ? 'Try again' : 'Join'}
          </button>
          <p className="hint" role="status">
            {isJoining ? 'Connecting…' : hintOf(props)}
          </p>
        </form>
      </div>
    </div>
  );
}
