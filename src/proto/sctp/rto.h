// The retransmission timeout, from measured round trips (RFC 9260 §6.3.1).
#pragma once

#include <algorithm>

#include "base/time.h"
#include "proto/sctp/limits.h"

namespace stoa::sctp {

class RetransmissionTimeout {
 public:
  explicit RetransmissionTimeout(const Timing& timing)
      : min_(timing.rto_min), max_(timing.rto_max), value_(timing.rto_initial) {}

  void handle_round_trip(Duration rtt) {
    if (rtt < Duration()) return;
    if (!has_measured_) {
      smoothed_ = rtt;
      variation_ = rtt / 2;
      has_measured_ = true;
    } else {
      variation_ = (variation_ * 3 + (smoothed_ - rtt).abs()) / 4;
      smoothed_ = (smoothed_ * 7 + rtt) / 8;
    }
    value_ = std::clamp(smoothed_ + variation_ * 4, min_, max_);
  }
  void back_off() { value_ = std::min(value_ * 2, max_); }

  Duration value() const { return value_; }
  bool has_measured() const { return has_measured_; }
  Duration smoothed() const { return smoothed_; }

 private:
  Duration min_, max_, value_, smoothed_, variation_;
  bool has_measured_ = false;
};

}  // namespace stoa::sctp
