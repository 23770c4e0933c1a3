// What the page of live channels heard last. The page that a click on it opens begins with that, and so with the
// way that suits the broadcast, before the server has answered again.

import type { LiveChannel } from './api';

let known: readonly LiveChannel[] = [];

export function rememberChannels(channels: readonly LiveChannel[]): void {
  known = channels;
}

export const knownChannel = (name: string): LiveChannel | null =>
  known.find((channel) => channel.name === name) ?? null;
