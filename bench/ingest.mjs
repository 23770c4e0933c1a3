// What publishers cost: one, then many, of 600 kb/s each, with the server on one CPU and the load on another.
import { recording } from '../tests/e2e/lib/encoder.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { bench, readFlags, recordedPicture, save } from './lib/run.mjs';

const flags = readFlags({ publishers: 200, seconds: 30, 'server-cpu': 0, 'load-cpu': 1 });
const file = await recording({ ...recordedPicture, seconds: 20 });
const data = {};
for (const publishers of new Set([1, flags.publishers])) {
  const server = await Server.start({ pin: flags['server-cpu'] });
  try {
    data[`publishers_${publishers}`] = await bench([
      'ingest', server.publishUrl('load'), file, '--publishers', publishers, '--seconds', flags.seconds,
      '--live', `${server.origin}/api/v1/live`, '--pid', server.pid, '--cpu', flags['load-cpu'],
    ]);
  } finally {
    await server.stop();
  }
}
console.log(JSON.stringify(save('ingest', { flags, ...data }), null, 1));
