#include "proto/rtcp/sender_clock.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtcp {
namespace {

// Reports further than this from the nominal line are of another clock.
constexpr Duration kStepMax = Duration::milliseconds(500);
// The rate is measured over no less than this, since a report is exact to a few milliseconds only.
constexpr Duration kSpanMin = Duration::seconds(5);
constexpr std::size_t kFitPointsMin = 3;
// No capture clock is further off than this; what measures so is no clock, and the nominal rate is better.
constexpr double kRateErrorMax = 0.002;

}  // namespace

SenderClock::SenderClock(std::uint32_t clock_rate) : clock_rate_(clock_rate), rate_(clock_rate) {
  STOA_ASSERT(clock_rate > 0 && clock_rate <= kClockRateMax);
}

Duration SenderClock::error_of(const Point& from, const Point& point) const {
  auto expected = static_cast<std::uint32_t>((point.ntp - from.ntp).to_ticks(clock_rate_));
  auto ticks = static_cast<std::int32_t>(point.rtp_time - from.rtp_time - expected);
  return Duration::from_ticks(ticks, clock_rate_);
}

bool SenderClock::handle_sender_report(NtpTime ntp, std::uint32_t rtp_time) {
  if (!ntp.is_set()) return false;
  Point point{ntp, rtp_time};
  if (count_ == 0) {
    add(point);
    return true;
  }
  Duration step = ntp - last().ntp;
  Duration error = error_of(last(), point).abs();
  if (error <= kStepMax) {
    if (step <= Duration()) return false;  // Reordered or repeated.
    doubted_.reset();
    add(point);
    return true;
  }
  bool is_confirmed =
      doubted_ && ntp - doubted_->ntp > Duration() && error_of(*doubted_, point).abs() <= kStepMax;
  if (!is_confirmed) {
    doubted_ = point;
    return false;
  }
  count_ = 0;
  ++restarts_;
  add(*doubted_);
  doubted_.reset();
  add(point);
  return true;
}

void SenderClock::add(const Point& point) {
  points_[count_++ % kClockPointsMax] = point;
  fit();
}

// Least squares of the wall clock over the timestamps, both relative to the last report.
void SenderClock::fit() {
  rate_ = clock_rate_;
  anchor_ = Duration();
  std::size_t held = std::min(count_, kClockPointsMax);
  Duration span;
  double mean_x = 0, mean_y = 0;
  std::array<double, kClockPointsMax> x{}, y{};
  for (std::size_t i = 0; i < held; ++i) {
    Duration age = points_[i].ntp - last().ntp;
    span = std::max(span, -age);
    y[i] = age.as_seconds();
    x[i] = y[i] + error_of(last(), points_[i]).as_seconds();
    mean_x += x[i] / static_cast<double>(held);
    mean_y += y[i] / static_cast<double>(held);
  }
  if (held < kFitPointsMin || span < kSpanMin) return;
  double covariance = 0, variance = 0;
  for (std::size_t i = 0; i < held; ++i) {
    covariance += (x[i] - mean_x) * (y[i] - mean_y);
    variance += (x[i] - mean_x) * (x[i] - mean_x);
  }
  if (variance <= 0) return;
  double slope = covariance / variance;  // Wall seconds in a second of timestamps.
  if (slope < 1 - kRateErrorMax || slope > 1 + kRateErrorMax) return;
  rate_ = clock_rate_ / slope;
  anchor_ = Duration::from_seconds(mean_y - slope * mean_x);
}

std::optional<NtpTime> SenderClock::capture_time(std::uint32_t rtp_time) const {
  if (!is_known()) return std::nullopt;
  double ticks = static_cast<std::int32_t>(rtp_time - last().rtp_time);
  return last().ntp + anchor_ + Duration::from_seconds(ticks / rate_);
}

std::optional<std::uint32_t> SenderClock::rtp_time_at(NtpTime time) const {
  if (!is_known()) return std::nullopt;
  double ticks = (time - last().ntp - anchor_).as_seconds() * rate_;
  return last().rtp_time +
         static_cast<std::uint32_t>(static_cast<std::int64_t>(ticks + (ticks < 0 ? -0.5 : 0.5)));
}

}  // namespace stoa::rtcp
