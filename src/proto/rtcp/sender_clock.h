// From RTP timestamps of one stream to the sender's wall clock and back, by its sender reports (RFC 3550
// §6.4.1).
//
// Streams of one CNAME share that wall clock, so capture_time() of audio and video can be compared: that is
// how they are played in step. Capture clocks drift against the wall clock; a line through the last
// kClockPointsMax reports follows that. A report that contradicts the line is believed once a second one
// agrees with it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/ntp.h"

namespace stoa::rtcp {

class SenderClock {
 public:
  // clock_rate: nominal ticks a second. Requires: in [1, kClockRateMax].
  explicit SenderClock(std::uint32_t clock_rate);

  // False when the report is not used (yet): without a clock, not newer than the last, or in doubt.
  bool handle_sender_report(NtpTime ntp, std::uint32_t rtp_time);

  bool is_known() const { return count_ > 0; }
  // When `rtp_time` was captured, by the sender's wall clock; nothing before the first report. Timestamps may
  // lie up to 2^31 ticks either side of the last report.
  std::optional<NtpTime> capture_time(std::uint32_t rtp_time) const;
  // The timestamp of what is captured at `time`: for sender reports of a stream that is sent on.
  std::optional<std::uint32_t> rtp_time_at(NtpTime time) const;

  // Measured ticks a second; the nominal rate until enough reports are known.
  double rate() const { return rate_; }
  std::uint64_t restarts() const { return restarts_; }

 private:
  struct Point {
    NtpTime ntp;
    std::uint32_t rtp_time = 0;
  };
  // How far `point` is from where `from` and the nominal rate expect it.
  Duration error_of(const Point& from, const Point& point) const;
  const Point& last() const { return points_[(count_ - 1) % kClockPointsMax]; }
  void add(const Point& point);
  void fit();

  std::uint32_t clock_rate_;
  std::array<Point, kClockPointsMax> points_{};
  std::size_t count_ = 0;  // Since the last restart; the ring holds the last of them.
  std::optional<Point> doubted_;
  // The line, relative to the last report: at its timestamp the clock shows last().ntp + anchor_.
  double rate_;
  Duration anchor_;
  std::uint64_t restarts_ = 0;
};

}  // namespace stoa::rtcp
