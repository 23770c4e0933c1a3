// A call of two, of whom one is behind a line of 3, 0.6 and 3 Mb/s: what `./dev bench congestion` leads
// browsers through, in virtual time and with whole nodes. What both come to says how far either is to be
// believed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "sim/publisher.h"

namespace stoa::sim {

// The line: 25 ms and a queue of 300 ms either way; so long wide, then narrow, then wide again.
inline constexpr std::uint64_t kWideLine = 3'000'000, kNarrowLine = 600'000;
inline constexpr Duration kWideFor = Duration::seconds(15), kNarrowFor = Duration::seconds(20),
                          kWideAgainFor = Duration::seconds(30);
// From when on the narrow line is known.
inline constexpr Duration kSettledAfter = Duration::seconds(5);

// For who is behind the line, to 10 ms.
struct NarrowCall {
  std::uint8_t layer_before = 0;  // When the line became narrow.
  Duration longest_gap;           // Between two pictures, while it was.
  // What sound waited beyond the usual, from the beginning of the narrow line on and from kSettledAfter.
  Duration sound_wait, sound_wait_settled;
  std::uint64_t sounds_lost = 0;
  std::array<Duration, kCameraLayers> shown;  // While it was narrow, by layer.
  std::optional<Duration> back;               // Until the top layer came for good.
};
NarrowCall run_narrow_call(std::uint64_t seed);

}  // namespace stoa::sim
