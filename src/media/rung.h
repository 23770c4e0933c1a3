// A rung of a channel's ladder: what one encoder is asked for. Whoever plans a ladder (control/) makes these,
// whoever encodes (work/) makes one rendition of each.
#pragma once

#include <cstdint>
#include <string>

#include "media/track.h"

namespace stoa::media {

// Numbers the rungs of a broadcast. While it lasts, a number stands for the same rung, also when the ladder
// loses others.
using RungId = std::uint8_t;

inline constexpr std::size_t kRungsMax = 12;  // Of one ladder at a time.
inline constexpr std::size_t kRungNameBytesMax = 32;

struct Rung {
  RungId id = 0;
  // "720p30", "aac0": the rendition's name, and so a part of addresses. Letters, digits, '.', '-' and '_';
  // at most kRungNameBytesMax.
  std::string name;
  TrackId of = 0;  // The source's track that it is made of.
  Codec codec = Codec::kH264;

  // Bits per second. Of pictures, `bitrate_max` caps what is sent over a segment, and the encoder aims at
  // `rate_factor` (constant quality on its own scale) below it; 0: at `bitrate_mean`.
  std::uint32_t bitrate_mean = 0;
  std::uint32_t bitrate_max = 0;
  std::uint32_t rate_factor = 0;

  // Pictures. The size is even and no larger than the source's; the rate is the most that is wanted, 0/1: as
  // the source has it.
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t frame_rate_numerator = 0;
  std::uint32_t frame_rate_denominator = 1;

  // Sound; 0: as the source has it.
  std::uint32_t sample_rate = 0;
  std::uint32_t channels = 0;

  Kind kind() const { return kind_of(codec); }
  bool operator==(const Rung&) const = default;
};

}  // namespace stoa::media
