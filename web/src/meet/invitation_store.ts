// The token of a room, for as long as this tab is open. It is taken out of the address, which others may see.

import { obstacleOf, tokenIn } from './invitation';

const keyOf = (room: string) => `stoa.meet_token.${room}`;

// The token with which this address was opened, or with which it was before a reload; "" without an
// invitation.
export function takeInvitation(room: string): string {
  const token = tokenIn(location.hash);
  try {
    if (token !== '') {
      sessionStorage.setItem(keyOf(room), token);
      history.replaceState(history.state, '', location.pathname + location.search);
      return token;
    }
    const kept = sessionStorage.getItem(keyOf(room)) ?? '';
    // One that has expired since is not in the way of asking the server.
    if (kept !== '' && obstacleOf(kept, room, Date.now() / 1000) === '') return kept;
    sessionStorage.removeItem(keyOf(room));
    return '';
  } catch {
    return token;
  }
}
