// Which layer of a track a subscriber is sent: what it asked for, of what there is. What fits: bwe/share.h.
#pragma once

#include <cstdint>
#include <span>

#include "room/info.h"

namespace stoa::room {

// What a subscriber says of one track. Sizes win over the quality; 0: not said.
struct TrackWish {
  bool is_disabled = false;
  Quality quality = Quality::kHigh;
  std::uint32_t width = 0, height = 0;
  std::uint32_t frames_per_second = 0;
  std::uint32_t priority = 0;  // 1 to 255; 0: by source (screen share before camera).
  bool operator==(const TrackWish&) const = default;
};

// The quality that a wish comes to, of a track whose layers are these (TrackInfo::layers, in any order): the
// smallest layer that covers the size asked for, or the largest. kOff: disabled.
Quality quality_of(const TrackWish& wish, std::span<const VideoLayer> layers);

inline constexpr std::uint32_t kPriorityMax = 255;
// Of a wish that names none, by what the track shows.
std::uint32_t priority_of(const TrackWish& wish, TrackSource source);

// The lower of two qualities; kOff is the lowest.
Quality at_most(Quality wanted, Quality limit);

// The index of the layer to send: the highest that is at most `wanted`, else the lowest. What of that flows
// is for whoever forwards to see. `layers`: in the order of the publisher's streams, the smallest first.
// Requires: not kOff.
std::uint8_t layer_of(Quality wanted, std::span<const VideoLayer> layers);

}  // namespace stoa::room
