// Viewers of one WebRTC channel on one core: the server on one CPU, publisher and viewers on another. One run a
// number of viewers; what a forwarded packet costs, how late it is, how long joining takes.
import { Server } from '../tests/e2e/lib/server.mjs';
import { bench, readFlags, save } from './lib/run.mjs';

const flags = readFlags({
  viewers: 1000, 'video-kbps': 1500, joins: 200, seconds: 20, 'check-every': 100, 'server-cpu': 0, 'load-cpu': 1,
});
const data = {};
for (const viewers of new Set([1, Math.ceil(flags.viewers / 4), flags.viewers])) {
  const server = await Server.start({ pin: flags['server-cpu'] });
  try {
    data[`viewers_${viewers}`] = await bench([
      'whep', `${server.origin}/whep/load`, '--whip', `${server.origin}/whip/load`, '--bearer', 'load', '--quiet',
      '--viewers', viewers, '--video-kbps', flags['video-kbps'], '--joins', flags.joins, '--seconds', flags.seconds,
      '--check-every', flags['check-every'], '--pid', server.pid, '--cpu', flags['load-cpu'],
    ]);
  } finally {
    await server.stop();
  }
}
console.log(JSON.stringify(save('rtc', { flags, ...data }), null, 1));
