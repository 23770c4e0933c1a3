// Round-trip time from the echoes of our reports: LSR and DLSR of report blocks about us, LRR and DLRR of
// DLRR items (RFC 3550 §6.4.1, RFC 3611 §4.5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/ntp.h"

namespace stoa::rtcp {

// RFC 3550's formula alone: A - DLSR - LSR in units of 1/65536 s modulo 2^32. Below zero by up to
// kEchoSkewMax counts as zero; further below, or without an echo (`last` is 0), there is no answer.
std::optional<Duration> round_trip(std::uint32_t now_compact, std::uint32_t last, std::uint32_t delay);

// Remembers when our own reports left, by the monotonic clock. So a wall clock that is set does not disturb
// the measure, and a peer cannot echo what was never said.
class RoundTrip {
 public:
  // An SR or an RRTR left, carrying `ntp`.
  void handle_sent(Timestamp now, NtpTime ntp);
  // An echo came. Nothing when it names no report we remember, or a delay longer than it can have been.
  std::optional<Duration> handle_echo(Timestamp now, std::uint32_t last, std::uint32_t delay);

  bool is_known() const { return latest_.has_value(); }
  std::optional<Duration> latest() const { return latest_; }
  // Smoothed as TCP does, by an eighth (RFC 6298 §2); `otherwise` until something is known.
  Duration smoothed_or(Duration otherwise) const { return latest_ ? smoothed_ : otherwise; }
  Duration variation() const { return variation_; }

 private:
  struct Sent {
    std::uint32_t compact = 0;
    Timestamp at;
  };
  std::array<Sent, kSentReportsMax> sent_{};
  std::size_t sent_count_ = 0;  // Of all times; the ring holds the last of them.
  std::optional<Duration> latest_;
  Duration smoothed_, variation_;
};

}  // namespace stoa::rtcp
