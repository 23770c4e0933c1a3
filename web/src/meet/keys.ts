// The keyboard of a meeting. Pure: a pressed key becomes a command, or none.

export type Command =
  | 'microphone'
  | 'camera'
  | 'screen'
  | 'hand'
  | 'chat'
  | 'people'
  | 'statistics'
  | 'layout'
  | 'help'
  | 'close';

export interface KeyPress {
  key: string;
  hasModifier: boolean; // Ctrl, Alt or Meta: the browser's business.
  isRepeat: boolean; // Held down: one press is one command.
  isTyping: boolean; // A text field or a menu of choices has the focus.
}

const kCommands: Record<string, Command> = {
  m: 'microphone',
  v: 'camera',
  s: 'screen',
  h: 'hand',
  c: 'chat',
  p: 'people',
  i: 'statistics',
  l: 'layout',
  '?': 'help',
  escape: 'close',
};

export function commandOf({ key, hasModifier, isRepeat, isTyping }: KeyPress): Command | null {
  const name = key.toLowerCase();
  if (hasModifier || isRepeat || (isTyping && name !== 'escape')) return null;
  return (Object.hasOwn(kCommands, name) ? kCommands[name] : null) ?? null;
}

export const keyHelp: { keys: string[]; text: string }[] = [
  { keys: ['M'], text: 'Microphone on or off' },
  { keys: ['V'], text: 'Camera on or off' },
  { keys: ['S'], text: 'Share a screen, or stop' },
  { keys: ['H'], text: 'Raise or lower your hand' },
  { keys: ['C'], text: 'Chat' },
  { keys: ['P'], text: 'People' },
  { keys: ['I'], text: 'Statistics' },
  { keys: ['L'], text: 'Next layout' },
  { keys: ['Escape'], text: 'Close the panel' },
  { keys: ['?'], text: 'This overview' },
];
