#include "sim/tcp_flow.h"

#include <gtest/gtest.h>

#include <string>

namespace stoa::sim {
namespace {

Timestamp at_s(double seconds) { return Timestamp() + Duration::from_seconds(seconds); }

Scenario scenario_of(const std::string& text) {
  auto scenario = parse_scenario(text);
  EXPECT_TRUE(scenario) << scenario.error();
  return *scenario;
}

// Bits a second of `flow` between two moments. The network stands before the first of them.
double rate_between(Network& network, const TcpFlow& flow, double from, double to) {
  network.run_until(at_s(from));
  std::uint64_t before = flow.stats().delivered_bytes;
  network.run_until(at_s(to));
  return static_cast<double>(flow.stats().delivered_bytes - before) * 8 / (to - from);
}

class TcpFlowGrowth : public testing::TestWithParam<TcpFlow::Growth> {
 protected:
  TcpFlow& add(Network& network, std::uint64_t seed, double start = 0) {
    return network.add(
        std::make_unique<TcpFlow>(TcpFlow::Config{.growth = GetParam(), .start = at_s(start)}, Rng(seed)),
        {});
  }
};
INSTANTIATE_TEST_SUITE_P(All, TcpFlowGrowth,
                         testing::Values(TcpFlow::Growth::kCubic, TcpFlow::Growth::kNewReno));

TEST_P(TcpFlowGrowth, fills_a_link_and_its_queue) {
  Network network(scenario_of("delay 50ms\nforward capacity 0 5M\nqueue 300ms"), Rng(1));
  TcpFlow& flow = add(network, 2);
  EXPECT_GT(rate_between(network, flow, 5, 60), 0.97 * 5e6 * 1448 / 1500);
  EXPECT_GT(flow.stats().recoveries, 2u);
  EXPECT_EQ(flow.stats().timeouts, 0u);
  EXPECT_GT(network.forward().queue_delay(network.now()), Duration::milliseconds(50));
}

TEST_P(TcpFlowGrowth, shares_fairly_with_one_that_came_before) {
  Network network(scenario_of("delay 30ms\nforward capacity 0 4M\nqueue 100ms\njitter 2ms"), Rng(1));
  TcpFlow& early = add(network, 2);
  TcpFlow& late = add(network, 3, 20);
  network.run_until(at_s(60));
  std::uint64_t before[] = {early.stats().delivered_bytes, late.stats().delivered_bytes};
  network.run_until(at_s(240));
  double ratio = static_cast<double>(late.stats().delivered_bytes - before[1]) /
                 static_cast<double>(early.stats().delivered_bytes - before[0]);
  EXPECT_GT(ratio, 0.7);
  EXPECT_LT(ratio, 1 / 0.7);
}

TEST_P(TcpFlowGrowth, is_as_fast_under_loss_as_theory_has_it) {
  // Mathis: sqrt(3/2) / sqrt(loss) segments in a round trip, less for acknowledging every second.
  Network network(scenario_of("delay 50ms\nforward loss 1%"), Rng(1));
  TcpFlow& flow = add(network, 2);
  double segments = rate_between(network, flow, 10, 200) / 8 / 1448 * 0.1;
  EXPECT_GT(segments, 7);
  EXPECT_LT(segments, 20);
}

TEST(TcpFlow, gives_way_less_with_cubic_on_a_long_fat_path) {
  double rates[2];
  for (auto growth : {TcpFlow::Growth::kCubic, TcpFlow::Growth::kNewReno}) {
    Network network(scenario_of("delay 100ms\nforward capacity 0 50M\nqueue 20ms"), Rng(1));
    TcpFlow& flow = network.add(std::make_unique<TcpFlow>(TcpFlow::Config{.growth = growth}, Rng(2)), {});
    rates[static_cast<int>(growth)] = rate_between(network, flow, 20, 120);
  }
  EXPECT_GT(rates[0], 1.1 * rates[1]);
}

TEST(TcpFlow, comes_back_after_an_outage_by_its_timeout) {
  Network network(scenario_of("delay 20ms\ncapacity 0 5M\ncapacity 10s 0\ncapacity 15s 5M\nqueue 50ms"),
                  Rng(1));
  TcpFlow& flow = network.add(std::make_unique<TcpFlow>(TcpFlow::Config{}, Rng(2)), {});
  network.run_until(at_s(15));
  EXPECT_GE(flow.stats().timeouts, 2u);
  EXPECT_GT(rate_between(network, flow, 25, 35), 0.9 * 5e6 * 1448 / 1500);
}

TEST(TcpFlow, delivers_every_byte_through_loss_of_data_and_acknowledgements) {
  Network network(scenario_of("delay 20ms\ncapacity 0 5M\nloss 5%\nreorder 1% 5ms\nduplicate 1%"), Rng(1));
  TcpFlow::Config config{
      .file_bytes_min = 144'800, .file_bytes_max = 144'800, .pause = Duration::milliseconds(500)};
  TcpFlow& flow = network.add(std::make_unique<TcpFlow>(config, Rng(2)), {});
  network.run_until(at_s(120));
  EXPECT_GT(flow.stats().files, 40u);
  std::uint64_t whole = flow.stats().files * 100 * 1448;
  EXPECT_GE(flow.stats().delivered_bytes, whole);
  EXPECT_LT(flow.stats().delivered_bytes, whole + 100 * 1448);
}

TEST(TcpFlow, sends_files_with_pauses_between) {
  Network network(scenario_of("delay 20ms\nforward capacity 0 50M"), Rng(1));
  TcpFlow::Config config{.file_bytes_min = 100'000,
                         .file_bytes_max = 1'000'000,
                         .pause = Duration::seconds(2),
                         .begins_with_pause = true};
  TcpFlow& flow = network.add(std::make_unique<TcpFlow>(config, Rng(2)), {});
  network.run_until(at_s(1000));
  EXPECT_NEAR(static_cast<double>(flow.stats().files), 1000 / 2.35, 80);
  EXPECT_NEAR(static_cast<double>(flow.stats().delivered_bytes) / static_cast<double>(flow.stats().files),
              550'000, 60'000);
}

TEST(TcpFlow, is_the_same_from_the_same_seed) {
  auto run = [](std::uint64_t seed) {
    Network network(scenario_of("delay 20ms\nforward capacity 0 5M\nloss 1%"), Rng(seed));
    TcpFlow& flow = network.add(std::make_unique<TcpFlow>(TcpFlow::Config{}, Rng(seed)), {});
    network.run_until(at_s(30));
    return flow.stats().sent;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace stoa::sim
