// Sequence numbers of 16 bits made long enough to compare (RFC 3550 A.1).
#pragma once

#include <cstdint>

#include "proto/rtcp/limits.h"

namespace stoa::rtcp {

// The value congruent to `sequence` modulo 2^16 that lies nearest to `reference`.
constexpr std::int64_t extend_sequence(std::int64_t reference, std::uint16_t sequence) {
  return reference + static_cast<std::int16_t>(static_cast<std::uint16_t>(sequence - reference));
}

// Follows one source. A jump over kDropoutMax ahead or kMisorderMax back is not believed until the number
// behind it arrives next; then the source has started anew and so do the extended numbers. There is no
// probation (RFC 3550 A.1, MIN_SEQUENTIAL): packets come authenticated by SRTP.
class SequenceExtender {
 public:
  enum class Step : std::uint8_t {
    kFirst,
    kForward,  // The highest so far.
    kLate,     // Not above the highest: reordered, retransmitted, or a duplicate.
    kDoubted,  // A jump; `extended` means nothing.
    kRestart,  // The second packet behind a jump; `extended` is in the new numbering.
  };
  struct Placed {
    Step step;
    std::int64_t extended;
  };

  Placed place(std::uint16_t sequence) {
    if (!is_started_) {
      is_started_ = true;
      highest_ = sequence;
      return {Step::kFirst, highest_};
    }
    std::int64_t extended = extend_sequence(highest_, sequence);
    std::int64_t step = extended - highest_;
    if (step > kDropoutMax || step < -kMisorderMax) {
      if (doubted_next_ != sequence) {
        doubted_next_ = static_cast<std::uint16_t>(sequence + 1);
        return {Step::kDoubted, extended};
      }
      doubted_next_ = kNothing;
      highest_ = sequence;
      return {Step::kRestart, highest_};
    }
    doubted_next_ = kNothing;
    if (step <= 0) return {Step::kLate, extended};
    highest_ = extended;
    return {Step::kForward, extended};
  }

  bool is_started() const { return is_started_; }
  // Of the first cycle: in [0, 65535]. Requires: is_started().
  std::int64_t highest() const { return highest_; }

 private:
  static constexpr std::int32_t kNothing = -1;

  std::int64_t highest_ = 0;
  std::int32_t doubted_next_ = kNothing;
  bool is_started_ = false;
};

}  // namespace stoa::rtcp
