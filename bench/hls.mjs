// Viewers per core: the server on one CPU, the load on another. The same bytes are then asked for in the
// same pattern from nginx as static files on the CPU the server had, and the two are compared.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { publishSource } from '../tests/e2e/lib/encoder.mjs';
import { renditionsOf, wholeSegments } from '../tests/e2e/lib/follow.mjs';
import { fetchMedia, fetchText } from '../tests/e2e/lib/playlist.mjs';
import { Program, processUse, root } from '../tests/e2e/lib/program.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { until } from '../tests/e2e/lib/until.mjs';
import { bench, readFlags, recordedPicture, save } from './lib/run.mjs';

const flags = readFlags({ viewers: 5000, takers: 500, seconds: 30, 'server-cpu': 0, 'load-cpu': 1, 'nginx-port': 18089 });
const serverCpu = flags['server-cpu'], loadCpu = flags['load-cpu'];
const loadFlags = ['--seconds', flags.seconds, '--warmup', 5, '--cpu', loadCpu];

// One playlist and the parts of its last whole segment, as the live server gave them.
async function keepCopies(server, folder) {
  const { video } = await renditionsOf(server, 'show');
  await wholeSegments(video, 8, { within: 40_000 });
  const playlist = await fetchText(video);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'v0.m3u8'), playlist);
  writeFileSync(join(folder, 'v0.m3u8.gz'), gzipSync(playlist));
  const { segments } = await fetchMedia(video);
  const { parts } = segments.filter((one) => one.parts.length > 0).at(-1);
  const names = [];
  for (const { url } of parts) {
    names.push(`p${names.length}.m4s`);
    writeFileSync(join(folder, names.at(-1)), Buffer.from(await (await fetch(url)).arrayBuffer()));
  }
  return names;
}

// One process, so that its CPU time is all there is; tuned as one would for static files.
async function startNginx(folder) {
  const port = flags['nginx-port'];
  const configuration = join(folder, 'nginx.conf');
  writeFileSync(configuration, `
daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; worker_rlimit_nofile 20000;
events { worker_connections 16384; multi_accept on; use epoll; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 300; keepalive_requests 100000000;
  gzip_static on; open_file_cache max=1000 inactive=300s; open_file_cache_valid 300s;
  types { application/vnd.apple.mpegurl m3u8; video/iso.segment m4s; }
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  server { listen 127.0.0.1:${port} backlog=8192; root ${folder}; }
}`);
  const program = new Program('nginx', 'taskset', ['-c', String(serverCpu), 'nginx', '-c', configuration]);
  const origin = `http://127.0.0.1:${port}`;
  await until(`nginx answers (${program.logFile})`, async () => (await fetch(`${origin}/v0.m3u8`)).ok);
  return { program, origin };
}

const folder = join(root, 'build/bench/nginx');
rmSync(folder, { recursive: true, force: true });
const data = {};
const server = await Server.start({ pin: serverCpu });
const encoder = publishSource(server.publishUrl('show'), { ...recordedPicture, pin: loadCpu });
let parts;
try {
  parts = await keepCopies(server, folder);
  const url = server.playlistUrl('show');
  data.idle_rss = processUse(server.pid).residentBytes;
  data.waiting = await bench(['hls', url, '--viewers', flags.viewers, '--pid', server.pid, ...loadFlags]);
  data.waiting_identity = await bench(['hls', url, '--viewers', flags.viewers, '--no-gzip', '--pid', server.pid, ...loadFlags]);
  data.taking = await bench(['hls', url, '--viewers', flags.takers, '--parts', '--pid', server.pid, ...loadFlags]);
} finally {
  await encoder.stop();
  await server.stop();
}
const nginx = await startNginx(folder);
try {
  const { origin, program } = nginx;
  data.nginx = await bench(['static', `${origin}/v0.m3u8`, ...parts.map((name) => `${origin}/${name}`), '--viewers', flags.takers, '--period', 1 / 3, '--pid', program.pid, ...loadFlags]);
} finally {
  await nginx.program.stop();
}
data.viewers_per_core_against_nginx = data.taking.viewers_per_core / data.nginx.viewers_per_core;
console.log(JSON.stringify(save('hls', { flags, ...data }), null, 1));
