// One's own hand.

import { useParticipantAttribute } from '@livekit/components-react';
import { RoomEvent } from 'livekit-client';
import { useCallback, useEffect, useRef } from 'react';
import { deviceErrorOf } from './devices';
import { kHandAttribute } from './hands';
import { useMeeting } from './meeting_context';
import type { Run } from './use_own_media';

// The attribute belongs to the session on the server: a new one begins without, and a raised hand goes up again.
export function useHand(run: Run): { isUp: boolean; toggle: () => void } {
  const { room, notify, announce } = useMeeting();
  const me = room.localParticipant;
  const hand = useParticipantAttribute(kHandAttribute, { participant: me }) || '';
  const raisedAt = useRef('');
  const setHand = useCallback(
    (time: string) =>
      run('hand', async () => {
        try {
          await me.setAttributes({ [kHandAttribute]: time });
          raisedAt.current = time;
          announce({ kind: 'said', text: time === '' ? 'Your hand is down.' : 'Your hand is up.' });
        } catch (error) {
          notify(
            `Your hand could not be ${time === '' ? 'lowered' : 'raised'}. ${deviceErrorOf(error).message}`.trim(),
          );
        }
      }),
    [announce, me, notify, run],
  );
  useEffect(() => {
    const raiseAgain = () => {
      if (raisedAt.current !== '' && !me.attributes[kHandAttribute]) void setHand(raisedAt.current);
    };
    room.on(RoomEvent.Reconnected, raiseAgain);
    return () => {
      room.off(RoomEvent.Reconnected, raiseAgain);
    };
  }, [me, room, setHand]);
  return { isUp: hand !== '', toggle: () => void setHand(hand === '' ? new Date().toISOString() : '') };
}
