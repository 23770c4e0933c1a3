// Datagrams are lost, late and out of order: media goes on, what is lost is sent again, messages come in order.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { renditionsOf, wholeSegments } from './lib/follow.mjs';
import { downloadSegments, readFrames } from './lib/media.mjs';
import { Peer, startBadNetwork, withPeers } from './lib/peer.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.stop());

const live = (channel) => until(`${channel} is live`, () => server.live(channel), { within: 20_000 });

// aiortc asks for no keyframe where the first packet of one is lost: who comes with that loss never sees anything.
async function startViewer(stack, url) {
  for (let left = 3; ; --left) {
    const viewer = new Peer(stack, 'watch', url);
    try {
      await viewer.until('sees a picture', ({ video }) => video > 0, 6000);
      return viewer;
    } catch (error) {
      await viewer.stop();
      if (left === 1) throw error;
    }
  }
}

for (const [stack, conditions] of [
  ['wrtc', { loss: 0.05, delay: 20, reorder: 0.05, seed: 3 }],
  ['aiortc', { loss: 0.02, delay: 20, reorder: 0.02, seed: 4 }],
]) {
  test(`${stack} publishes and watches with ${conditions.loss * 100} % loss both ways: what is lost is sent again`, { timeout: 60_000 }, async () => {
    const network = await startBadNetwork(server.origin, conditions);
    const repeated = { sent: await server.metric('stoa_webrtc_sent_retransmitted_total'), published: await server.metric('stoa_webrtc_published_retransmitted_total') };
    try {
      const channel = `lossy-${stack}`;
      await withPeers([new Peer(stack, 'publish', `${network.origin}/whip/${channel}`, { video: 'VP8' })], async () => {
        await live(channel);
        await withPeers([await startViewer(stack, `${network.origin}/whep/${channel}`)], async (viewer) => {
          const { video, unread, skipped } = await viewer.until('sees 300 frames', (seen) => seen.video - seen.unread >= 300 && seen.audio >= 100);
          // Without anything sent again hardly a frame could be read: each is built on those before it.
          assert.ok(unread <= video * 0.3 && skipped <= video * 0.3, `${unread} unreadable, ${skipped} skipped of ${video}`);
        });
        assert.ok((await server.metric('stoa_webrtc_sent_retransmitted_total')) > repeated.sent, 'packets were sent again to the viewer');
      });
      // Publishers are counted when they are over.
      await until('packets of the publisher came again', async () => (await server.metric('stoa_webrtc_published_retransmitted_total')) > repeated.published);
      assert.ok(network.facts.dropped > 20, JSON.stringify(network.facts));
    } finally {
      await network.stop();
    }
  });
}

// A keyframe instead of what was lost would not come sooner, so the segments wait for it, and sound with the pictures. In
// the beginning the handshake suffers, too: until it is over nothing can be asked for.
const beginning = 4; // Seconds; two segments.
for (const [stack, video] of [['wrtc', 'VP9'], ['aiortc', 'H264']]) {
  test(`${stack} publishes from 400 ms away with 2 % loss: what is lost is in the segments`, { timeout: 90_000 }, async (context) => {
    const network = await startBadNetwork(server.origin, { loss: 0.02, delay: 200, seed: 6 });
    try {
      const channel = `far-${stack}`;
      await withPeers([new Peer(stack, 'publish', `${network.origin}/whip/${channel}`, { video })], async () => {
        await live(channel);
        const { video: pictures, audio: sound } = await renditionsOf(server, channel);
        const segments = await wholeSegments(pictures, 5, { within: 30_000 });
        for (const listed of [segments, await wholeSegments(sound, 5)]) {
          const later = listed.slice(2);
          later.forEach(({ sequence }, i) => assert.equal(sequence, later[0].sequence + i, 'no segment is a gap'));
          assert.ok(!later.some(({ parts }) => parts.some(({ isGap }) => isGap)), 'no part is a gap');
        }
        const frames = await readFrames(await downloadSegments(segments, channel));
        const read = frames.filter(({ time, frame }) => frame !== undefined && time >= frames[0].time + beginning).map(({ frame }) => frame);
        const missing = read.at(-1) - read[0] + 1 - read.length;
        context.diagnostic(`${missing} of ${read.length + missing} pictures are not in the segments; ${network.facts.dropped} datagrams were dropped`);
        assert.ok(missing <= read.length * 0.1, `${missing} pictures missing, ${read.length} there`);
      });
      assert.ok(network.facts.dropped > 20, JSON.stringify(network.facts));
    } finally {
      await network.stop();
    }
  });
}

test('200 messages come back in order with 1 % loss and 100 ms each way', { timeout: 60_000 }, async () => {
  const network = await startBadNetwork(server.origin, { loss: 0.01, delay: 100, reorder: 0.01, seed: 5 });
  try {
    await withPeers([new Peer('wrtc', 'publish', `${server.origin}/whip/echo`, { video: 'VP8' })], async () => {
      await live('echo');
      const viewers = ['wrtc', 'aiortc'].map((stack) => new Peer(stack, 'watch', `${network.origin}/whep/echo`, { messages: 200 }));
      await withPeers(viewers, () => Promise.all(viewers.map(async (viewer) => {
        const { disordered } = await viewer.until('gets 200 messages back', ({ echoed }) => echoed === 200);
        assert.equal(disordered, 0);
      })));
    });
  } finally {
    await network.stop();
  }
});
