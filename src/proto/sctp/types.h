// Numbers that the whole folder speaks in.
//
// TSNs, SSNs and MIDs wrap on the wire. Inside they are 64-bit and never wrap: `unwrap` finds the value
// nearest to one known already. Counting starts at kSerialOrigin, so that a step back stays positive.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace stoa::sctp {

using StreamId = std::uint16_t;
using PayloadProtocol = std::uint32_t;  // "PPID": what a message is, for whoever takes it.
using Tsn = std::uint64_t;              // Unwrapped.

inline constexpr std::uint64_t kSerialOrigin = 1ull << 32;

constexpr std::uint64_t unwrap32(std::uint32_t wire, std::uint64_t near) {
  auto step = static_cast<std::int32_t>(wire - static_cast<std::uint32_t>(near));
  return near + static_cast<std::uint64_t>(static_cast<std::int64_t>(step));
}
constexpr std::uint64_t unwrap16(std::uint16_t wire, std::uint64_t near) {
  auto step = static_cast<std::int16_t>(wire - static_cast<std::uint16_t>(near));
  return near + static_cast<std::uint64_t>(static_cast<std::int64_t>(step));
}
constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// How long a message is worth the trouble (RFC 3758, RFC 7496). All absent: for as long as the association
// lives. Several may be set; the first that is exceeded gives the message up.
struct Reliability {
  std::optional<Duration> lifetime;                  // From send().
  std::optional<std::uint16_t> retransmissions_max;  // 0: sent once.
  // May be dropped, before any of it was sent, to make room in a full send buffer for a message of a lower
  // number or of none (RFC 7496 §4.3). 0 is the most important.
  std::optional<std::uint32_t> priority;

  bool is_full() const { return !lifetime && !retransmissions_max && !priority; }
};

}  // namespace stoa::sctp
