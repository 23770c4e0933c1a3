// Which packet is this: 16 bits of sequence number made 48 (RFC 3711 §3.3.1 and its appendix A), and which
// were there before (§3.3.2).
#pragma once

#include <array>
#include <cstdint>

#include "base/assert.h"
#include "base/result.h"
#include "proto/srtp/refusal.h"

namespace stoa::srtp {

// The index, 2^16 * rollover counter + sequence number, that lies nearest to `highest`. kTooOld when that is
// before index 0, kKeyExhausted when it is past 2^48 - 1.
inline Result<std::uint64_t, Refusal> estimate_index(std::uint64_t highest, std::uint16_t sequence_number) {
  constexpr std::int32_t kHalf = 0x8000;
  constexpr std::uint64_t kRolloverMax = 0xffff'ffff;
  std::uint64_t rollover = highest >> 16;
  const std::int32_t distance = sequence_number - static_cast<std::int32_t>(highest & 0xffff);
  if (distance > kHalf) {
    if (rollover == 0) return refuse(Refusal::kTooOld);
    --rollover;
  } else if (distance < -kHalf) {
    if (rollover == kRolloverMax) return refuse(Refusal::kKeyExhausted);
    ++rollover;
  }
  return rollover << 16 | sequence_number;
}

// Remembers which of the last kWindow indices were taken. A ring of bits, so that moving on costs nothing
// but clearing what is passed.
template <std::size_t kWindow>
class ReplayWindow {
  static_assert(kWindow >= 64 && (kWindow & (kWindow - 1)) == 0, "RFC 3711 §3.3.2, and a power of two");

 public:
  bool is_empty() const { return is_empty_; }
  std::uint64_t highest() const { return highest_; }

  // Nothing, kReplayed or kTooOld.
  Result<void, Refusal> check(std::uint64_t index) const {
    if (is_empty_ || index > highest_) return {};
    if (highest_ - index >= kWindow) return refuse(Refusal::kTooOld);
    if (seen_[word_of(index)] & bit_of(index)) return refuse(Refusal::kReplayed);
    return {};
  }
  // Requires: check(index) refuses nothing.
  void accept(std::uint64_t index) {
    STOA_DCHECK(check(index));
    if (is_empty_) {
      is_empty_ = false;
      highest_ = index;
    } else if (index > highest_) {
      if (index - highest_ >= kWindow) {
        seen_.fill(0);
      } else {
        for (std::uint64_t passed = highest_ + 1; passed <= index; ++passed)
          seen_[word_of(passed)] &= ~bit_of(passed);
      }
      highest_ = index;
    }
    seen_[word_of(index)] |= bit_of(index);
  }
  // Goes on where another window ended: `highest` and all before it count as taken.
  void resume(std::uint64_t highest) {
    seen_.fill(~std::uint64_t{0});
    highest_ = highest;
    is_empty_ = false;
  }

 private:
  static constexpr std::size_t word_of(std::uint64_t index) { return index % kWindow / 64; }
  static constexpr std::uint64_t bit_of(std::uint64_t index) { return std::uint64_t{1} << index % 64; }

  std::array<std::uint64_t, kWindow / 64> seen_{};
  std::uint64_t highest_ = 0;
  bool is_empty_ = true;
};

}  // namespace stoa::srtp
