// From the write of a part's last sample to the arrival of the part and of the playlist that lists it.
import { recording } from '../tests/e2e/lib/encoder.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { bench, readFlags, recordedPicture, save } from './lib/run.mjs';

const flags = readFlags({ seconds: 60, 'server-cpu': 0, 'load-cpu': 1 });
const file = await recording({ ...recordedPicture, seconds: 20 });
const data = {};
for (const [name, args] of [['default', []], ['part_0.2', ['--hls-part', '0.2']]]) {
  const server = await Server.start({ pin: flags['server-cpu'], args });
  try {
    data[name] = await bench([
      'latency', server.publishUrl('show'), server.playlistUrl('show'), file, '--seconds', flags.seconds, '--cpu', flags['load-cpu'],
    ]);
  } finally {
    await server.stop();
  }
}
console.log(JSON.stringify(save('latency', { flags, ...data }), null, 1));
