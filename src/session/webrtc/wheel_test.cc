#include "session/webrtc/wheel.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace stoa::webrtc {
namespace {

constexpr Timestamp at_ms(std::int64_t ms) { return Timestamp::from_ns(ms * 1'000'000); }

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
