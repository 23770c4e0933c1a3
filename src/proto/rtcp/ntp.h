// NTP time as RTP carries it: 32 bits of seconds since 1900 and 32 bits of fraction (RFC 3550 §4), and its
// compact form, the middle 32 bits, in which RTCP counts delays in units of 1/65536 s.
#pragma once

#include <compare>
#include <cstdint>

#include "base/time.h"

namespace stoa::rtcp {

// A moment on some peer's wall clock. Zero means "no clock" on the wire, as RFC 3550 §6.4.1 lets a sender
// say. Seconds wrap in 2036; a value with the top bit clear is taken to lie after that (RFC 4330 §3), so 1968
// to 2104 can be told apart. Differences are modulo 2^32 seconds and do not care.
class NtpTime {
 public:
  constexpr NtpTime() = default;
  static constexpr NtpTime from_bits(std::uint64_t bits) {
    NtpTime time;
    time.bits_ = bits;
    return time;
  }
  static constexpr NtpTime from_wall(WallTime wall) {
    std::int64_t seconds = wall.us() / kMicroseconds, rest = wall.us() % kMicroseconds;
    if (rest < 0) rest += kMicroseconds, --seconds;
    std::uint64_t fraction = ((static_cast<std::uint64_t>(rest) << 32) + kMicroseconds / 2) /
                             static_cast<std::uint64_t>(kMicroseconds);
    return from_bits((static_cast<std::uint64_t>(seconds + kUnixEpoch) << 32) + fraction);
  }

  // The nearest microsecond.
  constexpr WallTime to_wall() const {
    std::int64_t seconds = static_cast<std::int64_t>(bits_ >> 32);
    if (seconds < kEraHalf) seconds += kEra;
    std::uint64_t us = ((bits_ & 0xffff'ffff) * kMicroseconds + (1u << 31)) >> 32;
    return WallTime::from_us((seconds - kUnixEpoch) * kMicroseconds + static_cast<std::int64_t>(us));
  }
  constexpr std::uint64_t bits() const { return bits_; }
  // What goes into "last SR" and "last RR": units of 1/65536 s modulo 18 hours.
  constexpr std::uint32_t compact() const { return static_cast<std::uint32_t>(bits_ >> 16); }
  constexpr bool is_set() const { return bits_ != 0; }

  constexpr bool operator==(const NtpTime&) const = default;
  // The shorter way round: within 68 years either way, to the nearest nanosecond.
  constexpr Duration operator-(NtpTime other) const {
    __int128 units = static_cast<std::int64_t>(bits_ - other.bits_);
    return Duration::nanoseconds(static_cast<std::int64_t>((units * kNanoseconds + (1ll << 31)) >> 32));
  }
  constexpr NtpTime operator+(Duration d) const {
    __int128 units =
        (static_cast<__int128>(d.ns()) << 32) + (d.ns() < 0 ? -kNanoseconds / 2 : kNanoseconds / 2);
    return from_bits(bits_ + static_cast<std::uint64_t>(units / kNanoseconds));
  }
  constexpr NtpTime operator-(Duration d) const { return *this + -d; }

 private:
  static constexpr std::int64_t kUnixEpoch = 2'208'988'800;  // 1970 in seconds of NTP's first era.
  static constexpr std::int64_t kEra = 1ll << 32, kEraHalf = 1ll << 31;
  static constexpr std::int64_t kMicroseconds = 1'000'000, kNanoseconds = 1'000'000'000;

  std::uint64_t bits_ = 0;
};

// Delays as they travel in DLSR and DLRR: 1/65536 s. Below zero becomes 0, above 18 hours the largest.
constexpr std::uint32_t to_compact(Duration d) {
  if (d <= Duration()) return 0;
  if (d >= Duration::seconds(65'536)) return 0xffff'ffff;
  std::int64_t units = d.to_ticks(65'536);
  return units > 0xffff'ffff ? 0xffff'ffff : static_cast<std::uint32_t>(units);
}
constexpr Duration from_compact(std::uint32_t units) { return Duration::from_ticks(units, 65'536); }

}  // namespace stoa::rtcp
