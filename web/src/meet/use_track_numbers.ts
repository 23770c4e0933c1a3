// Reads the statistics of every track once a second.

import { isLocalTrack, type Room, type Track, type TrackPublication } from 'livekit-client';
import { useEffect, useState } from 'react';
import type { Report, Stat } from '../rtc/report';
import { labelOf } from './people';
import { receivedNumbers, sentNumbers, type TrackNumbers } from './track_stats';

export interface TrackRow {
  sid: string;
  who: string;
  source: string; // "camera", "microphone", "screen_share" …
  isLocal: boolean;
  isMuted: boolean;
  note: string; // Why nothing is measured: "not subscribed", "muted".
  numbers: TrackNumbers | null;
}

const kEveryMs = 1000;
const kTracksMax = 100; // Beyond it reading would cost more than it tells.

const asReport = (report: RTCStatsReport): Report => {
  const map = new Map<string, Stat>();
  report.forEach((stat: Stat, id: string) => map.set(id, stat));
  return map;
};

async function numbersOf(
  track: Track,
  before: Map<string, Report>,
  sid: string,
): Promise<TrackNumbers | null> {
  const raw = await track.getRTCStatsReport();
  if (raw === undefined) return null;
  const report = asReport(raw);
  const last = before.get(sid) ?? null;
  before.set(sid, report);
  return isLocalTrack(track) ? sentNumbers(report, last) : receivedNumbers(report, last);
}

function noteOf(publication: TrackPublication): string {
  if (publication.isMuted) return 'off';
  return publication.track === undefined ? 'not received' : '';
}

// `before` holds the last report of each track and is kept up.
export async function readTracks(room: Room, before: Map<string, Report>): Promise<TrackRow[]> {
  const pairs = [room.localParticipant, ...room.remoteParticipants.values()]
    .flatMap((participant) =>
      [...participant.trackPublications.values()].map((publication) => ({ participant, publication })),
    )
    .slice(0, kTracksMax);
  const known = new Set(pairs.map(({ publication }) => publication.trackSid));
  for (const sid of before.keys()) if (!known.has(sid)) before.delete(sid);
  return Promise.all(
    pairs.map(async ({ participant, publication }): Promise<TrackRow> => {
      const { track, trackSid } = publication;
      const numbers = track === undefined ? null : await numbersOf(track, before, trackSid).catch(() => null);
      return {
        sid: trackSid,
        who: labelOf(participant),
        source: publication.source,
        isLocal: participant.isLocal,
        isMuted: publication.isMuted,
        note: noteOf(publication),
        numbers,
      };
    }),
  );
}

export function useTrackNumbers(room: Room): TrackRow[] {
  const [rows, setRows] = useState<TrackRow[]>([]);
  useEffect(() => {
    const before = new Map<string, Report>();
    let isGone = false;
    let isReading = false;
    const read = async () => {
      if (isReading) return;
      isReading = true;
      const next = await readTracks(room, before).finally(() => (isReading = false));
      if (!isGone) setRows(next);
    };
    void read();
    const timer = window.setInterval(() => void read(), kEveryMs);
    return () => {
      isGone = true;
      window.clearInterval(timer);
    };
  }, [room]);
  return rows;
}
