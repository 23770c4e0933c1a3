// A bad network between WebRTC clients and a server: clients POST to this program, which passes the request on and
// puts a UDP port of its own into the answer. What comes there is delayed, dropped and reordered both ways.
//
//   bad_network.mjs --to http://127.0.0.1:8080 [--loss 0.01] [--delay 100] [--reorder 0.01] [--seed 1]
//
// Delay is in milliseconds and one way; reorder is the share of datagrams that come 20 to 40 ms later than
// their neighbours. The beginning of a session (ICE and DTLS) suffers as well. Says its port as a line of
// JSON, then now and then what it did.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    to: { type: 'string' }, loss: { type: 'string', default: '0' }, delay: { type: 'string', default: '0' },
    reorder: { type: 'string', default: '0' }, seed: { type: 'string', default: '1' },
  },
});
const loss = Number(options.loss), delay = Number(options.delay), reorder = Number(options.reorder);
const tell = (facts) => process.stdout.write(`${JSON.stringify(facts)}\n`);

let state = Number(options.seed) >>> 0;
function chance() { // Mulberry32.
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const done = { up: 0, down: 0, dropped: 0, reordered: 0 };
const line = []; // What is under way: [when, send], the earliest first.
function suffer(direction, send) {
  ++done[direction];
  if (chance() < loss) return void ++done.dropped;
  let due = performance.now() + delay;
  if (chance() < reorder) {
    ++done.reordered;
    due += 20 + 20 * chance();
  }
  let at = line.length;
  while (at > 0 && line[at - 1][0] > due) --at;
  line.splice(at, 0, [due, send]);
}
setInterval(() => {
  const now = performance.now();
  while (line.length > 0 && line[0][0] <= now) line.shift()[1]();
}, 1);
setInterval(() => tell(done), 200);

const open = () => new Promise((resolve) => {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.on('error', () => {});
  socket.bind(0, '127.0.0.1', () => resolve(socket));
});

// A port for one session, and one behind it by which the server knows it.
async function bridge(serverPort) {
  const front = await open(), back = await open();
  let client = null;
  front.on('message', (bytes, from) => {
    client = from;
    suffer('up', () => back.send(bytes, serverPort, '127.0.0.1'));
  });
  back.on('message', (bytes) => suffer('down', () => client && front.send(bytes, client.port, client.address)));
  return front.address().port;
}

async function rewrite(answer) {
  const found = /^a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) typ host/m.exec(answer);
  if (!found) throw new Error(`no candidate in ${answer}`);
  const port = await bridge(Number(found[1]));
  return answer.split('\r\n')
    .filter((text) => !/^a=candidate:\S+ 1 tcp /.test(text))
    .map((text) => (text.startsWith('a=candidate:') ? text.replace(/127\.0\.0\.1 \d+ typ/, `127.0.0.1 ${port} typ`) : text))
    .join('\r\n');
}

createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const headers = { 'content-type': request.headers['content-type'] ?? 'text/plain' };
  const passed = await fetch(new URL(request.url, options.to), { method: request.method, headers, body: body.length > 0 ? body : undefined });
  const text = await passed.text();
  const answer = passed.status === 201 ? await rewrite(text) : text;
  const kept = ['content-type', 'location', 'etag'].filter((name) => passed.headers.has(name)).map((name) => [name, passed.headers.get(name)]);
  response.writeHead(passed.status, Object.fromEntries(kept));
  response.end(answer);
}).listen(0, '127.0.0.1', function listening() {
  tell({ origin: `http://127.0.0.1:${this.address().port}` });
});
