// Up to which layers a receiver is sent a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "media/payload/encoding.h"

namespace stoa::webrtc {

// What a receiver who wants fewer frames gets of a stream with temporal layers (PayloadFacts): those up to
// this level.
using TemporalLevel = std::uint8_t;
// Levels that leave something out: 0 to 2. Layers above 3 count as 3.
inline constexpr std::size_t kTemporalLevels = 3;
inline constexpr TemporalLevel kFullRate = 0xff;
// The same of spatial layers, for who wants a smaller picture: 0 and 1. Layers above 2 count as 2.
using SpatialLevel = std::uint8_t;
inline constexpr std::size_t kSpatialLevels = 2;
inline constexpr SpatialLevel kFullSize = 0xff;

// Both. A receiver gets the packets whose layers are neither above the one nor above the other, but of the
// spatial layers below its own only what that needs.
struct Level {
  SpatialLevel spatial = kFullSize;
  TemporalLevel temporal = kFullRate;

  bool is_all() const { return spatial == kFullSize && temporal == kFullRate; }
  // Below kCount.
  static constexpr std::size_t kCount = (kSpatialLevels + 1) * (kTemporalLevels + 1);
  std::size_t index() const {
    return spatial_index() * (kTemporalLevels + 1) + std::min<std::size_t>(temporal, kTemporalLevels);
  }
  std::size_t spatial_index() const { return std::min<std::size_t>(spatial, kSpatialLevels); }
  bool operator==(const Level&) const = default;
};

}  // namespace stoa::webrtc
