// Following a channel the way a player does, and what was seen on the way.
import { fetchMedia, fetchMultivariant, reload } from './playlist.mjs';
import { until } from './until.mjs';

// The media playlists of a channel: { video, audio } URLs (audio may be undefined).
export async function renditionsOf(server, channel) {
  await server.untilWatchable(channel);
  const { variants, audio } = await fetchMultivariant(server.playlistUrl(channel));
  return { variants, video: variants[0].url, audio: audio.find((one) => one.url)?.url };
}

// Waits until `count` whole segments beginning at `from` are listed, and gives them.
export async function wholeSegments(url, count, { from = 0, within = 20_000 } = {}) {
  return until(`${count} segments from ${from} in ${url}`, async () => {
    const { segments } = await fetchMedia(url);
    const wanted = segments.filter(({ sequence, gap }) => sequence >= from && !gap);
    return wanted.length >= count && wanted.slice(0, count);
  }, { within, every: 200 });
}

// Reloads `parts` times with blocking; each must come within `patience` ms. Gives the last playlist and the
// longest wait.
export async function followParts(url, parts, { patience = 1500 } = {}) {
  let playlist = await fetchMedia(url), longest = 0;
  for (let i = 0; i < parts; ++i) {
    const began = Date.now();
    playlist = await reload(url, playlist);
    const took = Date.now() - began;
    longest = Math.max(longest, took);
    if (took > patience) throw new Error(`part ${i} came after ${took} ms`);
  }
  return { playlist, longest };
}
