// When a client repeats a request over UDP, and when it gives up (RFC 8489 §6.2.1).
//
// With the defaults a request goes out at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms and fails at 39500 ms.
// Over TCP or TLS it goes out once: `requests_max` 1, and `last_wait` such that the wait is 39.5 s.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace stoa::stun {

class Retransmission {
 public:
  struct Config {
    Duration rto = Duration::milliseconds(500);  // Doubles with each repetition.
    int requests_max = 7;                        // Rc
    int last_wait = 16;                          // Rm: how many `rto` to wait behind the last one.
    bool operator==(const Config&) const = default;
  };
  enum class Step : std::uint8_t { kWait, kSendAgain, kGiveUp };

  Retransmission() = default;
  // The first request has just been sent.
  Retransmission(const Config& config, Timestamp now)
      : config_(config), interval_(config.rto), deadline_(now + config.rto) {
    if (config_.requests_max <= 1) deadline_ = now + config_.rto * config_.last_wait;
  }

  Timestamp next_deadline() const { return deadline_; }
  int requests() const { return requests_; }

  Step handle_deadline(Timestamp now) {
    if (now < deadline_) return Step::kWait;
    if (requests_ >= config_.requests_max) {
      deadline_ = Timestamp::never();
      return Step::kGiveUp;
    }
    ++requests_;
    interval_ = interval_ * 2;
    bool is_last = requests_ == config_.requests_max;
    deadline_ = now + (is_last ? config_.rto * config_.last_wait : interval_);
    return Step::kSendAgain;
  }

 private:
  Config config_;
  Duration interval_;
  Timestamp deadline_ = Timestamp::never();
  int requests_ = 1;
};

}  // namespace stoa::stun
