// Whether the sender sends less than it may: then nothing is learned of the path by sending, and an estimate
// that grows all the same means nothing.
#pragma once

#include "base/time.h"
#include "bwe/throughput.h"

namespace stoa::bwe {

class AppLimit {
 public:
  void handle_sent(Timestamp now, std::uint32_t bytes) { sent_.add(now - Timestamp(), bytes); }
  // True below 65 % of the target, until above 80 %.
  bool update(Timestamp now, double target_bits_per_second) {
    return update(sent_bits_per_second(now), target_bits_per_second);
  }
  // With what sent_bits_per_second() says now.
  bool update(std::optional<double> sent_bits_per_second, double target_bits_per_second);
  const void* end_of_head() const { return sent_.end_of_head(); }  // As Throughput's; and this.
  void prefetch_slot(Timestamp now) const { sent_.prefetch_slot(now - Timestamp()); }
  // Of the last half second until now; nothing before there is so much.
  std::optional<double> sent_bits_per_second(Timestamp now) const;
  bool is_limited() const { return is_limited_; }

 private:
  Throughput sent_;
  bool is_limited_ = false;
};

}  // namespace stoa::bwe
