import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import { fetchChannel, hlsUrlOf, whepUrlOf, type LiveChannel } from '../lib/api';
import { Backoff } from '../lib/backoff';
import { ServerClock } from '../lib/clock';
import { formatBitrate, formatChannels, formatResolution, formatUptime, formatViewers } from '../lib/format';
import { knownChannel } from '../lib/known_channels';
import { Poller } from '../lib/poller';
import { studioPath } from '../lib/route';
import {
  hasPlayer,
  initialWatchState,
  isOnAir,
  pollWaitMs,
  reduceWatch,
  type Phase,
  type WatchState,
} from '../lib/watch_state';
import { Player } from '../player/player';
import { useDelivery } from '../player/use_delivery';
import { DeliverySwitch } from '../player/delivery_switch';
import { CopyButton } from '../ui/copy_button';
import { Icon } from '../ui/icons';
import { PosterArt } from '../ui/poster_art';

const kWaiting = { firstMs: 1000, factor: 1.4, ceilingMs: 4000, jitter: 0.2 };
const kEndingMs = 5000; // How long a player may go on with what it has after the channel ended.
const kRealtimeEndingMs = 500; // Real time has nothing in store.

function useChannel(name: string) {
  const [state, dispatch] = useReducer(reduceWatch, null, () => initialWatchState(knownChannel(name)));
  const [clock] = useState(() => new ServerClock());
  const latest = useRef<WatchState>(state);
  latest.current = state;
  const poller = useRef<Poller | null>(null);

  useEffect(() => {
    const backoff = new Backoff(kWaiting);
    const made = new Poller(async (signal) => {
      const answer = await fetchChannel(name, signal, (date, sent, received) =>
        clock.observe(date, sent, received),
      );
      const next = reduceWatch(latest.current, answer);
      if (isOnAir(next.phase)) backoff.reset();
      dispatch(answer);
      return next.isServerReachable ? pollWaitMs(next.phase, backoff.next()) : backoff.next();
    });
    poller.current = made;
    made.start();
    return () => made.stop();
  }, [name, clock]);

  const poke = useCallback(() => poller.current?.poke(), []);
  const end = useCallback(() => {
    dispatch({ kind: 'playback_ended' });
    poller.current?.poke();
  }, []);
  const offsetMs = useCallback(() => clock.offsetMs(), [clock]);
  return { state, poke, end, offsetMs };
}

// Counts on between polls.
function Uptime({ channel }: { channel: LiveChannel }) {
  const [heardAt, setHeardAt] = useState(() => Date.now());
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    setHeardAt(Date.now());
    setNow(Date.now());
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [channel]);
  return <>{formatUptime(channel.uptimeS + Math.max(0, now - heardAt) / 1000)}</>;
}

function factsOf(channel: LiveChannel): string[] {
  const videos = channel.tracks.filter((track) => track.kind === 'video');
  const audios = channel.tracks.filter((track) => track.kind === 'audio');
  const best = videos.reduce((a, b) => (a !== undefined && a.height >= b.height ? a : b), videos[0]);
  const sound = audios[0];
  return [
    best === undefined ? 'Audio only' : formatResolution(best.width, best.height, best.frameRate),
    best?.codecName ?? '',
    best === undefined ? '' : formatBitrate(best.bitrate).replace('–', ''),
    videos.length > 1 ? `${videos.length} qualities` : '',
    sound === undefined ? 'No sound' : [sound.codecName, formatChannels(sound.channels)].join(' ').trim(),
    audios.length > 1 ? `${audios.length} sound tracks` : '',
  ].filter((fact) => fact !== '');
}

function About({ name, state }: { name: string; state: WatchState }) {
  const { channel } = state;
  const title = channel?.title ?? name;
  return (
    <div className="about">
      <div>
        <h1>{title}</h1>
        <p className="about_line">
          {isOnAir(state.phase) && (
            <span className={`badge ${state.phase}`}>{state.phase === 'live' ? 'Live' : 'Interrupted'}</span>
          )}
          {channel !== null && isOnAir(state.phase) && (
            <>
              <span className="fact">
                <Icon name="viewers" />
                {formatViewers(channel.viewers)}
              </span>
              <span className="fact">
                <Icon name="clock" />
                <Uptime channel={channel} />
              </span>
            </>
          )}
        </p>
        {channel !== null && (
          <p className="about_line">
            {factsOf(channel).map((fact) => (
              <span key={fact} className="chip">
                {fact}
              </span>
            ))}
          </p>
        )}
      </div>
      <CopyButton text={location.href} label="Copy the address of this channel" icon="link">
        Copy link
      </CopyButton>
    </div>
  );
}

const waitingTexts: Partial<Record<Phase, { title: string; text: string }>> = {
  offline: {
    title: 'is offline',
    text: 'Leave this page open: it starts by itself when the channel goes live.',
  },
  ended: {
    title: 'has ended',
    text: 'Thank you for watching. Should it go live again, it starts here by itself.',
  },
  unknown: {
    title: 'is not a channel here',
    text: 'Perhaps the address has a slip. If the channel is made meanwhile, it starts here by itself.',
  },
  unreachable: { title: 'cannot be reached', text: 'The server does not answer. This page keeps trying.' },
};

function Waiting({ name, state }: { name: string; state: WatchState }) {
  const title = state.channel?.title ?? name;
  const words = waitingTexts[state.phase];
  return (
    <div className="stage waiting" role="status">
      <div className="cover" aria-hidden="true">
        <PosterArt name={name} title={title} url="" />
      </div>
      <div className="waiting_text">
        <h1>
          {title} {words?.title}
        </h1>
        <p>{words?.text}</p>
        <p className="waiting_sign">
          <span className="pulse" aria-hidden="true" />
          {state.isServerReachable ? 'Waiting' : 'The server does not answer, trying again'}
        </p>
        <p className="waiting_links">
          <a className="button quiet" href="/">
            Live channels
          </a>
          {(state.phase === 'offline' || state.phase === 'ended') && (
            <a className="button quiet" href={studioPath(name)}>
              Go live here
            </a>
          )}
        </p>
      </div>
    </div>
  );
}

export default function WatchPage({ name }: { name: string }) {
  const { state, poke, end, offsetMs } = useChannel(name);
  const [isTheatre, setTheatre] = useState(false);
  const { phase, channel } = state;
  const delivery = useDelivery(state, poke);
  const { way } = delivery.state;
  useEffect(() => {
    if (phase !== 'ending') return;
    const timer = window.setTimeout(end, way === 'hls' ? kEndingMs : kRealtimeEndingMs);
    return () => window.clearTimeout(timer);
  }, [phase, way, end]);
  const title = channel?.title ?? name;
  useEffect(() => {
    document.title = `${isOnAir(phase) ? '● ' : ''}${title} – Stoa`;
  }, [phase, title]);
  const isShown = hasPlayer(phase);
  return (
    <div className={isTheatre && isShown ? 'watch theatre' : 'watch'}>
      {isShown ? (
        <>
          <Player
            key={state.generation}
            name={name}
            title={title}
            url={channel?.hlsUrl ?? hlsUrlOf(name)}
            whepUrl={channel?.whepUrl ?? whepUrlOf(name)}
            way={way}
            wish={delivery.state.wish}
            channel={channel}
            isInterrupted={phase === 'interrupted'}
            isServerReachable={state.isServerReachable}
            clockOffsetMs={offsetMs}
            onTrouble={poke}
            onEnded={end}
            onTheatre={setTheatre}
            onWish={delivery.wish}
            onAnswer={delivery.handleAnswer}
            onLink={delivery.handleLink}
            onGiveUp={delivery.handleGiveUp}
          />
          <DeliverySwitch delivery={delivery} />
          <About name={name} state={state} />
        </>
      ) : (
        <Waiting name={name} state={state} />
      )}
    </div>
  );
}
