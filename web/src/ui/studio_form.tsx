import { useId, useState } from 'react';
import { studioPath } from '../lib/route';

// Asks for a channel's name and leads to its studio. A link, so that it opens as every other page does.
export function StudioForm() {
  const id = useId();
  const [name, setName] = useState('');
  const channel = name.trim();
  return (
    <form
      className="studio_form"
      onSubmit={(event) => {
        event.preventDefault();
        document.getElementById(`${id}go`)?.click();
      }}
    >
      <label htmlFor={`${id}name`}>Channel</label>
      <input
        id={`${id}name`}
        value={name}
        onChange={(event) => setName(event.target.value)}
        placeholder="my-channel"
        maxLength={128}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
      />
      <a
        id={`${id}go`}
        className="button"
        {...(channel === '' ? { 'aria-disabled': true, role: 'link' } : { href: studioPath(channel) })}
      >
        Open the studio
      </a>
    </form>
  );
}
