#include "bwe/delay_trend.h"

#include <algorithm>
#include <cmath>

namespace stoa::bwe {
namespace {

constexpr Duration kGroup = Duration::milliseconds(5);
constexpr Duration kBurstMax = Duration::milliseconds(100);
constexpr double kSmoothing = 0.9;
constexpr double kGain = 4;
constexpr double kStepsMax = 60;
constexpr double kGrowingMs = 10;  // So long, to be believed.
constexpr double kThresholdUp = 0.0087, kThresholdDown = 0.039;
constexpr double kThresholdMinMs = 6, kThresholdMaxMs = 600;
constexpr double kOutlierMs = 15;  // So far over the threshold says nothing of what it should be.
constexpr double kThresholdStepMs = 100;
constexpr Duration kGapMax = Duration::milliseconds(1500);

}  // namespace

std::optional<ArrivalGroups::Step> ArrivalGroups::add(Timestamp sent, Duration arrived) {
  if (!open_.is_there) {
    open_ = {sent, sent, arrived, arrived, true};
    return std::nullopt;
  }
  if (sent < open_.first_sent) return std::nullopt;  // Overtaken.
  Duration after = arrived - open_.last_arrived;
  bool came_at_once = after <= kGroup && after - (sent - open_.last_sent) < Duration() &&
                      arrived - open_.first_arrived < kBurstMax;
  if (sent - open_.first_sent <= kGroup || came_at_once) {
    open_.last_sent = std::max(open_.last_sent, sent);
    open_.last_arrived = std::max(open_.last_arrived, arrived);
    return std::nullopt;
  }
  std::optional<Step> step;
  if (before_.is_there)
    step = Step{open_.last_sent - before_.last_sent, open_.last_arrived - before_.last_arrived};
  before_ = open_;
  open_ = {sent, sent, arrived, arrived, true};
  return step;
}

void DelayTrend::clear() {
  groups_.clear();
  count_ = 0;
  at_ms_ = sum_ms_ = smoothed_ms_ = 0;
  growing_for_ms_ = -1;
  growing_steps_ = 0;
  slope_before_ = 0;
  trend_ = Trend::kSteady;
}

void DelayTrend::add(Timestamp sent, Duration arrived) {
  auto step = groups_.add(sent, arrived);
  if (!step || step->arrived < Duration()) return;
  if (step->arrived > kGapMax || step->sent > kGapMax) return clear();
  double sent_ms = step->sent.as_seconds() * 1e3, arrived_ms = step->arrived.as_seconds() * 1e3;
  at_ms_ += arrived_ms;
  sum_ms_ += arrived_ms - sent_ms;
  smoothed_ms_ = kSmoothing * smoothed_ms_ + (1 - kSmoothing) * sum_ms_;
  samples_[count_++ % kSamples] = {at_ms_, smoothed_ms_};
  detect(count_ >= kSamples ? slope() : 0, sent_ms, arrived_ms);
}

double DelayTrend::slope() const {
  double at = 0, delay = 0;
  for (const Sample& sample : samples_) at += sample.at_ms, delay += sample.delay_ms;
  at /= kSamples, delay /= kSamples;
  double over = 0, under = 0;
  for (const Sample& sample : samples_) {
    over += (sample.at_ms - at) * (sample.delay_ms - delay);
    under += (sample.at_ms - at) * (sample.at_ms - at);
  }
  return under > 0 ? over / under : 0;
}

void DelayTrend::detect(double slope, double step_ms, double arrived_ms) {
  if (count_ < 2) return;
  double seen = std::min(static_cast<double>(count_), kStepsMax) * slope * kGain;
  if (seen > threshold_ms_) {
    growing_for_ms_ = growing_for_ms_ < 0 ? step_ms / 2 : growing_for_ms_ + step_ms;
    ++growing_steps_;
    if (growing_for_ms_ > kGrowingMs && growing_steps_ > 1 && slope >= slope_before_) {
      growing_for_ms_ = 0;
      growing_steps_ = 0;
      trend_ = Trend::kGrowing;
    }
  } else {
    growing_for_ms_ = -1;
    growing_steps_ = 0;
    trend_ = seen < -threshold_ms_ ? Trend::kFalling : Trend::kSteady;
  }
  slope_before_ = slope;
  double distance = std::abs(seen) - threshold_ms_;
  if (distance > kOutlierMs) return;
  double factor = distance < 0 ? kThresholdDown : kThresholdUp;
  threshold_ms_ += factor * distance * std::min(arrived_ms, kThresholdStepMs);
  threshold_ms_ = std::clamp(threshold_ms_, kThresholdMinMs, kThresholdMaxMs);
}

}  // namespace stoa::bwe
