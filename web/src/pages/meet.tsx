import '../meet/meet.css';
import { useEffect } from 'react';
import { Meet } from '../meet/meet';
import { MeetForm } from '../ui/name_form';

function Choose() {
  useEffect(() => {
    document.title = 'Meet – Stoa';
  }, []);
  return (
    <div className="message_page">
      <h1>Meet</h1>
      <p>Which room? One that is not there yet begins with whoever comes first.</p>
      <MeetForm />
    </div>
  );
}

export default function MeetPage({ name }: { name: string }) {
  return name === '' ? <Choose /> : <Meet name={name} />;
}
