// How pictures are to be turned before they are shown: the display orientation SEI message of H.264 (ITU-T
// H.264 §D.1.27, §D.2.27) and HEVC (ITU-T H.265 §D.2.17, §D.3.17). Browsers do not read it.
#pragma once

#include <cstdint>

#include "media/track.h"

namespace stoa::media {

struct Orientation {
  std::uint8_t quarter_turns = 0;  // Anticlockwise, 0 to 3: to the nearest.
  bool is_flipped = false;         // Left and right, or top and bottom.
  bool operator==(const Orientation&) const = default;
};

// What the access unit, in the shape that media::Frame::payload describes, says of itself; upright when it
// says nothing, cannot be read, or is of another codec.
Orientation read_orientation(const Format& format, Bytes access_unit);

}  // namespace stoa::media
