// What a session is doing and why it does not work, for people. Pure.

import type { Trouble } from './link_keeper';
import type { LinkView } from './rtc_link';

type Role = 'publisher' | 'viewer';

const sentence = (text: string): string => (text === '' || /[.!?]$/.test(text) ? text : `${text}.`);

// Refusals that have a remedy get it said; the server's own sentence follows.
function refusalText({ error }: LinkView, role: Role): string {
  const said = sentence(error?.message ?? '');
  if (error?.code === 'browser') return `This browser could not make the connection. ${said}`.trim();
  const texts: Record<number, string> = {
    401:
      role === 'publisher'
        ? 'The server does not know this stream key.'
        : 'The server wants to know who is watching.',
    403: role === 'publisher' ? 'This stream key is for another channel.' : 'You may not watch this channel.',
    404: 'There is no such channel.',
    405: 'This server does not speak WebRTC.',
    406: 'Browser and server have no codec in common.',
    409: 'Somebody else is publishing on this channel.',
    413: 'The offer is too large for the server.',
    501: 'This server does not speak WebRTC.',
  };
  const known = texts[error?.status ?? 0] ?? 'The server refused.';
  return said === '' || said === known ? known : `${known} ${said}`;
}

// By the code of the server's 410.
const endedTexts: Record<string, string> = {
  taken_over: 'Another studio took over.',
  broadcast_stopped: 'The broadcast was ended.',
  key_revoked: 'The stream key was revoked.',
  too_many_sources: 'The server has no room for another source of this channel.',
};

function troubleText(trouble: Trouble, view: LinkView, role: Role, endpoints: string): string {
  switch (trouble) {
    case 'no_path': {
      const where = endpoints === '' ? 'the media port' : endpoints;
      return (
        `No answer over UDP or TCP from ${where}. A firewall between this device and the server is the usual ` +
        'reason; the server’s operator must open the port.'
      );
    }
    case 'no_security':
      return 'The server was reached, but the encrypted connection (DTLS) could not be made.';
    case 'no_media':
      return 'Connected, but no media arrives.';
    case 'lost':
      return 'The connection was lost.';
    case 'not_live':
      return 'The channel is not live.';
    case 'overloaded':
      return `The server has no room now. ${sentence(view.error?.message ?? '')}`.trim();
    case 'ended':
      return endedTexts[view.error?.code ?? ''] ?? 'The server has ended the session.';
    case 'unreachable':
      return 'The server does not answer.';
    case 'refused':
      return refusalText(view, role);
  }
}

export function linkWords(view: LinkView, role: Role, endpoints: string): string {
  const { trouble } = view;
  if (trouble === null) return '';
  const text = troubleText(trouble, view, role, endpoints);
  if (view.phase === 'over' || view.phase === 'closed') return text;
  return view.phase === 'up' ? text : `${text} Trying again…`;
}

export const phaseWords: Record<LinkView['phase'], string> = {
  posting: 'Asking the server…',
  connecting: 'Connecting…',
  up: 'Connected',
  shaky: 'The connection is unsteady…',
  restarting: 'Looking for another way to the server…',
  probing: 'Asking the server what happened…',
  waiting: 'Waiting for the next try…',
  over: 'Not connected',
  closed: 'Not connected',
};
