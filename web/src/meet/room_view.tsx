// A meeting: stage, panels, controls.

import {
  RoomAudioRenderer,
  RoomContext,
  useAudioPlayback,
  useChat,
  useParticipants,
  useTracks,
} from '@livekit/components-react';
import { RoomEvent, SubscriptionError, Track, type RemoteParticipant, type Room } from 'livekit-client';
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { HelpDialog } from '../ui/help';
import { Icon } from '../ui/icons';
import { shortName } from './announcements';
import { ChatPanel, type Chat } from './chat_panel';
import type { Choices } from './choices';
import { Controls, type PanelName } from './controls';
import { commandOf, keyHelp, type Command } from './keys';
import { kLayouts, nextLayout, type Layout } from './layout';
import { MeetingContext, useMeeting, type Meeting } from './meeting_context';
import { handsOf, nameOf } from './people';
import { PeoplePanel } from './people_panel';
import { SettingsPanel } from './settings_panel';
import { Stage } from './stage';
import { StatsPanel } from './stats_panel';
import { useAnnouncer, useRoomHappenings } from './use_announcer';
import { useAwake } from './use_awake';
import { useLink, useOnline } from './use_link';
import { useOwnMedia } from './use_own_media';
import type { PreviewTracks } from './use_preview';
import { useOwnRights } from './use_surprises';
import { bannerText } from './words';

const kNoticesMax = 3;
const kQuotedChars = 120;

interface Props {
  room: Room;
  roomName: string;
  token: string;
  isHost: boolean;
  tracks: PreviewTracks;
  choices: Choices;
  onChange: (change: Partial<Choices>) => void;
}

const phone = window.matchMedia('(max-width: 600px)');
const usePhone = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      phone.addEventListener('change', listener);
      return () => phone.removeEventListener('change', listener);
    },
    () => phone.matches,
  );

interface Notice {
  id: number;
  text: string;
}

function useNotices() {
  const [notices, setNotices] = useState<Notice[]>([]);
  const count = useRef(0);
  const notify = useCallback((text: string) => {
    const id = ++count.current;
    setNotices((last) =>
      [...last.filter((notice) => notice.text !== text), { id, text }].slice(-kNoticesMax),
    );
  }, []);
  const close = useCallback(
    (id: number) => setNotices((last) => last.filter((notice) => notice.id !== id)),
    [],
  );
  return { notices, notify, close };
}

function Notices({ notices, onClose }: { notices: Notice[]; onClose: (id: number) => void }) {
  return (
    <>
      {notices.map(({ id, text }) => (
        <div key={id} className="notice" role="alert">
          <p>{text}</p>
          <button
            type="button"
            className="icon_button"
            aria-label="Close this message"
            onClick={() => onClose(id)}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </>
  );
}

function Banner({ room }: { room: Room }) {
  const link = useLink(room);
  const text = bannerText(link, useOnline());
  return (
    <div
      className={text === '' ? 'link_banner is_empty' : `link_banner is_${link}`}
      role="status"
      aria-label="Connection"
    >
      {text}
    </div>
  );
}

// Browsers may keep sound back until the page was touched.
function SoundBlocked({ room }: { room: Room }) {
  const { canPlayAudio, startAudio } = useAudioPlayback(room);
  const heard = useTracks([Track.Source.Microphone, Track.Source.ScreenShareAudio], {
    room,
    updateOnlyOn: [],
  });
  const [isTried, setTried] = useState(false);
  if (canPlayAudio || isTried || heard.every(({ participant }) => participant.isLocal)) return null;
  return (
    <div className="notice">
      <p>The browser holds back the sound of this meeting.</p>
      <button
        type="button"
        className="button"
        onClick={() => {
          setTried(true);
          void startAudio().catch(() => undefined);
        }}
      >
        Hear the others
      </button>
    </div>
  );
}

function LayoutChoice({ layout, onChoose }: { layout: Layout; onChoose: (layout: Layout) => void }) {
  const words: Record<Layout, string> = { grid: 'Grid', speaker: 'Speaker', sidebar: 'Sidebar' };
  return (
    <div className="segments layouts" role="radiogroup" aria-label="Layout">
      {kLayouts.map((one) => (
        <label key={one} title={words[one]}>
          <input
            type="radio"
            name="layout"
            aria-label={words[one]}
            checked={layout === one}
            onChange={() => onChoose(one)}
          />
          <span>
            <Icon name={one} />
            <span className="layout_word">{words[one]}</span>
          </span>
        </label>
      ))}
    </div>
  );
}

interface TopProps {
  choices: Choices;
  panel: PanelName | null;
  onLayout: (layout: Layout) => void;
  onPanel: (panel: PanelName) => void;
  onHelp: () => void;
}

function Top({ choices, panel, onLayout, onPanel, onHelp }: TopProps) {
  const { roomName } = useMeeting();
  return (
    <header className="meeting_top">
      <h1>{roomName}</h1>
      <LayoutChoice layout={choices.layout} onChoose={onLayout} />
      {(['statistics', 'settings'] as const).map((name) => (
        <button
          key={name}
          type="button"
          className="icon_button"
          aria-label={name === 'statistics' ? 'Statistics' : 'Settings'}
          aria-pressed={panel === name}
          title={name === 'statistics' ? 'Statistics (I)' : 'Settings: devices'}
          onClick={() => onPanel(name)}
        >
          <Icon name={name} />
        </button>
      ))}
      <button
        type="button"
        className="icon_button keys_button"
        aria-label="Keyboard"
        title="Keyboard (?)"
        onClick={onHelp}
      >
        <Icon name="help" />
      </button>
    </header>
  );
}

// The room's chat, and how many messages came since it was last open.
function useRoomChat(isOpen: boolean): { chat: Chat; unread: number } {
  const { announce } = useMeeting();
  // Without options, and the room from its context: with new options each time it would begin anew each time.
  const { chatMessages, send, isSending } = useChat();
  const [seen, setSeen] = useState(0);
  const told = useRef(0);
  const count = chatMessages.length;
  useEffect(() => {
    if (isOpen) setSeen(count);
    const last = chatMessages.at(-1);
    const isNew = count > told.current;
    told.current = count;
    if (isOpen || !isNew || last === undefined || last.from?.isLocal === true) return;
    const name = last.from === undefined ? 'Somebody' : nameOf(last.from);
    announce({ kind: 'said', text: `${shortName(name)}: ${last.message.slice(0, kQuotedChars)}` });
  }, [announce, chatMessages, count, isOpen]);
  return {
    chat: { messages: chatMessages, send, isSending },
    unread: isOpen ? 0 : Math.max(0, count - seen),
  };
}

function usePlayTroubles(): void {
  const { room, notify } = useMeeting();
  useEffect(() => {
    const handleFailed = (_: string, participant: RemoteParticipant, reason?: SubscriptionError) => {
      const why =
        reason === SubscriptionError.SE_CODEC_UNSUPPORTED ? ': this browser does not know the codec' : '';
      notify(`Something that ${nameOf(participant)} sends cannot be received${why}.`);
    };
    room.on(RoomEvent.TrackSubscriptionFailed, handleFailed);
    return () => {
      room.off(RoomEvent.TrackSubscriptionFailed, handleFailed);
    };
  }, [room, notify]);
}

function useKeys(handle: (command: Command) => void): void {
  const latest = useRef(handle);
  latest.current = handle;
  useEffect(() => {
    const handleKey = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      const isTyping =
        target?.closest('input:not([type=radio]), textarea, select, [contenteditable]') != null;
      const { key, repeat: isRepeat } = event;
      const command = commandOf({
        key,
        isRepeat,
        isTyping,
        hasModifier: event.ctrlKey || event.altKey || event.metaKey,
      });
      // A dialog that is open has the keys.
      if (command === null || event.defaultPrevented || document.querySelector('dialog[open]') !== null)
        return;
      event.preventDefault();
      latest.current(command);
    };
    window.addEventListener('keydown', handleKey);
    return () => window.removeEventListener('keydown', handleKey);
  }, []);
}

function Inside({ tracks, choices, onChange }: Pick<Props, 'tracks' | 'choices' | 'onChange'>) {
  const { room, announce } = useMeeting();
  const [panel, setPanel] = useState<PanelName | null>(null);
  const [pinned, setPinned] = useState('');
  const [hasHelp, setHelp] = useState(false);
  const isPhone = usePhone();
  const own = useOwnMedia(tracks, onChange);
  const { chat, unread } = useRoomChat(panel === 'chat');
  const people = useParticipants({ room });
  useAwake();
  useOwnRights();
  usePlayTroubles();
  useRoomHappenings(room, announce);

  const openPanel = (name: PanelName) => setPanel((last) => (last === name ? null : name));
  const close = () => setPanel(null);
  const setLayout = (layout: Layout) => {
    setPinned('');
    onChange({ layout });
    announce({ kind: 'said', text: `Layout: ${layout}.` });
  };
  useKeys((command) => {
    switch (command) {
      case 'microphone':
      case 'camera':
      case 'screen':
      case 'hand':
        if (own[command].obstacle === '') own[command].toggle();
        else announce({ kind: 'said', text: own[command].obstacle });
        return;
      case 'layout':
        return setLayout(nextLayout(choices.layout));
      case 'help':
        return setHelp(true);
      case 'close':
        return close();
      default:
        openPanel(command);
    }
  });

  const isCovered = isPhone && panel !== null;
  return (
    <div className={panel === null ? 'meeting' : 'meeting has_panel'}>
      <div className="meeting_main" inert={isCovered}>
        <Top
          choices={choices}
          panel={panel}
          onLayout={setLayout}
          onPanel={openPanel}
          onHelp={() => setHelp(true)}
        />
        <Stage layout={choices.layout} pinned={pinned} onPin={setPinned} />
      </div>
      {panel === 'chat' && <ChatPanel chat={chat} onClose={close} />}
      {panel === 'people' && <PeoplePanel onClose={close} />}
      {panel === 'statistics' && <StatsPanel onClose={close} />}
      {panel === 'settings' && <SettingsPanel onChange={onChange} onClose={close} />}
      <div className="meeting_controls" inert={isCovered}>
        <Controls
          own={own}
          panel={panel}
          unread={unread}
          people={people.length}
          hands={handsOf(people).length}
          onPanel={openPanel}
          onLeave={() => void room.disconnect()}
        />
      </div>
      <RoomAudioRenderer room={room} />
      {hasHelp && <HelpDialog keyHelp={keyHelp} onClose={() => setHelp(false)} />}
    </div>
  );
}

export function RoomView({ room, roomName, token, isHost, tracks, choices, onChange }: Props) {
  const { notices, notify, close } = useNotices();
  const { text, announce } = useAnnouncer();
  const meeting = useMemo<Meeting>(
    () => ({ room, roomName, token, isHost, notify, announce }),
    [room, roomName, token, isHost, notify, announce],
  );
  // The meeting has the whole window: the pages' frame comes back with the pages.
  useEffect(() => {
    document.documentElement.dataset.frame = 'none';
    return () => {
      delete document.documentElement.dataset.frame;
    };
  }, []);
  return (
    <RoomContext.Provider value={room}>
      <MeetingContext.Provider value={meeting}>
        <Inside tracks={tracks} choices={choices} onChange={onChange} />
        <div className="told">
          <Banner room={room} />
          <SoundBlocked room={room} />
          <Notices notices={notices} onClose={close} />
        </div>
        <p className="toast" role="status" aria-label="What happens">
          {text}
        </p>
      </MeetingContext.Provider>
    </RoomContext.Provider>
  );
}
