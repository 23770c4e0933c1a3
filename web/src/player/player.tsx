import 'media-chrome/media-controller.js';
import 'media-chrome/media-control-bar.js';
import 'media-chrome/media-play-button.js';
import 'media-chrome/media-mute-button.js';
import 'media-chrome/media-volume-range.js';
import 'media-chrome/media-time-range.js';
import 'media-chrome/media-captions-button.js';
import 'media-chrome/media-pip-button.js';
import 'media-chrome/media-fullscreen-button.js';
import 'media-chrome/media-loading-indicator.js';
import './player.css';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore, type RefObject } from 'react';
import type { LiveChannel } from '../lib/api';
import { formatDelay } from '../lib/format';
import { lateScript } from '../lib/late_script';
import type { Way, Wish } from '../lib/delivery';
import { browserStore, readPreferences, writePreferences } from '../lib/preferences';
import type { Trouble } from '../rtc/link_keeper';
import type { LinkView } from '../rtc/rtc_link';
import type { SessionError } from '../rtc/session_client';
import { HelpDialog } from '../ui/help';
import { Icon } from '../ui/icons';
import { PosterArt } from '../ui/poster_art';
import { commandOf, keyHelp, type Command, type KeyPress } from './keys';
import type { PlayerEngine, PlayerView } from './engine';
import { SettingsMenu } from './menu';
import { RealtimePlayer, type RealtimeAnswer } from './realtime_player';
import { StatsPanel } from './stats_panel';
import { useStoryboard } from './use_storyboard';

interface Props {
  name: string;
  title: string;
  url: string;
  whepUrl: string;
  way: Way;
  wish: Wish;
  channel: LiveChannel | null;
  isInterrupted: boolean;
  isServerReachable: boolean;
  clockOffsetMs: () => number;
  onTrouble: () => void;
  onEnded: () => void;
  onTheatre: (isTheatre: boolean) => void;
  onWish: (wish: Wish) => void;
  onAnswer: (answer: RealtimeAnswer) => void;
  onLink: (link: LinkView) => void;
  onGiveUp: (trouble: Trouble, error: SessionError | null, link: LinkView) => void;
}

// hls.js is more than half of all scripts. Who watches in real time does not wait for it: it is fetched once
// there is a picture, should real time fail later.
const loadLivePlayer = async () => (await import('./live_player')).LivePlayer;

// The element stays when the way changes, and with it full screen and picture in picture.
function usePlayer(video: RefObject<HTMLVideoElement | null>, props: Props): PlayerEngine | null {
  const [player, setPlayer] = useState<PlayerEngine | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { way, wish } = props;
  const address = way === 'hls' ? props.url : props.whepUrl;
  useEffect(() => {
    if (video.current === null) return;
    const common = {
      clockOffsetMs: () => latest.current.clockOffsetMs(),
      isInterrupted: () => latest.current.isInterrupted,
      onTrouble: () => latest.current.onTrouble(),
    };
    let made: PlayerEngine | null = null;
    let isOver = false;
    const show = (engine: PlayerEngine) => setPlayer((made = engine));
    if (way === 'realtime') {
      const engine = new RealtimePlayer(video.current, {
        ...common,
        url: new URL(address, location.href).href,
        isPatient: latest.current.wish === 'realtime',
        onAnswer: (answer) => latest.current.onAnswer(answer),
        onLink: (link) => latest.current.onLink(link),
        onGiveUp: (trouble, error, link) => latest.current.onGiveUp(trouble, error, link),
      });
      show(engine);
      const prefetch = () => void loadLivePlayer().catch(() => undefined);
      video.current.addEventListener('playing', prefetch, { once: true });
    } else {
      void lateScript('hls', loadLivePlayer).then(
        (LivePlayer) => {
          if (isOver || video.current === null) return;
          const onEnded = () => latest.current.onEnded();
          show(new LivePlayer(video.current, { ...common, url: address, onEnded }));
        },
        () => undefined,
      );
    }
    return () => {
      isOver = true;
      setPlayer(null);
      made?.destroy();
    };
  }, [video, way, address]);
  useEffect(() => {
    if (player instanceof RealtimePlayer) player.setPatient(wish === 'realtime');
  }, [player, wish]);
  const isLive = props.channel?.state === 'live';
  useEffect(() => {
    if (player instanceof RealtimePlayer && isLive) player.retryNow();
  }, [player, isLive]);
  return player;
}

const kMediaButtons = ['play', 'mute', 'captions', 'pip', 'fullscreen'].map((name) => `media-${name}-button`);
const kButtons = ['button', 'a', 'summary', ...kMediaButtons].join(', ');

function focusOf(target: EventTarget | null): KeyPress['focus'] {
  const path = target instanceof Element ? target : null;
  if (path === null) return 'page';
  if (path.closest('input, textarea, select, [contenteditable]')) return 'text';
  if (path.closest('[role="menu"]')) return 'menu';
  if (path.closest('media-volume-range, media-time-range')) return 'range';
  if (path.closest(kButtons)) {
    return 'button';
  }
  return 'page';
}

function useKeys(run: (command: Command) => void): void {
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    const handle = (event: KeyboardEvent) => {
      if (document.querySelector('dialog[open]') !== null) return;
      const command = commandOf({
        key: event.key,
        hasModifier: event.ctrlKey || event.altKey || event.metaKey,
        focus: focusOf(event.target),
      });
      if (command === null || (event.repeat && command.kind !== 'seek' && command.kind !== 'volume')) return;
      event.preventDefault();
      latest.current(command);
    };
    document.addEventListener('keydown', handle);
    return () => document.removeEventListener('keydown', handle);
  }, []);
}

function LiveButton({ player, view }: { player: PlayerEngine; view: PlayerView }) {
  const isLive = view.isFollowing && view.status === 'playing' && view.hasFrame;
  const delay = formatDelay(view.delayS);
  return (
    <button
      type="button"
      className={isLive ? 'live_button is_live' : 'live_button'}
      onClick={() => player.goLive()}
      aria-label={isLive ? `Live, ${delay} behind` : `Go to live, ${delay} behind`}
      title={isLive ? 'Playing live' : 'Go to live'}
    >
      <span className="dot" aria-hidden="true" />
      Live
      <span className="delay">{delay}</span>
    </button>
  );
}

function Banner({ view, props }: { view: PlayerView; props: Props }) {
  let text = '';
  if (view.status === 'failed') text = '';
  else if (props.isInterrupted) text = 'The broadcast is interrupted. It goes on here as soon as it is back.';
  else if (!props.isServerReachable && view.status === 'stalled')
    text = 'The server cannot be reached. Trying again…';
  else if (view.status === 'stalled') text = 'Waiting for the stream…';
  return (
    <div className={text === '' ? 'banner is_empty' : 'banner'} role="status">
      {text !== '' && (
        <>
          <Icon name="away" />
          {text}
        </>
      )}
    </div>
  );
}

function Overlay({
  player,
  view,
  props,
}: {
  player: PlayerEngine | null;
  view: PlayerView | null;
  props: Props;
}) {
  const isCovered = view === null || !view.hasFrame || view.isAudioOnly;
  return (
    <>
      <div className={isCovered ? 'cover' : 'cover is_gone'} aria-hidden="true">
        <PosterArt
          name={props.name}
          title={props.title}
          url={isCovered ? (props.channel?.posterUrl ?? '') : ''}
        />
        {view?.isAudioOnly === true && <p className="cover_title">{props.title}</p>}
      </div>
      {view?.status === 'failed' && (
        <div className="failure" role="alert">
          <p>This browser cannot play the stream’s format.</p>
          <p>
            Another browser may:{' '}
            {[...new Set((props.channel?.tracks ?? []).map((t) => t.codecName))].join(', ')}
          </p>
        </div>
      )}
      {view?.needsPlay === true && (
        <button type="button" className="big_play" onClick={() => void player?.play()} aria-label="Play">
          <Icon name="play" />
        </button>
      )}
      {view?.needsUnmute === true && view.hasFrame && (
        <button type="button" className="unmute" onClick={() => player?.unmute()}>
          <Icon name="sound_off" />
          Turn sound on
        </button>
      )}
    </>
  );
}

const kNoSubscription = () => () => {};

export function Player(props: Props) {
  const { onTheatre } = props;
  const video = useRef<HTMLVideoElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const player = usePlayer(video, props);
  const view = useSyncExternalStore(player?.subscribe ?? kNoSubscription, () => player?.getView() ?? null);
  useStoryboard(player, props.channel?.storyboardUrl ?? '');
  const [isTheatre, setTheatre] = useState(() => readPreferences(browserStore()).isTheatre);
  const [hasStatistics, setStatistics] = useState(false);
  const [hasMenu, setMenu] = useState(false);
  const [hasHelp, setHelp] = useState(false);
  const closeMenu = useCallback(() => setMenu(false), []);

  useEffect(() => {
    onTheatre(isTheatre);
    writePreferences(browserStore(), { isTheatre });
  }, [isTheatre, onTheatre]);

  useEffect(() => {
    if (!('mediaSession' in navigator)) return;
    navigator.mediaSession.metadata = new MediaMetadata({ title: props.title, artist: 'Live' });
    return () => {
      navigator.mediaSession.metadata = null;
    };
  }, [props.title]);

  const press = (element: string) => stage.current?.querySelector<HTMLElement>(element)?.click();
  useKeys((command) => {
    switch (command.kind) {
      case 'toggle_play':
        return player?.togglePlay();
      case 'toggle_mute':
        return player?.toggleMute();
      case 'toggle_fullscreen':
        return press('media-fullscreen-button');
      case 'toggle_pip':
        return press('media-pip-button');
      case 'toggle_captions':
        return press('media-captions-button');
      case 'toggle_theatre':
        return setTheatre((was) => !was);
      case 'toggle_statistics':
        return setStatistics((was) => !was);
      case 'toggle_realtime':
        return props.onWish(props.way === 'realtime' ? 'hls' : 'realtime');
      case 'toggle_help':
        return setHelp((was) => !was);
      case 'go_live':
        return player?.goLive();
      case 'seek':
        return player?.seekBy(command.byS);
      case 'volume':
        return player?.changeVolume(command.by);
    }
  });

  // Sound alone leaves nothing to look at that controls could cover.
  const stay = view?.isAudioOnly === true ? '' : undefined;
  return (
    <div className="stage" id="stage" ref={stage}>
      <media-controller
        nohotkeys=""
        noautoseektolive=""
        defaultstreamtype="live"
        fullscreenelement="stage"
        autohide={hasMenu ? '-1' : '3'}
        aria-label={`Player: ${props.title}`}
      >
        <video ref={video} slot="media" playsInline crossOrigin="anonymous" aria-label={props.title} />
        {view?.needsPlay !== true && view?.status !== 'failed' && (
          <media-loading-indicator slot="centered-chrome" noautohide="" loadingdelay="300" />
        )}
        <div className="shade" aria-hidden="true" {...{ noautohide: stay }} />
        {view?.canSeek !== false && (
          <media-time-range noautohide={stay} aria-label="Position in the live window" />
        )}
        <media-control-bar noautohide={stay}>
          <media-play-button notooltip="" />
          <media-mute-button notooltip="" />
          <media-volume-range aria-label="Volume" />
          {player !== null && view !== null && <LiveButton player={player} view={view} />}
          <span className="spacer" />
          <media-captions-button notooltip="" />
          <button
            type="button"
            className="control"
            aria-pressed={hasStatistics}
            aria-label="Statistics"
            title="Statistics (s)"
            onClick={() => setStatistics((was) => !was)}
          >
            <Icon name="statistics" />
          </button>
          <button
            type="button"
            className="control"
            aria-haspopup="menu"
            aria-expanded={hasMenu}
            aria-label="Delivery, quality and sound"
            title="Delivery, quality and sound"
            onClick={() => setMenu((was) => !was)}
          >
            <Icon name="settings" />
          </button>
          <button
            type="button"
            className="control wide_only"
            aria-label="Keyboard overview"
            title="Keyboard (?)"
            onClick={() => setHelp(true)}
          >
            <Icon name="help" />
          </button>
          <button
            type="button"
            className="control wide_only"
            aria-pressed={isTheatre}
            aria-label="Wide view"
            title="Wide view (t)"
            onClick={() => setTheatre((was) => !was)}
          >
            <Icon name="theatre" />
          </button>
          <media-pip-button notooltip="" />
          <media-fullscreen-button notooltip="" />
        </media-control-bar>
      </media-controller>
      <Overlay player={player} view={view} props={props} />
      {view !== null && <Banner view={view} props={props} />}
      {player !== null && hasStatistics && (
        <StatsPanel player={player} channel={props.channel} onClose={() => setStatistics(false)} />
      )}
      {player !== null && view !== null && hasMenu && (
        <SettingsMenu
          player={player}
          view={view}
          way={props.way}
          wish={props.wish}
          onWish={props.onWish}
          onClose={closeMenu}
        />
      )}
      {hasHelp && <HelpDialog keyHelp={keyHelp} onClose={() => setHelp(false)} />}
    </div>
  );
}
