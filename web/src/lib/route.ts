// Which page an address means.

export type Route = { page: 'home' } | { page: 'watch'; channel: string } | { page: 'not_found' };

const kChannelNameMax = 256;

export function routeOf(path: string): Route {
  if (path === '/' || path === '/index.html') return { page: 'home' };
  const watched = /^\/watch\/([^/]+)\/?$/.exec(path);
  if (watched?.[1] === undefined) return { page: 'not_found' };
  try {
    const channel = decodeURIComponent(watched[1]);
    return channel.length <= kChannelNameMax ? { page: 'watch', channel } : { page: 'not_found' };
  } catch {
    return { page: 'not_found' };
  }
}

export const watchPath = (channel: string): string => `/watch/${encodeURIComponent(channel)}`;
