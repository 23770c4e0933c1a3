#include "bwe/queue_delay.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace stoa::bwe {
namespace {

constexpr double kOffset = -7000;  // Between the clocks, in seconds.

struct Line {
  QueueDelay queue;
  double now = 100;  // Seconds.

  // A packet each 10 ms, each waiting so long.
  template <typename Wait>
  void send(int count, Wait wait_ms) {
    for (int i = 0; i < count; ++i, now += 0.010) add(wait_ms(i));
  }
  void add(double wait_ms) {
    queue.add(Timestamp() + Duration::from_seconds(now),
              Duration::from_seconds(now + kOffset + wait_ms / 1e3), 1200);
  }
};

double ms(Duration d) { return d.as_seconds() * 1e3; }

TEST(QueueDelay, is_what_all_packets_wait) {
  Line line;
  line.send(100, [](int) { return 0; });
  EXPECT_NEAR(ms(line.queue.standing()), 0, 0.01);
  EXPECT_EQ(line.queue.busy_since(), Duration::infinite());
  line.send(30, [](int) { return 40; });
  EXPECT_NEAR(ms(line.queue.standing()), 40, 0.01);
  EXPECT_NEAR(ms(line.queue.newest()), 40, 0.01);
  EXPECT_NE(line.queue.busy_since(), Duration::infinite());
  EXPECT_EQ(line.queue.busy_packets(), 29);
  EXPECT_EQ(line.queue.busy_bytes(), 29u * 1200);
}

TEST(QueueDelay, passes_over_bursts_and_jitter) {
  Line line;
  Rng rng(1);
  line.send(1000, [&](int i) { return i % 4 ? 30 * rng.unit() : 0; });
  EXPECT_LT(ms(line.queue.standing()), 1);
  EXPECT_LT(ms(line.queue.noise()), 2);
  line.send(1000, [&](int) { return 30 * rng.unit(); });
  EXPECT_GT(ms(line.queue.noise()), 1);
}

TEST(QueueDelay, knows_within_half_a_second_how_much_delays_vary) {
  Line line;
  line.send(60, [](int i) { return i / 8 % 2 ? 6 : 0; });
  EXPECT_GT(ms(line.queue.noise()), 2);
}

TEST(QueueDelay, forgets_what_stood_and_keeps_the_path) {
  Line line;
  line.send(100, [](int) { return 0; });
  line.send(30, [](int) { return 200; });
  line.queue.forget_waiting();
  EXPECT_EQ(line.queue.standing(), Duration());
  EXPECT_EQ(line.queue.newest(), Duration());
  EXPECT_EQ(line.queue.busy_since(), Duration::infinite());
  line.send(30, [](int) { return 40; });
  EXPECT_NEAR(ms(line.queue.standing()), 40, 0.01);
}

TEST(QueueDelay, takes_an_even_growth_for_no_noise) {
  Line line;
  line.send(200, [](int i) { return i; });
  EXPECT_LT(ms(line.queue.noise()), 1);
}

TEST(QueueDelay, takes_a_delay_of_half_a_minute_for_the_path) {
  Line line;
  line.send(100, [](int) { return 0; });
  line.send(2400, [](int) { return 40; });
  EXPECT_NEAR(ms(line.queue.standing()), 40, 0.01);
  line.send(1000, [](int) { return 40; });
  EXPECT_NEAR(ms(line.queue.standing()), 0, 0.01);
}

TEST(QueueDelay, keeps_the_path_while_another_holds_the_queue) {
  Line line;
  line.send(100, [](int) { return 0; });
  line.queue.hold_base(true);
  line.send(8000, [](int) { return 40; });
  EXPECT_NEAR(ms(line.queue.standing()), 40, 0.01);
}

TEST(QueueDelay, forgets_all_when_the_clock_jumps) {
  Line line;
  line.send(100, [](int) { return 0; });
  EXPECT_FALSE(line.queue.add(Timestamp() + Duration::from_seconds(line.now), Duration::seconds(3600), 1200));
  EXPECT_NEAR(ms(line.queue.standing()), 0, 0.01);
}

TEST(QueueDelay, tells_the_rate_of_a_few_packets_that_were_slowed) {
  Line line;
  line.send(100, [](int) { return 0; });
  EXPECT_FALSE(line.queue.newest_rate());  // Came as they were sent.
  line.send(6, [](int i) { return 10 * i; });
  ASSERT_TRUE(line.queue.newest_rate());
  EXPECT_NEAR(*line.queue.newest_rate(), 1200 * 8 / 0.020, 1000);
}

}  // namespace
}  // namespace stoa::bwe
