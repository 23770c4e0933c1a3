import type { ReceivedChatMessage } from '@livekit/components-react';
import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import { Icon } from '../ui/icons';
import { kMessageMaxChars, kMessagesShownMax, piecesOf } from './chat_text';
import { useMeeting } from './meeting_context';
import { labelOf, mayChat } from './people';
import { Panel } from './panel';

export interface Chat {
  messages: ReceivedChatMessage[];
  isSending: boolean;
  send: (text: string) => Promise<unknown>;
}

const kNearPx = 60; // Whoever reads the end is kept at the end.

const timeOf = (ms: number): string =>
  new Date(ms).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });

function Message({ message }: { message: ReceivedChatMessage }) {
  const { from, timestamp } = message;
  return (
    <li className={from?.isLocal === true ? 'message is_mine' : 'message'}>
      <p className="message_head">
        <strong>{from === undefined ? 'Somebody who has left' : labelOf(from)}</strong>{' '}
        <time dateTime={new Date(timestamp).toISOString()}>{timeOf(timestamp)}</time>
      </p>
      <p className="message_text">
        {piecesOf(message.message).map((piece, i) =>
          piece.kind === 'link' ? (
            <a key={i} href={piece.text} target="_blank" rel="noreferrer noopener">
              {piece.text}
            </a>
          ) : (
            piece.text
          ),
        )}
      </p>
    </li>
  );
}

export function ChatPanel({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const { room, notify } = useMeeting();
  const [text, setText] = useState('');
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  const { messages, isSending, send } = chat;
  const isAllowed = mayChat(room.localParticipant);
  useEffect(() => {
    if (list.current !== null && isAtEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages.length]);

  const submit = async () => {
    const message = text.trim();
    if (message === '' || isSending) return;
    setText('');
    isAtEnd.current = true;
    try {
      await send(message);
    } catch {
      setText((now) => (now === '' ? message : now));
      notify('Your message was not sent. It is still in the field: try again.');
    }
  };
  const handleKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void submit();
  };
  const older = messages.length - kMessagesShownMax;
  return (
    <Panel title="Chat" onClose={onClose}>
      <ol
        className="messages"
        role="log"
        aria-label="Messages"
        tabIndex={0}
        ref={list}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < kNearPx;
        }}
      >
        {messages.length === 0 && (
          <li className="hint">Messages reach those who are in the room now, and are not kept.</li>
        )}
        {older > 0 && <li className="hint">{older} older messages are not shown.</li>}
        {messages.slice(-kMessagesShownMax).map((message) => (
          <Message key={message.id} message={message} />
        ))}
      </ol>
      <form
        className="chat_form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <textarea
          aria-label="Message"
          data-first=""
          rows={2}
          value={text}
          maxLength={kMessageMaxChars}
          placeholder={isAllowed ? 'Write to everybody' : 'Your invitation does not let you write'}
          disabled={!isAllowed}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={handleKey}
        />
        <button
          type="submit"
          className="icon_button"
          aria-label="Send"
          disabled={!isAllowed || text.trim() === ''}
        >
          <Icon name="send" />
        </button>
      </form>
    </Panel>
  );
}
