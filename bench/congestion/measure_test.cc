#include "congestion/measure.h"

#include <gtest/gtest.h>

#include "congestion/cases.h"

namespace stoa::bench {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

// 1000 bytes each 10 ms from 0 to 10 s, 800 kb/s, 50 ms on the way; the target is told each 20 ms.
struct Made {
  sim::MediaLog log;
  template <typename Target, typename Wait>
  Made(Target&& target, Wait&& wait_ms) {
    for (std::int64_t ms = 0; ms < 10'000; ms += 10) {
      auto number = static_cast<std::uint32_t>(log.sent.size());
      log.sent.push_back({at_ms(ms), 1000, false});
      log.arrived.push_back({at_ms(ms + 50), number, Duration::milliseconds(wait_ms(ms)), {}});
      if (ms % 20 == 0) log.rates.push_back({at_ms(ms), static_cast<std::uint64_t>(target(ms)), 0});
    }
  }
};
Made steady() {
  return Made([](auto) { return 800'000; }, [](auto) { return 0; });
}

TEST(Measure, counts_what_is_in_the_interval_alone) {
  Made made = steady();
  EXPECT_DOUBLE_EQ(sent_rate(made.log, {at_ms(1000), at_ms(3000)}), 800'000);
  EXPECT_DOUBLE_EQ(media_rate(made.log, {at_ms(1000), at_ms(3000)}), 800'000);
  EXPECT_DOUBLE_EQ(media_rate(made.log, {at_ms(0), at_ms(100)}),
                   400'000);  // The first is on its way for 50 ms.
  EXPECT_DOUBLE_EQ(proven_rate(made.log, at_ms(5000)), 800'000);
}

TEST(Measure, takes_padding_for_sent_but_not_for_media) {
  Made made = steady();
  for (std::size_t i = 0; i < made.log.sent.size(); i += 2) made.log.sent[i].is_padding = true;
  EXPECT_DOUBLE_EQ(sent_rate(made.log, {at_ms(1000), at_ms(2000)}), 800'000);
  EXPECT_DOUBLE_EQ(media_rate(made.log, {at_ms(1000), at_ms(2000)}), 400'000);
}

TEST(Measure, finds_the_least_second) {
  Made made = steady();
  std::erase_if(made.log.arrived,
                [](const auto& one) { return one.at >= at_ms(4000) && one.at < at_ms(4500); });
  EXPECT_DOUBLE_EQ(least_media_rate(made.log, {at_ms(1000), at_ms(9000)}), 400'000);
}

TEST(Measure, counts_as_lost_what_was_sent_in_the_interval_and_never_arrived) {
  Made made = steady();
  std::erase_if(made.log.arrived, [](const auto& one) { return one.number >= 200 && one.number < 225; });
  EXPECT_DOUBLE_EQ(loss(made.log, {at_ms(2000), at_ms(3000)}), 0.25);
  EXPECT_DOUBLE_EQ(loss(made.log, {at_ms(3000), at_ms(4000)}), 0);
}

TEST(Measure, a_rate_is_usable_when_it_lasts_and_something_arrives) {
  auto usable = [](auto target, double wanted) {
    Made made(target, [](auto) { return 0; });
    return seconds_until_usable(made.log, {at_ms(0), at_ms(8000)}, wanted);
  };
  EXPECT_NEAR(usable([](auto ms) { return ms < 3000 ? 300'000 : 800'000; }, 700'000), 3, 0.05);
  // A spike of 200 ms at 1 s does not count.
  auto spike = [](auto ms) { return ms >= 3000 || (ms >= 1000 && ms < 1200) ? 800'000 : 300'000; };
  EXPECT_NEAR(usable(spike, 700'000), 3, 0.05);
  // Nor a target without the packets to show for it.
  EXPECT_DOUBLE_EQ(usable([](auto) { return 5'000'000; }, 2'000'000), 8);
}

TEST(Measure, says_when_sending_and_waiting_have_come_down) {
  Made made([](auto) { return 800'000; }, [](auto ms) { return ms >= 2000 && ms < 3500 ? 120 : 10; });
  EXPECT_NEAR(seconds_until_waits_below(made.log, {at_ms(2500), at_ms(9000)}, Duration::milliseconds(50)),
              1.05, 0.03);
  std::vector<double> waits;
  add_waits(made.log, {at_ms(1000), at_ms(5000)}, waits);
  EXPECT_NEAR(percentile(waits, 1), 120, 1e-9);
  EXPECT_NEAR(percentile(waits, 0.5), 10, 1e-9);
  std::erase_if(made.log.sent,
                [](const auto& one) { return one.at >= at_ms(4000) && one.at.ns() / 10'000'000 % 2 == 1; });
  EXPECT_NEAR(seconds_until_sent_below(made.log, {at_ms(3000), at_ms(9000)}, 420'000), 1, 0.05);
}

TEST(Measure, knows_fairness) {
  EXPECT_DOUBLE_EQ(jain(std::vector<double>{5, 5, 5, 5}), 1);
  EXPECT_DOUBLE_EQ(jain(std::vector<double>{4, 0, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(jain({}), 0);
}

TEST(BweCases, give_a_value_for_each_bar_and_the_same_for_the_same_seed) {
  for (const Case& one : all_cases()) {
    if (one.seconds > 130) continue;
    Trace trace;
    auto values = one.run(1, &trace);
    EXPECT_EQ(values.size(), one.bars.size()) << one.name;
    EXPECT_EQ(values, one.run(1, nullptr)) << one.name;
    EXPECT_NEAR(static_cast<double>(trace.capacity_kbps.size()), one.seconds * 10, 1) << one.name;
    for (const auto& line : trace.received)
      EXPECT_EQ(line.kbps.size(), trace.capacity_kbps.size()) << one.name;
  }
}

}  // namespace
}  // namespace stoa::bench
