#include "sim/path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sim/heap.h"

namespace stoa::sim {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }
PathConfig with_capacity(std::uint64_t bits_per_second) {
  return {.capacity = {{Duration(), bits_per_second}}};
}

struct Seen {
  std::vector<int> order;
  std::vector<Timestamp> at;
  std::uint64_t marked = 0, corrupt = 0;
};

// `count` packets of 1000 bytes, one each `gap`; what arrived until long after.
Seen send_steadily(Path<int>& path, int count, Duration gap, bool can_ecn = false) {
  Seen seen;
  Timestamp now;
  auto take = [&] {
    while (auto arrival = path.take_arrived(now)) {
      seen.order.push_back(arrival->payload);
      seen.at.push_back(arrival->at);
      seen.marked += arrival->is_marked;
      seen.corrupt += arrival->is_corrupt;
    }
  };
  for (int i = 0; i < count; ++i, now += gap) {
    path.send(now, 1000, i, can_ecn);
    take();
  }
  now += Duration::seconds(1000);
  take();
  return seen;
}

TEST(Path, delivers_at_capacity_behind_the_delay) {
  PathConfig config = with_capacity(1'000'000);
  config.delay = {{Duration(), Duration::milliseconds(50)}};
  Path<int> path(config, Rng(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(path.send(Timestamp(), 1000, i));  // 8 ms each.
  EXPECT_FALSE(path.take_arrived(at_ms(57)));
  for (int i = 0; i < 3; ++i) {
    auto arrival = path.take_arrived(at_ms(74));
    ASSERT_TRUE(arrival);
    EXPECT_EQ(arrival->payload, i);
    EXPECT_EQ(arrival->at, at_ms(58 + 8 * i));
    EXPECT_EQ(arrival->waited, Duration::milliseconds(8 * i));
  }
  EXPECT_EQ(path.next_deadline(), Timestamp::never());
}

TEST(Path, deadlines_lead_from_one_arrival_to_the_next) {
  PathConfig config = with_capacity(500'000);
  config.delay = {{Duration(), Duration::milliseconds(5)}};
  Path<int> path(config, Rng(1));
  for (int i = 0; i < 10; ++i) path.send(Timestamp(), 500, i);
  int arrived = 0;
  for (Timestamp now = path.next_deadline(); now != Timestamp::never(); now = path.next_deadline())
    while (auto arrival = path.take_arrived(now)) {
      EXPECT_EQ(arrival->at, now);
      ++arrived;
    }
  EXPECT_EQ(arrived, 10);
}

TEST(Path, serves_over_a_step_of_capacity_exactly) {
  PathConfig config{.capacity = {{Duration(), 1'000'000}, {Duration::milliseconds(4), 100'000}}};
  Path<int> path(config, Rng(1));
  path.send(Timestamp(), 1000, 0);  // Half of it in 4 ms, the rest in 40.
  EXPECT_EQ(path.take_arrived(at_ms(100))->at, at_ms(44));
}

TEST(Path, holds_its_queue_through_an_outage) {
  PathConfig config{
      .capacity = {{Duration(), 1'000'000}, {Duration::seconds(1), 0}, {Duration::seconds(3), 800'000}}};
  Path<int> path(config, Rng(1));
  EXPECT_TRUE(path.send(at_ms(1000), 1000, 0));
  EXPECT_TRUE(path.send(at_ms(2000), 1000, 1));
  EXPECT_EQ(path.take_arrived(at_ms(5000))->at, at_ms(3010));
  EXPECT_EQ(path.take_arrived(at_ms(5000))->at, at_ms(3020));
}

TEST(Path, never_delivers_in_an_outage_without_end) {
  Path<int> path({.capacity = {{Duration(), 0}}}, Rng(1));
  path.send(Timestamp(), 1000, 0);
  path.send(Timestamp(), 1000, 1);
  EXPECT_EQ(path.next_deadline(), Timestamp::never());
  EXPECT_FALSE(path.take_arrived(at_ms(1'000'000)));
}

TEST(Path, drops_what_would_wait_longer_than_the_queue_allows) {
  PathConfig config = with_capacity(1'000'000);
  config.queue_max = Duration::milliseconds(80);  // Ten packets.
  Path<int> path(config, Rng(1));
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += path.send(Timestamp(), 1000, i);
  EXPECT_EQ(taken, 11);  // One is on its way out.
  EXPECT_EQ(path.stats().dropped, 9u);
  EXPECT_EQ(path.queue_delay(Timestamp()), Duration::milliseconds(88));
}

TEST(Path, lets_nothing_wait_longer_than_the_queue_allows) {
  PathConfig config = with_capacity(600'000);
  config.queue_max = Duration::milliseconds(300);
  Path<int> path(config, Rng(1));
  Duration longest;
  for (int i = 0; i < 5000; ++i) {
    Timestamp now = Timestamp() + Duration::microseconds(5300) * i;
    path.send(now, 1200, i);
    while (auto arrival = path.take_arrived(now)) longest = std::max(longest, arrival->waited);
  }
  EXPECT_LE(longest, Duration::milliseconds(300));
  EXPECT_GT(longest, Duration::milliseconds(280));
}

TEST(Path, takes_packets_in_an_outage_as_before_it) {
  PathConfig config{.capacity = {{Duration(), 1'000'000}, {Duration::seconds(1), 0}}};
  config.queue_max = Duration::milliseconds(80);
  Path<int> path(config, Rng(1));
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += path.send(at_ms(2000), 1000, i);
  EXPECT_EQ(taken, 11);
}

TEST(Path, drops_what_does_not_fit_the_queue_in_bytes) {
  PathConfig config = with_capacity(1'000'000);
  config.queue_bytes_max = 3500;
  Path<int> path(config, Rng(1));
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += path.send(Timestamp(), 1000, i);
  EXPECT_EQ(taken, 4);
}

TEST(Path, drops_what_is_longer_than_the_mtu) {
  PathConfig config;
  config.mtu_bytes = 1200;
  Path<int> path(config, Rng(1));
  EXPECT_TRUE(path.send(Timestamp(), 1200, 0));
  EXPECT_FALSE(path.send(Timestamp(), 1201, 1));
  EXPECT_EQ(path.stats().too_long, 1u);
}

TEST(Path, codel_keeps_a_standing_queue_near_its_target) {
  auto longest_wait = [](bool has_codel) {
    PathConfig config = with_capacity(1'000'000);
    config.queue_max = Duration::seconds(10);
    if (has_codel) config.codel.emplace();
    Path<int> path(config, Rng(1));
    Duration longest;
    // 10 % more than it carries, for 60 s.
    for (int i = 0; i < 8250; ++i) {
      Timestamp now = Timestamp() + Duration::microseconds(7273) * i;
      path.send(now, 1000, i);
      while (auto arrival = path.take_arrived(now))
        if (i > 4000) longest = std::max(longest, arrival->waited);
    }
    return longest;
  };
  EXPECT_GT(longest_wait(false), Duration::seconds(4));
  EXPECT_LT(longest_wait(true), Duration::milliseconds(150));
}

TEST(Path, codel_marks_instead_of_dropping_who_can_ecn) {
  PathConfig config = with_capacity(1'000'000);
  config.codel.emplace();
  config.marking = Marking::kCodel;
  config.queue_max = Duration::seconds(100);
  Path<int> path(config, Rng(1));
  Seen seen = send_steadily(path, 3000, Duration::microseconds(7273), true);
  EXPECT_EQ(seen.order.size(), 3000u);
  EXPECT_GT(seen.marked, 50u);
  EXPECT_EQ(path.stats().marked, seen.marked);
}

TEST(Path, marks_above_the_threshold_only_who_can_ecn) {
  PathConfig config = with_capacity(1'000'000);
  config.marking = Marking::kThreshold;
  config.mark_above = Duration::milliseconds(20);
  for (bool can_ecn : {true, false}) {
    Path<int> path(config, Rng(1));
    for (int i = 0; i < 10; ++i) path.send(Timestamp(), 1000, i, can_ecn);
    for (int i = 0; i < 10; ++i)  // They wait 0, 8, 16, 24 ms…
      EXPECT_EQ(path.take_arrived(at_ms(1000))->is_marked, can_ecn && i >= 3);
  }
}

TEST(Path, loses_duplicates_corrupts_and_reorders_as_often_as_told) {
  PathConfig config{.loss = 0.1, .reordering = 0.05, .duplication = 0.02, .corruption = 0.03};
  Path<int> path(config, Rng(1));
  Seen seen = send_steadily(path, 100'000, Duration::milliseconds(1));
  const PathStats& stats = path.stats();
  EXPECT_NEAR(static_cast<double>(stats.lost), 10'000, 400);
  EXPECT_NEAR(static_cast<double>(stats.duplicated), 1800, 200);
  EXPECT_NEAR(static_cast<double>(stats.held_back), 4500, 300);
  EXPECT_NEAR(static_cast<double>(seen.corrupt), 2700, 300);
  EXPECT_EQ(seen.order.size(), 100'000 - stats.lost + stats.duplicated);
  EXPECT_FALSE(std::is_sorted(seen.order.begin(), seen.order.end()));
}

TEST(Path, loses_in_bursts_of_the_length_told) {
  PathConfig config{.burst_enter = 0.01, .burst_leave = 0.25};
  Path<int> path(config, Rng(1));
  Seen seen = send_steadily(path, 200'000, Duration::milliseconds(1));
  int bursts = 0;
  for (std::size_t i = 1; i < seen.order.size(); ++i) bursts += seen.order[i] != seen.order[i - 1] + 1;
  EXPECT_NEAR(static_cast<double>(path.stats().lost) / bursts, 4, 0.3);
  EXPECT_NEAR(static_cast<double>(path.stats().lost), 200'000 * 0.01 / 0.26, 800);
}

TEST(Path, jitter_is_a_truncated_gaussian) {
  PathConfig config{.jitter = Duration::milliseconds(30), .keeps_order = false};
  Path<int> path(config, Rng(1));
  constexpr int kCount = 20'000;
  Seen seen = send_steadily(path, kCount, Duration::milliseconds(10));
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < seen.order.size(); ++i) {
    double ms = (seen.at[i] - Timestamp()).as_seconds() * 1e3 - 10.0 * seen.order[i];
    EXPECT_GE(ms, 0);
    EXPECT_LE(ms, 30);
    sum += ms, squares += ms * ms;
  }
  double mean = sum / kCount;
  EXPECT_NEAR(mean, 15, 0.2);
  EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean), 5, 0.2);
  EXPECT_FALSE(std::is_sorted(seen.order.begin(), seen.order.end()));
}

TEST(Path, jitter_and_a_shorter_route_keep_the_order_when_told) {
  PathConfig config{.delay = {{Duration(), Duration::milliseconds(200)},
                              {Duration::seconds(5), Duration::milliseconds(10)}},
                    .jitter = Duration::milliseconds(30)};
  Path<int> path(config, Rng(1));
  Seen seen = send_steadily(path, 10'000, Duration::milliseconds(1));
  EXPECT_EQ(seen.order.size(), 10'000u);
  EXPECT_TRUE(std::is_sorted(seen.order.begin(), seen.order.end()));
  EXPECT_LT(seen.at.back() - at_ms(9999), Duration::milliseconds(41));
}

TEST(Path, goes_by_another_configuration_from_then_on) {
  PathConfig config = with_capacity(1'000'000);
  Path<int> path(config, Rng(1));
  for (int i = 0; i < 4; ++i) path.send(Timestamp(), 1000, i);  // 8 ms each.
  // At 10 ms the second is being sent, two wait.
  config.capacity.push_back({Duration::milliseconds(10), 500'000});
  config.delay = {{Duration(), Duration::milliseconds(50)}};
  path.configure(at_ms(10), config);
  std::vector<Timestamp> at;
  while (auto arrival = path.take_arrived(at_ms(200))) at.push_back(arrival->at);
  EXPECT_EQ(at, (std::vector{at_ms(8), at_ms(16), at_ms(82), at_ms(98)}));
}

TEST(Path, an_outage_without_end_ends_when_it_is_told_so) {
  PathConfig config = with_capacity(0);
  Path<int> path(config, Rng(1));
  for (int i = 0; i < 2; ++i) path.send(Timestamp(), 1000, i);
  EXPECT_FALSE(path.take_arrived(at_ms(1000)));
  config.capacity.push_back({Duration::milliseconds(1000), 1'000'000});
  path.configure(at_ms(1000), config);
  auto arrival = path.take_arrived(at_ms(2000));
  ASSERT_TRUE(arrival);
  EXPECT_EQ(arrival->payload, 1) << "the first was begun in the outage";
  EXPECT_EQ(arrival->at, at_ms(1008));
}

TEST(Path, is_the_same_from_the_same_seed) {
  auto run = [](std::uint64_t seed) {
    PathConfig config = with_capacity(2'000'000);
    config.jitter = Duration::milliseconds(10);
    config.loss = config.reordering = config.duplication = 0.05;
    Path<int> path(config, Rng(seed));
    return send_steadily(path, 2000, Duration::milliseconds(3));
  };
  EXPECT_EQ(run(1).at, run(1).at);
  EXPECT_NE(run(1).at, run(2).at);
}

TEST(Path, takes_no_memory_in_steady_state) {
  PathConfig config = with_capacity(10'000'000);
  config.delay = {{Duration(), Duration::milliseconds(50)}};
  config.jitter = Duration::milliseconds(10);
  config.loss = 0.01;
  Path<int> path(config, Rng(1));
  Timestamp now;
  auto go_on = [&](int count) {
    for (int i = 0; i < count; ++i, now += Duration::microseconds(800)) {
      path.send(now, 1000, i);
      while (path.take_arrived(now)) {
      }
    }
  };
  go_on(10'000);
  std::size_t before = heap_bytes_in_use();
  go_on(100'000);
  EXPECT_EQ(heap_bytes_in_use(), before);
}

}  // namespace
}  // namespace stoa::sim
