// The keyboard of the watch page. Pure: a pressed key becomes a command, or none.

export type Command =
  | { kind: 'toggle_play' }
  | { kind: 'toggle_mute' }
  | { kind: 'toggle_fullscreen' }
  | { kind: 'toggle_theatre' }
  | { kind: 'toggle_pip' }
  | { kind: 'toggle_statistics' }
  | { kind: 'toggle_help' }
  | { kind: 'toggle_realtime' }
  | { kind: 'toggle_captions' }
  | { kind: 'go_live' }
  | { kind: 'seek'; byS: number }
  | { kind: 'volume'; by: number };

export interface KeyPress {
  key: string;
  hasModifier: boolean; // Ctrl, Alt or Meta: the browser's business.
  // What has the focus: typing and moving through a menu or slider must keep their keys.
  focus: 'page' | 'button' | 'range' | 'menu' | 'text';
}

const kCommands: Record<string, Command> = {
  ' ': { kind: 'toggle_play' },
  k: { kind: 'toggle_play' },
  m: { kind: 'toggle_mute' },
  f: { kind: 'toggle_fullscreen' },
  t: { kind: 'toggle_theatre' },
  i: { kind: 'toggle_pip' },
  c: { kind: 'toggle_captions' },
  s: { kind: 'toggle_statistics' },
  '?': { kind: 'toggle_help' },
  l: { kind: 'go_live' },
  r: { kind: 'toggle_realtime' },
  arrowleft: { kind: 'seek', byS: -5 },
  arrowright: { kind: 'seek', byS: 5 },
  arrowup: { kind: 'volume', by: 0.05 },
  arrowdown: { kind: 'volume', by: -0.05 },
};

export function commandOf({ key, hasModifier, focus }: KeyPress): Command | null {
  if (hasModifier || focus === 'text') return null;
  const name = key.toLowerCase();
  if (focus === 'button' && name === ' ') return null; // It presses the button.
  if ((focus === 'range' || focus === 'menu') && (name.startsWith('arrow') || name === ' ')) return null;
  return (Object.hasOwn(kCommands, name) ? kCommands[name] : null) ?? null;
}

// For the overview of keys.
export const keyHelp: { keys: string[]; text: string }[] = [
  { keys: ['Space', 'K'], text: 'Play or pause' },
  { keys: ['L'], text: 'Back to live' },
  { keys: ['←', '→'], text: 'Five seconds back or forward' },
  { keys: ['↑', '↓'], text: 'Louder or quieter' },
  { keys: ['M'], text: 'Sound on or off' },
  { keys: ['F'], text: 'Full screen' },
  { keys: ['T'], text: 'Wide view' },
  { keys: ['I'], text: 'Picture in picture' },
  { keys: ['C'], text: 'Captions' },
  { keys: ['R'], text: 'Real-time or LL-HLS' },
  { keys: ['S'], text: 'Statistics' },
  { keys: ['?'], text: 'This overview' },
];
