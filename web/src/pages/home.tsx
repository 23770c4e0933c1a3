import { useEffect, useState } from 'react';
import { fetchLiveChannels, type LiveChannel } from '../lib/api';
import { Backoff } from '../lib/backoff';
import { formatResolution, formatUptime, formatViewers } from '../lib/format';
import { rememberChannels } from '../lib/known_channels';
import { Poller } from '../lib/poller';
import { watchPath } from '../lib/route';
import { Icon } from '../ui/icons';
import { MeetForm } from '../ui/name_form';
import { PosterArt } from '../ui/poster_art';
import { PublishHelp } from '../ui/publish_help';

const kRefresh = { firstMs: 4000, factor: 1, ceilingMs: 4000, jitter: 0.2 };
const kAfterFailure = { firstMs: 2000, factor: 1.6, ceilingMs: 15_000, jitter: 0.2 };

interface Listing {
  channels: LiveChannel[] | null; // null: not heard of yet.
  isReachable: boolean;
}

function useLiveChannels(): Listing {
  const [listing, setListing] = useState<Listing>({ channels: null, isReachable: true });
  useEffect(() => {
    const refresh = new Backoff(kRefresh);
    const afterFailure = new Backoff(kAfterFailure);
    const poller = new Poller(async (signal) => {
      try {
        const channels = await fetchLiveChannels(signal);
        rememberChannels(channels);
        setListing({ channels, isReachable: true });
        afterFailure.reset();
        return refresh.next();
      } catch {
        if (!signal.aborted) setListing((last) => ({ ...last, isReachable: false }));
        return afterFailure.next();
      }
    });
    poller.start();
    return () => poller.stop();
  }, []);
  return listing;
}

function ChannelCard({ channel }: { channel: LiveChannel }) {
  const video = channel.tracks.find((track) => track.kind === 'video');
  const sound = channel.tracks.find((track) => track.kind === 'audio');
  const picture =
    video === undefined
      ? ['Audio only']
      : [formatResolution(video.width, video.height, video.frameRate), video.codecName];
  const facts = [...picture, sound?.codecName ?? ''].filter((fact) => fact !== '');
  return (
    <li>
      <a className="card" href={watchPath(channel.name)}>
        <div className="card_picture">
          <PosterArt name={channel.name} title={channel.title} url={channel.posterUrl} />
          <span className={`badge ${channel.state}`}>{channel.state === 'live' ? 'Live' : 'Paused'}</span>
          <span className="badge viewers">{formatViewers(channel.viewers)}</span>
        </div>
        <div className="card_text">
          <h2>{channel.title}</h2>
          <p>
            {channel.title !== channel.name && <span>{channel.name}</span>}
            <span>on air for {formatUptime(channel.uptimeS)}</span>
          </p>
          <p>
            {facts.map((fact) => (
              <span key={fact} className="chip">
                {fact}
              </span>
            ))}
          </p>
        </div>
      </a>
    </li>
  );
}

function Skeletons() {
  return (
    <ul className="cards" aria-hidden="true">
      {[1, 2, 3].map((i) => (
        <li key={i}>
          <div className="card skeleton">
            <div className="card_picture" />
            <div className="card_text" />
          </div>
        </li>
      ))}
    </ul>
  );
}

export function HomePage() {
  const { channels, isReachable } = useLiveChannels();
  useEffect(() => {
    document.title = 'Live channels – Stoa';
  }, []);
  const viewers = channels?.reduce((sum, channel) => sum + channel.viewers, 0) ?? 0;
  const isEmpty = channels !== null && channels.length === 0;
  return (
    <div className="home">
      <div className="home_head">
        <h1>{isEmpty ? 'Nobody is on air' : 'Live now'}</h1>
        <p role="status">
          {!isReachable && <span className="warn">The server does not answer. Trying again…</span>}
          {isReachable && channels !== null && !isEmpty && (
            <span>
              {channels.length} {channels.length === 1 ? 'channel' : 'channels'}, {formatViewers(viewers)}
            </span>
          )}
        </p>
        <a className="text_button go_live" href="/studio">
          <Icon name="on_air" />
          Go live
        </a>
      </div>
      {channels === null && <Skeletons />}
      {channels !== null && !isEmpty && (
        <ul className="cards">
          {channels.map((channel) => (
            <ChannelCard key={channel.name} channel={channel} />
          ))}
        </ul>
      )}
      {isEmpty && (
        <section className="panel">
          <p className="lead">Start an encoder and the channel appears here within seconds.</p>
          <PublishHelp />
        </section>
      )}
      {channels !== null && !isEmpty && (
        <details className="panel">
          <summary>Publish a channel</summary>
          <PublishHelp />
        </details>
      )}
      <section className="panel meet_panel" aria-labelledby="meet_title">
        <h2 id="meet_title">Meet</h2>
        <p className="lead">A room with pictures, sound and chat, for everybody who opens its address.</p>
        <MeetForm />
      </section>
    </div>
  );
}
