import { formatBitrate } from '../lib/format';
import { useMeeting } from './meeting_context';
import { Panel } from './panel';
import {
  layerText,
  milliseconds,
  pathText,
  percent,
  pictureText,
  totalsOf,
  type TrackNumbers,
} from './track_stats';
import { useTrackNumbers, type TrackRow } from './use_track_numbers';

const kSourceWords: Record<string, string> = {
  camera: 'camera',
  microphone: 'microphone',
  screen_share: 'screen',
  screen_share_audio: 'sound of the screen',
};

const kOfSound = ['microphone', 'screen_share_audio'];

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Numbers({ numbers, isSound }: { numbers: TrackNumbers; isSound: boolean }) {
  const { codec, scalability, layers } = numbers;
  return (
    <>
      <dl className="facts">
        <Fact name="Codec" value={[codec || '–', scalability].filter((part) => part !== '').join(' ')} />
        {!isSound && (
          <Fact name="Picture" value={pictureText(numbers.width, numbers.height, numbers.framesPerSecond)} />
        )}
        <Fact name="Bitrate" value={formatBitrate(numbers.bitrate ?? 0)} />
        <Fact name="Loss" value={percent(numbers.lossPercent)} />
        <Fact name="Jitter" value={milliseconds(numbers.jitterMs)} />
        <Fact name="Round trip" value={milliseconds(numbers.rttMs)} />
        {numbers.bufferMs !== null && <Fact name="Buffer" value={milliseconds(numbers.bufferMs)} />}
      </dl>
      {layers.length > 1 && (
        <ul className="layers" aria-label="Layers">
          {layers.map((layer) => (
            <li key={layer.name} className={layer.isActive ? undefined : 'is_idle'}>
              {layerText(layer)}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function TrackItem({ row }: { row: TrackRow }) {
  const title = `${row.who}, ${kSourceWords[row.source] ?? row.source}`;
  return (
    <li className="track" aria-label={title}>
      <h3>
        <span aria-hidden="true">{row.isLocal ? '↑ ' : '↓ '}</span>
        {title}
        {row.note !== '' && <span className="chip">{row.note}</span>}
      </h3>
      {row.numbers !== null && !row.isMuted && (
        <Numbers numbers={row.numbers} isSound={kOfSound.includes(row.source)} />
      )}
    </li>
  );
}

export function StatsPanel({ onClose }: { onClose: () => void }) {
  const { room } = useMeeting();
  const rows = useTrackNumbers(room);
  const measured = rows.flatMap(({ numbers, isLocal }) => (numbers === null ? [] : [{ isLocal, numbers }]));
  const totals = totalsOf(measured);
  const info = room.serverInfo;
  return (
    <Panel title="Statistics" onClose={onClose}>
      <dl className="facts">
        <Fact name="Sent" value={formatBitrate(totals.sent)} />
        <Fact name="Received" value={formatBitrate(totals.received)} />
        <Fact name="Worst loss" value={percent(totals.lossPercent)} />
        <Fact name="Round trip" value={milliseconds(totals.rttMs)} />
        <Fact
          name="Server"
          value={[info?.version ?? '', info?.region ?? ''].filter((part) => part !== '').join(', ') || '–'}
        />
        <Fact name="Path" value={pathText(totals.path)} />
      </dl>
      {rows.length === 0 && <p className="hint">Nobody sends anything now.</p>}
      <ul className="tracks" aria-label="Tracks" tabIndex={0}>
        {rows.map((row) => (
          <TrackItem key={row.sid} row={row} />
        ))}
      </ul>
    </Panel>
  );
}
