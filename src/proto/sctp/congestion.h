// The congestion window of the one path (RFC 9260 §7.2), in bytes of chunks with their headers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "proto/sctp/limits.h"
#include "proto/sctp/types.h"

namespace stoa::sctp {

class CongestionWindow {
 public:
  explicit CongestionWindow(std::size_t packet_bytes)
      : packet_(packet_bytes),
        window_(std::min(4 * packet_bytes, std::max<std::size_t>(2 * packet_bytes, 4404))),
        threshold_(kCongestionWindowBytesMax) {}

  // A SACK that acknowledged `bytes` while `in_flight_before` were under way.
  void handle_ack(Tsn cumulative, bool advanced, std::size_t bytes, std::size_t in_flight_before,
                  bool is_all_acked) {
    if (is_recovering_ && cumulative >= recovery_end_) is_recovering_ = false;
    if (window_ <= threshold_) {
      bool is_full = in_flight_before + packet_ > window_;
      if (advanced && is_full && !is_recovering_) window_ += std::min(bytes, packet_);
    } else {
      partial_ += bytes;
      if (partial_ >= window_ && in_flight_before + packet_ > window_) {
        partial_ -= window_;
        window_ += packet_;
      }
      partial_ = std::min(partial_, window_);
    }
    if (is_all_acked) partial_ = 0;
    window_ = std::min(window_, kCongestionWindowBytesMax);
  }
  // Losses seen by gaps: halves once for each window (§7.2.4). `highest` is the last TSN sent.
  void handle_loss(Tsn highest) {
    if (is_recovering_) return;
    is_recovering_ = true;
    recovery_end_ = highest;
    threshold_ = window_ = std::max(window_ / 2, 4 * packet_);
    partial_ = 0;
  }
  void handle_timeout() {
    threshold_ = std::max(window_ / 2, 4 * packet_);
    window_ = packet_;
    partial_ = 0;
    is_recovering_ = false;
  }
  // Nothing was sent for that long: what the window said is out of date (§7.2.1).
  void handle_idle(Duration idle, Duration rto) {
    std::size_t floor = 4 * packet_;
    for (; idle >= rto && window_ > floor; idle -= rto) window_ = std::max(window_ / 2, floor);
  }

  std::size_t bytes() const { return window_; }
  std::size_t threshold() const { return threshold_; }
  bool is_recovering() const { return is_recovering_; }

 private:
  std::size_t packet_, window_, threshold_, partial_ = 0;
  bool is_recovering_ = false;
  Tsn recovery_end_ = 0;
};

}  // namespace stoa::sctp
