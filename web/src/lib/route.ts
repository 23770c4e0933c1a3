// Which page an address means.

export type Route =
  | { page: 'home' }
  | { page: 'watch'; channel: string }
  | { page: 'studio'; channel: string } // "": which one is still to be said.
  | { page: 'meet'; channel: string } // The room; "" as above.
  | { page: 'not_found' };

const kChannelNameMax = 256;

// "." and ".." would be names, but no address can hold them.
export const isRoomName = (name: string): boolean => /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(name);

export function routeOf(path: string): Route {
  if (path === '/' || path === '/index.html') return { page: 'home' };
  if (/^\/studio\/?$/.test(path)) return { page: 'studio', channel: '' };
  if (/^\/meet\/?$/.test(path)) return { page: 'meet', channel: '' };
  const [, page, name] = /^\/(watch|studio|meet)\/([^/]+)\/?$/.exec(path) ?? [];
  if (page === undefined || name === undefined) return { page: 'not_found' };
  try {
    const channel = decodeURIComponent(name);
    if (channel.length > kChannelNameMax) return { page: 'not_found' };
    if (page === 'meet') return isRoomName(channel) ? { page, channel } : { page: 'not_found' };
    return { page: page === 'watch' ? 'watch' : 'studio', channel };
  } catch {
    return { page: 'not_found' };
  }
}

export const watchPath = (channel: string): string => `/watch/${encodeURIComponent(channel)}`;
export const studioPath = (channel: string): string => `/studio/${encodeURIComponent(channel)}`;
export const meetPath = (room: string): string => `/meet/${encodeURIComponent(room)}`;
