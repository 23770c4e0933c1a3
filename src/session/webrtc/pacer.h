// How fast one receiver may be sent to. Asked before each train; works in quanta, so that trains stay long
// enough to be cheap and the timer fires for many receivers at a time.
//
// Behind this stands a fixed rate today: enough for the streams that it receives and a burst for a keyframe.
// A congestion controller will set the rate.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace stoa::webrtc {

struct PacerConfig {
  std::uint64_t bits_per_second = 20'000'000;
  Duration quantum = Duration::milliseconds(5);  // Between two trains of a receiver that is held back.
  // What may go at once after a silence. A frame of usual size is never held back.
  std::size_t burst_bytes = 30'000;
};

class Pacer {
 public:
  explicit Pacer(const PacerConfig& config) : config_(config), budget_bytes_(config.burst_bytes) {}

  void set_rate(std::uint64_t bits_per_second) { config_.bits_per_second = bits_per_second; }
  // Bytes that may be sent now; what is below 1 waits for next_release(). Audio is sent whatever it says, and
  // counted.
  std::int64_t budget(Timestamp now);
  void handle_sent(std::size_t bytes) { budget_bytes_ -= static_cast<std::int64_t>(bytes); }
  // How long so many take.
  Duration time_of(std::uint64_t bytes) const;
  // When the budget will be positive by at least a quantum's worth.
  Timestamp next_release(Timestamp now) const;

 private:
  PacerConfig config_;
  std::int64_t budget_bytes_;
  std::int64_t rest_ = 0;  // Of a byte, in bit nanoseconds.
  Timestamp updated_at_;
};

}  // namespace stoa::webrtc
