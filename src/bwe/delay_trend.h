// Whether the delay of packets grows: groups of what was sent together, and a line through their delays
// (draft-ietf-rmcat-gcc-02 §5, with the trendline that took the Kalman filter's place).
//
// It needs no base to compare with, so it holds where queue_delay.h has none yet, or an old one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::bwe {

// Packets sent within 5 ms count as one, and so do those that waited somewhere and then came at once.
class ArrivalGroups {
 public:
  struct Step {  // From one group's last packet to the next one's.
    Duration sent, arrived;
  };
  // By arrival on the receiver's clock. Something when a group is complete.
  std::optional<Step> add(Timestamp sent, Duration arrived);
  void clear() { *this = ArrivalGroups(); }

 private:
  struct Group {
    Timestamp first_sent, last_sent;
    Duration first_arrived, last_arrived;
    bool is_there = false;
  };
  Group open_, before_;
};

enum class Trend : std::uint8_t { kSteady, kGrowing, kFalling };

class DelayTrend {
 public:
  void add(Timestamp sent, Duration arrived);
  Trend trend() const { return trend_; }
  double threshold_ms() const { return threshold_ms_; }
  void clear();  // Of samples; what the threshold has learned stays.

 private:
  static constexpr std::size_t kSamples = 20;
  struct Sample {
    double at_ms, delay_ms;
  };

  void detect(double slope, double step_ms, double arrived_ms);
  double slope() const;

  ArrivalGroups groups_;
  std::array<Sample, kSamples> samples_{};
  std::size_t count_ = 0;  // Of all steps since clear().
  double at_ms_ = 0;
  double sum_ms_ = 0, smoothed_ms_ = 0;
  double threshold_ms_ = 12.5;
  double growing_for_ms_ = -1;
  int growing_steps_ = 0;
  double slope_before_ = 0;
  Trend trend_ = Trend::kSteady;
};

}  // namespace stoa::bwe
