// A publisher of tests: packets and reports written by hand into a Receiver, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"
#include "proto/rtp/rtx.h"
#include "session/webrtc/receiver.h"

namespace stoa::webrtc::testing {

inline constexpr std::uint8_t kOpusType = 111, kVp8Type = 96, kVp8RtxType = 97, kH264Type = 102;
inline constexpr std::uint8_t kH264RtxType = 103;
inline constexpr std::uint8_t kMidId = 1, kRidId = 2, kRepairedRidId = 3, kTransportId = 4, kCaptureId = 5;
inline constexpr std::uint8_t kLevelId = 6, kOrientationId = 7, kDescriptorId = 8, kAskId = 9;
inline constexpr std::uint8_t kSendTimeId = 10;
inline constexpr std::uint32_t kOurs = 0x5707a;
inline constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);
// Where virtual time begins.
inline constexpr Timestamp kBegin = Timestamp::from_ns(1'000'000'000);

inline sdp::AgreedCodec codec(sdp::Codec which, std::uint8_t type, std::optional<std::uint8_t> rtx = {}) {
  sdp::AgreedCodec agreed;
  agreed.codec = which;
  agreed.clock_rate = which == sdp::Codec::kOpus ? 48'000 : 90'000;
  agreed.channels = which == sdp::Codec::kOpus ? 2 : 1;
  agreed.send_payload_type = agreed.receive_payload_type = type;
  agreed.send_rtx_type = agreed.receive_rtx_type = rtx;
  if (which == sdp::Codec::kH264) agreed.receive_format = sdp::H264Format{.profile_level_id = 0x42e01f};
  agreed.feedback.nack = agreed.feedback.transport_cc = true;
  agreed.feedback.pli = agreed.feedback.fir = which != sdp::Codec::kOpus;
  return agreed;
}

inline sdp::AgreedSection section(sdp::MediaKind kind, std::string mid) {
  sdp::AgreedSection agreed;
  agreed.mid = std::move(mid);
  agreed.kind = kind;
  agreed.direction = sdp::Direction::kRecvOnly;
  agreed.has_rtcp_rsize = true;
  using Extension = sdp::HeaderExtension;
  std::vector<std::pair<Extension, std::uint8_t>> extensions = {
      {Extension::kMid, kMidId},
      {Extension::kRid, kRidId},
      {Extension::kRepairedRid, kRepairedRidId},
      {Extension::kTransportSequence, kTransportId},
      {Extension::kAbsoluteSendTime, kSendTimeId},
      {Extension::kAbsoluteCaptureTime, kCaptureId},
      {Extension::kAudioLevel, kLevelId},
      {Extension::kVideoOrientation, kOrientationId},
      {Extension::kDependencyDescriptor, kDescriptorId}};
  for (auto [extension, id] : extensions) agreed.extensions.push_back({extension, id, true, true});
  agreed.receive_layers.resize(1);
  if (kind == sdp::MediaKind::kAudio) {
    agreed.codecs = {codec(sdp::Codec::kOpus, kOpusType)};
  } else {
    agreed.codecs = {codec(sdp::Codec::kVp8, kVp8Type, kVp8RtxType),
                     codec(sdp::Codec::kH264, kH264Type, kH264RtxType)};
  }
  return agreed;
}

// Audio with mid "a" and video with mid "v", of one layer that only its mid and type tell.
inline sdp::Agreement plain_agreement() {
  sdp::Agreement agreement;
  agreement.sections = {section(sdp::MediaKind::kAudio, "a"), section(sdp::MediaKind::kVideo, "v")};
  return agreement;
}
// The video has three layers: q, h, f.
inline sdp::Agreement simulcast_agreement() {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].receive_layers = {{.rid = "q"}, {.rid = "h"}, {.rid = "f"}};
  return agreement;
}

inline Buffer vp8_keyframe(std::uint8_t fill = 7) {
  // A descriptor that begins partition 0, a frame header with its key frame bit, start code and size.
  return {0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, fill};
}
inline Buffer vp8_delta(std::uint8_t fill = 7) { return {0x10, 0x11, 0x02, 0x00, fill, fill}; }
inline Buffer h264_keyframe() { return {0x65, 0x88, 0x84, 0x00, 0x21}; }
inline Buffer h264_delta() { return {0x41, 0x9a, 0x02, 0x03, 0x04}; }
inline Buffer opus_packet(std::uint8_t fill = 3) { return {0xfc, fill, fill}; }

struct Sent {
  std::uint32_t ssrc = 0;
  std::uint8_t type = kVp8Type;
  std::int64_t index = 0;  // Of SRTP.
  std::uint32_t time = 0;
  Buffer payload;
  std::string_view mid = {}, rid = {}, repaired_rid = {};
  std::optional<std::uint16_t> transport = {};
  std::vector<std::pair<std::uint8_t, Buffer>> elements = {};
  bool marker = false;
  std::size_t padding = 0;
};

inline Buffer write(const Sent& sent) {
  rtp::ExtensionList list;
  if (!sent.mid.empty()) list.add(kMidId, as_bytes(sent.mid));
  if (!sent.rid.empty()) list.add(kRidId, as_bytes(sent.rid));
  if (!sent.repaired_rid.empty()) list.add(kRepairedRidId, as_bytes(sent.repaired_rid));
  if (sent.transport) list.add(kTransportId, rtp::write_transport_sequence(*sent.transport));
  for (const auto& [id, value] : sent.elements) list.add(id, value);
  rtp::Header header{sent.marker, sent.type, static_cast<std::uint16_t>(sent.index), sent.time, sent.ssrc};
  Buffer bytes(2000);
  auto size = rtp::write(header, list, sent.payload, bytes, {.padding_bytes = sent.padding});
  EXPECT_TRUE(size);
  bytes.resize(size.value_or(0));
  return bytes;
}

class Peer {
 public:
  explicit Peer(const sdp::Agreement& agreement = plain_agreement(), const ReceiverConfig& config = {})
      : receiver(agreement, config, kOurs, Rng(1), kBegin) {
    run_to(Duration());
  }

  // Since kBegin. Runs what is due until then.
  void run_to(Duration at) {
    while (receiver.next_deadline() <= kBegin + at) {
      now = std::max(now, receiver.next_deadline());
      receiver.handle_deadline(now, wall(), outputs);
      Timestamp next = receiver.next_deadline();
      ASSERT_GT(next, now);
    }
    now = kBegin + at;
  }
  void run_for(Duration time) { run_to(now - kBegin + time); }
  WallTime wall() const { return kWall + (now - kBegin); }

  Result<void, ReceiveRefusal> send(const Sent& sent) {
    return receiver.handle_rtp(now, write(sent), static_cast<std::uint64_t>(sent.index), outputs);
  }
  // A retransmission of `original` on its stream of retransmissions.
  Result<void, ReceiveRefusal> send_rtx(Sent original, std::uint32_t ssrc, std::int64_t index) {
    Buffer bytes(2000);
    auto type = static_cast<std::uint8_t>(original.type + 1);
    auto size = rtp::write_rtx(write(original), {ssrc, type}, static_cast<std::uint16_t>(index), bytes);
    EXPECT_TRUE(size);
    return receiver.handle_rtp(now, Bytes(bytes).first(size.value_or(0)), static_cast<std::uint64_t>(index),
                               outputs);
  }
  void flush() { receiver.flush(now, outputs); }
  void send_rtcp(rtcp::Writer& writer) {
    receiver.handle_rtcp(now, wall(), writer.view(), outputs);
    writer.clear();
  }
  void send_bye(const std::vector<std::uint32_t>& sources) {
    rtcp::Writer writer;
    writer.write_bye(sources, "");
    send_rtcp(writer);
  }
  void send_report(std::uint32_t ssrc, rtcp::NtpTime ntp, std::uint32_t time) {
    rtcp::Writer writer;
    writer.write_sender_report(ssrc, {.ntp = ntp, .rtp_time = time, .packets = 1, .octets = 1}, {});
    send_rtcp(writer);
  }

  template <typename T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& output : outputs) {
      if (const T* one = std::get_if<T>(&output)) found.push_back(*one);
    }
    return found;
  }
  // Packets that were handed on, of one track.
  std::vector<payload::Packet> packets(media::TrackId track) const {
    std::vector<payload::Packet> found;
    for (const PacketsReceived& received : all<PacketsReceived>()) {
      for (std::size_t i = 0; received.track == track && i < received.batch.count; ++i)
        found.push_back(received.batch[i]);
    }
    return found;
  }
  std::vector<std::int64_t> sequences(media::TrackId track) const {
    std::vector<std::int64_t> found;
    for (const payload::Packet& packet : packets(track)) found.push_back(packet.sequence);
    return found;
  }
  // Calls visit(packet) for each RTCP packet of type T that was sent.
  template <typename T, typename Visit>
  std::size_t visit(Visit&& visit) const {
    std::size_t count = 0;
    for (const auto& output : outputs) {
      const SendRtcp* sent = std::get_if<SendRtcp>(&output);
      if (!sent) continue;
      auto reader = rtcp::Reader::open(sent->packet, rtcp::Form::kReducedSize);
      EXPECT_TRUE(reader);
      while (auto packet = reader->next()) {
        EXPECT_TRUE(*packet);
        if (const T* one = std::get_if<T>(&**packet)) {
          ++count;
          visit(*one);
        }
      }
    }
    return count;
  }
  template <typename T>
  std::size_t count() const {
    return visit<T>([](const T&) {});
  }
  // Of one stream, or of all.
  std::vector<std::uint16_t> nacked(std::optional<std::uint32_t> ssrc = {}) const {
    std::vector<std::uint16_t> sequences;
    visit<rtcp::Nack>([&](const rtcp::Nack& nack) {
      if (ssrc && nack.media_ssrc != *ssrc) return;
      nack.for_each([&](std::uint16_t sequence) { sequences.push_back(sequence); });
    });
    return sequences;
  }
  std::uint64_t refused(ReceiveRefusal refusal) const {
    return receiver.stats().refused[static_cast<std::size_t>(refusal)];
  }

  Receiver receiver;
  ReceiverOutputs outputs;
  Timestamp now = kBegin;
};

}  // namespace stoa::webrtc::testing
