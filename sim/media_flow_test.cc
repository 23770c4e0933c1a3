#include "sim/media_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace stoa::sim {
namespace {

Timestamp at_s(double seconds) { return Timestamp() + Duration::from_seconds(seconds); }

// A controller that may not change its mind.
MediaFlow::Config at_rate(std::uint64_t bits_per_second) {
  MediaFlow::Config config;
  config.controller = {bits_per_second, bits_per_second, bits_per_second};
  return config;
}

Scenario scenario_of(const char* text) {
  auto scenario = parse_scenario(text);
  EXPECT_TRUE(scenario) << scenario.error();
  return *scenario;
}

std::uint64_t bytes_between(const std::vector<MediaLog::Sent>& sent, Timestamp from, Timestamp to) {
  std::uint64_t bytes = 0;
  for (const auto& packet : sent)
    if (packet.at >= from && packet.at < to && !packet.is_padding) bytes += packet.bytes;
  return bytes;
}

TEST(Encoder, keeps_its_rate_with_frames_that_vary) {
  Encoder encoder({.max_bits_per_second = 3'000'000}, Rng(1), Timestamp());
  encoder.restart(2'000'000);
  std::vector<double> sizes;
  for (int i = 0; i < 1800; ++i) sizes.push_back(encoder.take_frame());
  EXPECT_NEAR(std::accumulate(sizes.begin(), sizes.end(), 0.0) * 8 / 60, 2e6, 4e4);
  double mean = 2e6 / 8 / 30;
  EXPECT_NEAR(sizes[0], 4 * mean, 1);  // A keyframe.
  auto large = std::count_if(sizes.begin(), sizes.end(), [&](double size) { return size > 3 * mean; });
  EXPECT_GE(large, 4);
  EXPECT_LE(large, 12);
  auto uneven =
      std::count_if(sizes.begin(), sizes.end(), [&](double size) { return std::abs(size / mean - 1) > 0.1; });
  EXPECT_GT(uneven, 600);
}

TEST(Encoder, follows_its_rate_with_lag_and_within_limits) {
  Encoder encoder({.max_bits_per_second = 3'000'000}, Rng(1), Timestamp());
  encoder.restart(500'000);
  encoder.take_frame();
  encoder.set_rate(10'000'000);
  for (int i = 0; i < 4; ++i) encoder.take_frame();  // 133 ms.
  EXPECT_GT(encoder.rate(), 1'500'000u);
  EXPECT_LT(encoder.rate(), 2'500'000u);
  for (int i = 0; i < 30; ++i) encoder.take_frame();
  EXPECT_NEAR(static_cast<double>(encoder.rate()), 3e6, 1e4);
}

TEST(MediaFlow, sends_what_the_controller_says_and_paces_it) {
  Network network(scenario_of("delay 50ms\nforward capacity 0 20M"), Rng(1));
  auto& flow = network.add(std::make_unique<MediaFlow>(at_rate(1'000'000), Rng(2)), {});
  network.run_until(at_s(30));
  EXPECT_NEAR(static_cast<double>(bytes_between(flow.log().sent, at_s(5), at_s(30))) * 8 / 25, 1e6, 4e4);
  // 20 ms hold no more than the pacing rate lets through, a quantum, and the sound.
  const auto& sent = flow.log().sent;
  for (std::size_t begin = 0, end = 0; begin < sent.size(); ++begin) {
    while (end < sent.size() && sent[end].at < sent[begin].at + Duration::milliseconds(20)) ++end;
    if (sent[begin].at < at_s(1)) continue;  // It probes.
    double bits = static_cast<double>(bytes_between({sent.begin() + static_cast<std::ptrdiff_t>(begin),
                                                     sent.begin() + static_cast<std::ptrdiff_t>(end)},
                                                    at_s(0), at_s(99))) *
                  8;
    EXPECT_LE(bits, static_cast<double>(flow.controller().target().pacing_bits_per_second) * 0.025 +
                        8 * (1200 + 240));
  }
  EXPECT_GT(flow.log().arrived.size(), sent.size() - 40);
  EXPECT_GE(flow.log().arrived[0].one_way, Duration::milliseconds(50));
}

TEST(MediaFlow, tells_the_controller_what_real_feedback_says) {
  Network network(scenario_of("delay 60ms\nforward capacity 0 20M\nforward loss 5%"), Rng(1));
  auto& flow = network.add(std::make_unique<MediaFlow>(at_rate(1'000'000), Rng(2)), {});
  network.run_until(at_s(30));
  const bwe::Controller& controller = flow.controller();
  EXPECT_GT(controller.target().round_trip, Duration::milliseconds(115));
  EXPECT_LT(controller.target().round_trip, Duration::milliseconds(200));  // With up to 50 ms until feedback.
  EXPECT_NEAR(controller.target().loss, 0.05, 0.045);
  EXPECT_GT(controller.counts().feedback, 500u);  // One 50 ms after the first news.
  EXPECT_LT(controller.counts().feedback, 600u);
  EXPECT_EQ(controller.counts().unknown, 0u);
  EXPECT_EQ(controller.counts().clock_jumps, 0u);
}

TEST(MediaFlow, reacts_to_marks_told_by_real_feedback) {
  MediaFlow::Config config;
  config.controller.reacts_to_ecn = true;
  Network network(scenario_of("delay 30ms\nforward capacity 0 2M\nforward ecn 15ms"), Rng(1));
  auto& flow = network.add(std::make_unique<MediaFlow>(config, Rng(2)), {});
  network.run_until(at_s(40));
  EXPECT_GT(network.forward().stats().marked, 20u);
  EXPECT_EQ(flow.controller().counts().unknown, 0u);
  EXPECT_GT(flow.controller().target().round_trip, Duration::milliseconds(55));
  EXPECT_LT(flow.controller().target().round_trip, Duration::milliseconds(160));
  EXPECT_GT(bytes_between(flow.log().sent, at_s(20), at_s(40)) * 8 / 20, 1'000'000u);
}

TEST(MediaFlow, passes_on_the_layer_that_fits) {
  auto config = at_rate(700'000);
  config.layers = {150'000, 500'000, 1'700'000};
  Network network(scenario_of("delay 20ms"), Rng(1));
  auto& flow = network.add(std::make_unique<MediaFlow>(config, Rng(2)), {});
  network.run_until(at_s(20));
  ASSERT_FALSE(flow.log().switches.empty());
  EXPECT_EQ(flow.log().switches.back().layer, 2u);
  EXPECT_LT(flow.log().switches.back().at, at_s(3));
  EXPECT_NEAR(static_cast<double>(bytes_between(flow.log().sent, at_s(5), at_s(20))) * 8 / 15, 548'000,
              30'000);
}

TEST(MediaFlow, leaves_out_frames_when_the_pacer_is_full) {
  MediaFlow::Config config = at_rate(300'000);
  config.encoder.min_bits_per_second = 2'000'000;  // It cannot do with less.
  Network network(scenario_of("delay 50ms"), Rng(1));
  auto& flow = network.add(std::make_unique<MediaFlow>(config, Rng(2)), {});
  network.run_until(at_s(20));
  double rate = static_cast<double>(bytes_between(flow.log().sent, at_s(5), at_s(20))) * 8 / 15;
  EXPECT_LT(rate, 1.1 * static_cast<double>(flow.controller().target().pacing_bits_per_second) + 48'000);
}

TEST(MediaFlow, sends_nothing_before_its_start_after_its_stop_and_in_a_pause) {
  MediaFlow::Config config = at_rate(500'000);
  config.start = at_s(2);
  config.stop = at_s(8);
  Network network(scenario_of("delay 20ms"), Rng(1));
  auto& flow = network.add(std::make_unique<MediaFlow>(config, Rng(2)), {});
  network.run_until(at_s(4));
  flow.pause();
  network.run_until(at_s(6));
  flow.resume();
  network.run_until(at_s(10));
  const auto& sent = flow.log().sent;
  EXPECT_GE(sent.front().at, at_s(2));
  EXPECT_LE(sent.back().at, at_s(8.1));
  EXPECT_EQ(bytes_between(sent, at_s(4.3), at_s(6)), 0u);
  EXPECT_GT(bytes_between(sent, at_s(6), at_s(7)), 40'000u);
}

TEST(MediaFlow, is_the_same_from_the_same_seed) {
  auto run = [](std::uint64_t seed) {
    Network network(scenario_of("delay 50ms\ncapacity 0 1M\njitter 20ms\nloss 1%"), Rng(seed));
    auto& flow = network.add(std::make_unique<MediaFlow>(at_rate(900'000), Rng(seed + 1)), {});
    network.run_until(at_s(10));
    std::vector<Timestamp> arrived;
    for (const auto& arrival : flow.log().arrived) arrived.push_back(arrival.at);
    return arrived;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace stoa::sim
