// Which layer of a track a subscriber is sent: what it asked for, of what there is, within what fits.
#pragma once

#include <cstdint>
#include <optional>
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

// The index of the layer to send: the highest that is at most `wanted` and sends (`active`, a bit for each
// layer), else the lowest that sends. `layers`: in the order of the publisher's streams, the smallest first;
// `fits_bps`: what there is room for, by VideoLayer::bits_per_second (layers of unknown bitrate fit).
// Nothing: none is wanted, none sends, or none fits.
std::optional<std::uint8_t> choose_layer(Quality wanted, std::span<const VideoLayer> layers,
                                         std::uint8_t active,
                                         std::optional<std::uint64_t> fits_bps = std::nullopt);

}  // namespace stoa::room
