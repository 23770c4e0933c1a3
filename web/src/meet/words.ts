// What happened and what can be done about it, for people. Reasons come by their names, as livekit-client has
// them. Pure.

export interface Farewell {
  title: string;
  text: string;
  canRejoin: boolean;
}

const kNoWay =
  'Sound and pictures found no way between this device and the server, over neither UDP nor TCP. A firewall or a VPN is the ' +
  'usual reason; the server’s operator must open the media port.';

const kFarewells: Record<string, Farewell> = {
  CLIENT_INITIATED: { title: 'You have left', text: 'The meeting goes on without you.', canRejoin: true },
  DUPLICATE_IDENTITY: {
    title: 'You joined from elsewhere',
    text: 'The same invitation was used in another tab or on another device, and a person can be here once only.',
    canRejoin: true,
  },
  SERVER_SHUTDOWN: {
    title: 'The server was stopped',
    text: 'It may be back in a moment.',
    canRejoin: true,
  },
  PARTICIPANT_REMOVED: {
    title: 'You were removed',
    text: 'A host of this meeting has removed you from the room.',
    canRejoin: true,
  },
  ROOM_DELETED: {
    title: 'The meeting was ended',
    text: 'A host has closed the room for everybody.',
    canRejoin: true,
  },
  ROOM_CLOSED: { title: 'The meeting is over', text: 'The room was closed.', canRejoin: true },
  STATE_MISMATCH: {
    title: 'The connection was lost',
    text: 'Server and page disagree about what was going on. Joining again puts it right.',
    canRejoin: true,
  },
  JOIN_FAILURE: {
    title: 'Joining failed',
    text: 'The server could not take you into the room.',
    canRejoin: true,
  },
  MIGRATION: {
    title: 'The room has moved',
    text: 'It is on another server now. Join again.',
    canRejoin: true,
  },
  SIGNAL_CLOSE: {
    title: 'The connection was lost',
    text: 'The server closed the connection and gave no reason.',
    canRejoin: true,
  },
  CONNECTION_TIMEOUT: {
    title: 'The connection was lost',
    text: 'The server heard nothing from this device for too long.',
    canRejoin: true,
  },
  MEDIA_FAILURE: { title: 'No sound and no pictures', text: kNoWay, canRejoin: true },
};

// `reason`: the name of a DisconnectReason, "" when none came.
export function farewellOf(reason: string): Farewell {
  return (
    (Object.hasOwn(kFarewells, reason) ? kFarewells[reason] : undefined) ?? {
      title: 'The connection was lost',
      text: 'This page tried to get it back and has given up. Perhaps the network is gone, or the server.',
      canRejoin: true,
    }
  );
}

export interface JoinError {
  text: string;
  reason: string; // For whoever is asked for help: "InternalError: could not establish pc connection".
}

export interface ConnectFailure {
  name: string; // "NotAllowed", "Timeout" … of ConnectionErrorReason; "" when it is another error.
  message: string;
  status: number | null;
  farewell: string; // The DisconnectReason with which the server sent one away.
}

function joinText({ name, message, status, farewell }: ConnectFailure): string {
  // The connection of media is made after the one of signals, and fails with these words.
  if (/pc connection|peer ?connection|\bICE\b|transport connection/i.test(message)) return kNoWay;
  if (/room does not exist/i.test(message)) return 'There is no such room on this server.';
  if (name === 'NotAllowed' || status === 401 || status === 403) {
    return 'The server does not accept this invitation: it may have expired, or be for another room. Ask for a new link.';
  }
  if (status === 503) return 'The server has no room for you now.';
  switch (name) {
    case 'ServerUnreachable':
      return 'The server does not answer. Perhaps this device is offline, or the server is down.';
    case 'Timeout':
      return 'The server took too long to answer.';
    case 'LeaveRequest':
      return `${farewellOf(farewell).title}. ${farewellOf(farewell).text}`;
    case 'ServiceNotFound':
      return 'This server has no rooms.';
    case 'WebSocket':
      return 'The WebSocket to the server could not be opened. A proxy on the way may not let it through.';
    case 'Cancelled':
      return 'Joining was called off.';
    default:
      return 'The connection could not be made.';
  }
}

const kReasonMaxChars = 240;

// Errors may quote the token, which is a key to the room: it is not for the screen.
function safeReason(text: string): string {
  const safe = text.replace(/[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, '(token)');
  return safe.length <= kReasonMaxChars ? safe : `${safe.slice(0, kReasonMaxChars)}…`;
}

export function joinErrorOf(failure: ConnectFailure): JoinError {
  const { name, message, status, farewell } = failure;
  const head = [name || 'Error', farewell, status === null ? '' : `HTTP ${status}`]
    .filter((part) => part !== '')
    .join(', ');
  return { text: joinText(failure), reason: safeReason(message === '' ? head : `${head}: ${message}`) };
}

export type SourceKind = 'camera' | 'microphone' | 'screen';

// `error`: the name of what getUserMedia or getDisplayMedia threw.
export function deviceErrorText(kind: SourceKind, error: string, message = ''): string {
  const isScreen = kind === 'screen';
  switch (error) {
    case 'NotAllowedError':
    case 'SecurityError':
      return isScreen
        ? 'The screen is not shared: the browser was not allowed to.'
        : `The browser may not use the ${kind}. Allow it for this site, in the address bar, and switch it on again.`;
    case 'NotFoundError':
    case 'DevicesNotFoundError':
      return isScreen
        ? 'There is nothing here that could be shared.'
        : `No ${kind} was found on this device.`;
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return isScreen
        ? 'The system did not hand the screen over.'
        : `The ${kind} is there but does not start: another program may be using it.`;
    case 'OverconstrainedError':
      return `The ${kind} that was chosen is not there any more. Choose another.`;
    case 'DeviceUnsupportedError':
    case 'InsecureContext':
      return isScreen
        ? 'This browser cannot share a screen.'
        : `This page came over plain HTTP, and browsers keep the ${kind} from such pages. Open it by HTTPS.`;
    default:
      return `The ${kind} did not start${message === '' ? '.' : `: ${message}`}`;
  }
}

// Why something could not be sent into the room.
export function publishErrorText(kind: SourceKind, error: string, message: string): string {
  const what = { camera: 'Your picture', microphone: 'Your sound', screen: 'Your screen' }[kind];
  if (/insufficient permissions|not allowed/i.test(message))
    return `${what} may not be sent: your invitation does not allow it.`;
  if (error === 'NegotiationError')
    return `${what} could not be sent: browser and server could not agree how.`;
  if (/timed out|timeout/i.test(message)) return `${what} could not be sent: the server did not answer.`;
  return `${what} could not be sent${message === '' ? '.' : `: ${message}`}`;
}

// `no_media`: the server was reached again, and media found no way to it yet.
export type LinkPhase = 'up' | 'signal_lost' | 'lost' | 'no_media' | 'back';

export function bannerText(phase: LinkPhase, isOnline: boolean): string {
  const offline = isOnline ? '' : ' This device is offline.';
  switch (phase) {
    case 'signal_lost':
      return `Reconnecting…${offline || ' Sound and pictures go on as long as they can.'}`;
    case 'lost':
      return `The connection is lost, joining again…${offline || ' Nobody hears or sees you until then.'}`;
    case 'no_media':
      return 'The server is there again, but sound and pictures find no way to it yet. Still trying…';
    case 'back':
      return 'Connected again.';
    case 'up':
      return '';
  }
}

export const kQualityWords: Record<string, string> = {
  excellent: 'Connection: very good',
  good: 'Connection: good',
  poor: 'Connection: poor',
  lost: 'Connection: lost',
  unknown: 'Connection: not known yet',
};
