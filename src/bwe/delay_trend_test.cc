#include "bwe/delay_trend.h"

#include <gtest/gtest.h>

namespace stoa::bwe {
namespace {

// `count` packets each 10 ms from the `first` on, each of which waits `growth_ms` longer than the one before.
double send(DelayTrend& trend, int first, int count, double growth_ms, double delay_ms = 0) {
  for (int i = first; i < first + count; ++i) {
    delay_ms += growth_ms;
    trend.add(Timestamp() + Duration::milliseconds(10 * i),
              Duration::from_seconds(5 + 0.010 * i + delay_ms / 1e3));
  }
  return delay_ms;
}

TEST(ArrivalGroups, take_what_was_sent_together_as_one) {
  ArrivalGroups groups;
  auto add = [&](std::int64_t sent_ms, std::int64_t arrived_ms) {
    return groups.add(Timestamp() + Duration::milliseconds(sent_ms), Duration::milliseconds(arrived_ms));
  };
  EXPECT_FALSE(add(0, 100));
  EXPECT_FALSE(add(4, 106));
  EXPECT_FALSE(add(20, 120));
  EXPECT_FALSE(add(19, 119));  // Overtaken.
  auto step = add(40, 150);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->sent, Duration::milliseconds(16));
  EXPECT_EQ(step->arrived, Duration::milliseconds(14));
}

TEST(ArrivalGroups, take_what_waited_and_came_at_once_as_one) {
  ArrivalGroups groups;
  auto add = [&](std::int64_t sent_ms, std::int64_t arrived_ms) {
    return groups.add(Timestamp() + Duration::milliseconds(sent_ms), Duration::milliseconds(arrived_ms));
  };
  add(0, 100);
  for (int i = 1; i < 5; ++i) EXPECT_FALSE(add(20 * i, 180 + i));
  EXPECT_TRUE(add(120, 230));
}

TEST(DelayTrend, is_steady_while_delay_is) {
  DelayTrend trend;
  send(trend, 0, 500, 0);
  EXPECT_EQ(trend.trend(), Trend::kSteady);
}

TEST(DelayTrend, tells_growing_and_falling_delay) {
  DelayTrend trend;
  double delay = send(trend, 0, 60, 1);
  EXPECT_EQ(trend.trend(), Trend::kGrowing);
  delay = send(trend, 60, 60, -0.9, delay);
  EXPECT_EQ(trend.trend(), Trend::kFalling);
  send(trend, 120, 200, 0, delay);
  EXPECT_EQ(trend.trend(), Trend::kSteady);
}

TEST(DelayTrend, forgets_over_a_gap) {
  DelayTrend trend;
  send(trend, 0, 60, 1);
  send(trend, 1000, 3, 0, 500);
  EXPECT_EQ(trend.trend(), Trend::kSteady);
}

TEST(DelayTrend, raises_its_threshold_with_what_it_sees) {
  DelayTrend trend;
  double before = trend.threshold_ms(), delay = 0;
  for (int i = 0; i < 40; ++i) delay = send(trend, 20 * i, 20, i % 2 ? -0.11 : 0.11, delay);
  EXPECT_LT(trend.threshold_ms(), before);  // Far below it.
  double low = trend.threshold_ms();
  send(trend, 800, 60, 0.4, delay);
  EXPECT_GT(trend.threshold_ms(), low);
}

}  // namespace
}  // namespace stoa::bwe
