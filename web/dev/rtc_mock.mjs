// WHIP and WHEP for pages under test, without a server: a page of the same browser is the other end. It takes
// what is published with a peer connection of its own and sends it on to whoever watches.
//
//   const rtc = await mockRtc(browser);  await rtc.serve(page);
//   rtc.rules.whep = { status: 404, code: 'not_live' };   // Answer so instead. `mute`: accept, send nothing.
//   await rtc.server.evaluate(() => window.cut());        // Close every connection at the far end.

const kEngine = () => {
  const sessions = new Map();
  let published = [];
  let last = 0;
  const gathered = (pc) =>
    new Promise((resolve) => {
      if (pc.iceGatheringState === 'complete') return resolve();
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
    });
  const stop = (id) => {
    const session = sessions.get(id);
    session?.pc.close();
    sessions.delete(id);
    if (session?.role === 'whip') published = [];
  };
  Object.assign(window, {
    async post(role, offer, rule) {
      const pc = new RTCPeerConnection();
      const id = `s${++last}`;
      const session = { pc, role };
      sessions.set(id, session);
      if (role === 'whip') {
        published = [];
        pc.ontrack = ({ track }) => {
          published.push(track);
          // Chromium hands on only the sound that somebody hears.
          const sink = new Audio();
          sink.muted = true;
          sink.srcObject = new MediaStream([track]);
        };
      }
      await pc.setRemoteDescription({ type: 'offer', sdp: offer });
      if (role === 'whep' && !rule.mute) {
        for (const transceiver of pc.getTransceivers()) {
          const kind = transceiver.receiver.track.kind;
          const track = published.find((one) => one.kind === kind && one.readyState === 'live');
          if (!track || rule.without === kind) continue;
          transceiver.direction = 'sendonly';
          await transceiver.sender.replaceTrack(track);
        }
      } else if (role === 'whep') {
        for (const transceiver of pc.getTransceivers()) transceiver.direction = 'sendonly';
      }
      await pc.setLocalDescription(await pc.createAnswer());
      await gathered(pc);
      let { sdp } = pc.localDescription;
      if (rule.unreachable) {
        sdp = sdp.replace(/^a=candidate:.*\r\n/gm, '');
        sdp = sdp.replace(/^a=mid:0\r\n/m, (mid) => `${mid}a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=candidate:2 1 tcp 1671430143 127.0.0.1 9 typ host tcptype passive\r\n`);
      }
      session.offer = offer;
      return { id, sdp };
    },
    async patch(id, fragment) {
      const session = sessions.get(id);
      if (!session) return null;
      const value = (name) => new RegExp(`^a=${name}:(.*)$`, 'm').exec(fragment)?.[1]?.trim();
      const [ufrag, pwd] = [value('ice-ufrag'), value('ice-pwd')];
      if (session.offer.includes(`a=ice-ufrag:${ufrag}`)) {
        for (const [, candidate] of fragment.matchAll(/^a=(candidate:.*)$/gm)) {
          await session.pc.addIceCandidate({ candidate: candidate.trim(), sdpMid: value('mid') }).catch(() => {});
        }
        return '';
      }
      const offer = session.offer
        .replace(/a=ice-ufrag:.*/g, `a=ice-ufrag:${ufrag}`)
        .replace(/a=ice-pwd:.*/g, `a=ice-pwd:${pwd}`);
      session.offer = offer;
      await session.pc.setRemoteDescription({ type: 'offer', sdp: offer });
      await session.pc.setLocalDescription(await session.pc.createAnswer());
      await gathered(session.pc);
      const { sdp } = session.pc.localDescription;
      return sdp.split('\r\n').filter((line) => /^a=(ice-ufrag|ice-pwd|candidate|mid):|^m=/.test(line)).slice(0, 12).join('\r\n') + '\r\n';
    },
    stop,
    cut() {
      for (const id of [...sessions.keys()]) stop(id);
    },
    async reports() {
      const all = [];
      for (const [id, { pc, role }] of sessions) {
        const stats = [...(await pc.getStats()).values()];
        const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated);
        all.push({ id, role, state: pc.connectionState, bytes: pair?.bytesReceived ?? 0 });
      }
      return all;
    },
  });
};

export async function mockRtc(browser, url) {
  const context = await browser.newContext();
  const server = await context.newPage();
  await server.goto(`${url}/nothing`);
  await server.evaluate(kEngine);
  const rules = { whip: {}, whep: {} };
  const seen = [];
  const refuse = (route, { status, code = '', message = '' }) =>
    route.fulfill({ status, contentType: 'application/json', body: JSON.stringify({ error: { code, message } }) });
  const answer = async (route) => {
    const request = route.request();
    const [, role, channel, id] = new URL(request.url()).pathname.split('/');
    const rule = rules[role];
    seen.push({ method: request.method(), role, body: request.postData() ?? '', headers: request.headers() });
    if (request.method() === 'POST') {
      if (rule.status) return refuse(route, rule);
      const made = await server.evaluate(([a, b, c]) => window.post(a, b, c), [role, request.postData(), rule]);
      return route.fulfill({
        status: 201,
        contentType: 'application/sdp',
        headers: { location: `/${role}/${channel}/${made.id}`, etag: `"${made.id}"`, link: '<stun:127.0.0.1:9>; rel="ice-server"' },
        body: made.sdp,
      });
    }
    if (request.method() === 'PATCH') {
      if (rule.unreachable) return route.fulfill({ status: 204 });
      if (rule.patch) return refuse(route, { status: rule.patch, code: rule.code });
      const said = await server.evaluate(([a, b]) => window.patch(a, b), [id, request.postData()]);
      if (said === null) return refuse(route, { status: 404, code: 'no_session' });
      if (said === '') return route.fulfill({ status: 204 });
      return route.fulfill({ status: 200, contentType: 'application/trickle-ice-sdpfrag', headers: { etag: '"r"' }, body: said });
    }
    await server.evaluate((a) => window.stop(a), id);
    return route.fulfill({ status: 200 });
  };
  return {
    server,
    rules,
    seen,
    serve: async (page) => {
      await page.route(/\/(whip|whep)\//, (route) => answer(route).catch((error) => route.fulfill({ status: 500, body: error.message })));
    },
    close: () => context.close(),
  };
}
