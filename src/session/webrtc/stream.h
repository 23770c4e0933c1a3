// One published track as a shard's receivers see it: the packets kept for those who join, ask again or fall
// behind, once for all of them.
//
// Packets of a layer are found by sequence number (retransmission) and walked in the order of their arrival
// (forwarding): a receiver is a position in that order, which costs it eight bytes instead of a queue.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "media/payload/packet.h"

namespace stoa::webrtc {

struct HistoryLimits {
  std::size_t packets = 4096;    // Of one layer; a power of two.
  std::size_t bytes = 8u << 20;  // Of payloads of one layer.
  Duration age = Duration::seconds(4);
};

// Where in the order of arrival: grows by one with every packet of the layer.
using Position = std::int64_t;

class History {
 public:
  explicit History(const HistoryLimits& limits);

  // The packets of `batch` that are of layer `layer`.
  void append(Timestamp now, const payload::PacketBatch& batch, payload::LayerIndex layer);
  // Nothing before belongs to what follows (the source changed): empties it.
  void clear();

  Position begin() const;
  Position end() const;  // Behind the newest.
  struct Entry {
    const payload::Packet* packet;
    Bytes payload, descriptor;
    Timestamp arrived;
  };
  // Requires: begin() <= at < end().
  Entry entry(Position at) const;
  // The packet with this sequence number, if it is kept.
  std::optional<Entry> find(std::int64_t sequence) const;
  // Where the newest keyframe begins whose packets are all kept and whose followers have no hole.
  std::optional<Position> keyframe() const;
  std::size_t held_bytes() const;

 private:
  // (The implementer's.)
};

}  // namespace stoa::webrtc
