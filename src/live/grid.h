// The one grid on which all renditions of a broadcast cut segments, so that their media sequence numbers
// and discontinuity numbers are in step (rules X2, L13).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/time.h"

namespace stoa::live {

inline constexpr Duration kExact =
    Duration::milliseconds(1);  // Times so near are the same: rounding of ticks.
inline constexpr Duration kHoleLeft =
    Duration::milliseconds(100);  // At a discontinuity: not worth a GAP part.
inline constexpr Duration kLeastGap = Duration::milliseconds(10);  // So that a segment has something in it.
inline constexpr Duration kExtinfRoom = Duration::milliseconds(490);  // round(EXTINF) <= TARGETDURATION.

struct Boundary {
  std::uint64_t msn = 0;  // Of the segment that begins here.
  Duration time;          // On the channel's timeline.
  bool has_discontinuity = false;
  bool is_forced = false;  // No keyframe came in time.
  bool goes_on = false;    // Marked only: what is on air goes on, and its decoders with it.
  // When its first picture is shown: later than `time`, which is when it is decoded, where frames are decoded
  // in another order than shown. Known once a picture at it or after it came.
  std::optional<Duration> shown_from;
  std::optional<Duration> first_picture;     // Of those that came, the first that is shown then or later.
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
  void push(Duration time, bool has_discontinuity, bool is_forced = false, bool goes_on = false) {
    const Boundary& last = boundaries_.back();
    boundaries_.push_back(
        {.msn = last.msn + 1,
         .time = time,
         .has_discontinuity = has_discontinuity,
         .is_forced = is_forced,
         .goes_on = goes_on,
         .discontinuities_before = last.discontinuities_before + (last.has_discontinuity ? 1 : 0)});
    if (boundaries_.size() > kBoundariesKept) boundaries_.pop_front();
  }
  // The newest that has begun by this time.
  const Boundary* find_at(Duration time) const {
    return find_last([&](const Boundary& one) { return one.time - kExact <= time; });
  }
  const Boundary* find_shown_at(Duration time) const {
    return find_last([&](const Boundary& one) { return one.shown_from && *one.shown_from - kExact <= time; });
  }
  std::uint64_t oldest_msn() const { return boundaries_.front().msn; }
  void set_shown_from(std::uint64_t msn, Duration time) {
    boundaries_[msn - boundaries_.front().msn].shown_from = time;
  }
  void note_picture(Duration shown_at) {
    const Boundary* found = find_shown_at(shown_at);
    if (!found) return;
    std::optional<Duration>& first = boundaries_[found->msn - boundaries_.front().msn].first_picture;
    first = std::min(first.value_or(shown_at), shown_at);
  }
  void mark_newest_discontinuous() {
    boundaries_.back().has_discontinuity = true;
    boundaries_.back().goes_on = false;
  }

 private:
  template <typename Is>
  const Boundary* find_last(const Is& is) const {
    for (auto one = boundaries_.rbegin(); one != boundaries_.rend(); ++one)
      if (is(*one)) return &*one;
    return nullptr;
  }

  std::deque<Boundary> boundaries_;
};

}  // namespace stoa::live
