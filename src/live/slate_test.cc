#include "live/slate.h"

#include <gtest/gtest.h>

#include "live/test_source.h"

namespace stoa::live {
namespace {

using namespace stoa::live::testing;

std::vector<media::Frame> frames(int count, Duration step, std::size_t bytes = 10) {
  std::vector<media::Frame> all;
  for (int i = 0; i < count; ++i)
    all.push_back({step * i, step * i, i == 0, SharedBytes(Buffer(bytes, static_cast<std::uint8_t>(i)))});
  return all;
}

TEST(Slate, begins_again_where_it_ends) {
  auto slate = Slate::make(video_format(), frames(3, ms(40)));
  ASSERT_TRUE(slate);
  EXPECT_EQ((*slate)->bytes(), 30u);
  Duration at = seconds(7);
  for (std::size_t i = 0; i < 7; ++i) {
    const ChannelFrame frame = (*slate)->frame(i, at);
    EXPECT_EQ(frame.dts, at);
    EXPECT_EQ(frame.pts, at);
    EXPECT_EQ(frame.nominal_duration, ms(40));
    EXPECT_EQ(frame.is_keyframe, i % 3 == 0);
    EXPECT_EQ(frame.payload.bytes()[0], i % 3);
    at += frame.nominal_duration;
  }
}

TEST(Slate, of_sound_lasts_as_long_as_its_samples) {
  auto slate = Slate::make(audio_format(), frames(1, ms(20)));
  ASSERT_TRUE(slate);
  EXPECT_EQ((*slate)->frame(5, {}).nominal_duration, Duration::from_ticks(1'024, 48'000));
}

TEST(Slate, is_one_short_closed_group) {
  const auto why = [](std::vector<media::Frame> all) { return Slate::make(video_format(), all).error(); };
  EXPECT_EQ(why({}), SlateRefusal::kNoGroup);
  auto begins_late = frames(3, ms(40));
  begins_late[0].is_keyframe = false;
  EXPECT_EQ(why(begins_late), SlateRefusal::kNoGroup);
  auto stands_still = frames(3, ms(40));
  stands_still[2].pts = stands_still[1].pts;
  EXPECT_EQ(why(stands_still), SlateRefusal::kNoGroup);
  EXPECT_EQ(why(frames(3, ms(101))), SlateRefusal::kNoGroup);
  EXPECT_EQ(why(frames(60, ms(40))), SlateRefusal::kTooLong);
  EXPECT_EQ(why(frames(257, ms(1))), SlateRefusal::kTooLong);
  EXPECT_EQ(why(frames(5, ms(40), 1u << 20)), SlateRefusal::kTooLarge);
}

TEST(Slates, hold_what_a_channel_may_hold) {
  Slates slates;
  const auto make = [](std::size_t bytes) { return *Slate::make(video_format(), frames(1, ms(40), bytes)); };
  EXPECT_TRUE(slates.empty());
  EXPECT_TRUE(slates.set_for_rung(0, make(3u << 20)));
  EXPECT_EQ(slates.set_for_track(0, make(2u << 20)).error(), SlateRefusal::kTooLarge);
  EXPECT_EQ(slates.find_for_track(0), nullptr);
  EXPECT_TRUE(slates.set_for_rung(0, make(2u << 20)));  // In place of the one before.
  EXPECT_TRUE(slates.set_for_track(0, make(2u << 20)));
  EXPECT_NE(slates.find_for_rung(0), slates.find_for_track(0));
  slates.drop_for_rung(0);
  EXPECT_EQ(slates.find_for_rung(0), nullptr);
}

}  // namespace
}  // namespace stoa::live
