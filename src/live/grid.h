// The one grid on which all renditions of a broadcast cut segments, so that their media sequence numbers
// and discontinuity numbers are in step (rules X2, L13).
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"

namespace stoa::live {

struct Boundary {
  std::uint64_t msn = 0;  // Of the segment that begins here.
  Duration time;          // On the channel's timeline.
  bool has_discontinuity = false;
  bool is_forced = false;                    // No keyframe came in time.
  std::uint64_t discontinuities_before = 0;  // In the broadcast, this one not counted.
};

class Grid {
 public:
  // Behind so many segments no rendition can be: silent ones are filled long before.
  static constexpr std::size_t kBoundariesKept = 256;

  Grid() { boundaries_.push_back({}); }
  const Boundary& newest() const { return boundaries_.back(); }
  const Boundary* find(std::uint64_t msn) const {
    std::uint64_t first = boundaries_.front().msn;
    if (msn < first || msn - first >= boundaries_.size()) return nullptr;
    return &boundaries_[msn - first];
  }
  void push(Duration time, bool has_discontinuity, bool is_forced = false) {
    const Boundary& last = boundaries_.back();
    boundaries_.push_back(
        {.msn = last.msn + 1,
         .time = time,
         .has_discontinuity = has_discontinuity,
         .is_forced = is_forced,
         .discontinuities_before = last.discontinuities_before + (last.has_discontinuity ? 1 : 0)});
    if (boundaries_.size() > kBoundariesKept) boundaries_.pop_front();
  }
  void mark_newest_discontinuous() { boundaries_.back().has_discontinuity = true; }

 private:
  std::deque<Boundary> boundaries_;
};

}  // namespace stoa::live
