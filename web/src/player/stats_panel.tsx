import { useEffect, useState } from 'react';
import type { LiveChannel } from '../lib/api';
import { formatBitrate, formatFrameRate } from '../lib/format';
import { Icon } from '../ui/icons';
import type { PlayerEngine } from './engine';
import type { PlayerStats, RealtimeStats } from './stats';

const seconds = (value: number | null, digits = 2): string =>
  value === null ? '–' : `${value.toFixed(digits)} s`;
const milliseconds = (value: number | null): string => (value === null ? '–' : `${Math.round(value)} ms`);

function Spark({ values, floor, label }: { values: readonly number[]; floor: number; label: string }) {
  const width = 120;
  const height = 24;
  const top = Math.max(floor, ...values);
  const step = width / Math.max(1, 119);
  const points = values
    .map((value, i) => {
      const x = width - (values.length - 1 - i) * step;
      return `${x.toFixed(1)},${(height - 1 - (Math.max(0, value) / top) * (height - 2)).toFixed(1)}`;
    })
    .join(' ');
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
      preserveAspectRatio="none"
    >
      <polyline points={points} />
    </svg>
  );
}

const known = (value: number | null, unit: string, digits = 0): string =>
  value === null ? '–' : `${value.toFixed(digits)} ${unit}`;

function realtimeRowsOf(stats: PlayerStats, rtc: RealtimeStats): [string, string][] {
  const fps = formatFrameRate(stats.framesPerSecond === null ? 0 : Math.round(stats.framesPerSecond));
  const size = stats.width > 0 ? `${stats.width}×${stats.height}` : '–';
  const { path } = rtc;
  const over = [path.protocol.toUpperCase(), path.isRelayed ? 'relayed' : '', path.remote];
  return [
    ['Player', `WHEP, ${stats.status}`],
    ['Connection', `${rtc.state}, ICE ${rtc.ice}`],
    ['Path', over.filter((part) => part !== '').join(', ') || '–'],
    ['Picture', `${size}${fps === '' ? '' : ` at ${fps} frames/s`}`],
    ['Codecs', [rtc.videoCodec, rtc.audioCodec].filter((codec) => codec !== '').join(', ') || '–'],
    ['Frames', `${stats.framesDecoded} decoded, ${stats.framesDropped} dropped`],
    ['Bitrate', `${formatBitrate(rtc.videoBitrate ?? 0)} picture, ${formatBitrate(rtc.audioBitrate ?? 0)} sound`],
    ['Round trip', milliseconds(path.rttMs)],
    ['Jitter', `${known(rtc.jitterMs, 'ms', 1)}, buffer ${milliseconds(rtc.bufferMs)}`],
    ['Processing', `${milliseconds(rtc.processingMs)}, of them decoding ${known(rtc.decodeMs, 'ms', 1)}`],
    [
      'Loss',
      `${known(rtc.lossPercent, '%', 1)} now, ${rtc.packetsLost} of ${rtc.packetsReceived + rtc.packetsLost}, ` +
        `${rtc.retransmitted} sent again`,
    ],
    ['Requests', `${rtc.nacks} for packets, ${rtc.keyframeRequests} for keyframes`],
    ['Sound', `${known(rtc.concealedPercent, '%', 1)} made up for what was missing`],
    ['Freezes', `${rtc.freezes} (${rtc.frozenS.toFixed(1)} s), ${stats.stalls} stalls`],
    ['Sessions', `${rtc.sessions}, ${rtc.restarts} ICE restarts`],
    ['Start', `answer after ${milliseconds(stats.manifestLoadedMs)}, first frame after ${milliseconds(stats.firstFrameMs)}`],
  ];
}

function rowsOf(stats: PlayerStats, channel: LiveChannel | null): [string, string][] {
  if (stats.rtc !== null) return realtimeRowsOf(stats, stats.rtc);
  const fps = formatFrameRate(stats.framesPerSecond === null ? 0 : Math.round(stats.framesPerSecond));
  const size = stats.width > 0 ? `${stats.width}×${stats.height}` : '–';
  const codecs = [stats.videoCodec, stats.audioCodec].filter((codec) => codec !== '').join(', ');
  const fromTracks = (channel?.tracks ?? []).map((track) => track.codec).filter((codec) => codec !== '');
  return [
    ['Player', `${stats.engine}, ${stats.status}`],
    ['Picture', `${size}${fps === '' ? '' : ` at ${fps} frames/s`}`],
    ['Codecs', codecs || [...new Set(fromTracks)].join(', ') || '–'],
    ['Frames', `${stats.framesDecoded} shown, ${stats.framesDropped} dropped`],
    [
      'Bitrate',
      `${formatBitrate(stats.levelBitrate ?? 0)} listed, ${formatBitrate(stats.receivedBitrate ?? 0)} received`,
    ],
    ['Bandwidth', formatBitrate(stats.bandwidthEstimate ?? 0)],
    ['Behind live', `${seconds(stats.latency)} of ${seconds(stats.targetLatency)} wanted`],
    ['Speed', `${stats.playbackRate.toFixed(2)}×${stats.isFollowing ? '' : ', not following live'}`],
    [
      'Stalls',
      `${stats.stalls} (${seconds(stats.stalledFor, 1)}), ${stats.jumps} jumps, ${stats.restarts} restarts`,
    ],
    [
      'Loading',
      stats.loadingUnit === ''
        ? '–'
        : `${stats.loadingUnit} of ${seconds(stats.partTarget ?? stats.targetDuration)}, ` +
          `latest ${stats.lastSequence} in ${milliseconds(stats.lastLoadMs)}`,
    ],
    [
      'Loaded',
      `${stats.partsLoaded} parts, ${stats.segmentsLoaded} segments, ${stats.playlistsLoaded} playlists`,
    ],
    ['Start', `first frame after ${milliseconds(stats.firstFrameMs)}`],
    [
      'Clock',
      stats.clockOffsetMs === 0
        ? 'as the server’s'
        : `${Math.round(stats.clockOffsetMs)} ms from the server’s`,
    ],
  ];
}

export function StatsPanel({
  player,
  channel,
  onClose,
}: {
  player: PlayerEngine;
  channel: LiveChannel | null;
  onClose: () => void;
}) {
  const [stats, setStats] = useState(() => player.stats());
  useEffect(() => {
    const timer = window.setInterval(() => setStats(player.stats()), 500);
    return () => window.clearInterval(timer);
  }, [player]);
  const isRealtime = stats.engine === 'whep';
  const inWords = (value: number | null) =>
    isRealtime ? milliseconds(value === null ? null : value * 1000) : seconds(value);
  return (
    <section className="stats" aria-label="Statistics">
      <button type="button" className="icon_button" onClick={onClose} aria-label="Close statistics">
        <Icon name="close" />
      </button>
      <div className="stats_graphs">
        <div>
          <span>Delay {inWords(stats.delay ?? stats.latency)}</span>
          <Spark values={player.delays.list()} floor={isRealtime ? 0.3 : 3} label="Delay over the last two minutes" />
        </div>
        <div>
          <span>Buffer {inWords(stats.forwardBuffer)}</span>
          <Spark values={player.buffers.list()} floor={isRealtime ? 0.1 : 2} label="Buffer over the last two minutes" />
        </div>
      </div>
      <dl>
        {rowsOf(stats, channel).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {(channel?.warnings ?? []).map((warning) => (
          <div key={warning}>
            <dt>Warning</dt>
            <dd>{warning.replaceAll('_', ' ')}</dd>
          </div>
        ))}
      </dl>
      {stats.events.length > 0 && (
        <ol className="stats_events" aria-label="Latest events">
          {stats.events.slice(-5).map((event) => (
            <li key={`${event.timeS} ${event.text}`} className={event.isFatal ? 'fatal' : undefined}>
              <span>{event.timeS.toFixed(1)} s</span> {event.text}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
