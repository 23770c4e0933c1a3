"""GStreamer's webrtcbin publishes by WHIP or watches by WHEP.

  gstreamer_peer.py publish|watch URL [--video VP8|H264] [--media both|video]

Says what it sees as lines of JSON; runs until it is ended. Watching, it offers both codecs unless one is named.
"""
import argparse
import os
import signal
import sys
import threading

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

import peer  # noqa: E402

WIDTH, HEIGHT, FPS = 320, 180, 30
CODECS = {
    "VP8": ("vp8enc deadline=1 cpu-used=8 target-bitrate=500000 keyframe-max-dist=60 error-resilient=default ! rtpvp8pay picture-id-mode=15-bit", 96,
            "encoding-name=VP8"),
    "H264": ("x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=60 ! video/x-h264,profile=constrained-baseline"
             " ! rtph264pay aggregate-mode=zero-latency config-interval=-1", 97,
             "encoding-name=H264,packetization-mode=(string)1"),
}
DECODERS = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! avdec_h264", "OPUS": "rtpopusdepay ! opusdec"}
FEEDBACK = "rtcp-fb-nack=true,rtcp-fb-nack-pli=true"


def caps_of(codec):
    _, payload, fields = CODECS[codec]
    profile = ",profile-level-id=(string)42e01f" if codec == "H264" else ""
    return f"application/x-rtp,media=video,clock-rate=90000,payload={payload},{fields}{profile},{FEEDBACK}"


AUDIO_CAPS = "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=111"


RTC = "webrtcbin name=rtc bundle-policy=max-bundle latency=200"


def publishing(codec):
    encode, payload, _ = CODECS[codec]
    return (
        f"{RTC} appsrc name=pictures is-live=true format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
        f" ! queue ! {encode} pt={payload} ! application/x-rtp,{FEEDBACK} ! rtc. "
        "audiotestsrc is-live=true wave=sine freq=440 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! queue ! opusenc"
        f" ! rtpopuspay pt=111 ! {AUDIO_CAPS} ! rtc. "
    )


class Peer:
    def __init__(self, options):
        self.options, self.account, self.location = options, peer.Account(), None
        self.loop = GLib.MainLoop()
        is_publisher = options.role == "publish"
        codecs = [options.video] if options.video else ["H264", "VP8"]
        self.pipeline = Gst.parse_launch(publishing(codecs[0]) if is_publisher else f"pipeline.( {RTC} )")
        self.rtc = self.pipeline.get_by_name("rtc")
        # The server under test listens on the loopback address alone. The agent is kept: its reference floats.
        self.ice = self.rtc.get_property("ice-agent")
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        direction = GstWebRTC.WebRTCRTPTransceiverDirection
        if is_publisher:
            for i in range(2):
                self.rtc.emit("get-transceiver", i).set_property("direction", direction.SENDONLY)
        else:
            video = Gst.Caps.new_empty()
            for codec in codecs:
                video.append(Gst.Caps.from_string(caps_of(codec)))
            for caps in [video] if options.media == "video" else [video, Gst.Caps.from_string(AUDIO_CAPS)]:
                self.rtc.emit("add-transceiver", direction.RECVONLY, caps).set_property("do-nack", True)
            self.rtc.connect("pad-added", self.on_pad)
        self.rtc.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.rtc.connect("notify::connection-state", self.on_state)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.end(f"{message.parse_error()}"))
        for name in (signal.SIGTERM, signal.SIGINT):
            GLib.unix_signal_add(GLib.PRIORITY_HIGH, name, self.end)

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        if self.options.role == "publish":
            threading.Thread(target=self.paint, daemon=True).start()
        self.loop.run()
        if self.location:
            peer.delete_session(self.location)
        # Taking the pipeline down may wait for ever for a thread of its own; the process ends here anyway.
        sys.stdout.flush()
        os._exit(0 if self.failure is None else 1)

    failure = None

    def end(self, failure=None):
        if failure:
            self.failure = failure
            peer.tell(failed=failure)
        self.loop.quit()

    def paint(self):
        source, frame, pace = self.pipeline.get_by_name("pictures"), 0, threading.Event()
        while self.pipeline.get_state(0).state != Gst.State.PLAYING:
            pace.wait(0.01)
        clock, base = self.pipeline.get_clock(), self.pipeline.get_base_time()
        start = clock.get_time() - base
        while True:
            due = start + frame * Gst.SECOND // FPS
            pace.wait(max(0, due - (clock.get_time() - base)) / Gst.SECOND)
            buffer = Gst.Buffer.new_wrapped(peer.paint(WIDTH, HEIGHT, frame, peer.now_ms()).tobytes())
            buffer.pts, buffer.duration = due, Gst.SECOND // FPS
            source.emit("push-buffer", buffer)
            frame += 1

    def on_state(self, rtc, _):
        peer.tell(state=rtc.get_property("connection-state").value_nick)

    def on_negotiation_needed(self, rtc):
        rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise):
        reply = promise.get_reply()  # Owns what is taken out of it.
        offer = reply.get_value("offer")
        text = offer.sdp.as_text()
        self.rtc.emit("set-local-description", offer, Gst.Promise.new())
        threading.Thread(target=self.exchange, args=(text,), daemon=True).start()

    # The server is ICE-lite and learns where we are from our checks: the offer needs no candidates.
    def exchange(self, offer):
        self.location, text = peer.post_offer(self.options.url, offer)
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.rtc.emit("set-remote-description", answer, Gst.Promise.new_with_change_func(self.on_answer_taken))

    def on_answer_taken(self, promise):
        reply = promise.get_reply()
        if reply and reply.has_field("error"):
            self.end(f"the answer is not taken: {reply.get_value('error')}")

    def on_pad(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps().get_structure(0)
        media, decode = caps.get_string("media"), DECODERS[caps.get_string("encoding-name")]
        raw = "videoconvert ! video/x-raw,format=I420" if media == "video" else "audioconvert ! audio/x-raw,format=S16LE"
        sink = Gst.parse_bin_from_description(f"queue ! {decode} ! {raw} ! appsink name=sink emit-signals=true sync=false", True)
        sink.get_by_name("sink").connect("new-sample", self.on_sample, media)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_sample(self, sink, media):
        sample = sink.emit("pull-sample")
        is_mapped, bytes_ = sample.get_buffer().map(Gst.MapFlags.READ)
        if not is_mapped:
            return Gst.FlowReturn.ERROR
        if media == "video":
            structure = sample.get_caps().get_structure(0)
            width, height = structure.get_value("width"), structure.get_value("height")
            stride = (width + 3) & ~3
            self.account.picture(numpy.frombuffer(bytes_.data, numpy.uint8, stride * height).reshape(height, stride)[:, :width])
        else:
            self.account.sound(numpy.frombuffer(bytes_.data, numpy.int16))
        sample.get_buffer().unmap(bytes_)
        return Gst.FlowReturn.OK


parser = argparse.ArgumentParser()
parser.add_argument("role", choices=["publish", "watch"])
parser.add_argument("url")
parser.add_argument("--video", choices=sorted(CODECS))
parser.add_argument("--media", choices=["both", "video"], default="both")
Gst.init(None)
Peer(parser.parse_args()).run()
