// Which record numbers of the peer's epoch were seen (RFC 6347 §4.1.2.6): the last 64, as a bit each.
#pragma once

#include <cstdint>

namespace stoa::dtls {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kWidth = 64;

  // Neither seen nor older than the window. Only what is also authentic may be marked.
  bool is_new(std::uint64_t sequence) const {
    if (sequence >= next_) return true;
    std::uint64_t age = next_ - 1 - sequence;
    return age < kWidth && (seen_ >> age & 1) == 0;
  }
  void mark(std::uint64_t sequence) {
    if (sequence >= next_) {
      std::uint64_t step = sequence - next_ + 1;
      seen_ = step < kWidth ? seen_ << step : 0;
      next_ = sequence + 1;
    }
    std::uint64_t age = next_ - 1 - sequence;
    if (age < kWidth) seen_ |= std::uint64_t{1} << age;
  }

 private:
  std::uint64_t next_ = 0;  // One more than the highest seen.
  std::uint64_t seen_ = 0;  // Bit `age`: next_ - 1 - age.
};

}  // namespace stoa::dtls
