// What the pages need to know of session descriptions, and trickle ICE fragments (RFC 8840). Pure.

export interface Section {
  kind: string; // "audio", "video", "application".
  mid: string;
  isTaken: boolean; // Port other than 0, or bundle-only, and neither inactive.
  direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  lines: string[];
}

const linesOf = (sdp: string): string[] => sdp.split(/\r\n|\r|\n/).filter((line) => line !== '');
const valueOf = (lines: readonly string[], prefix: string): string | null =>
  lines.find((line) => line.startsWith(prefix))?.slice(prefix.length) ?? null;

function splitSections(sdp: string): { head: string[]; sections: string[][] } {
  const head: string[] = [];
  const sections: string[][] = [];
  for (const line of linesOf(sdp)) {
    if (line.startsWith('m=')) sections.push([line]);
    else (sections.at(-1) ?? head).push(line);
  }
  return { head, sections };
}

const kDirections = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;

export function sectionsOf(sdp: string): Section[] {
  return splitSections(sdp).sections.map((lines) => {
    const [kind = '', port = '0'] = (lines[0] ?? '').slice(2).split(' ');
    const direction = kDirections.find((name) => lines.includes(`a=${name}`)) ?? 'sendrecv';
    const isOpen = port !== '0' || lines.includes('a=bundle-only');
    return {
      kind,
      mid: valueOf(lines, 'a=mid:') ?? '',
      isTaken: isOpen && direction !== 'inactive',
      direction,
      lines,
    };
  });
}

// Whether an answer has media of this kind coming our way.
export const answersWith = (answer: string, kind: 'audio' | 'video'): boolean =>
  sectionsOf(answer).some(
    (section) => section.kind === kind && section.isTaken && section.direction.startsWith('send'),
  );

// --- Where the other end listens, for saying what did not answer.

export interface Endpoint {
  protocol: 'udp' | 'tcp';
  address: string;
  port: number;
}

export function endpointsOf(sdp: string): Endpoint[] {
  const found: Endpoint[] = [];
  for (const line of linesOf(sdp)) {
    if (!line.startsWith('a=candidate:')) continue;
    const [, , transport = '', , address = '', port = ''] = line.slice('a=candidate:'.length).split(' ');
    const protocol = transport.toLowerCase();
    if (line.includes(' tcptype active')) continue; // It listens nowhere.
    if ((protocol !== 'udp' && protocol !== 'tcp') || !/^\d{1,5}$/.test(port)) continue;
    const endpoint: Endpoint = { protocol, address, port: Number(port) };
    const isKnown = found.some(
      (one) => one.protocol === protocol && one.address === address && one.port === endpoint.port,
    );
    if (!isKnown) found.push(endpoint);
  }
  return found;
}

// "UDP and TCP port 7882 of 192.0.2.1", as far as the answer told.
export function endpointsText(endpoints: readonly Endpoint[]): string {
  const places = new Map<string, Set<string>>();
  for (const { protocol, address, port } of endpoints.slice(0, 8)) {
    const place = `port ${port} of ${address}`;
    places.set(place, (places.get(place) ?? new Set()).add(protocol.toUpperCase()));
  }
  return [...places].map(([place, protocols]) => `${[...protocols].join(' and ')} ${place}`).join(', ');
}

// --- Trickle ICE.

export interface LocalCandidate {
  candidate: string; // "candidate:…", as the browser gives it; empty at the end of candidates.
  sdpMid: string | null;
}

interface Credentials {
  ufrag: string;
  password: string;
}

function credentialsOf(sdp: string): Credentials | null {
  const lines = linesOf(sdp);
  const ufrag = valueOf(lines, 'a=ice-ufrag:');
  const password = valueOf(lines, 'a=ice-pwd:');
  return ufrag === null || password === null ? null : { ufrag, password };
}

export const ufragOf = (sdp: string): string | null => credentialsOf(sdp)?.ufrag ?? null;

// The fragment that tells the server of `candidates` gathered for `offer` (RFC 9725 §4.3.2). Everything is
// bundled, so it speaks of the first section alone. Null when the offer has no ICE credentials.
export function writeFragment(
  offer: string,
  candidates: readonly LocalCandidate[],
  isComplete: boolean,
): string | null {
  const credentials = credentialsOf(offer);
  const [first] = sectionsOf(offer);
  if (credentials === null || first === undefined) return null;
  const bundle = valueOf(linesOf(offer), 'a=group:BUNDLE');
  const lines = [`a=ice-ufrag:${credentials.ufrag}`, `a=ice-pwd:${credentials.password}`];
  if (bundle !== null) lines.unshift(`a=group:BUNDLE${bundle}`);
  lines.push(first.lines[0] ?? '', `a=mid:${first.mid}`);
  for (const { candidate, sdpMid } of candidates) {
    if (candidate === '' || /[\r\n]/.test(candidate)) continue;
    if (sdpMid === null || sdpMid === first.mid) lines.push(`a=${candidate.replace(/^a=/, '')}`);
  }
  if (isComplete) lines.push('a=end-of-candidates');
  return `${lines.join('\r\n')}\r\n`;
}

// The answer as it stands after an ICE restart: the server's new credentials and candidates, all else as it
// was agreed. Null when the fragment has no credentials.
export function withFragment(answer: string, fragment: string): string | null {
  const credentials = credentialsOf(fragment);
  if (credentials === null) return null;
  const candidates = linesOf(fragment).filter(
    (line) => line.startsWith('a=candidate:') || line === 'a=end-of-candidates',
  );
  const renew = (lines: string[]) =>
    lines
      .filter((line) => candidates.length === 0 || !/^a=(candidate:|end-of-candidates)/.test(line))
      .map((line) => {
        if (line.startsWith('a=ice-ufrag:')) return `a=ice-ufrag:${credentials.ufrag}`;
        return line.startsWith('a=ice-pwd:') ? `a=ice-pwd:${credentials.password}` : line;
      });
  const { head, sections } = splitSections(answer);
  const all = [...renew(head)];
  sections.forEach((lines, i) => all.push(...renew(lines), ...(i === 0 ? candidates : [])));
  return `${all.join('\r\n')}\r\n`;
}

// --- Opus as it is wanted: browsers send what the other end's format parameters ask for.

export interface OpusWish {
  isStereo: boolean;
  bitrate: number; // bit/s
}

export function withOpus(answer: string, { isStereo, bitrate }: OpusWish): string {
  const payloads = new Set(
    [...answer.matchAll(/^a=rtpmap:(\d+) opus\/48000/gim)].map(([, payload]) => payload ?? ''),
  );
  const wanted: Record<string, string> = { maxaveragebitrate: String(bitrate) };
  if (isStereo) Object.assign(wanted, { stereo: '1', 'sprop-stereo': '1' });
  const { head, sections } = splitSections(answer);
  const all = [...head];
  for (const lines of sections) {
    for (const line of lines) {
      const [, payload, text] = /^a=fmtp:(\d+) (.*)$/.exec(line) ?? [];
      if (payload === undefined || text === undefined || !payloads.has(payload)) {
        all.push(line);
        const mapped = /^a=rtpmap:(\d+) opus\/48000/i.exec(line)?.[1];
        const hasFormat = lines.some((one) => one.startsWith(`a=fmtp:${mapped} `));
        if (mapped !== undefined && !hasFormat) all.push(`a=fmtp:${mapped} ${parametersText(wanted)}`);
        continue;
      }
      const parameters = Object.fromEntries(
        text.split(';').map((pair) => {
          const [name = '', ...rest] = pair.trim().split('=');
          return [name, rest.join('=')];
        }),
      );
      all.push(`a=fmtp:${payload} ${parametersText({ ...parameters, ...wanted })}`);
    }
  }
  return `${all.join('\r\n')}\r\n`;
}

const parametersText = (parameters: Record<string, string>): string =>
  Object.entries(parameters)
    .filter(([name]) => name !== '')
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join(';');
