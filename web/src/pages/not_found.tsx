import { useEffect } from 'react';

export function NotFoundPage() {
  useEffect(() => {
    document.title = 'Not found – Stoa';
  }, []);
  return (
    <div className="message_page">
      <p className="eyebrow">404</p>
      <h1>No such page</h1>
      <p>Nothing is at this address. The channels that are on air now are one step away.</p>
      <p>
        <a className="button" href="/">
          Live channels
        </a>
      </p>
    </div>
  );
}
