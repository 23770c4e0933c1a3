#include "bwe/controller.h"

#include <gtest/gtest.h>

#include <vector>

#include "sim/heap.h"
#include "sim/media_flow.h"

namespace stoa::bwe {
namespace {

Timestamp at_s(double seconds) { return Timestamp() + Duration::from_seconds(seconds); }

// A media flow over an emulated path (sim/scenario.h).
struct Call {
  explicit Call(const char* text, Config controller = {}, std::uint64_t seed = 1)
      : network(*sim::parse_scenario(text), Rng(seed)) {
    sim::MediaFlow::Config config;
    config.controller = controller;
    flow = &network.add(std::make_unique<sim::MediaFlow>(config, Rng(seed + 1)), {});
  }
  double target(double until) {
    network.run_until(at_s(until));
    return static_cast<double>(flow->controller().target().bits_per_second);
  }
  // The longest that a packet waited in the queue.
  double longest_wait_ms(double from, double to) const {
    double longest = 0;
    for (const auto& arrived : flow->log().arrived)
      if (arrived.at >= at_s(from) && arrived.at < at_s(to))
        longest = std::max(longest, arrived.waited.as_seconds() * 1e3);
    return longest;
  }

  sim::Network network;
  sim::MediaFlow* flow;
};

TEST(Controller, finds_an_idle_link_within_seconds_by_probing) {
  Call call("delay 50ms\nforward capacity 0 3M");
  EXPECT_GT(call.target(1.5), 2.5e6);
  EXPECT_LT(call.target(5), 3.1e6);
}

// Jitter makes clusters look as if the link had been full, and empty queues as if they stood.
TEST(Controller, finds_an_idle_link_whatever_its_jitter) {
  int slow = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Call call("delay 50ms\njitter 28ms\nforward capacity 0 3M", {}, seed);
    slow += call.target(2.5) < 2.5e6;
  }
  EXPECT_LE(slow, 2);
}

TEST(Controller, follows_a_link_that_becomes_wider) {
  Call call("delay 50ms\nforward capacity 0 1M\nforward capacity 20s 2.5M");
  EXPECT_LT(call.target(20), 1.1e6);
  EXPECT_GT(call.target(25), 2.1e6);
}

TEST(Controller, follows_a_link_that_breaks_down_and_drains_what_stands) {
  Call call("delay 50ms\nforward capacity 0 2.5M\nforward capacity 20s 0.6M");
  EXPECT_GT(call.target(20), 2e6);
  EXPECT_LT(call.target(20.5), 0.63e6);
  call.target(30);
  EXPECT_LT(call.longest_wait_ms(22.5, 30), 200);  // A keyframe and a probe.
  EXPECT_GT(call.target(30), 0.5e6);
}

TEST(Controller, keeps_its_rate_through_loss_that_is_the_paths_own) {
  Call call("delay 50ms\nforward capacity 0 3M\nforward loss 10%");
  EXPECT_GT(call.target(30), 2e6);
}

TEST(Controller, comes_back_after_an_outage) {
  Call call("delay 50ms\ncapacity 0 3M\ncapacity 20s 0\ncapacity 30s 3M");
  call.target(20);
  EXPECT_FALSE(call.flow->controller().target().is_silent);
  EXPECT_LT(call.target(28), 0.1e6);  // Silence brings it down.
  EXPECT_TRUE(call.flow->controller().target().is_silent);
  EXPECT_GT(call.target(32), 2.4e6);
  EXPECT_FALSE(call.flow->controller().target().is_silent);
}

TEST(Controller, does_not_grow_without_bound_while_little_is_sent) {
  sim::MediaFlow::Config config;
  config.encoder.max_bits_per_second = 450'000;
  sim::Network network(*sim::parse_scenario("delay 50ms\nforward capacity 0 20M"), Rng(1));
  auto& flow = network.add(std::make_unique<sim::MediaFlow>(config, Rng(2)), {});
  network.run_until(at_s(120));
  EXPECT_LT(flow.controller().target().bits_per_second, 1'000'000u);
  EXPECT_GT(flow.controller().target().bits_per_second, 500'000u);
}

TEST(Controller, keeps_the_queue_short_by_marks) {
  Call call("delay 20ms\nforward capacity 0 2M\nforward ecn 5ms", {.reacts_to_ecn = true});
  EXPECT_GT(call.target(30), 1.0e6);
}

// A sender whose path is a constant delay, by hand.
struct Hand {
  Controller controller{Config{}, Timestamp()};
  Timestamp now;
  std::int64_t next = 0;
  std::vector<Arrival> arrivals;
  Duration wait;  // In a queue.

  void send(int count) {
    for (int i = 0; i < count; ++i) {
      now += Duration::milliseconds(20);
      controller.handle_sent(now, {next, 1000, kNoProbe});
      arrivals.push_back({next++, now - Timestamp() + Duration::seconds(9) + wait});
    }
  }
  void answer() {
    if (arrivals.empty()) return;
    std::int64_t first = arrivals.front().sequence;
    controller.handle_feedback(now + Duration::milliseconds(50),
                               {first, static_cast<std::uint32_t>(next - first), arrivals});
    arrivals.clear();
  }
  // A cluster that comes at so much of the rate that it is sent at, and its answer.
  void probe(const ProbeCluster& cluster, double share) {
    auto count = std::max(cluster.packets_min, (cluster.bytes_min + 999) / 1000);
    double gap = 8000 / static_cast<double>(cluster.bits_per_second);
    Duration first = now - Timestamp() + Duration::seconds(9) + wait;
    for (std::uint32_t i = 0; i < count; ++i) {
      now += Duration::from_seconds(gap);
      controller.handle_sent(now, {next, 1000, cluster.id});
      arrivals.push_back({next++, first + Duration::from_seconds(gap * i / share)});
    }
    answer();
  }
  // Media until a cluster is asked for.
  ProbeCluster next_probe() {
    for (int i = 0; i < 1000; ++i) {
      if (auto cluster = controller.take_probe(now)) return *cluster;
      send(3);
      answer();
    }
    return {};
  }
  double target() const { return static_cast<double>(controller.target().bits_per_second); }
};

// What jitter made of a cluster must not decide for seconds.
TEST(Controller, asks_again_where_a_cluster_says_nothing_or_little) {
  for (double share : {4.0, 0.5}) {  // Bunched, and drawn out.
    Hand hand;
    auto first = hand.next_probe();
    hand.probe(first, share);
    Timestamp before = hand.now;
    auto again = hand.next_probe();
    EXPECT_EQ(again.bits_per_second, first.bits_per_second);
    EXPECT_GT(hand.now - before, Duration::milliseconds(600));
    EXPECT_LT(hand.now - before, Duration::milliseconds(1000));
    hand.probe(again, share);
    hand.probe(hand.next_probe(), share);  // Twice,
    before = hand.now;
    hand.next_probe();  // and not for ever.
    EXPECT_GT(hand.now - before, Duration::seconds(2));
  }
}

// At the start clusters follow each other; who looks for more on a path that may be shared waits.
TEST(Controller, lets_a_rise_stand_before_it_looks_for_more) {
  Hand hand;
  hand.probe(hand.next_probe(), 1);
  for (int i = 0; i < 3; ++i) hand.probe(hand.next_probe(), 0.75);  // Drawn out, and so the last.
  double before = hand.target();
  hand.probe(hand.next_probe(), 1);
  EXPECT_GT(hand.target(), 1.4 * before);
  EXPECT_FALSE(hand.controller.take_probe(hand.now));
  Timestamp rose = hand.now;
  auto step = hand.next_probe();
  EXPECT_GT(hand.now - rose, Duration::milliseconds(600));
  EXPECT_LT(hand.now - rose, Duration::milliseconds(1000));
  EXPECT_GT(static_cast<double>(step.bits_per_second), 1.9 * hand.target());
}

TEST(Controller, wants_two_clusters_to_rise_on_a_path_that_was_full) {
  for (double share : {0.6, 1.0}) {  // Of its rate, at which the second comes.
    Hand hand;
    hand.probe(hand.next_probe(), 1);
    for (int i = 0; i < 3; ++i) hand.probe(hand.next_probe(), 0.75);
    hand.wait = Duration::milliseconds(100);  // A queue.
    for (int i = 0; i < 10; ++i) hand.send(3), hand.answer();
    hand.wait = Duration();
    for (int i = 0; i < 100 && hand.controller.target().is_congested; ++i) {
      hand.send(3);
      hand.controller.handle_deadline(hand.now);
      hand.answer();
    }
    auto first = hand.next_probe();
    double before = hand.target();
    hand.probe(first, 1);
    EXPECT_LT(hand.target(), 1.1 * before);
    auto second = hand.controller.take_probe(hand.now);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->bits_per_second, first.bits_per_second);
    hand.probe(*second, share);
    EXPECT_EQ(hand.target() > 1.4 * before, share == 1);
  }
}

// On another path a cluster at the former rate shows how narrow that is, and queues for as long as it takes.
TEST(Controller, asks_once_alone_where_a_former_rate_is_shown_not_to_fit) {
  Hand hand;
  for (int i = 0; i < 3; ++i) hand.probe(hand.next_probe(), 1);
  hand.controller.handle_route_change(hand.now);
  const auto first = hand.next_probe();
  EXPECT_GT(static_cast<double>(first.bits_per_second), 2 * hand.target());
  hand.probe(first, 0.1);
  hand.wait = Duration();
  for (int i = 0; i < 100; ++i) {
    if (const auto next = hand.controller.take_probe(hand.now)) {
      EXPECT_LT(next->bits_per_second, first.bits_per_second);
      hand.probe(*next, 1);
    }
    hand.send(3);
    hand.answer();
  }
}

TEST(Controller, measures_the_round_trip) {
  Hand hand;
  hand.send(5);
  hand.answer();
  EXPECT_EQ(hand.controller.target().round_trip, Duration::milliseconds(50));
  hand.controller.handle_report(hand.now, 0, Duration::milliseconds(130));
  EXPECT_EQ(hand.controller.target().round_trip, Duration::milliseconds(60));
}

TEST(Controller, counts_as_lost_only_what_is_missing_before_something_that_arrived) {
  Hand hand;
  for (int i = 0; i < 40; ++i) {
    hand.send(5);
    hand.arrivals.pop_back();  // Told with the next.
    hand.answer();
  }
  EXPECT_EQ(hand.controller.target().loss, 0);
  Hand lossy;
  for (int i = 0; i < 40; ++i) {
    lossy.send(5);
    lossy.arrivals.erase(lossy.arrivals.begin() + 2);
    lossy.answer();
  }
  EXPECT_NEAR(lossy.controller.target().loss, 0.2, 0.02);
}

TEST(Controller, bears_feedback_that_is_lost_doubled_or_late) {
  Hand hand;
  for (int i = 0; i < 100; ++i) {
    hand.send(5);
    if (i % 3 == 0) {
      hand.arrivals.clear();
      continue;
    }
    auto again = hand.arrivals;
    hand.answer();
    if (i % 3 == 1) hand.controller.handle_feedback(hand.now, {again[0].sequence, 5, again});
  }
  EXPECT_EQ(hand.controller.target().loss, 0);
  EXPECT_EQ(hand.controller.counts().duplicates, 33u * 5);
  EXPECT_GE(hand.target(), 300'000);
}

TEST(Controller, takes_back_a_loss_when_the_packet_comes) {
  Hand hand;
  hand.send(5);
  Arrival late = hand.arrivals[2];
  hand.arrivals.erase(hand.arrivals.begin() + 2);
  hand.answer();
  hand.controller.handle_feedback(hand.now, {late.sequence, 1, std::span(&late, 1)});
  EXPECT_EQ(hand.controller.counts().late, 1u);
}

TEST(Controller, is_not_harmed_by_hostile_feedback) {
  Hand hand;
  for (int i = 0; i < 20; ++i) hand.send(5), hand.answer();
  double before = hand.target();
  std::vector<Arrival> many;
  for (int i = 0; i < 65'535; ++i) many.push_back({1'000'000 + i, Duration::seconds(i)});
  hand.controller.handle_feedback(hand.now, {1'000'000, 65'535, many});
  hand.controller.handle_feedback(hand.now, {std::numeric_limits<std::int64_t>::max(), 65'535, {}});
  hand.controller.handle_feedback(hand.now, {std::numeric_limits<std::int64_t>::min(), 65'535, {}});
  EXPECT_EQ(hand.controller.counts().unknown, 65'535u);
  EXPECT_EQ(hand.target(), before);
  // Times from nowhere.
  for (Duration at : {Duration::infinite(), -Duration::infinite(), Duration::seconds(-7200)}) {
    hand.send(1);
    hand.arrivals[0].at = at;
    hand.answer();
  }
  EXPECT_EQ(hand.controller.counts().clock_jumps, 3u);
  for (int i = 0; i < 50; ++i) hand.send(5), hand.answer();
  EXPECT_GE(hand.target(), 0.7 * before);
  EXPECT_LE(hand.target(), 50e6);
}

TEST(Controller, goes_down_while_feedback_is_missing) {
  Hand hand;
  hand.send(5);
  hand.answer();
  EXPECT_EQ(hand.controller.next_deadline(), Timestamp::never());  // Nothing is owed.
  hand.send(1);
  double before = hand.target();
  for (int i = 0; i < 10; ++i) {
    Timestamp deadline = hand.controller.next_deadline();
    ASSERT_NE(deadline, Timestamp::never());
    hand.controller.handle_deadline(deadline);
    ASSERT_GT(hand.controller.next_deadline(), deadline);
  }
  EXPECT_LT(hand.target(), before / 4);
}

TEST(Controller, drains_nothing_that_stood_in_an_outage) {
  Hand hand;
  for (int i = 0; i < 20; ++i) hand.send(5), hand.answer();
  hand.wait = Duration::seconds(5);
  hand.send(15);
  auto arrivals = hand.arrivals;
  hand.send(5);  // On their way still.
  hand.arrivals = arrivals;
  for (int i = 0; i < 10; ++i) hand.controller.handle_deadline(hand.controller.next_deadline());
  hand.now += hand.wait;
  hand.answer();
  EXPECT_FALSE(hand.controller.target().is_congested);
}

TEST(Controller, takes_remb_for_a_cap_as_long_as_it_is_repeated) {
  Hand hand;
  hand.send(5);
  hand.answer();
  hand.controller.handle_remb(hand.now, 100'000);
  EXPECT_EQ(hand.target(), 100'000);
  hand.controller.handle_deadline(hand.now + Duration::seconds(6));
  EXPECT_GE(hand.target(), 200'000);
}

TEST(Controller, takes_remb_for_the_estimate_of_a_receiver_without_feedback) {
  Hand hand;
  hand.send(5);
  hand.controller.handle_remb(hand.now, 2'000'000);
  EXPECT_EQ(hand.target(), 2'000'000);
}

TEST(Controller, follows_reports_of_a_receiver_without_feedback) {
  Hand hand;
  hand.controller.handle_report(hand.now, 0.2, std::nullopt);
  EXPECT_EQ(hand.target(), 270'000);
  EXPECT_EQ(hand.controller.target().loss, 0.2);
}

TEST(Controller, begins_anew_on_another_route) {
  Call call("delay 50ms\nforward capacity 0 3M");
  call.target(5);
  Controller controller({}, Timestamp());
  controller.handle_route_change(at_s(1));
  EXPECT_EQ(controller.target().bits_per_second, 300'000u);
  auto probe = controller.take_probe(at_s(1));
  ASSERT_TRUE(probe);
  EXPECT_GE(probe->bits_per_second, 800'000u);
}

TEST(Controller, probes_for_no_more_than_is_wanted) {
  Controller controller({}, Timestamp());
  controller.set_demand(Timestamp(), {200'000, 0, 200'000});
  EXPECT_FALSE(controller.take_probe(Timestamp()));
  controller.set_demand(Timestamp(), {200'000, 400'000, 400'000});
  auto probe = controller.take_probe(Timestamp());
  ASSERT_TRUE(probe);
  EXPECT_LE(probe->bits_per_second, 600'000u);
}

TEST(Controller, is_small_when_idle) {
  std::size_t before = sim::heap_bytes_in_use();
  auto controller = std::make_unique<Controller>(Config{}, Timestamp());
  EXPECT_LE(sim::heap_bytes_in_use() - before, 6u * 1024);
}

}  // namespace
}  // namespace stoa::bwe
