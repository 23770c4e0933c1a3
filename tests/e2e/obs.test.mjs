// OBS Studio itself, on a screen of its own, publishes as a person would set it up.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { followParts, renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, ffprobe } from './lib/media.mjs';
import { fetchMedia } from './lib/playlist.mjs';
import { Program, findProgram } from './lib/program.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

// A profile (stream settings), a scene with a coloured source, and no questions on the first start.
function writeSettings(folder, server, key) {
  const write = (name, text) => {
    const path = join(folder, 'obs-studio', name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  };
  write('global.ini', '[General]\nFirstRun=true\nLastVersion=486539264\nInfoIncrement=-1\n[BasicWindow]\nSysTrayEnabled=false\n');
  write('basic/profiles/e2e/basic.ini', '[General]\nName=e2e\n[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSCommon=30\n'
    + '[Output]\nMode=Simple\n[SimpleOutput]\nVBitrate=800\nABitrate=96\nStreamEncoder=x264\nPreset=ultrafast\nUseAdvanced=true\nx264Settings=keyint=60\n');
  write('basic/profiles/e2e/service.json', JSON.stringify({ type: 'rtmp_custom', settings: { server, key, bwtest: false, use_auth: false } }));
  write('basic/scenes/e2e.json', JSON.stringify({
    name: 'e2e', current_scene: 'Scene', current_program_scene: 'Scene', scene_order: [{ name: 'Scene' }],
    sources: [
      { id: 'scene', name: 'Scene', settings: { id_counter: 1, items: [{ id: 1, name: 'Colour', visible: true, align: 5, rot: 0, pos: { x: 0, y: 0 }, scale: { x: 1, y: 1 }, bounds: { x: 0, y: 0 } }] } },
      { id: 'color_source_v3', versioned_id: 'color_source_v3', name: 'Colour', settings: { width: 640, height: 360, color: 0xff00ff00 } },
    ],
  }));
}

let server, home;
before(async () => {
  server = await Server.start();
  home = mkdtempSync(join(tmpdir(), 'stoa-obs-'));
});
after(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

function startObs() {
  return new Program('obs', 'xvfb-run', ['-a', 'obs', '--startstreaming', '--multi', '--profile', 'e2e', '--collection', 'e2e'],
    { env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, LIBGL_ALWAYS_SOFTWARE: '1' } });
}

test('OBS Studio publishes, is killed and comes back on the same playlist', { timeout: 120_000 }, async () => {
  writeSettings(home, `rtmp://${server.rtmp}/live`, 'studio');
  let obs = startObs();
  try {
    await server.untilWatchable('studio', 40_000);
    const { video, audio } = await renditionsOf(server, 'studio');
    assert.ok(audio, 'audio has a rendition of its own');
    await followParts(video, 6);
    const { streams, frames } = await ffprobe(await downloadSegments(await wholeSegments(video, 2), 'obs'), ['-show_entries', 'stream=codec_name,width,height:frame=pts_time']);
    assert.deepEqual([streams[0].codec_name, streams[0].width, streams[0].height], ['h264', 640, 360]);
    assert.ok(frames.length >= 110, `${frames.length} frames in two segments`);
    const judge = new Program('check-hls', findProgram('stoa'), ['check-hls', server.playlistUrl('studio'), '--seconds', '5']);
    assert.match(await judge.success(), / 0 failed/);

    await obs.stop('SIGKILL');
    await until('the encoder is missed', async () => (await server.metric('stoa_live_interruptions_total')) === 1);
    obs = startObs();
    await until('the playlist goes on behind a discontinuity', async () => {
      const { segments, hasEnded } = await fetchMedia(video);
      assert.equal(hasEnded, false);
      const turn = segments.findIndex((one) => one.discontinuity);
      return turn > 0 && segments.slice(turn).filter((one) => !one.gap).length >= 2;
    }, { within: 40_000 });
  } finally {
    await obs.stop('SIGKILL');
  }
});
