// What all parts of a meeting share beside livekit's room context.

import type { Room } from 'livekit-client';
import { createContext, useContext } from 'react';
import type { Happening } from './announcements';

export interface Meeting {
  room: Room;
  roomName: string;
  token: string;
  isHost: boolean;
  notify: (text: string) => void; // Something went wrong: shown until it is closed.
  announce: (happening: Happening) => void; // Said and shown for a moment.
}

export const MeetingContext = createContext<Meeting | null>(null);

export function useMeeting(): Meeting {
  const meeting = useContext(MeetingContext);
  if (meeting === null) throw new Error('outside of a meeting');
  return meeting;
}
