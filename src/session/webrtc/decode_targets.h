// Which decode targets of a stream a receiver is told to have (AV1 RTP specification, Appendix A.8.2,
// active_decode_targets_bitmask): those that its level leaves nothing out of. Where spatial layers go without
// the lower ones (`_KEY` modes), these are targets of its highest alone.
//
// It is said with each structure, and with the first packets of another level. Everything else of a
// dependency descriptor goes through as it came: frame numbers may have gaps, and what frames refer to stays
// what it is.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "proto/rtp/dependency_descriptor.h"
#include "session/webrtc/level.h"

namespace stoa::webrtc {

// Of one layer of a stream.
class DecodeTargets {
 public:
  // Structures, and changes of what is active, that are remembered: for what is sent again.
  static constexpr std::size_t kKept = 4;

  // So many packets tell it of another level: the first may never come.
  static constexpr std::int64_t kTold = 4;

  // A packet came with this descriptor.
  void handle(std::int64_t sequence, Bytes descriptor) {
    if (says_targets(descriptor)) take(sequence, descriptor);
  }
  void clear() { known_.clear(); }

  // What a packet's descriptor is to say in its place; nothing: what it says. `begins_level`: it is of
  // the first that the receiver has of this level.
  std::optional<Buffer> rewrite(std::int64_t sequence, Bytes descriptor, Level level,
                                bool begins_level) const {
    if (known_.empty() || !(begins_level || says_targets(descriptor))) return std::nullopt;
    return write(sequence, descriptor, level, begins_level);
  }

 private:
  struct Structure {
    explicit Structure(const rtp::DependencyStructure& of);
    std::uint32_t targets_of(std::uint32_t active, Level level) const;

    rtp::DependencyStructure all;
    std::array<rtp::DependencyStructure::Layer, rtp::kDecodeTargetsMax> layers{};  // Of its targets.
    // By spatial layer: targets with a frame of this layer that is of none with a higher layer.
    std::array<std::uint32_t, rtp::kSpatialLayersMax> alone{};
    bool cuts = false;  // There are such below the highest layer.
  };
  struct Known {
    std::int64_t sequence = 0;  // From here on.
    std::shared_ptr<const Structure> structure;
    std::uint32_t active = 0;
  };

  static bool says_targets(Bytes descriptor) { return descriptor.size() > 3 && (descriptor[3] & 0xc0) != 0; }
  void take(std::int64_t sequence, Bytes descriptor);
  const Known* find(std::int64_t sequence) const;
  std::optional<Buffer> write(std::int64_t sequence, Bytes descriptor, Level level, bool begins_level) const;

  std::vector<Known> known_;  // By sequence.
};

}  // namespace stoa::webrtc
