// How many frames a second a layer has in each of its temporal layers, and how many of these a wish for fewer
// frames takes.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"
#include "session/webrtc/stream.h"

namespace stoa::webrtc {

class FrameRates {
 public:
  // Counted over so many calls of measure(), which come once a second.
  static constexpr std::size_t kSpans = 4;
  // Fewer tell nothing: what was known stays.
  static constexpr std::uint64_t kFramesMin = 4;
  // A level is enough with this share of what is wanted, and stays so down to the second: a camera's "30" is
  // seldom quite that, and counts are of whole frames.
  static constexpr double kEnough = 0.9, kStillEnough = 0.8;

  using Frames = std::array<std::uint64_t, kTemporalLevels + 1>;  // By temporal layer, since ever.

  // True: there are or were temporal layers, and their rates are known anew. Behind a silence it counts anew.
  bool measure(Timestamp now, const Frames& frames);
  // The lowest level with enough frames for who wants so many a second (0: all) and is to be at `current`.
  TemporalLevel level_for(std::uint32_t wanted, TemporalLevel current) const;

 private:
  struct Count {
    Timestamp at;
    Frames frames{};
  };
  std::array<Count, kSpans> counts_;  // The newest was the last; a ring.
  std::size_t count_ = 0;
  std::array<double, kTemporalLevels + 1> rates_{};  // Up to each layer. Zero: nothing is known.
  TemporalLevel highest_ = 0;
};

}  // namespace stoa::webrtc
