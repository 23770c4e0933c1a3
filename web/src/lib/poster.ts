// The picture of a channel that has none: an arcade under a sky, the same for the same name every time.

export interface Poster {
  hue: number; // Of the sky, in degrees.
  arches: number;
  sunX: number; // 0 to 1.
  sunY: number;
  initials: string;
}

// FNV-1a over UTF-16 code units; enough to spread names.
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

export function initialsOf(title: string): string {
  const words = title.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  const first = [...(words[0] ?? '?')][0] ?? '?';
  const second = words.length > 1 ? ([...(words[1] ?? '')][0] ?? '') : '';
  return (first + second).toLocaleUpperCase();
}

export function posterOf(name: string, title = name): Poster {
  const hash = hashOf(name);
  // Skies from teal over blue and violet to rose; yellow and green make poor evenings.
  return {
    hue: 180 + (hash % 170),
    arches: 4 + ((hash >>> 8) % 3),
    sunX: 0.2 + (((hash >>> 12) % 100) / 100) * 0.6,
    sunY: 0.3 + (((hash >>> 20) % 100) / 100) * 0.3,
    initials: initialsOf(title),
  };
}
