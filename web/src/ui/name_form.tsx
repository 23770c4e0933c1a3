import { useId, useState } from 'react';
import { isRoomName, meetPath, studioPath } from '../lib/route';

interface Props {
  label: string;
  placeholder: string;
  maxLength: number;
  action: string;
  isValid: (name: string) => boolean;
  hint?: string; // Said of a name that is not valid.
  pathOf: (name: string) => string;
}

// Asks for a name and leads to its page. A link, so that it opens as every other page does.
function NameForm({ label, placeholder, maxLength, action, isValid, hint, pathOf }: Props) {
  const id = useId();
  const [text, setText] = useState('');
  const name = text.trim();
  const isOpen = isValid(name);
  const isWrong = name !== '' && !isOpen && hint !== undefined;
  return (
    <form
      className="name_form"
      onSubmit={(event) => {
        event.preventDefault();
        document.getElementById(`${id}go`)?.click();
      }}
    >
      <label htmlFor={`${id}name`}>{label}</label>
      <input
        id={`${id}name`}
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder={placeholder}
        maxLength={maxLength}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        {...(isWrong ? { 'aria-invalid': true, 'aria-describedby': `${id}hint` } : {})}
      />
      <a
        id={`${id}go`}
        className="button"
        {...(isOpen ? { href: pathOf(name) } : { 'aria-disabled': true, role: 'link' })}
      >
        {action}
      </a>
      {isWrong && (
        <p className="hint" id={`${id}hint`}>
          {hint}
        </p>
      )}
    </form>
  );
}

export const StudioForm = () => (
  <NameForm
    label="Channel"
    placeholder="my-channel"
    maxLength={128}
    action="Open the studio"
    isValid={(name) => name !== ''}
    pathOf={studioPath}
  />
);

export const MeetForm = () => (
  <NameForm
    label="Room"
    placeholder="my-room"
    maxLength={64}
    action="Open the meeting"
    isValid={isRoomName}
    hint="Letters, digits, “-”, “_” and “.”"
    pathOf={meetPath}
  />
);
