import { useEffect, useRef, type KeyboardEvent } from 'react';
import { Icon } from '../ui/icons';
import type { Way, Wish } from '../lib/delivery';
import type { PlayerEngine, PlayerView } from './engine';

interface Item {
  key: string;
  label: string;
  isChosen: boolean;
  choose: () => void;
}

function Group({ title, items }: { title: string; items: Item[] }) {
  return (
    <div role="group" aria-label={title}>
      <p className="menu_title" aria-hidden="true">
        {title}
      </p>
      {items.map(({ key, label, isChosen, choose }) => (
        <button
          key={key}
          type="button"
          role="menuitemradio"
          aria-checked={isChosen}
          tabIndex={-1}
          className="menu_item"
          onClick={choose}
        >
          <span className="menu_mark">{isChosen && <Icon name="check" />}</span>
          {label}
        </button>
      ))}
    </div>
  );
}

export const wishLabel = (wish: Wish, way: Way): string => {
  if (wish === 'auto') return `Automatic (${way === 'realtime' ? 'real-time' : 'LL-HLS'})`;
  return wish === 'realtime' ? 'Real-time (WebRTC)' : 'Low-latency HLS';
};

// Delivery, quality and sound track. Arrow keys move, Escape closes, focus goes back to the button.
export function SettingsMenu({
  player,
  view,
  way,
  wish,
  onWish,
  onClose,
}: {
  player: PlayerEngine;
  view: PlayerView;
  way: Way;
  wish: Wish;
  onWish: (wish: Wish) => void;
  onClose: () => void;
}) {
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const first = menu.current?.querySelector<HTMLElement>('[aria-checked="true"]');
    first?.focus();
    const close = (event: PointerEvent) => {
      if (event.target instanceof Node && menu.current?.contains(event.target)) return;
      if (event.target instanceof Element && event.target.closest('[aria-haspopup="menu"]')) return;
      onClose();
    };
    document.addEventListener('pointerdown', close, true);
    return () => {
      document.removeEventListener('pointerdown', close, true);
      if (before instanceof HTMLElement) before.focus();
    };
  }, [onClose]);

  const handleKey = (event: KeyboardEvent) => {
    const items = [...(menu.current?.querySelectorAll<HTMLElement>('.menu_item') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: items.length - 1,
    };
    if (event.key === 'Escape' || event.key === 'Tab') onClose();
    const to = moves[event.key];
    if (to === undefined) return;
    event.preventDefault();
    items[(to + items.length) % items.length]?.focus();
  };

  const delivery: Item[] = (['auto', 'realtime', 'hls'] as const).map((one) => ({
    key: one,
    label: wishLabel(one, way),
    isChosen: wish === one,
    choose: () => onWish(one),
  }));
  const playing = view.levels.find(({ id }) => id === view.playingLevel);
  const quality: Item[] = [
    {
      key: 'auto',
      label: view.level < 0 && playing !== undefined ? `Automatic (${playing.label})` : 'Automatic',
      isChosen: view.level < 0,
      choose: () => player.chooseLevel(-1),
    },
    ...view.levels.map(({ id, label }) => ({
      key: String(id),
      label,
      isChosen: view.level === id,
      choose: () => player.chooseLevel(id),
    })),
  ];
  const sound: Item[] = view.audioTracks.map(({ id, label }) => ({
    key: String(id),
    label,
    isChosen: view.audioTrack === id,
    choose: () => player.chooseAudioTrack(id),
  }));
  return (
    <div className="menu" role="menu" aria-label="Delivery, quality and sound" ref={menu} onKeyDown={handleKey}>
      <Group title="Delivery" items={delivery} />
      {view.levels.length > 0 && <Group title="Quality" items={quality} />}
      {sound.length > 0 && <Group title="Sound track" items={sound} />}
    </div>
  );
}
