// What is said to those who do not look, and shown in a corner to those who do. What happens in the same
// moment is one sentence a kind: thirty people coming in are not thirty announcements. Pure.

export type Happening =
  | {
      kind: 'joined' | 'left' | 'hand_up' | 'hand_down' | 'muted' | 'unmuted' | 'sharing' | 'not_sharing';
      name: string;
    }
  | { kind: 'said'; text: string };

type Named = Exclude<Happening['kind'], 'said'>;

const kNamesMax = 3;
const kNameMaxChars = 40;

// A room with more people is too loud for every microphone to be told.
export const kTellMutesMax = 8;

const kPhrases: Record<Named, (names: string, isOne: boolean) => string> = {
  joined: (names) => `${names} joined`,
  left: (names) => `${names} left`,
  hand_up: (names, isOne) => `${names} raised ${isOne ? 'a hand' : 'their hands'}`,
  hand_down: (names, isOne) => `${names} lowered ${isOne ? 'the hand' : 'their hands'}`,
  muted: (names) => `${names} muted`,
  unmuted: (names) => `${names} unmuted`,
  sharing: (names, isOne) => `${names} ${isOne ? 'shares' : 'share'} a screen`,
  not_sharing: (names) => `${names} stopped sharing`,
};

const kOpposites: Partial<Record<Named, Named>> = {
  joined: 'left',
  left: 'joined',
  hand_up: 'hand_down',
  hand_down: 'hand_up',
  muted: 'unmuted',
  unmuted: 'muted',
  sharing: 'not_sharing',
  not_sharing: 'sharing',
};

export function shortName(name: string): string {
  const chars = [...name];
  return chars.length <= kNameMaxChars ? name : `${chars.slice(0, kNameMaxChars - 1).join('')}…`;
}

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, kNamesMax).map(shortName);
  const more = names.length - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${more} more`;
  const last = shown.pop() ?? '';
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}

// One sentence for all of them; "" when nothing is left to say.
export function announcementOf(happenings: readonly Happening[]): string {
  const kinds = new Map<Named, string[]>();
  const said: string[] = [];
  for (const happening of happenings) {
    if (happening.kind === 'said') {
      said.push(happening.text);
      continue;
    }
    const { kind, name } = happening;
    const opposite = kinds.get(kOpposites[kind] ?? kind);
    // On and off again within the moment: nothing to tell.
    if (opposite !== undefined && opposite.includes(name)) {
      opposite.splice(opposite.indexOf(name), 1);
      continue;
    }
    kinds.set(kind, [...(kinds.get(kind) ?? []), name]);
  }
  const phrases = [...kinds]
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) => kPhrases[kind](listOf(names), names.length === 1));
  return [...phrases.map((phrase) => `${phrase}.`), ...said].join(' ');
}
