// An offer of WebRTC as a client would make it, for those who only look at what is answered.
import { randomBytes } from 'node:crypto';

const random = (length) => randomBytes(length * 2).toString('base64').replace(/[^A-Za-z0-9]/g, '').slice(0, length);
const fingerprint = () => [...randomBytes(32)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');

// `direction`: of the client; `video`: encodings to be offered; `bundle`: false for two transports.
export function makeOffer({ direction = 'sendonly', video = ['VP8'], audio = true, bundle = true, ufrag = random(8), extra = '' } = {}) {
  const transport = [
    `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${random(24)}`, 'a=ice-options:trickle', `a=fingerprint:sha-256 ${fingerprint()}`,
    'a=setup:actpass', 'a=rtcp-mux', `a=${direction}`,
  ];
  const sections = [];
  if (audio) sections.push(['m=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10;useinbandfec=1']);
  if (video.length > 0) {
    const payloads = video.map((_, i) => 96 + i);
    sections.push([`m=video 9 UDP/TLS/RTP/SAVPF ${payloads.join(' ')}`, ...video.flatMap((name, i) => [
      `a=rtpmap:${payloads[i]} ${name}/90000`, `a=rtcp-fb:${payloads[i]} nack`, `a=rtcp-fb:${payloads[i]} nack pli`,
      ...(name === 'H264' ? [`a=fmtp:${payloads[i]} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f`] : []),
    ])]);
  }
  const lines = ['v=0', `o=- ${Date.now()} 1 IN IP4 127.0.0.1`, 's=-', 't=0 0'];
  if (bundle) lines.push(`a=group:BUNDLE ${sections.map((_, i) => i).join(' ')}`);
  sections.forEach(([media, ...rest], i) => lines.push(media, 'c=IN IP4 0.0.0.0', `a=mid:${i}`, ...transport, ...rest));
  return `${lines.join('\r\n')}\r\n${extra}`;
}

export const attributeOf = (sdp, name) => new RegExp(`^a=${name}:(.*?)\\r?$`, 'm').exec(sdp)?.[1];

// Where the server wants to be spoken to over UDP: { address, port }.
export function candidateOf(sdp) {
  const found = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/im.exec(sdp);
  return { address: found[1], port: Number(found[2]) };
}
