// Reading RTCStatsReport: its members are loosely typed and differ between browsers, so every field is asked
// for by name and kind. Pure.

export type Stat = Record<string, unknown>;
export type Report = ReadonlyMap<string, Stat>;

export const numberIn = (stat: Stat | undefined, name: string): number | null => {
  const value = stat?.[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
};
export const textIn = (stat: Stat | undefined, name: string): string => {
  const value = stat?.[name];
  return typeof value === 'string' ? value : '';
};

export const statsOf = (report: Report, type: string, kind?: string): Stat[] =>
  [...report.values()].filter((stat) => stat.type === type && (kind === undefined || stat.kind === kind));

// "H.264" for "video/H264".
export function codecNameOf(report: Report, stream: Stat | undefined): string {
  const mime = textIn(report.get(textIn(stream, 'codecId')), 'mimeType');
  const name = mime.slice(mime.indexOf('/') + 1);
  const known: Record<string, string> = { h264: 'H.264', h265: 'HEVC', opus: 'Opus' };
  return known[name.toLowerCase()] ?? name;
}

// How a counter grew between two reports, for one stream. Null when there is nothing to compare with.
export function growth(now: Stat | undefined, before: Stat | undefined, name: string): number | null {
  const last = numberIn(now, name);
  const first = numberIn(before, name);
  return last === null || first === null || last < first ? null : last - first;
}
export const ratio = (part: number | null, whole: number | null): number | null =>
  part === null || whole === null || whole <= 0 ? null : part / whole;

export const secondsBetween = (now: Stat | undefined, before: Stat | undefined): number | null => {
  const ms = growth(now, before, 'timestamp');
  return ms === null || ms < 100 ? null : ms / 1000;
};

// The pair of addresses in use. Browsers name it by the transport, or mark it.
export function selectedPairOf(report: Report): Stat | undefined {
  for (const transport of statsOf(report, 'transport')) {
    const pair = report.get(textIn(transport, 'selectedCandidatePairId'));
    if (pair !== undefined) return pair;
  }
  const pairs = statsOf(report, 'candidate-pair');
  return pairs.find((pair) => pair.selected === true || (pair.nominated === true && pair.state === 'succeeded'));
}

export interface Path {
  protocol: string; // "udp", "tcp"; "" when unknown.
  isRelayed: boolean;
  remote: string; // "192.0.2.1:7882"; "" when unknown.
  rttMs: number | null;
  availableOut: number | null; // bit/s, what the congestion control thinks can be sent.
}

export function pathOf(report: Report): Path {
  const pair = selectedPairOf(report);
  const local = report.get(textIn(pair, 'localCandidateId'));
  const remote = report.get(textIn(pair, 'remoteCandidateId'));
  const address = textIn(remote, 'address') || textIn(remote, 'ip');
  const port = numberIn(remote, 'port');
  const rtt = numberIn(pair, 'currentRoundTripTime');
  return {
    protocol: (textIn(local, 'protocol') || textIn(remote, 'protocol')).toLowerCase(),
    isRelayed: local?.candidateType === 'relay',
    remote: address === '' || port === null ? '' : `${address.includes(':') ? `[${address}]` : address}:${port}`,
    rttMs: rtt === null ? null : rtt * 1000,
    availableOut: numberIn(pair, 'availableOutgoingBitrate'),
  };
}
