// The results under build/bench as the Markdown tables of docs/benchmarks.md.
import { bweTable } from './lib/bwe_table.mjs';
import { load } from './lib/run.mjs';

const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const rows = [];
const row = (what, value, made) => rows.push(`| ${what} | ${value} | \`${made}\` |`);
const machines = new Set();
const note = (result) => machines.add(`${result.machine.cpu}, ${result.machine.cores} cores, Linux ${result.machine.kernel}`);

const live = load('live');
if (live) {
  note(live);
  for (const run of live.runs) {
    const at = `parts of ${run.part_target} s`;
    row(`Glass to glass, ${at}: p50 / p95 / p99`, [run.glass_ms.p50, run.glass_ms.p95, run.glass_ms.p99].map(ms).join(' / '), live.command);
    row(`Opening the page to the first frame, ${at}: p50 / p95 of ${run.join_ms.count}`, [run.join_ms.p50, run.join_ms.p95].map(ms).join(' / '), live.command);
  }
}
const latency = load('latency');
if (latency) {
  note(latency);
  for (const [name, run] of Object.entries(latency).filter(([, one]) => one?.last_sample_to_part_ms)) {
    const part = run.last_sample_to_part_ms, list = run.last_sample_to_playlist_ms;
    row(`Last sample in to part out (${name}): p50 / p99`, `${ms(part.p50)} / ${ms(part.p99)}`, latency.command);
    row(`Last sample in to playlist out (${name}): p50 / p99`, `${ms(list.p50)} / ${ms(list.p99)}`, latency.command);
  }
}
const hls = load('hls');
if (hls) {
  note(hls);
  const { waiting, taking, nginx } = hls;
  row(`${waiting.viewers} viewers with blocked reloads on one core: part to body delivered, p50 / p99, errors`, `${ms(waiting.playlist_ms.p50)} / ${ms(waiting.playlist_ms.p99)}, ${waiting.errors}`, hls.command);
  row('The same until the load generator, on one core, has read the body: p50 / p99', `${ms(waiting.playlist_read_ms.p50)} / ${ms(waiting.playlist_read_ms.p99)}`, hls.command);
  row('Of that core', `${Math.round(waiting.server_cores * 100)} %`, hls.command);
  row('Memory per waiting viewer', `${(waiting.server_bytes_per_viewer / 1024).toFixed(1)} KiB`, hls.command);
  row('Viewers per core that also fetch every part of 600 kb/s', Math.round(taking.viewers_per_core), hls.command);
  row('The same from nginx as static files', Math.round(nginx.viewers_per_core), hls.command);
  row('Stoa against nginx', `${Math.round(hls.viewers_per_core_against_nginx * 100)} %`, hls.command);
}
const ingest = load('ingest');
if (ingest) {
  note(ingest);
  for (const run of Object.values(ingest).filter((one) => one?.server_core_percent_per_publisher !== undefined)) {
    row(`${run.publishers} publisher${run.publishers > 1 ? 's' : ''} of ${Math.round(run.kbps_each)} kb/s: of one core; live all the time`, `${(run.server_cores * 100).toFixed(1)} %; ${run.least_live} of ${run.publishers}`, ingest.command);
  }
}
const soak = load('soak');
if (soak) {
  note(soak);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  row(`${soak.flags.minutes} minutes, encoder killed ${soak.kills} times: memory in the first and second half`, `${megabytes(soak.memory.first_half)}, ${megabytes(soak.memory.second_half)}`, soak.command);
  row('Open files at its first and last look; broken rules; viewers\' errors', `${soak.files.first}, ${soak.files.last}; ${soak.verdict === 0 ? 'none' : 'some'}; ${soak.errors}`, soak.command);
}
const transcode = load('transcode');
if (transcode) {
  note(transcode);
  const { cost, latency: late, start, failures } = transcode;
  if (cost) {
    row('Worker that makes 480p30, 240p30 and Opus of 720p30: of one core; against the ffmpeg command line', `${Math.round(cost.worker_cores * 100)} %; ${cost.of_ffmpeg.toFixed(2)} times`, cost.made_by);
    row('The server beside it: of one core', `${(cost.server_cores * 100).toFixed(1)} %`, cost.made_by);
  }
  const spread = ({ p50, p95, max }) => [p50, p95, max].map(ms).join(' / ');
  for (const [kind, added] of late ? [['without', late.added_ms], ['with two', late.added_ms_with_b_frames]] : [])
    for (const [rung, times] of Object.entries(added)) row(`A part of ${rung} after the source's own, 720p30 ${kind} B-frames: p50 / p95 / max`, spread(times), late.made_by);
  if (start) row(`From live to the first playlist with all renditions: p50 / max of ${start.live_to_playlist_with_all_renditions_ms.count}`, [start.live_to_playlist_with_all_renditions_ms.p50, start.live_to_playlist_with_all_renditions_ms.max].map(ms).join(' / '), start.made_by);
  for (const kind of failures ? ['killed', 'frozen'] : []) {
    const { nothing_ms: nothing, program_ms: program } = failures[kind];
    row(`Worker ${kind}: for how long its renditions bring nothing, p50 / p95 / max of ${nothing.count}`, spread(nothing), failures.made_by);
    row(`Worker ${kind}: until they show the program again, p50 / p95 / max of ${program.count}`, spread(program), failures.made_by);
  }
}
const perTitle = load('per_title');
if (perTitle) {
  note(perTitle);
  const share = (value) => (value === null ? 'none in common' : `${value > 0 ? '+' : ''}${(value * 100).toFixed(1)} %`);
  for (const [name, clip] of Object.entries(perTitle.clips)) {
    const { against_fixed: fixed, against_usual_caps: usual, ladders, bits } = clip;
    const kbits = (value) => Math.round(value / 1000);
    const mean = (kind, by) => (ladders[kind].reduce((sum, one) => sum + one[by], 0) / ladders[kind].length).toFixed(4);
    row(`Ladder of ${name} at fixed rates, with usual caps, by its pictures: kbit/s, mean SSIM`,
      ['fixed', 'usual', 'per_title'].map((kind) => `${kbits(bits[kind])}, ${mean(kind, 'ssim')}`).join('; '), clip.made_by);
    row(`BD-rate of ${name} by SSIM / VIF: against fixed rates; against usual caps; rungs left out`,
      `${share(fixed.ssim)} / ${share(fixed.vif)}; ${share(usual.ssim)} / ${share(usual.vif)}; ${clip.left_out.join(', ') || 'none'}`, clip.made_by);
  }
}
const rtc = load('rtc');
if (rtc) {
  note(rtc);
  const done = (name, add) => rtc[name] && add(rtc[name], (what, value) => row(what, value, rtc[name].made_by));
  const us = (value) => (value === null ? '—' : `${value.toFixed(2)} µs`);
  const three = ({ p50, p95, p99 }) => [p50, p95, p99].map(ms).join(' / ');
  done('path', ({ nanoseconds_a_packet: all, kernel }, add) => {
    for (const one of all.filter(({ segmentation }) => segmentation === 'software')) {
      const stages = [one.append, one.rewrite, one.encrypt, one.send].map(Math.round).join(' + ');
      add(`Forwarding a packet, ${one.packets}, ${one.profile} (${kernel}): history + headers + cipher + kernel`, `${stages} = ${one.all} ns; ${one.allocations} allocations`);
    }
  });
  done('srtp', ({ nanoseconds_a_packet: all }, add) => {
    for (const one of all.filter(({ calls, profile, kernel }) => calls === 'one a frame' && !profile.includes('256') && kernel.startsWith('ipsec-mb'))) {
      add(`SRTP alone, ${one.rtp_bytes} bytes, ${one.profile} (${one.kernel}): protect, unprotect`, `${one.protect} ns, ${one.unprotect} ns`);
    }
  });
  for (const [name, of] of [['streams', `streams of ${rtc.streams?.flags['video-kbps']} kb/s`], ['audio', `audio streams of ${rtc.audio?.flags['audio-kbps']} kb/s`]]) {
    done(name, ({ best }, add) => {
      if (!best) return;
      add(`Viewers of one channel on one core, ${of}`, `${best.viewers}`);
      add('Of that core; packets a second; CPU a packet', `${Math.round(best.server_cores * 100)} %; ${Math.round(best.packets_per_second / 1000)} k; ${us(best.us_per_packet)}`);
      add('Memory per viewer', `${(best.bytes_per_viewer / 1024).toFixed(1)} KiB`);
    });
  }
  done('latency', ({ half_load: run }, add) => {
    add(`Added latency at ${Math.round(run.server_cores * 100)} % load, ${run.viewers} viewers of ${run.publishers} channels, first packet of a frame: p50 / p95 / p99`, three(run.beside.watch.latency_first_packet_ms));
    add('The same, whole frame', three(run.beside.watch.latency_frame_ms));
  });
  done('joins', ({ watch: { joining, join } }, add) => {
    add('Joins in a second of one core\'s CPU time', Math.round(joining.per_server_cpu_second));
    add('Until connected, p50 / p95 / p99', three(join.connected_ms));
  });
  done('shards', (run, add) => add('Viewers of one channel, two shards against one', `${run.times.toFixed(2)} times`));
  done('delivered', ({ watch }, add) => {
    add(`${watch.viewers} viewers who read everything: latency of a frame p50 / p95 / p99`, three(watch.latency_frame_ms));
    add('Their loss; freezes', `${watch.video_loss_percent} %; ${watch.freezes}`);
  });
  done('glass', (run, add) => {
    for (const way of ['whip', 'rtmp']) add(`Glass to glass, ${way.toUpperCase()} to WHEP in Chromium: p50 / p95 / p99`, three(run[way].glass_ms));
  });
  done('pages', ({ click_ms: click, open_ms: open }, add) => {
    add(`Click on a channel to its first frame: p50 / p95 of ${click.count}`, `${ms(click.p50)} / ${ms(click.p95)}`);
    add(`Opening an address, nothing cached, to the first frame: p50 / p95 of ${open.count}`, `${ms(open.p50)} / ${ms(open.p95)}`);
  });
  done('janus', ({ stoa, janus, janus_one_event_loop: looped }, add) => {
    for (const [name, one] of [['Stoa', stoa], ['Janus', janus], ['Janus with one event loop', looped]]) {
      add(`${name}, ${one.sunk.viewers} viewers: CPU a packet; latency of a frame p50 / p99`, `${us(one.sunk.us_per_packet)}; ${ms(one.delivered.watch.latency_frame_ms.p50)} / ${ms(one.delivered.watch.latency_frame_ms.p99)}`);
    }
  });
}
const rooms = load('rooms');
if (rooms) {
  note(rooms);
  const done = (name, add) => rooms[name] && add(rooms[name], (what, value) => row(what, value, rooms[name].made_by));
  const three = ({ p50, p95, p99 }) => [p50, p95, p99].map(ms).join(' / ');
  const percent = (value) => `${Math.round(value * 100)} %`;
  const cores = (run) => `${percent(run.server_cores)}; ${percent(run.generator_cores)}${run.load_is_full ? ', which is all it can' : ''}; ${run.server_us_per_forwarded_packet.toFixed(2)} µs`;
  const loss = ({ received: { video_loss_percent: video, audio_loss_percent: audio, freezes } }) => `${Math.max(video, audio).toPrecision(2)} %; ${freezes}`;
  done('audience', ({ best }, add) => {
    if (!best) return;
    add('Viewers in a room with one publisher of 1.5 Mb/s: the most with frames p95 ≤ 50 ms late and loss ≤ 0.1 %', best.viewers);
    add('Latency of their frames: p50 / p95 / p99', three(best.received.latency_video_ms));
    add('Of the server\'s core; of the load\'s; the server\'s CPU a packet', cores(best));
  });
  done('meeting', (run, add) => {
    add(`Meeting of ${run.members}, all publish three layers and sound, 3×3: latency of a frame p50 / p95 / p99`, three(run.received.latency_video_ms));
    add('Forwarded; loss; freezes', `${Math.round(run.received.mbps)} Mb/s; ${loss(run)}`);
    add('Of the server\'s core; of the load\'s; the server\'s CPU a packet', cores(run));
  });
  done('audio', (run, add) => {
    add(`${run.publishers} speakers, ${run.subscribers} listeners: latency of sound p50 / p95 / p99`, three(run.received.latency_audio_ms));
    add('Packets a second; of those expected; loss; freezes', `${Math.round(run.received.packets_per_second / 1000)} k; ${percent(run.received.audio_packets_of_expected)}; ${loss(run)}`);
    add('Of the server\'s core; of the load\'s; the server\'s CPU a packet', cores(run));
  });
  done('audio', ({ publishers, most: { best } }, add) => {
    if (!best) return;
    add(`The most listeners of ${publishers} speakers with p95 ≤ 50 ms and loss ≤ 0.1 %; latency p50 / p95 / p99`, `${best.viewers}; ${three(best.received.latency_audio_ms)}`);
    add('Packets a second; of the server\'s core; of the load\'s; CPU a packet', `${Math.round(best.received.packets_per_second / 1000)} k; ${cores(best)}`);
  });
  done('joins', (run, add) => {
    add(`Joins, ${run.flags['join-rate']} a second into rooms of ${run.subscribers}: succeeded of wanted`, `${run.join.succeeded} of ${run.join.wanted}`);
    add('Until the primary connection stands: p50 / p95 / p99', three(run.join.connected_ms));
    add('Joins in a second of one core\'s CPU time', Math.round(run.join.per_server_cpu_second));
  });
  done('call', (run, add) => add('A call of two in Chromium, both send three layers up to 640×360 and sound: glass to glass p50 / p95 / p99', three(run.glass_ms)));
  done('memory', (run, add) => add(`Memory of a participant at rest, of ${run.join.succeeded}`, `${(run.server_bytes_per_participant / 1024).toFixed(1)} KiB`));
}
console.log(`Measured on ${[...machines].join('; ')}.\n`);
console.log('Each `build/bench/NAME.json` also holds the `stoa-bench` command lines behind these.\n');
console.log('| what | value | made by |\n|---|---|---|');
console.log(rows.join('\n'));

const bwe = load('bwe');
if (bwe) console.log(`\nCongestion control, \`${bwe.command}\`:\n\n${bweTable(bwe)}`);
