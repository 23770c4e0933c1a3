// What the server and the viewers have of the broadcast, by the server's own word.

import { useEffect, useState } from 'react';
import { fetchChannel, type LiveChannel } from '../lib/api';
import { missingIn, missingText } from '../lib/delivery';
import { formatResolution, formatViewers } from '../lib/format';
import { Poller } from '../lib/poller';
import { watchPath } from '../lib/route';
import { CopyButton } from '../ui/copy_button';

const kPollMs = 4000;

function useOwnChannel(name: string): LiveChannel | null {
  const [channel, setChannel] = useState<LiveChannel | null>(null);
  useEffect(() => {
    const poller = new Poller(async (signal) => {
      const answer = await fetchChannel(name, signal);
      setChannel(answer.kind === 'channel' ? answer.channel : null);
      return answer.kind === 'channel' ? kPollMs : kPollMs / 4;
    });
    poller.start();
    return () => poller.stop();
  }, [name]);
  return channel;
}

export function OnAir({ name }: { name: string }) {
  const channel = useOwnChannel(name);
  const address = location.origin + watchPath(name);
  const facts = (channel?.tracks ?? []).map((track) =>
    [track.codecName, formatResolution(track.width, track.height, track.frameRate)]
      .filter((fact) => fact !== '')
      .join(' '),
  );
  const known = { tracks: channel?.tracks ?? [], answered: null };
  const missing = (['realtime', 'hls'] as const).flatMap((way) =>
    missingIn(way, known).map((one) => missingText(one, way)),
  );
  return (
    <div className="on_air">
      <p>
        <a href={watchPath(name)} target="_blank" rel="noopener">
          {address.replace(/^https?:\/\//, '')}
        </a>
        <CopyButton text={address} label="Copy the address for viewers" />
      </p>
      {channel !== null && (
        <p className="about_line">
          <span>{formatViewers(channel.viewers)}</span>
          {[...new Set(facts)].map((fact) => (
            <span key={fact} className="chip">
              {fact}
            </span>
          ))}
        </p>
      )}
      {missing.map((text) => (
        <p key={text} className="warn">
          {text}
        </p>
      ))}
    </div>
  );
}
