#include "bwe/pacer.h"

#include <gtest/gtest.h>

namespace stoa::bwe {
namespace {

constexpr Timestamp at_ms(std::int64_t ms) { return Timestamp::from_ns(ms * 1'000'000); }

TEST(Pacer, lets_a_burst_go_and_then_its_rate) {
  Pacer pacer({.bits_per_second = 8'000'000,
               .quantum = Duration::milliseconds(5),
               .burst_bytes_min = 10'000,
               .burst_bytes_max = 10'000});
  Timestamp now = at_ms(1000);
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i, now += Duration::milliseconds(1)) {
    while (pacer.budget(now) > 0) {
      pacer.handle_sent(1200);
      sent += 1200;
    }
  }
  EXPECT_NEAR(static_cast<double>(sent), 10'000 + 1'000'000, 2400);
}

TEST(Pacer, is_released_a_quantum_later) {
  Pacer pacer({.bits_per_second = 8'000'000,
               .quantum = Duration::milliseconds(5),
               .burst_bytes_min = 10'000,
               .burst_bytes_max = 10'000});
  const Timestamp now = at_ms(1000);
  EXPECT_EQ(pacer.budget(now), 10'000);
  pacer.handle_sent(10'000);
  const Timestamp release = pacer.next_release(now);
  EXPECT_EQ(release, now + Duration::milliseconds(5));
  EXPECT_EQ(pacer.budget(release), 5000);
  EXPECT_EQ(pacer.next_release(release), release);
}

TEST(Pacer, begins_a_probe_without_savings_and_without_debt) {
  for (const std::size_t before : {0u, 50'000u}) {
    Pacer pacer({.bits_per_second = 100'000});
    Timestamp now = at_ms(1000);
    EXPECT_GT(pacer.budget(now), 0);
    pacer.handle_sent(before);
    pacer.set_probe(now, 8'000'000);
    std::size_t sent = 0;
    for (int i = 0; i < 20; ++i, now += Duration::milliseconds(1)) {
      while (pacer.budget(now) > 0) {
        pacer.handle_sent(300);
        sent += 300;
      }
    }
    EXPECT_NEAR(static_cast<double>(sent), 19'000, 600);
    pacer.set_probe(now, std::nullopt);
    EXPECT_LE(pacer.next_release(now) - now, Duration::milliseconds(100));
  }
}

TEST(Pacer, lets_a_frame_go_at_once_where_there_is_room) {
  const auto sent_at_once = [](Pacer& pacer, Timestamp now) {
    std::size_t sent = 0;
    for (; pacer.budget(now) > 0; sent += 1200) pacer.handle_sent(1200);
    return sent;
  };
  Pacer pacer({.bits_per_second = 2'000'000});
  EXPECT_EQ(sent_at_once(pacer, at_ms(1000)), 3'600u);
  pacer.set_room(true);
  EXPECT_EQ(sent_at_once(pacer, at_ms(2000)), 13'200u);
  // No more than its rate for all that.
  std::size_t sent = 0;
  for (std::int64_t ms = 2001; ms <= 3000; ++ms) sent += sent_at_once(pacer, at_ms(ms));
  EXPECT_NEAR(static_cast<double>(sent), 250'000, 2'400);
  // Nothing is saved up for when there is none.
  pacer.set_room(false);
  EXPECT_EQ(sent_at_once(pacer, at_ms(4000)), 3'600u);
}

// On a thin line sound would wait behind it.
TEST(Pacer, lets_no_more_go_at_once_than_50_ms_carry) {
  for (const auto& [rate, bytes] :
       {std::pair(300'000u, 2'500u), {1'000'000u, 6'250u}, {10'000'000u, 12'500u}}) {
    Pacer pacer({.bits_per_second = rate});
    pacer.set_room(true);
    EXPECT_EQ(pacer.budget(at_ms(1000)), bytes) << rate;
  }
}

TEST(Pacer, reaches_its_release_also_with_a_small_burst) {
  Pacer pacer({.bits_per_second = 80'000'000,
               .quantum = Duration::milliseconds(5),
               .burst_bytes_min = 1000,
               .burst_bytes_max = 1000});
  const Timestamp now = at_ms(1000);
  pacer.budget(now);
  pacer.handle_sent(1500);
  EXPECT_GE(pacer.budget(pacer.next_release(now)), 1000);
}

}  // namespace
}  // namespace stoa::bwe
