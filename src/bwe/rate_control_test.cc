#include "bwe/rate_control.h"

#include <gtest/gtest.h>

namespace stoa::bwe {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

// Feedback each 50 ms over a round trip of 100 ms.
struct Driver {
  RateControl rate{at_ms(0), 1e6, {30'000, 10e6}};
  std::int64_t ms = 0;

  PathState calm() const {
    PathState path;
    path.has_delay = true;
    path.newest_sent_at = at_ms(ms - 100);
    path.round_trip = Duration::milliseconds(100);
    path.arrived = path.sent = rate.sustained();
    path.in_flight_bits = rate.sustained() / 10;
    return path;
  }
  PathState queued(std::int64_t queue_ms, double carried) const {
    PathState path = calm();
    path.standing = path.newest = Duration::milliseconds(queue_ms);
    path.arrived = path.while_waiting = carried;
    return path;
  }
  void step(const PathState& path) { rate.handle_feedback(at_ms(ms), path); }
  // What the newest packets show. True: it drains.
  bool collapse(std::int64_t queue_ms) {
    PathState path = queued(queue_ms, 0.9e6);
    path.of_newest = 0.3e6;
    step(path);
    return rate.is_draining();
  }
  void run_calm(int steps) {
    for (int i = 0; i < steps; ++i, ms += 50) step(calm());
  }
};

TEST(RateControl, grows_while_the_path_is_calm) {
  Driver driver;
  driver.run_calm(40);
  EXPECT_NEAR(driver.rate.sustained(), 1.2e6, 0.05e6);
}

TEST(RateControl, does_not_grow_beyond_what_is_sent) {
  Driver driver;
  for (int i = 0; i < 100; ++i, driver.ms += 50) {
    PathState path = driver.calm();
    path.arrived = 0.3e6;
    path.is_app_limited = true;
    driver.step(path);
  }
  EXPECT_EQ(driver.rate.sustained(), 1e6);
}

TEST(RateControl, goes_to_what_is_carried_and_drains_for_as_long_as_it_takes) {
  Driver driver;
  driver.run_calm(20);
  driver.step(driver.queued(60, 0.95e6));
  ASSERT_TRUE(driver.rate.is_draining());
  double sustained = driver.rate.sustained();
  EXPECT_LT(sustained, 0.98e6);
  EXPECT_GT(sustained, 0.85e6);
  EXPECT_LE(driver.rate.pacing(), 0.9 * 0.95e6);
  EXPECT_GE(driver.rate.target(), 0.9 * sustained);  // The pacer bridges the rest.
  // 60 ms of queue and 100 kbit on the way; nothing more is sent: gone in 65 ms.
  driver.rate.advance(at_ms(driver.ms + 40), 100'000);
  EXPECT_TRUE(driver.rate.is_draining());
  driver.rate.advance(at_ms(driver.ms + 70), 100'000);
  EXPECT_FALSE(driver.rate.is_draining());
  EXPECT_EQ(driver.rate.target(), sustained);
  // What was sent before says nothing of it.
  driver.ms += 80;
  driver.step(driver.queued(60, 0.95e6));
  EXPECT_FALSE(driver.rate.is_draining());
}

TEST(RateControl, lets_the_larger_flow_give_way_first) {
  for (double own : {0.4e6, 4e6}) {
    RateControl rate(at_ms(0), own, {30'000, 10e6});
    Driver driver{rate};
    driver.ms = 200;
    driver.step(driver.queued(20, own));
    EXPECT_EQ(driver.rate.is_draining(), own > 1e6);
  }
}

TEST(RateControl, believes_a_collapse_when_it_is_confirmed_and_undoes_it_when_not) {
  for (bool is_real : {true, false}) {
    Driver driver;
    driver.run_calm(20);
    double before = driver.rate.sustained();
    PathState path = driver.queued(80, 0.9e6);
    path.while_waiting.reset();
    path.of_newest = 0.3e6;
    driver.step(path);
    ASSERT_TRUE(driver.rate.is_draining());
    EXPECT_LT(driver.rate.pacing(), 0.4e6);
    driver.ms += 50;
    if (is_real) driver.step(driver.queued(150, 0.3e6));
    for (int i = 0; i < 100 && driver.rate.is_draining(); ++i, driver.ms += 20)
      driver.rate.advance(at_ms(driver.ms), 0);
    EXPECT_NEAR(driver.rate.target(), is_real ? 0.29e6 : 0.9 * before, 0.02e6);
  }
}

// A few packets behind it may have come faster than the link is.
TEST(RateControl, does_not_rise_by_a_collapse) {
  Driver driver;
  driver.run_calm(20);
  double before = driver.rate.sustained();
  ASSERT_TRUE(driver.collapse(80));
  driver.ms += 50;
  driver.step(driver.queued(80, 2e6));
  EXPECT_LE(driver.rate.sustained(), before);
}

// Silence ends the drain of a collapse: what was before it says nothing of the path that comes back.
TEST(RateControl, forgets_in_silence_what_was_before_a_collapse) {
  Driver driver;
  driver.run_calm(20);
  ASSERT_TRUE(driver.collapse(300));
  for (int i = 0; i < 4; ++i) driver.rate.back_off(at_ms(driver.ms += 500));
  const double left = driver.rate.sustained();
  driver.run_calm(2);
  driver.step(driver.queued(400, 0.9 * left));
  ASSERT_TRUE(driver.rate.is_draining());
  EXPECT_LT(driver.rate.target(), 1.1 * left);
  for (int i = 0; i < 500 && driver.rate.is_draining(); ++i, driver.ms += 20)
    driver.rate.advance(at_ms(driver.ms), 0);
  EXPECT_LT(driver.rate.sustained(), 1.1 * left);
}

// What was held back for a collapse that was none arrives as a gap.
TEST(RateControl, does_not_take_the_gap_of_its_own_drain_for_the_link) {
  Driver driver;
  driver.run_calm(20);
  double before = driver.rate.sustained();
  ASSERT_TRUE(driver.collapse(30));
  for (int i = 0; i < 100 && driver.rate.is_draining(); ++i, driver.ms += 20)
    driver.rate.advance(at_ms(driver.ms), 0);
  ASSERT_NEAR(driver.rate.sustained(), 0.9 * before, 1);
  driver.ms += 300;
  driver.step(driver.queued(30, 0.5 * before));
  EXPECT_GT(driver.rate.sustained(), 0.7 * before);
  // Later it is the link.
  for (int i = 0; i < 100 && driver.rate.is_draining(); ++i, driver.ms += 20)
    driver.rate.advance(at_ms(driver.ms), 0);
  driver.ms += 1000;
  driver.step(driver.queued(30, 0.5 * before));
  EXPECT_LT(driver.rate.sustained(), 0.5 * before);
}

// Layers take what they take: that less arrives than could does not say that the link is narrower.
TEST(RateControl, holds_what_is_carried_against_what_is_sent) {
  Driver driver;
  driver.run_calm(20);
  double before = driver.rate.sustained(), sends = 0.86 * before;
  PathState path = driver.queued(18, 0.94 * sends);
  path.offered = sends;
  driver.step(path);
  ASSERT_TRUE(driver.rate.is_draining());
  EXPECT_GT(driver.rate.sustained(), sends);
}

TEST(RateControl, holds_its_own_against_a_queue_that_does_not_drain) {
  Driver driver;
  driver.run_calm(20);
  for (int i = 0; i < 200; ++i, driver.ms += 50) {
    PathState path = driver.queued(250, 0.9 * driver.rate.pacing());
    path.in_flight_bits = 0;
    driver.step(path);
    driver.rate.advance(at_ms(driver.ms + 40), 0);
  }
  EXPECT_TRUE(driver.rate.competes());
  EXPECT_GT(driver.rate.sustained(), 0.8e6);
  // The other has gone.
  driver.step(driver.calm());
  EXPECT_FALSE(driver.rate.competes());
}

// Of three drains one began with a long queue, the others with what little a newcomer's probes had left.
TEST(RateControl, does_not_take_flows_of_its_own_kind_for_a_tcp) {
  Driver driver;
  driver.run_calm(20);
  for (std::int64_t queue_ms : {30, 30, 30, 90, 30, 30}) {
    driver.step(driver.queued(queue_ms, 0.9 * driver.rate.sustained()));
    for (int i = 0; i < 300 && driver.rate.is_draining(); ++i, driver.ms += 20)
      driver.rate.advance(at_ms(driver.ms), 0);
    driver.ms += 500;
    EXPECT_FALSE(driver.rate.competes());
  }
}

TEST(RateControl, knows_that_a_path_has_become_wider) {
  Driver driver;
  EXPECT_TRUE(driver.rate.is_wider());  // Nothing else is known.
  driver.ms = 200;
  driver.step(driver.queued(60, 0.9e6));
  EXPECT_FALSE(driver.rate.is_wider());
  for (int i = 0; i < 100 && driver.rate.is_draining(); ++i, driver.ms += 20)
    driver.rate.advance(at_ms(driver.ms), 0);
  driver.ms += 200;
  driver.run_calm(400);
  EXPECT_TRUE(driver.rate.is_wider());
}

TEST(RateControl, halves_no_more_than_marks_say) {
  Driver few, many;
  for (int i = 0; i < 100; ++i, few.ms += 50, many.ms += 50) {
    PathState path = few.calm();
    path.marked = 0.02;
    few.step(path);
    path = many.calm();
    path.marked = 0.5;
    many.step(path);
  }
  EXPECT_GT(few.rate.sustained(), 0.8e6);
  EXPECT_LT(many.rate.sustained(), 0.3e6);
}

TEST(RateControl, stays_within_its_limits) {
  Driver driver;
  for (int i = 0; i < 100; ++i) driver.rate.back_off(at_ms(i));
  EXPECT_EQ(driver.rate.sustained(), 30'000);
  EXPECT_TRUE(driver.rate.handle_probe(at_ms(200), 1e12));
  EXPECT_EQ(driver.rate.sustained(), 10e6);
}

}  // namespace
}  // namespace stoa::bwe
