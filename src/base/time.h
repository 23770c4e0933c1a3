// Time as an argument. The pure column never reads a clock; runtime/ and sim/ make these values.
//
// `Timestamp` is monotonic (its origin means nothing), `WallTime` is UTC, `Duration` is a signed distance.
// Timestamp and Duration count nanoseconds (292 years), WallTime counts microseconds since 1970.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

namespace stoa {

class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration nanoseconds(std::int64_t n) { return Duration(n); }
  static constexpr Duration microseconds(std::int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration milliseconds(std::int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration seconds(std::int64_t n) { return Duration(n * 1'000'000'000); }
  static constexpr Duration from_seconds(double s) {
    return Duration(static_cast<std::int64_t>(s * 1e9 + (s < 0 ? -0.5 : 0.5)));
  }
  // `ticks` of a clock that runs at `rate` ticks a second, rounded to the nearest nanosecond.
  static constexpr Duration from_ticks(std::int64_t ticks, std::int64_t rate) {
    std::int64_t whole = ticks / rate, rest = ticks % rate;
    std::int64_t half = rest < 0 ? -rate / 2 : rate / 2;
    return Duration(whole * 1'000'000'000 + (rest * 1'000'000'000 + half) / rate);
  }
  static constexpr Duration infinite() { return Duration(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t ns() const { return ns_; }
  constexpr std::int64_t us() const { return ns_ / 1'000; }
  constexpr std::int64_t ms() const { return ns_ / 1'000'000; }
  constexpr double as_seconds() const { return static_cast<double>(ns_) * 1e-9; }
  // The nearest tick of a clock that runs at `rate` ticks a second.
  constexpr std::int64_t to_ticks(std::int64_t rate) const {
    std::int64_t whole = ns_ / 1'000'000'000, rest = ns_ % 1'000'000'000;
    std::int64_t half = rest < 0 ? -500'000'000 : 500'000'000;
    return whole * rate + (rest * rate + half) / 1'000'000'000;
  }
  constexpr Duration abs() const { return Duration(ns_ < 0 ? -ns_ : ns_); }

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator-() const { return Duration(-ns_); }
  constexpr Duration operator+(Duration other) const { return Duration(ns_ + other.ns_); }
  constexpr Duration operator-(Duration other) const { return Duration(ns_ - other.ns_); }
  constexpr Duration operator*(std::int64_t factor) const { return Duration(ns_ * factor); }
  constexpr Duration operator/(std::int64_t divisor) const { return Duration(ns_ / divisor); }
  constexpr std::int64_t operator/(Duration other) const { return ns_ / other.ns_; }
  constexpr Duration& operator+=(Duration other) { return ns_ += other.ns_, *this; }
  constexpr Duration& operator-=(Duration other) { return ns_ -= other.ns_, *this; }

 private:
  constexpr explicit Duration(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

class Timestamp {
 public:
  constexpr Timestamp() = default;
  static constexpr Timestamp from_ns(std::int64_t ns) { return Timestamp(ns); }
  // Later than everything; a deadline that is never due.
  static constexpr Timestamp never() { return Timestamp(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t ns() const { return ns_; }
  constexpr auto operator<=>(const Timestamp&) const = default;
  constexpr Duration operator-(Timestamp other) const { return Duration::nanoseconds(ns_ - other.ns_); }
  constexpr Timestamp operator+(Duration d) const {
    return *this == never() ? never() : Timestamp(ns_ + d.ns());
  }
  constexpr Timestamp operator-(Duration d) const {
    return *this == never() ? never() : Timestamp(ns_ - d.ns());
  }
  constexpr Timestamp& operator+=(Duration d) { return *this = *this + d; }

 private:
  constexpr explicit Timestamp(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

class WallTime {
 public:
  constexpr WallTime() = default;
  static constexpr WallTime from_us(std::int64_t us) { return WallTime(us); }
  static constexpr WallTime from_seconds(std::int64_t s) { return WallTime(s * 1'000'000); }

  constexpr std::int64_t us() const { return us_; }
  constexpr std::int64_t ms() const { return us_ / 1'000; }
  constexpr std::int64_t seconds() const { return us_ / 1'000'000; }
  constexpr auto operator<=>(const WallTime&) const = default;
  constexpr Duration operator-(WallTime other) const { return Duration::microseconds(us_ - other.us_); }
  constexpr WallTime operator+(Duration d) const { return WallTime(us_ + d.us()); }
  constexpr WallTime operator-(Duration d) const { return WallTime(us_ - d.us()); }

 private:
  constexpr explicit WallTime(std::int64_t us) : us_(us) {}
  std::int64_t us_ = 0;
};

// ISO 8601 in UTC with milliseconds: 2026-01-31T12:00:00.250Z (RFC 3339).
std::string to_iso8601(WallTime time);
// IMF-fixdate: Sat, 31 Jan 2026 12:00:00 GMT (RFC 9110 §5.6.7).
std::string to_http_date(WallTime time);

}  // namespace stoa
