// Storyboards of a channel: a WebVTT file (docs/formats/storyboard.md) whose cues say which part of which picture
// shows what was on air when. Its times are the channel's; a NOTE says which UTC time their 0 was, and a
// player knows by PROGRAM-DATE-TIME which UTC time it shows.

export interface Tile {
  beginsS: number; // On the channel's timeline.
  endsS: number;
  address: string; // As it stands there: relative to the file, with "#xywh=x,y,w,h".
}

export interface Storyboard {
  zeroMs: number; // UTC, as Date has it.
  tiles: Tile[];
}

const kCue = /^(\d{2,}):(\d\d):(\d\d\.\d{3}) --> (\d{2,}):(\d\d):(\d\d\.\d{3})$/;
const kZero = /^NOTE 00:00:00\.000 is (\S+)$/;
const secondsOf = (hours: string, minutes: string, seconds: string): number =>
  Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);

// Null when it is none, or nobody could say when its times were.
export function parseStoryboard(text: string): Storyboard | null {
  const lines = text.split(/\r?\n/);
  if (lines[0] !== 'WEBVTT') return null;
  let zeroMs = NaN;
  const tiles: Tile[] = [];
  lines.forEach((line, at) => {
    const zero = kZero.exec(line)?.[1];
    if (zero !== undefined) zeroMs = Date.parse(zero);
    const times = kCue.exec(line)?.slice(1);
    const address = lines[at + 1] ?? '';
    if (times === undefined || !/#xywh=\d+,\d+,\d+,\d+$/.test(address)) return;
    const [h1 = '', m1 = '', s1 = '', h2 = '', m2 = '', s2 = ''] = times;
    tiles.push({ beginsS: secondsOf(h1, m1, s1), endsS: secondsOf(h2, m2, s2), address });
  });
  return Number.isNaN(zeroMs) ? null : { zeroMs, tiles };
}
