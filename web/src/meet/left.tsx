import { useEffect, useRef } from 'react';
import type { Farewell } from './words';

// After a meeting: how it ended, and the way back.
export function Left({
  room,
  farewell,
  reason,
  onRejoin,
}: {
  room: string;
  farewell: Farewell;
  reason: string;
  onRejoin: () => void;
}) {
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  return (
    <div className="message_page">
      <p className="eyebrow">{room}</p>
      <h1 ref={title} tabIndex={-1}>
        {farewell.title}
      </h1>
      <p role="status">{farewell.text}</p>
      {reason !== '' && reason !== 'CLIENT_INITIATED' && <p className="hint">Reason: {reason}</p>}
      <p className="left_actions">
        <button type="button" className="button" onClick={onRejoin}>
          Rejoin
        </button>
        <a className="text_button" href="/">
          Live channels
        </a>
      </p>
    </div>
  );
}
