import { useState } from 'react';
import { whipUrlOf } from '../lib/api';
import { CopyButton } from '../ui/copy_button';
import { Icon } from '../ui/icons';

function Line({ label, text, name }: { label: string; text: string; name: string }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>
        <div className="copy_line">
          <code>{text}</code>
          <CopyButton text={text} label={`Copy ${name}`} />
        </div>
      </dd>
    </>
  );
}

function Key({ text }: { text: string }) {
  const [isShown, setShown] = useState(false);
  return (
    <>
      <dt>Stream key</dt>
      <dd>
        <div className="copy_line">
          <code aria-label={isShown ? undefined : 'Stream key, hidden'}>
            {text === '' ? 'Enter it above' : isShown ? text : '•'.repeat(12)}
          </code>
          {text !== '' && (
            <>
              <button
                type="button"
                className="icon_button"
                aria-pressed={isShown}
                aria-label="Show the stream key"
                title={isShown ? 'Hide' : 'Show'}
                onClick={() => setShown((was) => !was)}
              >
                <Icon name={isShown ? 'eye_off' : 'eye'} />
              </button>
              <CopyButton text={text} label="Copy the stream key" />
            </>
          )}
        </div>
      </dd>
    </>
  );
}

// What OBS and its like ask for.
export function EncoderPanel({ channel, streamKey }: { channel: string; streamKey: string }) {
  return (
    <details className="panel encoder">
      <summary>Use OBS Studio instead</summary>
      <div className="publish">
        <section>
          <h3>WHIP: less than a second of delay</h3>
          <p>Settings, Stream: service “WHIP”. OBS 30 or later; “Bearer Token” is the stream key.</p>
          <dl className="fields">
            <Line label="Server" text={location.origin + whipUrlOf(channel)} name="the WHIP address" />
            <Key text={streamKey} />
          </dl>
        </section>
        <section>
          <h3>RTMP: every encoder</h3>
          <p>Service “Custom…”. Set the keyframe interval to 2 s, and no B-frames for real-time viewers.</p>
          <dl className="fields">
            <Line label="Server" text={`rtmp://${location.hostname}/live`} name="the RTMP address" />
            <Key text={streamKey} />
          </dl>
        </section>
      </div>
    </details>
  );
}
