#include "room/loudness.h"

#include <gtest/gtest.h>

namespace stoa::room {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

// `count` packets of 20 ms from `ms` on.
void speak(Loudness& loudness, std::int64_t ms, int count, std::uint8_t level) {
  for (int i = 0; i < count; ++i) loudness.add(at_ms(ms + 20 * i), level, Duration::milliseconds(20));
}

TEST(Loudness, says_nothing_before_a_window_is_over) {
  Loudness loudness;
  EXPECT_EQ(loudness.take_level(at_ms(10'000)), std::nullopt);
  speak(loudness, 10'000, 19, 10);
  EXPECT_EQ(loudness.take_level(at_ms(10'399)), std::nullopt);
  EXPECT_GT(loudness.take_level(at_ms(10'400)).value(), 0);
}

TEST(Loudness, tells_full_scale_as_one_and_a_twentieth_of_a_decade_as_its_share) {
  Loudness full;
  speak(full, 0, 20, 0);
  EXPECT_FLOAT_EQ(full.take_level(at_ms(400)).value(), 1);
  Loudness quieter;
  speak(quieter, 0, 20, 20);
  EXPECT_FLOAT_EQ(quieter.take_level(at_ms(400)).value(), 0.1f);
}

TEST(Loudness, passes_over_what_is_too_quiet_or_too_short) {
  Loudness quiet;
  speak(quiet, 0, 20, 36);
  EXPECT_EQ(quiet.take_level(at_ms(400)), 0.f);
  Loudness just_loud;
  speak(just_loud, 0, 20, 35);
  EXPECT_GT(just_loud.take_level(at_ms(400)).value(), 0);
  Loudness cough;
  speak(cough, 0, 7, 5);
  speak(cough, 140, 13, 127);
  EXPECT_EQ(cough.take_level(at_ms(400)), 0.f);
}

TEST(Loudness, passes_over_the_bit_of_voice_activity) {
  Loudness loudness;
  speak(loudness, 0, 20, 0x80 | 20);
  EXPECT_FLOAT_EQ(loudness.take_level(at_ms(400)).value(), 0.1f);
}

TEST(Loudness, smooths_over_windows) {
  Loudness loudness;
  speak(loudness, 0, 20, 20);
  EXPECT_FLOAT_EQ(loudness.take_level(at_ms(400)).value(), 0.1f);
  speak(loudness, 400, 20, 0);
  EXPECT_FLOAT_EQ(loudness.take_level(at_ms(800)).value(), 0.55f);
}

TEST(Loudness, falls_silent_once_when_nothing_comes_any_more) {
  Loudness loudness;
  speak(loudness, 0, 20, 10);
  EXPECT_GT(loudness.take_level(at_ms(400)).value(), 0);
  EXPECT_EQ(loudness.take_level(at_ms(799)), std::nullopt);
  EXPECT_EQ(loudness.take_level(at_ms(800)), 0.f);
  EXPECT_EQ(loudness.take_level(at_ms(1'600)), std::nullopt);
}

}  // namespace
}  // namespace stoa::room
