// Reads playlists well enough to follow a channel; `stoa check-hls` is the judge of them.

export function attributes(line) {
  const found = {};
  for (const [, name, value] of line.slice(line.indexOf(':') + 1).matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g)) {
    found[name] = value.replace(/^"|"$/g, '');
  }
  return found;
}

export function parseMultivariant(text, base) {
  const lines = text.split(/\r?\n/);
  const variants = [], audio = [];
  lines.forEach((line, i) => {
    if (line.startsWith('#EXT-X-STREAM-INF:')) variants.push({ ...attributes(line), url: new URL(lines[i + 1], base).href });
    if (line.startsWith('#EXT-X-MEDIA:')) {
      const media = attributes(line);
      audio.push({ ...media, url: media.URI && new URL(media.URI, base).href });
    }
  });
  return { variants, audio };
}

export function parseMedia(text, base) {
  const playlist = { segments: [], hasEnded: false, hint: null, mediaSequence: 0, text };
  let map = null, parts = [], discontinuity = false, gap = false, date = null, duration = 0;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#EXT-X-MEDIA-SEQUENCE:')) playlist.mediaSequence = Number(line.split(':')[1]);
    else if (line.startsWith('#EXT-X-DISCONTINUITY-SEQUENCE:')) playlist.discontinuitySequence = Number(line.split(':')[1]);
    else if (line.startsWith('#EXT-X-TARGETDURATION:')) playlist.targetDuration = Number(line.split(':')[1]);
    else if (line.startsWith('#EXT-X-PART-INF:')) playlist.partTarget = Number(attributes(line)['PART-TARGET']);
    else if (line.startsWith('#EXT-X-MAP:')) map = new URL(attributes(line).URI, base).href;
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) date = line.slice(line.indexOf(':') + 1);
    else if (line === '#EXT-X-DISCONTINUITY') discontinuity = true;
    else if (line === '#EXT-X-GAP') gap = true;
    else if (line === '#EXT-X-ENDLIST') playlist.hasEnded = true;
    else if (line.startsWith('#EXTINF:')) duration = parseFloat(line.slice(8));
    else if (line.startsWith('#EXT-X-PART:')) {
      const part = attributes(line);
      parts.push({ url: new URL(part.URI, base).href, duration: Number(part.DURATION), isIndependent: part.INDEPENDENT === 'YES', isGap: part.GAP === 'YES' });
    } else if (line.startsWith('#EXT-X-PRELOAD-HINT:') && attributes(line).TYPE === 'PART') {
      playlist.hint = new URL(attributes(line).URI, base).href;
    } else if (line && !line.startsWith('#')) {
      const sequence = playlist.mediaSequence + playlist.segments.length;
      playlist.segments.push({ sequence, url: new URL(line, base).href, duration, map, parts, discontinuity, gap, date });
      parts = [], discontinuity = false, gap = false, date = null;
    }
  }
  playlist.openParts = parts;
  playlist.openDiscontinuity = discontinuity;
  playlist.openMap = map;
  playlist.nextSequence = playlist.mediaSequence + playlist.segments.length;
  return playlist;
}

export async function fetchText(url) {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.slice(0, 200)}`);
  return text;
}
export const fetchMultivariant = async (url) => parseMultivariant(await fetchText(url), url);
export const fetchMedia = async (url) => parseMedia(await fetchText(url), url);

// The next version of a playlist, by a blocked reload.
export function reload(url, playlist) {
  const next = new URL(url);
  next.searchParams.set('_HLS_msn', playlist.nextSequence);
  next.searchParams.set('_HLS_part', playlist.openParts.length);
  return fetchText(next.href).then((text) => parseMedia(text, url));
}
