// The simulator and the shaper agree on what a sender comes to. A run over sockets takes its time, and on a
// busy machine datagrams are late for reasons of the machine: of some runs one has to agree.
#include "twin.h"

#include <gtest/gtest.h>

#include <cmath>

namespace stoa::bench {
namespace {

constexpr int kTriesMax = 3;
// Of the simulator's rate in a phase that has settled; and of its delay.
constexpr double kRateTolerance = 0.15, kDelayToleranceMs = 40;

double mean_of(const std::vector<double>& steps, Duration from, Duration to) {
  const auto first = static_cast<std::size_t>(from / kTwinStep),
             last = static_cast<std::size_t>(to / kTwinStep);
  double sum = 0;
  for (std::size_t i = first; i < last; ++i) sum += steps.at(i);
  return sum / static_cast<double>(last - first);
}

TEST(Twin, the_simulator_and_the_shaper_give_a_sender_the_same_rate_and_delay) {
  auto scenario = sim::parse_scenario(
      "delay 25ms\nforward capacity 0 1.5M\nforward capacity 9s 600k\nforward capacity 16s 1.5M\nqueue "
      "300ms\n");
  ASSERT_TRUE(scenario) << scenario.error();
  TwinOptions options{.scenario = *scenario, .length = Duration::seconds(24)};
  options.flow.encoder.max_bits_per_second = 2'500'000;
  const TwinRun simulated = run_in_virtual_time(options);
  // Both are near the capacity, so that agreeing is not agreeing on nothing.
  EXPECT_GT(mean_of(simulated.kbps, Duration::seconds(5), Duration::seconds(9)), 1000);
  for (int tries = 1;; ++tries) {
    auto real = run_over_sockets(options);
    ASSERT_TRUE(real) << real.error();
    bool agrees = true;
    for (auto [from, to] : {std::pair(5, 9), std::pair(12, 16), std::pair(20, 24)}) {
      const Duration begin = Duration::seconds(from), end = Duration::seconds(to);
      const double wanted = mean_of(simulated.kbps, begin, end), got = mean_of(real->kbps, begin, end);
      const double delay = mean_of(simulated.one_way_ms, begin, end);
      const double real_delay = mean_of(real->one_way_ms, begin, end);
      std::printf("%d to %d s: %.0f kb/s simulated, %.0f by the clock; %.0f ms and %.0f ms\n", from, to,
                  wanted, got, delay, real_delay);
      agrees = agrees && std::abs(got - wanted) <= kRateTolerance * wanted &&
               std::abs(real_delay - delay) <= kDelayToleranceMs;
    }
    std::printf("late by %.2f ms at the 99th percentile; lost %.1f %% and %.1f %%\n", real->late_ms_p99,
                simulated.loss_percent, real->loss_percent);
    if (agrees) break;
    ASSERT_LT(tries, kTriesMax) << "none of the runs agrees";
  }
}

}  // namespace
}  // namespace stoa::bench
