// A fan-out with its publishers and receivers, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crypto/srtp_kernel.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/packet.h"
#include "proto/srtp/test_srtp.h"
#include "session/webrtc/fan_out.h"

namespace stoa::webrtc {

struct Got {
  std::int64_t sequence = 0;  // 2^16 * rollover counter + number.
  std::uint32_t timestamp = 0, ssrc = 0;
  bool marker = false;
  std::uint8_t payload_type = 0;
  Buffer packet, payload;
};

struct Peer {
  SenderId id;
  std::unique_ptr<srtp::SendContext> send;
  std::unique_ptr<srtp::ReceiveContext> receive;
  std::map<std::uint32_t, std::vector<Got>> got;  // By SSRC.

  std::vector<Got>& of(std::uint32_t ssrc) { return got[ssrc]; }
};

inline constexpr std::uint32_t kVideoSsrc = 0x1111, kAudioSsrc = 0x2222, kRtxSsrc = 0x3333;

class FanOutWorld {
 public:
  explicit FanOutWorld(FanOutConfig config = {}, srtp::Profile profile = srtp::Profile::kAeadAes128Gcm)
      : profile_(profile), transform(crypto::make_srtp_kernel()), fan_out(config, transform, Rng(7)) {}

  static OutletConfig video(payload::Encoding encoding = payload::Encoding::kH264, bool has_rtx = true) {
    OutletConfig config{.encoding = encoding, .ssrc = kVideoSsrc, .payload_type = 96};
    if (has_rtx) {
      config.rtx_ssrc = kRtxSsrc;
      config.rtx_payload_type = 97;
    }
    config.extensions.set(rtp::ExtensionKind::kTransportSequence, 3);
    config.extensions.set(rtp::ExtensionKind::kAbsSendTime, 4);
    config.has_nack = config.has_pli = true;
    return config;
  }
  static OutletConfig audio() {
    OutletConfig config{.encoding = payload::Encoding::kOpus, .ssrc = kAudioSsrc, .payload_type = 111};
    config.extensions.set(rtp::ExtensionKind::kAudioLevel, 1);
    return config;
  }
  StreamId add_stream(payload::Encoding encoding = payload::Encoding::kH264, std::uint8_t layers = 1,
                      bool can_ask_keyframe = true) {
    payload::RtpTrack track;
    track.encoding = encoding;
    track.layers = layers;
    track.can_ask_keyframe = can_ask_keyframe;
    return fan_out.add_stream(track);
  }
  Peer& add_peer(std::vector<OutletConfig> outlets = {video()}, bwe::PacerConfig pacer = {}) {
    auto peer = std::make_unique<Peer>();
    const auto seed = static_cast<std::uint8_t>(peers.size() + 1);
    peer->send =
        std::make_unique<srtp::SendContext>(profile_, srtp::make_master(profile_, seed), transform.kernel());
    peer->receive = std::make_unique<srtp::ReceiveContext>(profile_, srtp::make_master(profile_, seed),
                                                           transform.kernel());
    ice::Path path;
    path.remote = {IpAddress::v4(192, 0, 2, 1), static_cast<std::uint16_t>(1000 + peers.size())};
    peer->id = fan_out.add_sender(now, {.outlets = std::move(outlets), .cname = "stoa", .pacer = pacer},
                                  *peer->send, path);
    peers.push_back(std::move(peer));
    return *peers.back();
  }

  struct FrameOptions {
    bool is_keyframe = false;
    std::size_t packets = 5, bytes = 1100;
    payload::LayerIndex layer = 0;
    std::size_t lost = ~std::size_t{0};  // This one is not appended.
    std::uint8_t layers_aside = 0;
  };
  // A frame of 3000 ticks, all packets of one size; `numbers` go on by stream and layer.
  void frame(StreamId stream, const FrameOptions& options, std::int64_t ticks = 3000) {
    auto& [sequence, timestamp] = numbers_[{stream.value(), options.layer}];
    if (sequence == 0) sequence = 65'500 + 1000 * options.layer, timestamp = 1'000'000 * (options.layer + 1);
    timestamp += ticks;
    for (std::size_t i = 0; i < options.packets; ++i) {
      payload::Packet packet;
      packet.sequence = sequence++;
      packet.timestamp = timestamp;
      packet.layer = options.layer;
      packet.layers_aside = options.layers_aside;
      packet.marker = i + 1 == options.packets;
      packet.facts.starts_frame = i == 0;
      packet.facts.is_keyframe = options.is_keyframe;
      if (i == options.lost) {
        lost_packet = packet;
        continue;
      }
      add(stream, packet, options.bytes);
    }
    flush(stream);
  }
  void add(StreamId stream, const payload::Packet& packet, std::size_t bytes) {
    writers_[stream.value()].add(packet, payload_of(packet, bytes));
  }
  void flush(StreamId stream) {
    std::vector<payload::PacketBatch> batches;
    writers_[stream.value()].take_batches(batches);
    for (const payload::PacketBatch& batch : batches) {
      if (!loses_batches) fan_out.append(now, stream, batch);
      group.push_back(batch);
    }
  }
  static Buffer payload_of(const payload::Packet& packet, std::size_t bytes) {
    return srtp::make_payload(bytes, static_cast<std::uint8_t>(packet.sequence * 7 + packet.layer));
  }
  // What goes on with other timestamps, as of a source that was started anew.
  void step_clock(StreamId stream, std::int64_t ticks, payload::LayerIndex layer = 0) {
    numbers_[{stream.value(), layer}].second += ticks;
  }
  // The next `count` packets of the source are lost.
  void skip(StreamId stream, std::int64_t count, payload::LayerIndex layer = 0) {
    numbers_[{stream.value(), layer}].first += count;
  }
  std::int64_t sequence_of(StreamId stream, payload::LayerIndex layer = 0) {
    return numbers_[{stream.value(), layer}].first;
  }

  void set_source(Peer& peer, StreamId stream, std::size_t outlet = 0) {
    fan_out.set_source(now, peer.id, outlet, stream, out);
  }
  // Takes all that goes out, decrypts it and hands it to the peers.
  void drain(std::size_t batch_bytes = DatagramBatch::kBytesDefault) {
    DatagramBatch batch(batch_bytes);
    for (bool has_more = true; has_more;) {
      has_more = fan_out.fill(now, batch);
      ++fills;
      for (const DatagramTrain& train : batch.trains()) take(train);
      batch.clear();
    }
  }
  void take(const DatagramTrain& train) {
    Peer& peer = *peers.at(train.remote.port - 1000u);
    ASSERT_LE(train.bytes.size(), DatagramBatch::kTrainBytesMax);
    ASSERT_LE((train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes,
              DatagramBatch::kTrainSegmentsMax);
    segments.push_back((train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes);
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      const Bytes wire =
          train.bytes.subspan(at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
      Got got;
      got.packet.assign(wire.begin(), wire.end());
      raw.push_back(got.packet);
      srtp::PacketToUnprotect incoming{.context = peer.receive.get(), .packet = got.packet, .outcome = {}};
      transform.unprotect(std::span(&incoming, 1));
      if (!incoming.outcome) {
        refusals.push_back(incoming.outcome.error());
        continue;
      }
      got.packet.resize(*incoming.outcome);
      const auto parsed = rtp::parse(got.packet);
      ASSERT_TRUE(parsed);
      got.sequence = static_cast<std::int64_t>(incoming.index);
      got.timestamp = parsed->header.timestamp;
      got.ssrc = parsed->header.ssrc;
      got.marker = parsed->header.marker;
      got.payload_type = parsed->header.payload_type;
      got.payload.assign(parsed->payload.begin(), parsed->payload.end());
      peer.got[got.ssrc].push_back(std::move(got));
    }
  }
  void pass(Duration time) {
    const Timestamp until = now + time;
    while (fan_out.next_deadline() <= until) {
      now = std::max(now, fan_out.next_deadline());
      fan_out.handle_deadline(now, wall(), out);
      drain();
    }
    now = until;
  }
  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now - Timestamp()); }
  void rtcp(Peer& peer, const rtcp::Writer& writer) {
    fan_out.handle_rtcp(now, wall(), peer.id, writer.view(), out);
  }
  void nack(Peer& peer, std::vector<std::uint16_t> sequences, std::uint32_t ssrc = kVideoSsrc) {
    rtcp::Writer writer;
    writer.write_nack(1, ssrc, sequences);
    rtcp(peer, writer);
  }
  void pli(Peer& peer) {
    rtcp::Writer writer;
    writer.write_pli(1, kVideoSsrc);
    rtcp(peer, writer);
  }
  // Its header extension element under this id.
  static std::optional<Buffer> element_of(const Got& got, std::uint8_t id) {
    const auto parsed = rtp::parse(got.packet);
    const auto found = parsed ? rtp::find_element(parsed->extension, id) : std::nullopt;
    return found ? std::optional(Buffer(found->value.begin(), found->value.end())) : std::nullopt;
  }
  std::vector<StreamKeyframeWanted> take_wanted() {
    std::vector<StreamKeyframeWanted> wanted;
    for (FanOutOutput& output : out.take())
      if (auto* one = std::get_if<StreamKeyframeWanted>(&output)) wanted.push_back(*one);
    return wanted;
  }
  static void expect_no_holes(const std::vector<Got>& got) {
    for (std::size_t i = 1; i < got.size(); ++i) ASSERT_EQ(got[i].sequence, got[i - 1].sequence + 1) << i;
  }
  static void expect_forward_timestamps(const std::vector<Got>& got) {
    for (std::size_t i = 1; i < got.size(); ++i) {
      const auto step = static_cast<std::int32_t>(got[i].timestamp - got[i - 1].timestamp);
      if (got[i - 1].marker) {
        ASSERT_GT(step, 0) << i;
      } else {
        ASSERT_EQ(step, 0) << i;
      }
    }
  }

  srtp::Profile profile_;
  Timestamp now = Timestamp::from_ns(5'000'000'000);
  srtp::Transform transform;
  FanOut fan_out;
  FanOutOutputs out;
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<std::size_t> segments;  // Of each train.
  std::vector<Buffer> raw;
  std::vector<srtp::Refusal> refusals;
  std::size_t fills = 0;
  payload::Packet lost_packet;
  bool loses_batches = false;               // They are not appended …
  std::vector<payload::PacketBatch> group;  // … but kept here as all are, of every stream.

 private:
  std::map<std::uint64_t, payload::PacketWriter> writers_;
  std::map<std::pair<std::uint64_t, int>, std::pair<std::int64_t, std::int64_t>> numbers_;
};

// Of a receiver that keeps what it got by its numbers: those between them that did not come.
template <typename Piece>
std::vector<std::uint16_t> missing_numbers(const std::map<std::int64_t, Piece>& pieces, std::size_t most) {
  std::vector<std::uint16_t> numbers;
  if (pieces.empty()) return numbers;
  std::int64_t expected = pieces.begin()->first;
  for (const auto& [sequence, piece] : pieces) {
    for (; expected < sequence && numbers.size() < most; ++expected)
      numbers.push_back(static_cast<std::uint16_t>(expected));
    expected = sequence + 1;
  }
  return numbers;
}
// What a retransmission was first sent as, with `newest` the highest number that came. Requires: two bytes.
inline std::int64_t repeated_number(Bytes payload, std::int64_t newest) {
  const auto number = static_cast<std::uint16_t>(payload[0] << 8 | payload[1]);
  return newest + static_cast<std::int16_t>(number - static_cast<std::uint16_t>(newest));
}

}  // namespace stoa::webrtc
