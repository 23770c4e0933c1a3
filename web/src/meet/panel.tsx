import { useEffect, useRef, type ReactNode } from 'react';
import { Icon } from '../ui/icons';

// One of the panels beside the stage; on a phone it has the whole screen. It takes the focus when it opens
// and gives it back when it closes.
export function Panel({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const first = section.current?.querySelector<HTMLElement>('[data-first]') ?? section.current;
    first?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <section className="side_panel" aria-label={title} ref={section} tabIndex={-1}>
      <header>
        <h2>{title}</h2>
        <button
          type="button"
          className="icon_button"
          aria-label={`Close ${title.toLowerCase()}`}
          onClick={onClose}
        >
          <Icon name="close" />
        </button>
      </header>
      {children}
    </section>
  );
}
