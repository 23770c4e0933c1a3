import { useEffect, useRef } from 'react';
import { Icon } from './icons';

export type KeyHelp = readonly { keys: string[]; text: string }[];

// The overview of a page's keys.
export function HelpDialog({ keyHelp, onClose }: { keyHelp: KeyHelp; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="help"
      aria-labelledby="help_title"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close();
      }}
    >
      <div className="help_body">
        <h2 id="help_title">Keyboard</h2>
        <form method="dialog">
          <button type="submit" className="icon_button" aria-label="Close">
            <Icon name="close" />
          </button>
        </form>
        <dl>
          {keyHelp.map(({ keys, text }) => (
            <div key={text}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  );
}
