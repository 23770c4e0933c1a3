// The studio: preview, what is sent, go live, health, and the way with another encoder.

import { useCallback, useEffect, useRef, useState, type FormEvent } from 'react';
import { formatUptime } from '../lib/format';
import { browserStore } from '../lib/preferences';
import { linkWords, phaseWords } from '../rtc/words';
import { endpointsText } from '../rtc/sdp';
import { Icon } from '../ui/icons';
import { browserCodecs, canCapture, forgottenWords, type TrackKind } from './capture';
import { EncoderPanel } from './encoder_panel';
import { HealthPanel } from './health_panel';
import { LevelMeter } from '../ui/level_meter';
import { OnAir } from './on_air';
import { parseSettings, sendableCodecs, type StudioSettings } from './settings';
import { SettingsPanel } from './settings_panel';
import { readStreamKey, writeStreamKey } from './stream_key';
import { useBroadcast, type Broadcast } from './use_broadcast';
import { useCapture, type Capture } from './use_capture';

const kSettingsKey = 'stoa.studio';

function useSettings() {
  const [settings, setSettings] = useState(() => {
    const sendable = sendableCodecs(browserCodecs());
    try {
      return parseSettings(browserStore()?.getItem(kSettingsKey) ?? null, sendable);
    } catch {
      return parseSettings(null);
    }
  });
  const keep = useCallback((next: StudioSettings) => {
    setSettings(next);
    try {
      browserStore()?.setItem(kSettingsKey, JSON.stringify(next));
    } catch {
      // A full or forbidden store costs a remembered choice, nothing else.
    }
  }, []);
  return [settings, keep] as const;
}

// Nobody goes off air by a slip: leaving asks first.
function useStayGuard(isRunning: boolean): void {
  useEffect(() => {
    if (!isRunning) return;
    const aborter = new AbortController();
    const { signal } = aborter;
    window.addEventListener('beforeunload', (event) => event.preventDefault(), { signal });
    document.addEventListener(
      'click',
      (event) => {
        const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
        if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.origin !== location.origin) return;
        if (link.hash !== '' && link.pathname === location.pathname) return;
        if (!window.confirm('You are live. Leave the studio and end the broadcast?')) event.preventDefault();
      },
      { signal, capture: true },
    );
    return () => aborter.abort();
  }, [isRunning]);
}

function Clock({ sinceMs }: { sinceMs: number }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return <>{formatUptime((now - sinceMs) / 1000)}</>;
}

function LiveBadge({ broadcast }: { broadcast: Broadcast }) {
  const { link, isRunning, liveSinceMs } = broadcast;
  if (!isRunning || link === null) return <span className="badge">Off air</span>;
  if (link.phase === 'up') {
    return (
      <span className="badge live">
        Live{liveSinceMs !== null && <>{' '}<Clock sinceMs={liveSinceMs} /></>}
      </span>
    );
  }
  return <span className="badge interrupted">{liveSinceMs === null ? 'Connecting' : 'Reconnecting'}</span>;
}

function Preview({
  capture,
  settings,
  broadcast,
  isHidden,
  onStart,
}: {
  capture: Capture;
  settings: StudioSettings;
  broadcast: Broadcast;
  isHidden: boolean;
  onStart: () => void;
}) {
  const video = useRef<HTMLVideoElement>(null);
  const { stream } = capture;
  useEffect(() => {
    if (video.current === null) return;
    video.current.srcObject = stream;
    if (stream !== null) void video.current.play().catch(() => undefined);
  }, [stream]);
  const isCamera = settings.source === 'camera';
  return (
    <div className="stage studio_stage">
      <video
        ref={video}
        muted
        playsInline
        className={isCamera ? 'is_mirrored' : undefined}
        aria-label="Preview of what is sent"
      />
      <div className="studio_badges">
        <LiveBadge broadcast={broadcast} />
      </div>
      {stream !== null && isHidden && <p className="studio_hidden">The camera is off</p>}
      {stream === null && (
        <div className="studio_empty">
          <Icon name={isCamera ? 'camera' : 'screen'} />
          <button type="button" className="button" disabled={!canCapture() || capture.isAsking} onClick={onStart}>
            {isCamera ? 'Start the camera' : 'Choose a screen'}
          </button>
          {capture.isAsking && <p>The browser is asking…</p>}
        </div>
      )}
    </div>
  );
}

// A sentence about the session, announced as it changes; the countdown is not part of what is announced.
function SessionText({ broadcast, notice }: { broadcast: Broadcast; notice: string }) {
  const { link, isRunning } = broadcast;
  const [now, setNow] = useState(() => performance.now());
  const nextTryMs = link?.nextTryMs ?? null;
  useEffect(() => {
    setNow(performance.now());
    if (nextTryMs === null) return;
    const timer = window.setInterval(() => setNow(performance.now()), 500);
    return () => window.clearInterval(timer);
  }, [nextTryMs]);
  const words = link === null || link.phase === 'closed' ? '' : linkWords(link, 'publisher', endpointsText(link.endpoints));
  const phase = link !== null && isRunning && link.phase !== 'up' && words === '' ? phaseWords[link.phase] : '';
  const waitS = nextTryMs === null || !isRunning ? 0 : Math.ceil((nextTryMs - now) / 1000);
  const text = [notice, phase, words].filter((part) => part !== '').join(' ');
  return (
    <div className={words === '' ? 'session_text' : 'session_text is_trouble'}>
      <p role="status">{text}</p>
      {waitS > 0 && (
        <p>
          Next try in {waitS} s.{' '}
          <button type="button" className="link_button" onClick={broadcast.retryNow}>
            Try now
          </button>
        </p>
      )}
    </div>
  );
}

function NotSecure() {
  return (
    <div className="notice" role="alert">
      <p>
        <strong>This page came over plain HTTP, and browsers keep camera and screen from such pages.</strong> Open
        it by HTTPS, or on the server’s own machine as <code>http://localhost</code>. An encoder such as OBS works
        either way.
      </p>
    </div>
  );
}

export function Studio({ name }: { name: string }) {
  const [settings, keepSettings] = useSettings();
  const [key, setKey] = useState(() => readStreamKey(name));
  const [notice, setNotice] = useState('');
  const [isMuted, setMuted] = useState(false);
  const [isHidden, setHidden] = useState(false);
  const keyField = useRef<HTMLInputElement>(null);
  const endedRef = useRef((_: TrackKind) => {});
  const capture = useCapture({
    onEnded: (kind) => endedRef.current(kind),
    onForgotten: (forgotten) => {
      keepSettings({ ...settings, ...forgotten });
      setNotice(forgottenWords(forgotten));
    },
  });
  const { stream } = capture;
  const broadcast = useBroadcast(name, stream);
  const { isRunning, link, stats } = broadcast;
  useStayGuard(isRunning);

  endedRef.current = (kind) => {
    if (kind === 'audio') {
      const goesOn = isRunning ? ', and the broadcast goes on without it' : '';
      setNotice(`The sound is gone${goesOn}. Plug the microphone in again, or choose another.`);
      return;
    }
    if (settings.source === 'screen') {
      setNotice(isRunning ? 'Sharing the screen has ended, and the broadcast with it.' : '');
      broadcast.stop();
    } else {
      setNotice('The camera is gone. Plug it in again, or choose another.');
    }
    capture.stop();
  };

  // Where the browser was allowed before, the preview is there at once.
  const { start } = capture;
  const first = useRef(settings);
  useEffect(() => {
    if (!canCapture() || first.current.source !== 'camera') return;
    let isGone = false;
    navigator.permissions
      ?.query({ name: 'camera' as PermissionName })
      .then(({ state }) => {
        if (!isGone && state === 'granted') void start(first.current);
      })
      .catch(() => undefined);
    return () => {
      isGone = true;
    };
  }, [start]);

  useEffect(() => {
    stream?.getAudioTracks().forEach((track) => (track.enabled = !isMuted));
    stream?.getVideoTracks().forEach((track) => (track.enabled = !isHidden));
  }, [stream, isMuted, isHidden]);

  useEffect(() => {
    document.title = `${isRunning ? '● ' : ''}${name}, studio – Stoa`;
  }, [name, isRunning]);

  const change = (changed: Partial<StudioSettings>) => {
    const next = { ...settings, ...changed };
    keepSettings(next);
    setNotice('');
    const isCapture = ['source', 'size', 'frameRate', 'sound', 'cameraId', 'microphoneId'].some(
      (field) => field in changed,
    );
    // Off air nothing is opened before it is asked for; on air a source that is gone is replaced.
    if (!isCapture || (stream === null && !isRunning)) return;
    const isSoundAlone = Object.keys(changed).join() === 'microphoneId';
    // A shared screen that brings its own sound has no other.
    const mayChangeSound = stream !== null && (next.source === 'camera' || capture.isSoundLost);
    void (isSoundAlone && mayChangeSound ? capture.startSound(next) : capture.start(next));
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setNotice('');
    if (isRunning) {
      broadcast.stop();
      return;
    }
    if (key.trim() === '') {
      setNotice('Enter the stream key of this channel first.');
      keyField.current?.focus();
      return;
    }
    if (stream !== null) broadcast.start(key.trim(), stream, settings);
  };

  const hasVideo = (stream?.getVideoTracks().length ?? 0) > 0;
  return (
    <div className="studio">
      <div className="studio_head">
        <h1>{name}</h1>
        <p>Studio</p>
      </div>
      {!canCapture() && <NotSecure />}
      <div className="studio_columns">
        <div className="studio_main">
          <Preview
            capture={capture}
            settings={settings}
            broadcast={broadcast}
            isHidden={isHidden}
            onStart={() => void capture.start(settings)}
          />
          {capture.error !== '' && (
            <p className="notice" role="alert">
              {capture.error}
            </p>
          )}
          <div className="studio_controls">
            <button
              type="button"
              className="icon_button"
              aria-pressed={isMuted}
              aria-label="Mute the microphone"
              title={isMuted ? 'Unmute' : 'Mute'}
              disabled={stream === null || stream.getAudioTracks().length === 0}
              onClick={() => setMuted((was) => !was)}
            >
              <Icon name={isMuted ? 'microphone_off' : 'microphone'} />
            </button>
            <button
              type="button"
              className="icon_button"
              aria-pressed={isHidden}
              aria-label="Hide the picture"
              title={isHidden ? 'Show the picture' : 'Hide the picture'}
              disabled={!hasVideo}
              onClick={() => setHidden((was) => !was)}
            >
              <Icon name={isHidden ? 'camera_off' : 'camera'} />
            </button>
            {capture.isSoundLost && settings.microphoneId !== 'none' ? (
              <button type="button" className="link_button" onClick={() => change({ microphoneId: settings.microphoneId })}>
                Start the microphone again
              </button>
            ) : (
              <LevelMeter stream={stream} isMuted={isMuted} />
            )}
          </div>
          <form className="go_live_form" onSubmit={submit} autoComplete="off">
            <label className="field">
              <span>Stream key</span>
              <input
                ref={keyField}
                type="password"
                value={key}
                disabled={isRunning}
                autoComplete="off"
                spellCheck={false}
                data-1p-ignore=""
                data-lpignore="true"
                onChange={(event) => {
                  setKey(event.target.value);
                  writeStreamKey(name, event.target.value.trim());
                }}
              />
            </label>
            <button
              type="submit"
              className={isRunning ? 'button stop' : 'button'}
              disabled={!isRunning && stream === null}
            >
              {isRunning ? 'Stop' : link?.trouble === 'ended' ? 'Go live again' : 'Go live'}
            </button>
          </form>
          <p className="hint">
            Kept in this tab alone, until it is closed. On a server started with <code>--dev</code> the key is the
            channel’s name.
          </p>
          <SessionText broadcast={broadcast} notice={notice} />
          {isRunning && broadcast.liveSinceMs !== null && <OnAir name={name} />}
        </div>
        <SettingsPanel
          settings={settings}
          devices={capture.devices}
          isLive={isRunning}
          onChange={change}
        />
      </div>
      {isRunning && link !== null && stats !== null && (
        <HealthPanel link={link} stats={stats} hasVideo={hasVideo && !isHidden} />
      )}
      <EncoderPanel channel={name} streamKey={key.trim()} />
    </div>
  );
}
