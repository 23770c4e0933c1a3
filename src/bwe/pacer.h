// How fast one receiver may be sent to. Asked before each train; works in quanta, so that trains stay long
// enough to be cheap and the timer fires for many receivers at a time.
//
// Its rate is the one that the congestion controller gives, or a fixed one. A probe is sent at a rate of its
// own. What has waited long is let go faster, by as much as keeps the wait near a tenth of a second where the
// rate is too low for what is sent: what is late by seconds helps nobody, and layers are dropped elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::bwe {

struct PacerConfig {
  std::uint64_t bits_per_second = 20'000'000;
  Duration quantum = Duration::milliseconds(5);  // Between two trains of a receiver that is held back.
  // What may go at once after a silence: a quantum's worth, between these.
  std::size_t burst_bytes_min = 2'500;
  std::size_t burst_bytes_max = 30'000;
  // In place of the first where the path has room: ten datagrams, as whoever knows nothing of a path may send
  // at once (RFC 6928 §2, RFC 9002 §7.7), and at most what 50 ms of its rate carry. So the frames of most
  // pictures are one train.
  std::size_t burst_bytes_room = 12'500;
};

class Pacer {
 public:
  // What waits longer is let go faster: twice as fast at twice that, and so on, up to kHurryMax times.
  static constexpr Duration kWaitAimed = Duration::milliseconds(100);
  static constexpr std::int64_t kHurryMax = 20;

  explicit Pacer(const PacerConfig& config)
      : config_(config), budget_bytes_(static_cast<std::int64_t>(burst_bytes())) {}

  void set_rate(std::uint64_t bits_per_second) { config_.bits_per_second = bits_per_second; }
  // All that there is to send fits: spacing the packets of a frame would spare the path little, and takes a
  // call for each.
  void set_room(bool has_room) { has_room_ = has_room; }
  // At this rate from now on, and with no burst; nothing: at its own again.
  void set_probe(Timestamp now, std::optional<std::uint64_t> bits_per_second);
  // For how long what is to go next has waited.
  void set_wait(Duration wait) { wait_ = wait; }
  // Bytes that may be sent now; what is below 1 waits for next_release(). Audio is sent whatever it says, and
  // counted.
  std::int64_t budget(Timestamp now);
  void handle_sent(std::size_t bytes) { budget_bytes_ -= static_cast<std::int64_t>(bytes); }
  // How long so many take.
  Duration time_of(std::uint64_t bytes) const;
  // When the budget will be positive by at least a quantum's worth; of a probe, a millisecond's.
  Timestamp next_release(Timestamp now) const;

 private:
  std::uint64_t rate() const;
  std::size_t burst_bytes() const;

  PacerConfig config_;
  std::optional<std::uint64_t> probe_;
  bool has_room_ = false;
  Duration wait_;
  std::int64_t budget_bytes_;
  std::int64_t rest_ = 0;  // Of a byte, in bit nanoseconds.
  Timestamp updated_at_;
};

}  // namespace stoa::bwe
