import { useEffect, useState } from 'react';
import { Icon, type IconName } from './icons';

// Works without the clipboard API too, which browsers keep from pages that came over plain HTTP.
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.setAttribute('readonly', '');
    area.className = 'visually_hidden';
    document.body.append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    return isDone;
  }
}

interface Props {
  text: string;
  label: string;
  icon?: IconName;
  children?: string;
}

export function CopyButton({ text, label, icon = 'copy', children }: Props) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = window.setTimeout(() => setCopied(false), 2000);
    return () => window.clearTimeout(timer);
  }, [isCopied]);
  return (
    <button
      type="button"
      className={children === undefined ? 'icon_button' : 'text_button'}
      aria-label={isCopied ? 'Copied' : label}
      title={isCopied ? 'Copied' : label}
      onClick={() => void copyText(text).then(setCopied)}
    >
      <Icon name={isCopied ? 'check' : icon} />
      {children !== undefined && <span>{isCopied ? 'Copied' : children}</span>}
    </button>
  );
}
