#include "session/webrtc/pacer.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "session/webrtc/wheel.h"

namespace stoa::webrtc {
namespace {

constexpr Timestamp at_ms(std::int64_t ms) { return Timestamp::from_ns(ms * 1'000'000); }

TEST(Pacer, lets_a_burst_go_and_then_its_rate) {
  Pacer pacer({.bits_per_second = 8'000'000, .quantum = Duration::milliseconds(5), .burst_bytes = 10'000});
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
  Pacer pacer({.bits_per_second = 8'000'000, .quantum = Duration::milliseconds(5), .burst_bytes = 10'000});
  const Timestamp now = at_ms(1000);
  EXPECT_EQ(pacer.budget(now), 10'000);
  pacer.handle_sent(10'000);
  const Timestamp release = pacer.next_release(now);
  EXPECT_EQ(release, now + Duration::milliseconds(5));
  EXPECT_EQ(pacer.budget(release), 5000);
  EXPECT_EQ(pacer.next_release(release), release);
}

TEST(Pacer, reaches_its_release_also_with_a_small_burst) {
  Pacer pacer({.bits_per_second = 80'000'000, .quantum = Duration::milliseconds(5), .burst_bytes = 1000});
  const Timestamp now = at_ms(1000);
  pacer.budget(now);
  pacer.handle_sent(1500);
  EXPECT_GE(pacer.budget(pacer.next_release(now)), 1000);
}

TEST(Wheel, gives_each_when_it_is_due_and_not_before) {
  Wheel wheel(Duration::milliseconds(1));
  Rng rng(1);
  std::map<std::uint32_t, Timestamp> filed;
  Timestamp now = at_ms(10);
  for (int step = 0; step < 20'000; ++step) {
    const auto index = static_cast<std::uint32_t>(rng.below(50));
    if (rng.chance(0.5)) {
      filed[index] = now + Duration::microseconds(static_cast<std::int64_t>(rng.below(200'000)));
      wheel.set(now, index, filed[index]);
    } else if (rng.chance(0.2)) {
      wheel.drop(index);
      filed.erase(index);
    }
    now += Duration::microseconds(static_cast<std::int64_t>(rng.below(3000)));
    Timestamp first = Timestamp::never();
    for (const auto& [each, at] : filed) first = std::min(first, at);
    ASSERT_GE(wheel.next(), first);
    for (std::uint32_t due; (due = wheel.take_due(now)) != Wheel::kNone;) {
      ASSERT_LE(filed.at(due), now);
      filed.erase(due);
    }
    for (const auto& [each, at] : filed) ASSERT_GT(at + Duration::milliseconds(1), now);
    ASSERT_EQ(wheel.size(), filed.size());
  }
}

TEST(Wheel, files_what_is_beyond_its_reach_in_its_last_step) {
  Wheel wheel(Duration::milliseconds(1));
  wheel.set(at_ms(0), 3, at_ms(10'000));
  EXPECT_EQ(wheel.next(), at_ms(255));
  EXPECT_EQ(wheel.take_due(at_ms(255)), 3u);
  EXPECT_EQ(wheel.next(), Timestamp::never());
}

}  // namespace
}  // namespace stoa::webrtc
