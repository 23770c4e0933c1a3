#include "session/webrtc/frame_rates.h"

#include <gtest/gtest.h>

namespace stoa::webrtc {
namespace {

class FrameRates_ : public testing::Test {
 protected:
  // A second of these.
  bool second(std::uint64_t base, std::uint64_t middle = 0, std::uint64_t top = 0) {
    frames[0] += base;
    frames[1] += middle;
    frames[2] += top;
    now += Duration::seconds(1);
    return rates.measure(now, frames);
  }
  void play(int seconds, std::uint64_t base, std::uint64_t middle = 0, std::uint64_t top = 0) {
    for (int i = 0; i < seconds; ++i) second(base, middle, top);
  }

  FrameRates rates;
  FrameRates::Frames frames{};
  Timestamp now = Timestamp::from_ns(1'000'000'000);
};

TEST_F(FrameRates_, gives_the_lowest_level_with_enough_frames) {
  play(5, 8, 8, 16);
  EXPECT_EQ(rates.level_for(0, kFullRate), kFullRate);
  for (const std::uint32_t wanted : {1u, 5u, 8u}) EXPECT_EQ(rates.level_for(wanted, kFullRate), 0) << wanted;
  for (const std::uint32_t wanted : {9u, 15u, 17u})
    EXPECT_EQ(rates.level_for(wanted, kFullRate), 1) << wanted;
  for (const std::uint32_t wanted : {18u, 30u, 60u, ~0u})
    EXPECT_EQ(rates.level_for(wanted, kFullRate), kFullRate) << wanted;
}

TEST_F(FrameRates_, leaves_nothing_out_before_it_has_counted_nor_of_one_layer) {
  EXPECT_EQ(rates.level_for(1, kFullRate), kFullRate);
  EXPECT_FALSE(second(8, 8, 16));
  EXPECT_EQ(rates.level_for(1, kFullRate), kFullRate);
  EXPECT_TRUE(second(8, 8, 16));
  EXPECT_EQ(rates.level_for(1, kFullRate), 0);
  play(5, 30);
  EXPECT_EQ(rates.level_for(1, 0), kFullRate);
  EXPECT_FALSE(second(30)) << "nobody need look at it";
}

TEST_F(FrameRates_, stays_at_a_level_that_has_a_little_less_than_it_had) {
  play(5, 8, 8, 16);
  ASSERT_EQ(rates.level_for(8, kFullRate), 0);
  play(5, 7, 7, 14);
  EXPECT_EQ(rates.level_for(8, 0), 0);
  EXPECT_EQ(rates.level_for(8, 1), 1) << "and does not go where it would not have gone";
  play(5, 6, 6, 12);
  EXPECT_EQ(rates.level_for(8, 0), 1);
}

TEST_F(FrameRates_, counts_anew_behind_a_silence_and_knows_what_was_before) {
  play(5, 8, 8, 16);
  play(3, 0);
  EXPECT_EQ(rates.level_for(8, kFullRate), 0);
  EXPECT_FALSE(second(2, 2, 4)) << "of less than a second";
  EXPECT_EQ(rates.level_for(8, kFullRate), 0);
  EXPECT_TRUE(second(4, 4, 8));
  EXPECT_EQ(rates.level_for(8, kFullRate), 1);
}

}  // namespace
}  // namespace stoa::webrtc
