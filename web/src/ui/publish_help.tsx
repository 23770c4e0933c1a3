import { Fragment } from 'react';
import { CopyButton } from './copy_button';
import { StudioForm } from './name_form';

function Line({ label, text }: { label: string; text: string }) {
  return (
    <div className="copy_line">
      <code>
        {text.split(' ').map((word, i) => (
          <Fragment key={i}>
            {i > 0 && ' '}
            <span>{word}</span>
          </Fragment>
        ))}
      </code>
      <CopyButton text={text} label={`Copy ${label}`} />
    </div>
  );
}

export function PublishHelp({ channel = 'my-channel' }: { channel?: string }) {
  const server = `rtmp://${location.hostname}/live`;
  const ffmpeg =
    'ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 ' +
    '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -b:v 2500k ' +
    `-c:a aac -b:a 128k -f flv ${server}/${channel}`;
  return (
    <div className="publish">
      <section>
        <h3>This browser</h3>
        <p>Camera or screen, straight from here: with no more than half a second of delay.</p>
        <StudioForm />
      </section>
      <section>
        <h3>OBS Studio</h3>
        <p>
          Settings, Stream: choose the service “Custom…”. For little delay set the keyframe interval to 2 s.
        </p>
        <dl className="fields">
          <dt>Server</dt>
          <dd>
            <Line label="the server address" text={server} />
          </dd>
          <dt>Stream key</dt>
          <dd>
            <Line label="the stream key" text={channel} />
          </dd>
        </dl>
      </section>
      <section>
        <h3>ffmpeg</h3>
        <p>A test picture with a tone, straight from the command line.</p>
        <Line label="the ffmpeg command" text={ffmpeg} />
      </section>
      <p className="note">
        On a server started with <code>--dev</code> a channel’s name is its stream key. Elsewhere use the key
        you were given.
      </p>
    </div>
  );
}
