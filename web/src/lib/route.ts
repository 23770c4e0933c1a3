// Which page an address means.

export type Route =
  | { page: 'home' }
  | { page: 'watch'; channel: string }
  | { page: 'studio'; channel: string } // "": which one is still to be said.
  | { page: 'not_found' };

const kChannelNameMax = 256;

export function routeOf(path: string): Route {
  if (path === '/' || path === '/index.html') return { page: 'home' };
  if (/^\/studio\/?$/.test(path)) return { page: 'studio', channel: '' };
  const [, page, name] = /^\/(watch|studio)\/([^/]+)\/?$/.exec(path) ?? [];
  if (page === undefined || name === undefined) return { page: 'not_found' };
  try {
    const channel = decodeURIComponent(name);
    if (channel.length > kChannelNameMax) return { page: 'not_found' };
    return { page: page === 'watch' ? 'watch' : 'studio', channel };
  } catch {
    return { page: 'not_found' };
  }
}

export const watchPath = (channel: string): string => `/watch/${encodeURIComponent(channel)}`;
export const studioPath = (channel: string): string => `/studio/${encodeURIComponent(channel)}`;
