#include "bwe/throughput.h"

#include <gtest/gtest.h>

#include "bwe/app_limit.h"

namespace stoa::bwe {
namespace {

constexpr Duration kHalf = Duration::milliseconds(500);

TEST(Throughput, is_bits_per_time_over_its_window) {
  Throughput throughput;
  EXPECT_FALSE(throughput.rate(kHalf, kHalf / 5));
  // 1 Mb/s, then 2 Mb/s.
  for (int i = 0; i < 1000; ++i) throughput.add(Duration::milliseconds(4 * i), 500);
  EXPECT_NEAR(*throughput.rate(kHalf, kHalf / 5), 1e6, 1e4);
  for (int i = 0; i < 50; ++i) throughput.add(Duration::milliseconds(4000 + 4 * i), 1000);
  EXPECT_NEAR(*throughput.rate(kHalf, kHalf / 5), 1.4e6, 5e4);
  EXPECT_NEAR(*throughput.rate(kHalf / 5, kHalf / 10), 2e6, 1e5);
}

TEST(Throughput, says_nothing_before_it_has_seen_enough) {
  Throughput throughput;
  throughput.add(Duration(), 100);
  throughput.add(Duration::milliseconds(60), 100);
  EXPECT_FALSE(throughput.rate(kHalf, Duration::milliseconds(100)));
  throughput.add(Duration::milliseconds(120), 100);
  EXPECT_TRUE(throughput.rate(kHalf, Duration::milliseconds(100)));
}

TEST(Throughput, counts_what_was_overtaken_and_begins_anew_on_another_clock) {
  Throughput throughput;
  for (int i = 0; i < 200; ++i) throughput.add(Duration::milliseconds(10 * (i ^ 1)), 1250);
  EXPECT_NEAR(*throughput.rate(kHalf, kHalf), 1e6, 5e4);
  throughput.add(Duration::milliseconds(0), 1'000'000);  // Long gone.
  EXPECT_NEAR(*throughput.rate(kHalf, kHalf), 1e6, 5e4);
  for (int i = 0; i < 200; ++i) throughput.add(Duration::milliseconds(10 * i - 3'600'000), 2500);
  EXPECT_NEAR(*throughput.rate(kHalf, kHalf), 2e6, 1e5);
}

TEST(AppLimit, is_entered_below_65_percent_and_left_above_80) {
  AppLimit app;
  Timestamp now;
  auto send = [&](std::uint32_t bytes) {
    for (int i = 0; i < 100; ++i) app.handle_sent(now += Duration::milliseconds(10), bytes);
    return app.update(now, 1e6);
  };
  EXPECT_FALSE(send(875));  // 700 kb/s.
  EXPECT_TRUE(send(750));
  EXPECT_TRUE(send(875));
  EXPECT_FALSE(send(1050));
  EXPECT_TRUE(app.update(now + Duration::seconds(2), 1e6));  // Nothing since.
}

}  // namespace
}  // namespace stoa::bwe
