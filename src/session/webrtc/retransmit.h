// What one outlet sends again: what was asked for and waits, when each was sent last, and how much of that is
// within bounds. Made when a receiver asks for the first time.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace stoa::webrtc {

// How many bytes went out in about the last second.
class ByteWindow {
 public:
  void add(Timestamp now, std::size_t bytes) {
    turn(now);
    current_ += bytes;
  }
  std::uint64_t bytes(Timestamp now) {
    turn(now);
    const std::int64_t into = now.ns() % kNs;
    return current_ + previous_ * static_cast<std::uint64_t>((kNs - into) / 1'000'000) / 1'000;
  }

 private:
  static constexpr std::int64_t kNs = 1'000'000'000;
  void turn(Timestamp now) {
    const std::int64_t second = now.ns() / kNs;
    if (second == second_) return;
    previous_ = second == second_ + 1 ? current_ : 0;
    current_ = 0;
    second_ = second;
  }

  std::int64_t second_ = -2;
  std::uint64_t current_ = 0, previous_ = 0;
};

class Retransmissions {
 public:
  static constexpr std::size_t kQueueMax = 128;    // What is asked beyond it is asked again.
  static constexpr std::size_t kRemembered = 128;  // Packets whose last time is known.

  // `sequence` is the outlet's, unwrapped. False when it went out less than `interval` ago or there is no
  // place.
  bool ask(Timestamp now, std::int64_t sequence, Duration interval) {
    Sent& sent = sent_[static_cast<std::size_t>(sequence) % kRemembered];
    if (sent.sequence == sequence && now - sent.at < interval) return false;
    if (is_full()) return false;
    sent = {sequence, now};
    queue_[(first_ + count_++) % kQueueMax] = sequence;
    return true;
  }
  bool is_empty() const { return count_ == 0; }
  bool is_full() const { return count_ == kQueueMax; }
  std::size_t size() const { return count_; }
  std::int64_t at(std::size_t index) const { return queue_[(first_ + index) % kQueueMax]; }
  void drop_first() {
    first_ = (first_ + 1) % kQueueMax;
    --count_;
  }

 private:
  struct Sent {
    std::int64_t sequence = -1;
    Timestamp at;
  };
  std::array<Sent, kRemembered> sent_{};
  std::array<std::int64_t, kQueueMax> queue_{};
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace stoa::webrtc
