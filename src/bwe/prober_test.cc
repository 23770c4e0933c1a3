#include "bwe/prober.h"

#include <gtest/gtest.h>

namespace stoa::bwe {
namespace {

Timestamp at(double seconds) { return Timestamp() + Duration::from_seconds(seconds); }

// A cluster through a link: what is sent at the rate that was asked for arrives no faster than `link`.
std::optional<ProbeResult> probe(Prober& prober, double rate, double link, int lost = 0,
                                 Duration noise = Duration()) {
  prober.request(at(1), ProbeReason::kPeriodic, rate, noise);
  auto cluster = prober.take(at(1));
  if (!cluster) return std::nullopt;
  double sent = 1, arrived = 8;
  std::uint32_t bytes = 0, packets = 0;
  for (; bytes < cluster->bytes_min || packets < cluster->packets_min; ++packets, bytes += 1200) {
    prober.handle_sent(at(sent), cluster->id, 1200);
    if (static_cast<int>(packets) < lost) {
      prober.handle_loss(cluster->id);
    } else {
      prober.handle_arrival(cluster->id, Duration::from_seconds(arrived), 1200);
    }
    sent += 1200 * 8 / rate;
    arrived += 1200 * 8 / std::min(rate, link);
  }
  return prober.take_result(at(1.3));
}

TEST(Prober, asks_for_five_packets_and_15_milliseconds) {
  Prober prober;
  EXPECT_FALSE(prober.take(at(0)));
  prober.request(at(0), ProbeReason::kPeriodic, 8e6, Duration());
  EXPECT_TRUE(prober.is_busy(at(0)));
  auto cluster = prober.take(at(0));
  ASSERT_TRUE(cluster);
  EXPECT_NE(cluster->id, kNoProbe);
  EXPECT_EQ(cluster->bytes_min, 15'000u);
  EXPECT_EQ(cluster->packets_min, 5u);
  EXPECT_FALSE(prober.take(at(0)));
  EXPECT_FALSE(prober.is_busy(at(1.1)));
}

TEST(Prober, sends_longer_where_delays_vary) {
  Prober prober;
  prober.request(at(0), ProbeReason::kPeriodic, 8e6, Duration::milliseconds(4));
  EXPECT_EQ(prober.take(at(0))->bytes_min, 48'000u);
}

TEST(Prober, sends_no_longer_than_it_may_but_for_the_least) {
  Prober prober;
  prober.request(at(0), ProbeReason::kPeriodic, 8e6, Duration::milliseconds(4), Duration::milliseconds(20));
  EXPECT_EQ(prober.take(at(0))->bytes_min, 20'000u);
  prober.request(at(2), ProbeReason::kPeriodic, 8e6, Duration::milliseconds(4), Duration::milliseconds(1));
  EXPECT_EQ(prober.take(at(2))->bytes_min, 15'000u);
}

TEST(Prober, tells_what_came_through) {
  Prober prober;
  auto result = probe(prober, 2e6, 10e6);
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->bits_per_second, 2e6, 1e4);
  EXPECT_FALSE(result->is_saturated);
  EXPECT_FALSE(prober.take_result(at(1.4)));  // Once.
}

TEST(Prober, tells_a_link_that_it_filled) {
  Prober prober;
  auto result = probe(prober, 4e6, 1.5e6);
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->bits_per_second, 1.5e6, 1e4);
  EXPECT_TRUE(result->is_saturated);
}

TEST(Prober, tells_a_link_that_it_filled_from_jitter) {
  Prober prober;
  Duration noise = Duration::milliseconds(4);
  // 48 ms: drawn out by 24 at two thirds of the rate, by 8 at six sevenths.
  EXPECT_FALSE(probe(prober, 3e6, 2e6, 0, noise)->may_be_jitter);
  auto little = probe(prober, 3e6, 2.57e6, 0, noise);
  EXPECT_TRUE(little->is_saturated && little->may_be_jitter);
  EXPECT_FALSE(probe(prober, 3e6, 2.57e6)->may_be_jitter);
}

TEST(Prober, judges_a_cluster_with_a_loss_and_none_with_many) {
  Prober prober;
  EXPECT_TRUE(probe(prober, 4e6, 10e6, 1));
  EXPECT_FALSE(probe(prober, 4e6, 10e6, 4));
}

TEST(Prober, does_not_believe_what_came_faster_than_it_was_sent) {
  for (double each : {0.002, 0.0001, 0.0}) {  // As Wi-Fi brings together what it held.
    Prober prober;
    prober.request(at(1), ProbeReason::kStart, 1e6, Duration());
    auto id = prober.take(at(1))->id;
    for (int i = 0; i < 5; ++i) {
      prober.handle_sent(at(1 + 0.01 * i), id, 1200);
      prober.handle_arrival(id, Duration::from_seconds(8 + each * i), 1200);
    }
    auto result = prober.take_result(at(1.2));
    ASSERT_TRUE(result) << each;
    EXPECT_TRUE(result->is_bunched) << each;
    EXPECT_EQ(result->asked, 1e6);
  }
}

TEST(Prober, takes_no_link_for_full_that_carries_what_was_asked_for) {
  Prober prober;
  prober.request(at(1), ProbeReason::kPeriodic, 1e6, Duration());
  auto id = prober.take(at(1))->id;
  for (int i = 0; i < 6; ++i) {  // At twice the rate, and at that rate through the link.
    prober.handle_sent(at(1 + 0.0048 * i), id, 1200);
    prober.handle_arrival(id, Duration::from_seconds(8 + 0.0096 * i), 1200);
  }
  auto result = prober.take_result(at(1.2));
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->bits_per_second, 1e6, 1e4);
  EXPECT_FALSE(result->is_saturated);
}

TEST(Prober, passes_over_ids_that_it_did_not_give) {
  Prober prober;
  prober.handle_sent(at(1), 77, 1200);
  prober.handle_arrival(77, Duration::seconds(1), 1200);
  EXPECT_FALSE(prober.take_result(at(2)));
}

}  // namespace
}  // namespace stoa::bwe
