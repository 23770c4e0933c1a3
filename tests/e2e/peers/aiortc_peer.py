"""aiortc publishes by WHIP or watches by WHEP.

  aiortc_peer.py publish|watch URL [--video VP8|H264] [--messages N]

Says what it sees as lines of JSON; runs until it is ended. With --messages a data channel sends that many
texts and counts those that come back.
"""
import argparse
import asyncio
import fractions
import signal

import aioice.ice
import av
import numpy
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.codecs import vpx
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack, VideoStreamTrack

import peer

WIDTH, HEIGHT = 320, 180

# The server under test listens on the loopback address alone.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class WithoutDenoiser:
    """libvpx as aiortc's encoder sees it. aiortc asks for the strongest temporal denoiser, which at times takes
    what changes in the strip for noise: up to half of the pictures left the publisher with a number nobody can read."""

    def __init__(self, lib):
        self.lib = lib

    def __getattr__(self, name):
        return getattr(self.lib, name)

    def vpx_codec_control_(self, codec, what, value):
        if what == self.lib.VP8E_SET_NOISE_SENSITIVITY:
            value = vpx.ffi.cast("int", 0)
        return self.lib.vpx_codec_control_(codec, what, value)


vpx.lib = WithoutDenoiser(vpx.lib)


class Picture(VideoStreamTrack):
    frame = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        picture = av.VideoFrame.from_ndarray(peer.paint(WIDTH, HEIGHT, self.frame, peer.now_ms()), format="yuv420p")
        picture.pts, picture.time_base = pts, time_base
        self.frame += 1
        return picture


class Tone(MediaStreamTrack):
    kind = "audio"
    RATE, SAMPLES = 48000, 960

    def __init__(self):
        super().__init__()
        self.position, self.start = 0, None

    async def recv(self):
        loop = asyncio.get_event_loop()
        self.start = self.start or loop.time()
        await asyncio.sleep(max(0, self.start + self.position / self.RATE - loop.time()))
        at = numpy.arange(self.position, self.position + self.SAMPLES)
        tone = (8000 * numpy.sin(2 * numpy.pi * 440 * at / self.RATE)).astype(numpy.int16)
        sound = av.AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = self.RATE, self.position, fractions.Fraction(1, self.RATE)
        self.position += self.SAMPLES
        return sound


async def take(track, account):
    try:
        while True:
            frame = await track.recv()
            if track.kind == "video":
                account.picture(frame.to_ndarray(format="yuv420p")[: frame.height])
            else:
                account.sound(frame.to_ndarray())
    except MediaStreamError:
        peer.tell(ended=track.kind)


def add_media(connection, options):
    if options.role == "publish":
        video = connection.addTransceiver(Picture(), direction="sendonly")
        connection.addTransceiver(Tone(), direction="sendonly")
    else:
        video = connection.addTransceiver("video", direction="recvonly")
        connection.addTransceiver("audio", direction="recvonly")
    if options.video:
        codecs = RTCRtpSender.getCapabilities("video").codecs
        wanted = f"video/{options.video}"
        video.setCodecPreferences([one for one in codecs if one.mimeType == wanted or one.mimeType == "video/rtx"])


def add_echo(connection, count):
    # aiortc would take a number by its ICE role, where RFC 8832 §6 wants an even one of the DTLS client.
    channel = connection.createDataChannel("echo", id=0)
    seen = {"echoed": 0, "disordered": 0}

    @channel.on("open")
    def send():
        for i in range(count):
            channel.send(f"message {i}")

    @channel.on("message")
    def receive(text):
        seen["disordered"] += text != f"message {seen['echoed']}"
        seen["echoed"] += 1
        peer.tell(**seen)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["publish", "watch"])
    parser.add_argument("url")
    parser.add_argument("--video")
    parser.add_argument("--messages", type=int, default=0)
    options = parser.parse_args()

    connection, account, takers = RTCPeerConnection(), peer.Account(), []
    connection.on("track", lambda track: takers.append(asyncio.ensure_future(take(track, account))))
    connection.on("connectionstatechange", lambda: peer.tell(state=connection.connectionState))
    add_media(connection, options)
    if options.messages:
        add_echo(connection, options.messages)
    await connection.setLocalDescription(await connection.createOffer())
    loop = asyncio.get_event_loop()
    location, answer = await loop.run_in_executor(None, peer.post_offer, options.url, connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))

    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    await ended.wait()
    await connection.close()
    await loop.run_in_executor(None, peer.delete_session, location)


asyncio.run(main())
