// Bytes per time over the last half second or so, in slots of 10 ms: of what arrived, by the receiver's
// clock, or of what was sent, by ours.
//
// A window that begins where a queue began to stand measures the link itself, as frames no longer leave gaps;
// that is what rate_control.h asks for, where GCC takes one smoothed figure for everything.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::bwe {

class Throughput {
 public:
  static constexpr Duration kSlot = Duration::milliseconds(10);
  static constexpr std::size_t kSlots = 64;

  void add(Duration at, std::uint32_t bytes);
  // Bits a second over the last `window` (at most 630 ms) before the newest packet. Nothing when less than
  // `window_min` is known.
  std::optional<double> rate(Duration window, Duration window_min) const;
  Duration newest() const { return newest_; }
  // Ahead of add() (base/prefetch.h): what it always needs, which is not much, and then the slot.
  const void* end_of_head() const { return &bytes_; }
  void prefetch_slot(Duration at) const { __builtin_prefetch(&bytes_[index_of(at / kSlot)], 1); }
  void clear() { *this = Throughput(); }

 private:
  static std::size_t index_of(std::int64_t slot) { return static_cast<std::uint64_t>(slot) % kSlots; }
  std::uint32_t sum(std::size_t begin, std::size_t end) const;

  bool is_started_ = false;
  Duration began_, newest_;
  std::int64_t slot_ = 0;  // Of newest_.
  std::uint32_t newest_bytes_ = 0;
  std::array<std::uint32_t, kSlots> bytes_{};
};

}  // namespace stoa::bwe
