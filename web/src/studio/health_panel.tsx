import { formatBitrate } from '../lib/format';
import type { LinkView } from '../rtc/rtc_link';
import { healthOf, type LayerStats, type SenderStats } from '../rtc/sender_stats';

const number = (value: number | null, unit: string, digits = 0): string =>
  value === null ? '–' : `${value.toFixed(digits)} ${unit}`;

const limitations: Record<string, string> = {
  none: 'none',
  cpu: 'computer',
  bandwidth: 'line',
  other: 'other',
};

function Layer({ layer }: { layer: LayerStats }) {
  const isSent = layer.isActive && layer.width > 0;
  return (
    <tr className={isSent ? undefined : 'is_idle'}>
      <th scope="row">{layer.width > 0 ? `${layer.width}×${layer.height}` : 'not sent'}</th>
      <td>{!isSent || layer.framesPerSecond === null ? '–' : Math.round(layer.framesPerSecond)}</td>
      <td>{formatBitrate(layer.bitrate ?? 0)}</td>
      <td>{number(layer.lossPercent, '%', 1)}</td>
      <td className={!isSent || layer.limitation === 'none' ? undefined : 'is_limited'}>
        {isSent ? (limitations[layer.limitation] ?? layer.limitation) : '–'}
      </td>
    </tr>
  );
}

export function HealthPanel({ link, stats, hasVideo }: { link: LinkView; stats: SenderStats; hasVideo: boolean }) {
  const health = healthOf(stats, hasVideo);
  const { path } = stats;
  const facts: [string, string][] = [
    ['Round trip', number(stats.rttMs, 'ms')],
    ['Packets lost', number(stats.lossPercent, '%', 1)],
    ['Jitter', number(stats.jitterMs, 'ms', 1)],
    ['Sent again', number(stats.retransmittedPercent, '%', 1)],
    ['Line could carry', formatBitrate(path.availableOut ?? 0)],
    ['Altogether', formatBitrate(stats.totalBitrate ?? 0)],
    [
      'Sound',
      stats.audioBitrate === null ? 'none' : `${stats.audioCodec} ${formatBitrate(stats.audioBitrate)}`.trim(),
    ],
    ['Picture', stats.videoCodec || '–'],
    ['Path', [path.protocol.toUpperCase(), path.isRelayed ? 'relayed' : '', path.remote].filter(Boolean).join(', ') || '–'],
    ['ICE', link.restarts > 0 ? `${link.ice}, ${link.restarts} restarts` : link.ice],
    ['Keyframes asked for', String(stats.keyframeRequests)],
    ['Encoder', stats.layers[0]?.encoder || '–'],
  ];
  return (
    <section className="panel health" aria-labelledby="health_title">
      <h2 id="health_title">Health</h2>
      <p className={`verdict ${health.grade}`} role="status">
        <span className="verdict_dot" aria-hidden="true" />
        {health.text}
      </p>
      {stats.layers.length > 0 && (
        <div className="table_frame" tabIndex={0} role="region" aria-label="Layers that are sent">
          <table>
            <thead>
              <tr>
                <th scope="col">Layer</th>
                <th scope="col">Frames/s</th>
                <th scope="col">Bitrate</th>
                <th scope="col">Loss</th>
                <th scope="col">Held back by</th>
              </tr>
            </thead>
            <tbody>
              {stats.layers.map((layer, i) => (
                <Layer key={layer.rid || i} layer={layer} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <dl className="health_facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
