#include "bwe/uplink_limit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/rng.h"

namespace stoa::bwe {
namespace {

Timestamp at(double seconds) { return Timestamp() + Duration::from_seconds(1000 + seconds); }

// A sender behind a line with a queue of 300 ms, in steps of a millisecond. It sends sound each 20 ms and
// fills up with pictures; of what it is told it counts all but `uncounted` of its sound.
struct Uplink {
  struct Packet {
    double sent, arrives;
    std::uint32_t bytes;
    bool is_sound;
  };

  UplinkLimit limit;
  double capacity = 3e6, wanted = 1.5e6, uncounted = 0, others = 0, jitter_ms = 0;
  double told = 1e12;
  bool is_heard = true, obeys = true;
  double rtp_offset = -400;

  // What came of it.
  struct Said {
    double at, bits;
  };
  std::vector<Said> said;
  double longest_queue = 0, received_bits = 0;

  void run(double until) {
    longest_queue = received_bits = 0;
    for (; now_ < until; now_ += 0.001) step();
  }
  void stall(double seconds) { free_at_ = std::max(free_at_, now_) + seconds; }
  double queue() const { return std::max(0.0, free_at_ - now_); }

 private:
  void step() {
    if (++steps_ % 20 == 0 && is_heard) send(160, true);
    const double rate = (obeys ? std::min(wanted, told) : wanted) + uncounted - 160 * 8 * 50;
    for (debt_ += rate / 1000; debt_ >= 1200 * 8; debt_ -= 1200 * 8) send(1200, false);
    for (others_debt_ += others / 1000; others_debt_ >= 1200 * 8; others_debt_ -= 1200 * 8) occupy(1200);
    longest_queue = std::max(longest_queue, queue());
    while (!way_.empty() && way_.front().arrives <= now_) {
      const Packet packet = way_.front();
      way_.pop_front();
      received_bits += packet.bytes * 8;
      limit.handle_packet(at(now_), packet.bytes);
      if (packet.is_sound) limit.handle_sent(at(now_), Duration::from_seconds(packet.sent + rtp_offset));
    }
    if (const auto news = limit.take_news(at(now_))) {
      said.push_back({now_, static_cast<double>(*news)});
      heard_.push_back({now_ + 0.15, static_cast<double>(*news)});
    }
    while (!heard_.empty() && heard_.front().at <= now_) {
      told = heard_.front().bits;
      heard_.pop_front();
    }
  }
  void occupy(std::uint32_t bytes) {
    if (queue() < 0.3) free_at_ = std::max(free_at_, now_) + bytes * 8 / capacity;
  }
  void send(std::uint32_t bytes, bool is_sound) {
    if (queue() >= 0.3) return;
    occupy(bytes);
    const double late = free_at_ + 0.025 + jitter_ms / 1e3 * rng_.unit();
    way_.push_back({now_, std::max(late, way_.empty() ? 0 : way_.back().arrives), bytes, is_sound});
  }

  Rng rng_{1};
  double now_ = 0, free_at_ = 0, debt_ = 0, others_debt_ = 0;
  int steps_ = 0;
  std::deque<Packet> way_;
  std::deque<Said> heard_;
};

TEST(UplinkLimit, says_nothing_while_no_queue_stands) {
  Uplink line;
  line.jitter_ms = 60;
  line.run(60);
  line.wanted = 2.9e6;
  line.run(120);
  EXPECT_TRUE(line.said.empty());
  EXPECT_EQ(line.limit.begun(), 0u);
}

TEST(UplinkLimit, drains_the_queue_of_a_line_that_became_narrow) {
  Uplink line;
  line.run(10);
  line.capacity = 600e3;
  line.run(10.6);
  ASSERT_FALSE(line.said.empty());
  EXPECT_LT(line.said.front().at, 10.45);
  EXPECT_LT(line.said.front().bits, 600e3 * 0.8);
  EXPECT_TRUE(line.limit.is_much_narrower());
  EXPECT_GT(line.said.front().bits, 600e3 * 0.4);
  line.run(12);
  EXPECT_LT(line.queue(), 0.05);
  EXPECT_FALSE(line.limit.is_much_narrower());
  // Its own estimator has come down meanwhile, to as much as the line carries.
  line.wanted = 590e3;
  line.run(20);
  EXPECT_LT(line.longest_queue, 0.05);
  EXPECT_EQ(line.told, static_cast<double>(UplinkLimit::kNone));
  EXPECT_EQ(line.limit.begun(), 1u);
}

// As browsers with redundant sound do.
TEST(UplinkLimit, lets_no_queue_stand_of_who_sends_more_than_it_counts) {
  Uplink line;
  line.run(10);
  line.capacity = 600e3;
  line.wanted = 570e3;
  line.uncounted = 62e3;
  line.run(20);
  line.run(60);
  EXPECT_LT(line.longest_queue, 0.28);
  EXPECT_GT(line.received_bits / 40, 0.85 * 600e3);
}

// Of the first limit already: until then nothing was seen of it.
TEST(UplinkLimit, drains_at_once_the_queue_of_who_sends_a_fifth_more_than_it_counts) {
  Uplink line;
  line.run(10);
  line.capacity = 600e3;
  line.uncounted = 120e3;
  line.run(12);
  EXPECT_LT(line.queue(), 0.05);
  line.run(13);
  EXPECT_LT(line.longest_queue, 0.1);
  EXPECT_EQ(line.limit.begun(), 1u);
}

TEST(UplinkLimit, leaves_a_queue_that_others_fill_to_them) {
  Uplink line;
  line.run(10);
  line.others = 4e6;
  line.run(14);
  EXPECT_GT(line.limit.begun(), 0u);
  line.run(15);
  EXPECT_EQ(line.told, static_cast<double>(UplinkLimit::kNone));
  line.run(80);
  EXPECT_EQ(line.limit.begun(), 1u);
  // Not for ever.
  line.others = 0;
  line.run(100);
  line.capacity = 600e3;
  line.run(101);
  EXPECT_EQ(line.limit.begun(), 2u);
}

TEST(UplinkLimit, gives_up_where_nobody_listens) {
  Uplink line;
  line.obeys = false;
  line.run(10);
  line.capacity = 1e6;
  line.run(14);
  EXPECT_EQ(line.told, static_cast<double>(UplinkLimit::kNone));
}

TEST(UplinkLimit, tells_nobody_to_send_less_than_little) {
  Uplink line;
  line.run(10);
  line.capacity = 200e3;
  line.run(14);
  ASSERT_FALSE(line.said.empty());
  for (const auto& [when, bits] : line.said)
    EXPECT_GE(bits, static_cast<double>(UplinkLimit::kLeast)) << when;
}

TEST(UplinkLimit, ends_when_no_sound_says_how_long_the_queue_is) {
  Uplink line;
  line.run(10);
  line.capacity = 600e3;
  line.run(10.6);
  EXPECT_LT(line.told, 600e3);
  line.is_heard = false;
  line.run(12.5);
  EXPECT_EQ(line.told, static_cast<double>(UplinkLimit::kNone));
}

TEST(UplinkLimit, takes_what_waited_for_the_line_for_no_queue) {
  UplinkLimit limit;
  Duration sent;
  double now = 0;
  const auto pass = [&](double until, double wait) {
    for (; now < until; now += 0.02, sent += Duration::milliseconds(20)) {
      limit.handle_packet(at(now + wait), 5'000);
      limit.handle_sent(at(now + wait), sent);
      EXPECT_EQ(limit.take_news(at(now + wait)), std::nullopt);
    }
  };
  pass(10, 0);
  // What was sent in ten seconds comes within one.
  for (const double over = now + 10; now < over; now += 0.02, sent += Duration::milliseconds(20)) {
    const double came = over + (now + 10 - over) / 10;
    limit.handle_packet(at(came), 5'000);
    if (over + 1 - now > 2.5) limit.handle_sent(at(came), sent);
    EXPECT_EQ(limit.take_news(at(came)), std::nullopt);
  }
  now += 1;
  sent += Duration::seconds(1);
  pass(30, 0);
}

// A microphone that is changed: its samples are missing from then on, and nothing waits.
TEST(UplinkLimit, takes_a_clock_that_stood_still_for_no_queue) {
  for (const double stood : {0.15, 0.3, 0.9}) {
    Uplink line;
    line.run(10);
    line.is_heard = false;
    line.run(10 + stood);
    line.is_heard = true;
    line.rtp_offset -= stood;
    line.run(40);
    EXPECT_TRUE(line.said.empty()) << stood;
  }
}

TEST(UplinkLimit, bears_keyframes) {
  Uplink line;
  for (int i = 1; i <= 10; ++i) {
    line.run(i * 3);
    line.wanted = 6e6;  // 60 kB more.
    line.run(i * 3 + 0.1);
    line.wanted = 1.5e6;
  }
  EXPECT_TRUE(line.said.empty());
}

TEST(UplinkLimit, does_not_learn_from_a_wide_line_what_is_too_much_on_a_narrow_one) {
  Uplink line;
  line.wanted = 4e6;
  line.uncounted = 1e6;
  line.run(20);
  EXPECT_GT(line.limit.begun(), 0u);
  line.wanted = 570e3;
  line.uncounted = 0;
  line.capacity = 600e3;
  line.run(30);
  for (const auto& [when, bits] : line.said) EXPECT_TRUE(when < 22 || bits > 300e3) << when;
}

TEST(UplinkLimit, tells_a_line_that_is_a_little_too_narrow_from_one_that_is_much) {
  Uplink line;
  line.run(10);
  line.capacity = 1.3e6;
  line.run(12);
  EXPECT_EQ(line.limit.begun(), 1u);
  EXPECT_FALSE(line.limit.is_much_narrower());
}

// What waited for it comes as fast as it carries.
TEST(UplinkLimit, does_not_take_a_stall_for_a_narrow_line) {
  for (const double stood : {0.2, 0.3, 0.5}) {
    Uplink line;
    line.wanted = 2e6;
    line.run(10);
    line.stall(stood);
    line.run(20);
    for (const auto& [when, bits] : line.said) EXPECT_GT(bits, 0.9e6) << stood << " at " << when;
  }
}

// A line of two thirds has place for more than the least layer, and what others fill is not ours.
TEST(UplinkLimit, tells_no_line_for_much_narrower_that_is_a_third_narrower_or_shared) {
  for (const double capacity : {2.0e6, 1.8e6}) {
    Uplink line;
    line.wanted = 2.9e6;
    line.run(10);
    line.capacity = capacity;
    for (double until = 10; until < 14; until += 0.02) {
      line.run(until);
      EXPECT_FALSE(line.limit.is_much_narrower()) << until;
    }
    EXPECT_GT(line.limit.begun(), 0u);
  }
  Uplink line;
  line.run(10);
  line.others = 3e6;
  double seconds = 0;
  for (double until = 10; until < 16; until += 0.02) {
    line.run(until);
    seconds += line.limit.is_much_narrower() ? 0.02 : 0;
  }
  EXPECT_LT(seconds, 0.8);
}

// Its sender chose to send less; then a microphone is changed.
TEST(UplinkLimit, takes_a_clock_that_stood_still_for_no_queue_where_less_is_sent_than_before) {
  for (const double since : {0.3, 0.6, 1.0}) {
    Uplink line;
    line.wanted = 2.5e6;
    line.run(10);
    line.wanted = 1e6;
    line.run(10 + since);
    line.is_heard = false;
    line.run(10.4 + since);
    line.is_heard = true;
    line.rtp_offset -= 0.4;
    line.run(20);
    EXPECT_TRUE(line.said.empty()) << since;
  }
}

TEST(UplinkLimit, begins_anew_with_sound_of_another_clock) {
  Uplink line;
  line.run(10);
  line.rtp_offset -= 0.4;
  line.limit.forget_clock();
  line.run(20);
  EXPECT_TRUE(line.said.empty());
}

}  // namespace
}  // namespace stoa::bwe
