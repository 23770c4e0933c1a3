// How long packets wait in queues: their one-way delay less the smallest of the last half minute.
//
// GCC looks at the slope alone. A slope is over when the queue stands full; what is known here is how much
// there is to drain, and when it is drained (rate_control.h). The clocks of both ends differ by a number that
// means nothing and drift by less than 100 ppm: 3 ms in the window.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::bwe {

class QueueDelay {
 public:
  // False, and everything forgotten, when the receiver's clock has jumped.
  bool add(Timestamp sent, Duration arrived, std::uint32_t bytes);
  bool is_known() const { return is_known_; }
  // After an outage: what stood says nothing, the least delay does.
  void forget_waiting();

  // What even the luckiest packet of the last 50 to 100 ms waited: bursts of frames and jitter are not in it.
  Duration standing() const;
  Duration newest() const;  // The same of the last three packets.
  // How much standing() moves by itself: known within half a second, and then of the last two.
  Duration noise() const { return Duration::nanoseconds(static_cast<std::int64_t>(noise_ns_)); }
  // Since when no packet went through without waiting, on the receiver's clock; infinite: the last one did.
  Duration busy_since() const { return busy_since_; }
  void restart_busy();  // From the next packet on.
  // Bits a second of the last few packets, by their arrivals, when they were sent
  // faster: rough, and soon.
  std::optional<double> newest_rate() const;
  std::uint64_t busy_bytes() const { return busy_bytes_; }  // Behind the packet at busy_since().
  int busy_packets() const { return busy_packets_; }

  // While somebody else holds the queue full its least delay is not the path's: what is known of that is
  // kept for two minutes instead.
  void hold_base(bool is_held) { is_held_ = is_held; }
  void clear() { *this = QueueDelay(); }

 private:
  static constexpr std::size_t kBaseParts = 6, kNewest = 3, kRecent = 8;
  struct Least {
    std::int64_t ns;
    int packets;
    Duration began;
  };

  struct Recent {
    Duration arrived;
    std::int64_t delay_ns = 0;
    std::uint32_t bytes = 0;
  };

  void add_base(std::int64_t delay, Duration arrived);
  void add_standing(std::int64_t delay, Duration arrived);

  bool is_known_ = false, is_held_ = false;
  std::array<std::int64_t, kBaseParts> base_parts_{};
  std::size_t part_ = 0;
  Duration part_began_;
  std::int64_t base_ns_ = 0;
  Least open_{}, before_{};
  std::array<std::int64_t, kNewest> newest_{};
  std::size_t newest_at_ = 0;
  std::array<Recent, kRecent> recent_{};
  std::size_t recent_count_ = 0;
  std::int64_t last_ns_ = 0;
  std::int64_t step_ns_ = 0;
  double noise_ns_ = 0;
  int noise_samples_ = 0;
  Duration busy_since_ = Duration::infinite();
  std::uint64_t busy_bytes_ = 0;
  int busy_packets_ = 0;
};

}  // namespace stoa::bwe
