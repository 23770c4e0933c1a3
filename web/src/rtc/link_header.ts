// ICE servers in Link headers (RFC 8288 as RFC 9725 §4.6 uses it). Pure.
//
//   Link: <stun:stun.example.org>; rel="ice-server"
//   Link: <turn:turn.example.org?transport=udp>; rel="ice-server"; username="u"; credential="c"; credential-type="password"

export interface Link {
  target: string;
  parameters: Record<string, string>; // Names in lower case; the first of a name counts.
}

const kLinksMax = 32;
const kIsSpace = /\s/;
const kIsToken = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;

// Reads as far as the header makes sense; what comes after a slip is left out.
export function parseLinks(header: string): Link[] {
  const links: Link[] = [];
  let at = 0;
  const skip = (also = '') => {
    while (at < header.length && (kIsSpace.test(header.charAt(at)) || also.includes(header.charAt(at)))) at += 1;
  };
  const token = (): string => {
    const from = at;
    while (at < header.length && kIsToken.test(header.charAt(at))) at += 1;
    return header.slice(from, at);
  };
  const quoted = (): string | null => {
    let text = '';
    for (at += 1; at < header.length; at += 1) {
      const c = header.charAt(at);
      if (c === '"') {
        at += 1;
        return text;
      }
      if (c === '\\') at += 1;
      text += header.charAt(at);
    }
    return null;
  };
  while (links.length < kLinksMax) {
    skip(',');
    if (header.charAt(at) !== '<') return links;
    const end = header.indexOf('>', at);
    if (end < 0) return links;
    const link: Link = { target: header.slice(at + 1, end).trim(), parameters: {} };
    at = end + 1;
    for (skip(); header.charAt(at) === ';'; skip()) {
      skip(';');
      const name = token().toLowerCase();
      skip();
      let value: string | null = '';
      if (header.charAt(at) === '=') {
        at += 1;
        skip();
        value = header.charAt(at) === '"' ? quoted() : token();
      }
      if (value === null) return links;
      if (name !== '' && !Object.hasOwn(link.parameters, name)) link.parameters[name] = value;
    }
    links.push(link);
    if (at < header.length && header.charAt(at) !== ',') return links;
  }
  return links;
}

// Only what a browser takes: one bad address makes RTCPeerConnection refuse all of them. A TURN server
// without credentials is such a one.
export function iceServersOf(header: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const { target, parameters } of parseLinks(header ?? '')) {
    const isIceServer = (parameters.rel ?? '').toLowerCase().split(/\s+/).includes('ice-server');
    const scheme = /^(stuns?|turns?):[^\s/?#]/i.exec(target)?.[1]?.toLowerCase();
    if (!isIceServer || scheme === undefined) continue;
    if (scheme.startsWith('stun')) {
      servers.push({ urls: target });
      continue;
    }
    const { username, credential } = parameters;
    const isPassword = (parameters['credential-type'] ?? 'password').toLowerCase() === 'password';
    if (username && credential && isPassword) servers.push({ urls: target, username, credential });
  }
  return servers;
}
