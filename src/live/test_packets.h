// For tests and fuzzing: a browser that publishes over a network with loss, as packets.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "live/packet_feed.h"
#include "media/payload/inspect.h"

namespace stoa::live::testing {

inline Buffer h264_unit(std::uint8_t head, std::size_t size, unsigned seed) {
  Buffer unit{head};
  while (unit.size() < size) {
    seed = seed * 1'103'515'245 + 12'345;
    // No zeros: they would be emulation prevention's business.
    unit.push_back(static_cast<std::uint8_t>(seed >> 16 | 0x80));
  }
  return unit;
}
inline void append_unit(ByteWriter& frame, Bytes unit) {
  frame.u32(static_cast<std::uint32_t>(unit.size()));
  frame.bytes(unit);
}
// The parameter sets of an AVCDecoderConfigurationRecord as units of a frame.
inline void append_sets(ByteWriter& frame, Bytes record) {
  ByteReader reader(record);
  reader.skip(5);
  for (int kind = 0; kind < 2; ++kind) {
    for (int left = reader.u8() & 0x1f; left > 0; --left) append_unit(frame, reader.take(reader.u16()));
  }
}
// A frame of one slice. The record's parameter sets go before a key frame unless it is empty.
inline Buffer h264_frame(bool is_keyframe, std::size_t size, unsigned seed, Bytes record = {},
                         bool is_reference = true) {
  ByteWriter frame;
  if (is_keyframe) append_sets(frame, record);
  std::uint8_t head = is_keyframe ? 0x65 : is_reference ? 0x41 : 0x01;
  append_unit(frame, h264_unit(head, size, seed));
  return frame.take();
}

// One layer of one track as its sender has it: its own numbers and clock.
class PacketSender {
 public:
  PacketSender(payload::RtpTrack track, payload::LayerIndex layer, std::int64_t first_timestamp)
      : track_(std::move(track)),
        layer_(layer),
        first_timestamp_(first_timestamp),
        packetizer_({.encoding = track_.encoding, .first_picture_id = 7}) {}

  std::int64_t timestamp(Duration captured) const {
    return first_timestamp_ + captured.to_ticks(track_.clock_rate());
  }
  // Every packet alone, so that a network may treat each as it likes.
  std::vector<payload::PacketBatch> send(Duration captured, Bytes frame) {
    std::vector<payload::PacketBatch> batches;
    if (!packetizer_.handle_frame(frame, timestamp(captured), payloads_)) return batches;
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      payload::Packet packet{.sequence = next_sequence_++,
                             .timestamp = timestamp(captured),
                             .layer = layer_,
                             .marker = payloads_.has_marker(i)};
      if (auto facts = payload::inspect_payload(track_.encoding, payloads_[i])) packet.facts = *facts;
      writer_.add(packet, payloads_[i]);
      writer_.take_batches(batches);
    }
    return batches;
  }
  const payload::RtpTrack& track() const { return track_; }

 private:
  payload::RtpTrack track_;
  payload::LayerIndex layer_;
  std::int64_t first_timestamp_;
  payload::Packetizer packetizer_;
  payload::PayloadList payloads_;
  payload::PacketWriter writer_;
  std::int64_t next_sequence_ = 100;
};

}  // namespace stoa::live::testing
