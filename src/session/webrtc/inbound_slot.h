// Which track of a receiver a section of an agreement is.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stoa::webrtc {

// Where a section of an agreement goes in a receiver whose sections come and go.
struct InboundSlot {
  std::uint8_t slot = 0;    // Also the number of its track.
  std::size_t section = 0;  // AgreedSection::index.
  bool is_new = false;      // Nothing of what was there before is of it.
};

}  // namespace stoa::webrtc
