// What a viewer chose, kept in the browser. Everything read back is checked: it may come from another version.

export type Theme = 'light' | 'dark';

export type Wish = 'auto' | 'realtime' | 'hls';

export interface Preferences {
  theme: Theme | null; // null follows the system.
  volume: number; // 0 to 1.
  isMuted: boolean;
  isTheatre: boolean;
  delivery: Wish; // How to watch; "auto" leaves it to the page.
  bandwidth: number | null; // bit/s, the last estimate: where a new player begins.
}

export const defaultPreferences: Preferences = {
  theme: null,
  volume: 1,
  isMuted: false,
  isTheatre: false,
  delivery: 'auto',
  bandwidth: null,
};

const kKey = 'stoa.preferences';

type Store = Pick<Storage, 'getItem' | 'setItem'>;

export function readPreferences(store: Store | null): Preferences {
  try {
    const value: unknown = JSON.parse(store?.getItem(kKey) ?? 'null');
    if (typeof value !== 'object' || value === null) return defaultPreferences;
    const fields = value as Record<string, unknown>;
    const { theme, volume, delivery, bandwidth } = fields;
    return {
      theme: theme === 'light' || theme === 'dark' ? theme : null,
      volume: typeof volume === 'number' && volume >= 0 && volume <= 1 ? volume : 1,
      isMuted: fields.isMuted === true,
      isTheatre: fields.isTheatre === true,
      delivery: delivery === 'realtime' || delivery === 'hls' ? delivery : 'auto',
      bandwidth: typeof bandwidth === 'number' && bandwidth > 0 && bandwidth < 1e10 ? bandwidth : null,
    };
  } catch {
    return defaultPreferences;
  }
}

export function writePreferences(store: Store | null, change: Partial<Preferences>): void {
  try {
    store?.setItem(kKey, JSON.stringify({ ...readPreferences(store), ...change }));
  } catch {
    // A full or forbidden store costs the viewer a remembered choice, nothing else.
  }
}

// Reading `localStorage` itself throws where the browser forbids it.
export function browserStore(): Store | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
