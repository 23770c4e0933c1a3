#include "proto/rtcp/nack_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <queue>
#include <set>

#include "base/rng.h"

namespace stoa::rtcp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

struct Driver {
  NackGenerator nacks;
  NackOutputs out;
  std::size_t given_up = 0;
  std::uint16_t given_up_to = 0;

  explicit Driver(const NackConfig& config = {}) : nacks(config) {}
  void arrive(std::int64_t ms, std::uint16_t sequence, PacketOrigin origin = PacketOrigin::kFirstSent) {
    nacks.handle_packet(at_ms(ms), sequence, origin, out);
    collect();
  }
  // What is asked for at `ms`.
  std::vector<std::uint16_t> ask(std::int64_t ms, bool may_ask = true) {
    nacks.handle_deadline(at_ms(ms), out, may_ask);
    return collect();
  }
  std::vector<std::uint16_t> collect() {
    std::vector<std::uint16_t> asked;
    for (auto& output : out.take()) {
      if (auto* wanted = std::get_if<NackWanted>(&output)) {
        EXPECT_FALSE(wanted->sequences.empty());
        asked = wanted->sequences;
      } else {
        given_up += std::get<GivenUp>(output).packets;
        given_up_to = std::get<GivenUp>(output).newest;
      }
    }
    return asked;
  }
};

TEST(NackGenerator, is_silent_on_a_whole_stream) {
  Driver driver;
  for (std::uint16_t i = 0; i < 100; ++i) driver.arrive(i, static_cast<std::uint16_t>(65'500 + i));
  EXPECT_EQ(driver.nacks.next_deadline(), Timestamp::never());
  EXPECT_EQ(driver.nacks.stats().noticed, 0u);
}

TEST(NackGenerator, asks_after_the_wait_and_again_after_a_round_trip) {
  Driver driver;
  driver.nacks.set_round_trip(Duration::milliseconds(40));
  driver.arrive(0, 65'534);
  driver.arrive(10, 2);
  EXPECT_EQ(driver.nacks.next_deadline(), at_ms(12));
  EXPECT_THAT(driver.ask(11), IsEmpty());
  EXPECT_THAT(driver.ask(12), ElementsAre(65'535, 0, 1));
  EXPECT_EQ(driver.nacks.next_deadline(), at_ms(62));
  driver.arrive(55, 0, PacketOrigin::kRetransmitted);
  EXPECT_THAT(driver.ask(62), ElementsAre(65'535, 1));
  driver.arrive(105, 65'535, PacketOrigin::kRetransmitted);
  driver.arrive(106, 1);  // A retransmission on the stream's own SSRC.
  EXPECT_EQ(driver.nacks.missing(), 0u);
  EXPECT_EQ(driver.nacks.stats().answered, 3u);
  EXPECT_EQ(driver.nacks.stats().requests, 5u);
  EXPECT_THAT(driver.ask(200), IsEmpty());
  EXPECT_EQ(driver.nacks.next_deadline(), Timestamp::never());
}

TEST(NackGenerator, asks_later_for_what_it_may_not_ask_for_now) {
  Driver driver;
  driver.nacks.set_round_trip(Duration::milliseconds(40));
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  for (std::int64_t ms = 2; ms < 300; ++ms) EXPECT_THAT(driver.ask(ms, false), IsEmpty());
  EXPECT_EQ(driver.nacks.stats().requests, 0u);
  EXPECT_GE(driver.nacks.next_deadline(), at_ms(300));
  EXPECT_THAT(driver.ask(310), ElementsAre(2));
  // But not for ever.
  EXPECT_THAT(driver.ask(1'000, false), IsEmpty());
  EXPECT_EQ(driver.given_up, 1u);
  EXPECT_EQ(driver.nacks.next_deadline(), Timestamp::never());
}

TEST(NackGenerator, gives_up_after_its_tries) {
  Driver driver({.tries_max = 3});
  driver.nacks.set_round_trip(Duration::milliseconds(8));
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  int asked = 0;
  for (std::int64_t ms = 0; ms < 100; ++ms) asked += static_cast<int>(driver.ask(ms).size());
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(driver.given_up, 1u);
  EXPECT_EQ(driver.nacks.missing(), 0u);
}

TEST(NackGenerator, gives_up_what_is_too_old_for_any_use) {
  Driver driver({.lifetime = Duration::milliseconds(240), .lifetime_max = Duration::milliseconds(240)});
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  EXPECT_THAT(driver.ask(2), ElementsAre(2));
  EXPECT_THAT(driver.ask(127), ElementsAre(2));
  EXPECT_EQ(driver.nacks.next_deadline(), at_ms(240));
  EXPECT_THAT(driver.ask(240), IsEmpty());
  EXPECT_EQ(driver.given_up, 1u);
}

TEST(NackGenerator, asks_for_nothing_that_would_come_too_late) {
  Driver driver({.lifetime = Duration::milliseconds(200), .lifetime_max = Duration::milliseconds(200)});
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  EXPECT_THAT(driver.ask(2), ElementsAre(2));
  EXPECT_THAT(driver.ask(127), IsEmpty());  // Its answer would come at 227.
  EXPECT_EQ(driver.given_up, 1u);
  EXPECT_EQ(driver.given_up_to, 2u);
  driver.nacks.set_round_trip(Duration::milliseconds(250));
  driver.arrive(1000, 6);
  EXPECT_THAT(driver.ask(1002), IsEmpty());
  EXPECT_EQ(driver.given_up, 3u);
  EXPECT_EQ(driver.given_up_to, 5u);
  EXPECT_EQ(driver.nacks.next_deadline(), Timestamp::never());
}

TEST(NackGenerator, asks_twice_on_a_long_path) {
  for (std::int64_t round_trip_ms : {200, 400, 600, 800}) {
    Driver driver;
    driver.nacks.set_round_trip(Duration::milliseconds(round_trip_ms));
    driver.arrive(0, 1);
    driver.arrive(0, 3);
    std::size_t asked = 0;
    std::int64_t last_asked = 0, given_up = 0;
    for (std::int64_t ms = 1; given_up == 0 && ms < 5000; ++ms) {
      const std::size_t now = driver.ask(ms).size();
      asked += now;
      if (now > 0) last_asked = ms;
      if (driver.given_up > 0) given_up = ms;
    }
    EXPECT_GE(asked, 2u) << round_trip_ms;
    EXPECT_LE(asked, std::max<std::size_t>(2, static_cast<std::size_t>(1000 / round_trip_ms)))
        << round_trip_ms;
    // The last answer had its time, and no more time is lost than that.
    EXPECT_GE(given_up, last_asked + round_trip_ms) << round_trip_ms;
    EXPECT_LE(given_up, std::max<std::int64_t>(1000, round_trip_ms * 5 / 2)) << round_trip_ms;
  }
}

// Nobody measures the round trip of a sender that echoes no time of ours.
TEST(NackGenerator, learns_the_round_trip_from_answers) {
  Driver driver;
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  for (std::int64_t ms = 1; ms < 602; ++ms) driver.ask(ms);
  EXPECT_EQ(driver.nacks.stats().requests, 3u);  // All that was asked before the first answer came.
  EXPECT_FALSE(driver.nacks.knows_round_trip());
  driver.arrive(602, 2, PacketOrigin::kRetransmitted);
  EXPECT_TRUE(driver.nacks.knows_round_trip());
  EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(600));
  driver.arrive(2000, 5);
  for (std::int64_t ms = 2001; ms < 2402; ++ms) driver.ask(ms);
  driver.arrive(2402, 4, PacketOrigin::kRetransmitted);
  EXPECT_EQ(driver.nacks.stats().requests, 4u);
  EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(400));  // The first that is certain.
  driver.nacks.set_round_trip(Duration::milliseconds(50));
  driver.arrive(4000, 7);
  driver.ask(4002);
  driver.arrive(4300, 6, PacketOrigin::kRetransmitted);
  EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(50));  // Its owner knows better.
}

// Loses one packet, whose sender answers the first request for it. How often it was asked for until then.
std::size_t lose_one(Driver& driver, std::int64_t begin_ms, std::uint16_t sequence,
                     std::int64_t round_trip_ms, PacketOrigin answer) {
  driver.arrive(begin_ms, static_cast<std::uint16_t>(sequence + 1));
  std::size_t asked = 0;
  std::optional<std::int64_t> answered_at;
  for (std::int64_t ms = begin_ms + 1; driver.nacks.missing() > 0; ++ms) {
    asked += driver.ask(ms).size();
    if (asked > 0 && !answered_at) answered_at = ms + round_trip_ms;
    if (ms == answered_at) driver.arrive(ms, sequence, answer);
  }
  return asked;
}

// A sender without RTX sends the packet itself again, which looks like one that is late.
TEST(NackGenerator, learns_the_round_trip_from_answers_without_rtx) {
  for (std::int64_t round_trip_ms : {20, 40, 400}) {
    Driver driver;
    driver.arrive(0, 1);
    std::int64_t begin_ms = 1000;
    std::uint16_t sequence = 2;
    for (int i = 0; i < 20; ++i, begin_ms += 2000, sequence += 2)
      lose_one(driver, begin_ms, sequence, round_trip_ms, PacketOrigin::kFirstSent);
    EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(round_trip_ms));
    EXPECT_EQ(lose_one(driver, begin_ms, sequence, round_trip_ms, PacketOrigin::kFirstSent), 1u)
        << round_trip_ms;
    EXPECT_EQ(driver.given_up, 0u);
  }
}

TEST(NackGenerator, learns_a_shorter_round_trip_from_answers_without_rtx) {
  Driver driver;
  driver.arrive(0, 1);
  std::int64_t begin_ms = 1000;
  std::uint16_t sequence = 2;
  for (int i = 0; i < 50; ++i, begin_ms += 2000, sequence += 2) {
    lose_one(driver, begin_ms, sequence, i < 10 ? 600 : 200, PacketOrigin::kFirstSent);
    if (i == 9) {
      EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(600));
    }
  }
  EXPECT_LT(driver.nacks.round_trip(), Duration::milliseconds(210));
  EXPECT_EQ(driver.nacks.stats().reordered, 0u);
}

TEST(NackGenerator, waits_less_again_for_a_sender_without_rtx) {
  Driver driver;
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  driver.arrive(90, 2);
  ASSERT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(30));
  std::uint16_t sequence = 4;
  for (int i = 0; i < 60; ++i, sequence += 2)
    lose_one(driver, 1000 + 1000 * i, sequence, 100, PacketOrigin::kFirstSent);
  EXPECT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(2));
}

TEST(NackGenerator, learns_a_longer_round_trip_from_answers) {
  Driver driver;
  driver.arrive(0, 1);
  std::int64_t begin_ms = 1000;
  std::uint16_t sequence = 2;
  for (int i = 0; i < 50; ++i, begin_ms += 1000, sequence += 2)
    lose_one(driver, begin_ms, sequence, i < 10 ? 8 : 158, PacketOrigin::kRetransmitted);
  EXPECT_EQ(driver.given_up, 0u);
  EXPECT_GT(driver.nacks.round_trip(), Duration::milliseconds(120));
  EXPECT_EQ(lose_one(driver, begin_ms, sequence, 158, PacketOrigin::kRetransmitted), 1u);
}

// An answer that took as long as a packet is of use must not be the last.
TEST(NackGenerator, goes_on_asking_after_the_slowest_answer) {
  Driver driver({.lifetime = Duration::milliseconds(500), .lifetime_max = Duration::milliseconds(500)});
  driver.arrive(0, 1);
  lose_one(driver, 1000, 2, 497, PacketOrigin::kRetransmitted);
  ASSERT_EQ(driver.nacks.stats().answered, 1u);
  EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(375));
  driver.arrive(2000, 5);
  driver.arrive(2024, 4);
  ASSERT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(30));
  EXPECT_EQ(lose_one(driver, 3000, 6, 40, PacketOrigin::kRetransmitted), 1u);
  EXPECT_EQ(driver.nacks.round_trip(), Duration::milliseconds(40));
}

TEST(NackGenerator, is_never_late_after_the_lifetime_became_shorter) {
  for (bool is_owner : {false, true}) {
    Driver driver;
    driver.arrive(0, 1);
    lose_one(driver, 1000, 2, 760, PacketOrigin::kRetransmitted);
    ASSERT_EQ(driver.nacks.round_trip(), Duration::milliseconds(760));
    driver.arrive(3000, 6);
    EXPECT_THAT(driver.ask(3002), ElementsAre(4, 5));
    EXPECT_THAT(driver.ask(3952), ElementsAre(4, 5));
    EXPECT_EQ(driver.nacks.next_deadline(), at_ms(3000 + 1900));
    driver.arrive(3960, 8);
    EXPECT_THAT(driver.ask(3962), ElementsAre(7));
    if (is_owner) {
      driver.nacks.set_round_trip(Duration::milliseconds(20));
    } else {
      driver.arrive(3982, 7, PacketOrigin::kRetransmitted);
      ASSERT_EQ(driver.nacks.round_trip(), Duration::milliseconds(20));
    }
    EXPECT_EQ(driver.nacks.next_deadline(), at_ms(4000));
    driver.ask(4000);
    EXPECT_EQ(driver.given_up, 2u);
  }
}

TEST(NackGenerator, learns_to_wait_for_a_network_that_reorders) {
  Driver driver;
  driver.nacks.set_round_trip(Duration::milliseconds(100));
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  EXPECT_THAT(driver.ask(2), ElementsAre(2));
  driver.arrive(8, 2);  // Sooner than any answer.
  EXPECT_EQ(driver.nacks.stats().reordered, 1u);
  EXPECT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(10));
  driver.arrive(20, 5);
  EXPECT_THAT(driver.ask(22), IsEmpty());
  EXPECT_EQ(driver.nacks.next_deadline(), at_ms(30));
  driver.arrive(28, 4);
  EXPECT_THAT(driver.ask(30), IsEmpty());
  for (std::uint16_t i = 0; i < 500; ++i) {  // True losses make it impatient again.
    driver.arrive(1000 + 200 * i, static_cast<std::uint16_t>(7 + 2 * i));
    driver.ask(1100 + 200 * i);
    driver.arrive(1150 + 200 * i, static_cast<std::uint16_t>(6 + 2 * i), PacketOrigin::kRetransmitted);
  }
  EXPECT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(2));
}

TEST(NackGenerator, learns_nothing_of_answers_from_what_was_recovered) {
  Driver driver;
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  driver.arrive(8, 2);
  ASSERT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(10));
  driver.arrive(20, 7);
  driver.arrive(20, 6, PacketOrigin::kRecovered);
  EXPECT_THAT(driver.ask(30), ElementsAre(4, 5));
  driver.arrive(140, 5, PacketOrigin::kRecovered);
  EXPECT_EQ(driver.nacks.missing(), 1u);
  EXPECT_EQ(driver.nacks.stats().recovered, 2u);
  EXPECT_EQ(driver.nacks.stats().answered, 0u);
  EXPECT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(10));
}

TEST(NackGenerator, never_waits_longer_than_it_may) {
  Driver driver;
  driver.arrive(0, 1);
  driver.arrive(0, 3);
  driver.arrive(90, 2);
  EXPECT_EQ(driver.nacks.reorder_wait(), Duration::milliseconds(30));
}

TEST(NackGenerator, gives_up_a_gap_that_is_too_long) {
  Driver driver({.missing_max = 100});
  driver.arrive(0, 1);
  driver.arrive(0, 5);
  driver.arrive(0, 107);
  EXPECT_EQ(driver.given_up, 3u + 101u);
  EXPECT_EQ(driver.nacks.missing(), 0u);
}

TEST(NackGenerator, gives_up_the_oldest_when_it_is_full) {
  Driver driver({.missing_max = 4});
  driver.arrive(0, 1);
  driver.arrive(0, 5);
  driver.arrive(0, 8);
  EXPECT_EQ(driver.given_up, 1u);
  EXPECT_THAT(driver.ask(10), ElementsAre(3, 4, 6, 7));
}

TEST(NackGenerator, forgets_what_a_keyframe_makes_useless) {
  Driver driver;
  driver.arrive(0, 65'530);
  driver.arrive(0, 65'533);
  driver.arrive(0, 3);
  driver.nacks.drop_before(1);
  EXPECT_THAT(driver.ask(10), ElementsAre(1, 2));
}

TEST(NackGenerator, starts_anew_with_the_source) {
  Driver driver;
  driver.arrive(0, 100);
  driver.arrive(0, 102);
  driver.arrive(1, 40'000);
  EXPECT_EQ(driver.given_up, 0u);
  driver.arrive(2, 40'001);
  EXPECT_EQ(driver.given_up, 1u);
  EXPECT_EQ(driver.given_up_to, 40'000u);
  driver.arrive(3, 40'003);
  EXPECT_THAT(driver.ask(10), ElementsAre(40'002));
}

TEST(NackGenerator, is_not_led_astray_by_old_retransmissions) {
  Driver driver;
  driver.arrive(0, 10'000);
  for (std::uint16_t i = 0; i < 10; ++i) driver.arrive(1, 5000 + i, PacketOrigin::kRetransmitted);
  driver.arrive(2, 10'002);
  EXPECT_THAT(driver.ask(10), ElementsAre(10'001));
}

TEST(NackGenerator, asks_for_no_packet_that_was_sent_again_before_it_was_missed) {
  Driver driver;
  driver.arrive(0, 65'534);
  driver.arrive(1, 65'535, PacketOrigin::kRetransmitted);
  driver.arrive(2, 0);
  EXPECT_THAT(driver.ask(10), IsEmpty());
  EXPECT_EQ(driver.nacks.stats().noticed, 0u);
  driver.arrive(11, 2, PacketOrigin::kRetransmitted);
  EXPECT_THAT(driver.ask(20), ElementsAre(1));
  driver.arrive(21, 4);
  EXPECT_THAT(driver.ask(30), ElementsAre(3));
}

// A minute of a stream through 5 % loss both ways and reordering: with NACKs all but everything arrives.
TEST(NackGenerator, brings_a_lossy_stream_home) {
  Rng rng(3);
  NackGenerator nacks;
  nacks.set_round_trip(Duration::milliseconds(50));
  NackOutputs out;
  struct Flying {
    Timestamp at;
    std::uint16_t sequence;
    PacketOrigin origin;
    bool operator<(const Flying& other) const { return at > other.at; }
  };
  std::priority_queue<Flying> network;
  auto send = [&](Timestamp now, std::int64_t delay_ms, std::uint16_t sequence, PacketOrigin origin) {
    auto jitter = Duration::microseconds(static_cast<std::int64_t>(rng.below(6000)));
    if (!rng.chance(0.05)) network.push({now + Duration::milliseconds(delay_ms) + jitter, sequence, origin});
  };
  std::set<std::uint16_t> arrived;
  std::size_t given_up = 0;
  constexpr int kPackets = 30'000;
  for (std::int64_t step = 0; step < kPackets + 2000; ++step) {
    Timestamp now = Timestamp() + Duration::milliseconds(2 * step);
    if (step < kPackets) send(now, 25, static_cast<std::uint16_t>(step), PacketOrigin::kFirstSent);
    while (!network.empty() && network.top().at <= now) {
      Flying packet = network.top();
      network.pop();
      arrived.insert(packet.sequence);
      nacks.handle_packet(packet.at, packet.sequence, packet.origin, out);
    }
    if (now >= nacks.next_deadline()) nacks.handle_deadline(now, out);
    ASSERT_GT(nacks.next_deadline(), now);
    for (auto& output : out.take()) {
      if (auto* lost = std::get_if<GivenUp>(&output)) given_up += lost->packets;
      auto* wanted = std::get_if<NackWanted>(&output);
      if (!wanted || rng.chance(0.05)) continue;
      for (std::uint16_t sequence : wanted->sequences) send(now, 50, sequence, PacketOrigin::kRetransmitted);
    }
  }
  EXPECT_GE(arrived.size(), kPackets - 3u);  // The tail of the stream shows no gap.
  EXPECT_EQ(given_up, 0u);
  EXPECT_EQ(nacks.missing(), 0u);
  EXPECT_GT(nacks.stats().reordered, 1000u);
  EXPECT_LT(nacks.stats().requests, 2000u);  // 1500 lost: few needless questions.
}

}  // namespace
}  // namespace stoa::rtcp
