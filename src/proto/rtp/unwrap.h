// Counters of a wire that wrap, made into ones that do not.
//
// Each value is taken for the one nearest to the value before it, so it may go back (reordering) as well as
// forward, by less than half of the wire's range. The first stands for itself, and what comes before it may
// be negative.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

namespace stoa::rtp {

// `Wire` is unsigned; `kBits` of it count (VP8 picture ids have 7 or 15).
template <typename Wire, unsigned kBits = sizeof(Wire) * 8>
class Unwrapper {
  static_assert(std::is_unsigned_v<Wire> && kBits >= 2 && kBits <= 32 && kBits <= sizeof(Wire) * 8);

 public:
  std::int64_t unwrap(Wire value) {
    last_ = peek(value);
    return *last_;
  }
  // What unwrap() would give, without remembering it.
  std::int64_t peek(Wire value) const {
    constexpr std::int64_t kRange = std::int64_t{1} << kBits;
    if (!last_) return static_cast<std::int64_t>(value) & (kRange - 1);
    std::int64_t forward = (static_cast<std::int64_t>(value) - *last_) & (kRange - 1);
    return *last_ + (forward < kRange / 2 ? forward : forward - kRange);
  }
  std::optional<std::int64_t> last() const { return last_; }
  void reset() { last_.reset(); }

 private:
  std::optional<std::int64_t> last_;
};

using SequenceUnwrapper = Unwrapper<std::uint16_t>;
using TimestampUnwrapper = Unwrapper<std::uint32_t>;

// Whether `a` comes after `b` on a wire that wraps (RFC 1982 §3.2; at just half the range: no).
template <typename Wire>
constexpr bool is_newer(Wire a, Wire b) {
  static_assert(std::is_unsigned_v<Wire>);
  constexpr Wire kHalf = static_cast<Wire>(Wire{1} << (sizeof(Wire) * 8 - 1));
  Wire forward = static_cast<Wire>(a - b);
  return forward != 0 && forward < kHalf;
}

}  // namespace stoa::rtp
