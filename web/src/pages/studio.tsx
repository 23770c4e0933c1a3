import '../studio/studio.css';
import { useEffect } from 'react';
import { Studio } from '../studio/studio';
import { StudioForm } from '../ui/name_form';

function Choose() {
  return (
    <div className="message_page">
      <h1>Go live</h1>
      <p>Which channel is it for?</p>
      <StudioForm />
    </div>
  );
}

export default function StudioPage({ name }: { name: string }) {
  useEffect(() => {
    document.title = name === '' ? 'Go live – Stoa' : `${name}, studio – Stoa`;
  }, [name]);
  return name === '' ? <Choose /> : <Studio name={name} />;
}
