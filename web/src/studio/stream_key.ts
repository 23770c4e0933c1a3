// The stream key of a channel, for as long as this tab is open and nowhere else.

const keyOf = (channel: string) => `stoa.stream_key.${channel}`;

export function readStreamKey(channel: string): string {
  try {
    return sessionStorage.getItem(keyOf(channel)) ?? '';
  } catch {
    return '';
  }
}

export function writeStreamKey(channel: string, key: string): void {
  try {
    if (key === '') sessionStorage.removeItem(keyOf(channel));
    else sessionStorage.setItem(keyOf(channel), key);
  } catch {
    // Then it is asked for again after a reload.
  }
}
