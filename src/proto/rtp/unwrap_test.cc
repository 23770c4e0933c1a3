#include "proto/rtp/unwrap.h"

#include <gtest/gtest.h>

namespace stoa::rtp {
namespace {

TEST(Unwrapper, goes_on_over_the_wrap_and_back) {
  SequenceUnwrapper sequence;
  EXPECT_EQ(sequence.unwrap(65534), 65534);
  EXPECT_EQ(sequence.unwrap(1), 65537);
  EXPECT_EQ(sequence.unwrap(65535), 65535);
  EXPECT_EQ(sequence.peek(2), 65538);
  EXPECT_EQ(sequence.last(), 65535);
}

TEST(Unwrapper, goes_below_its_first_value) {
  TimestampUnwrapper timestamp;
  EXPECT_EQ(timestamp.unwrap(10), 10);
  EXPECT_EQ(timestamp.unwrap(0xffff'fff0), -16);
  EXPECT_EQ(timestamp.unwrap(10), 10);
}

TEST(Unwrapper, stays_right_over_many_wraps) {
  SequenceUnwrapper sequence;
  for (std::int64_t value = 0; value < 1'000'000; value += 999) {
    ASSERT_EQ(sequence.unwrap(static_cast<std::uint16_t>(value)), value);
  }
}

TEST(Unwrapper, counts_fewer_bits_than_its_type_has) {
  Unwrapper<std::uint16_t, 15> picture;
  EXPECT_EQ(picture.unwrap(0x7fff), 0x7fff);
  EXPECT_EQ(picture.unwrap(0), 0x8000);
  EXPECT_EQ(picture.unwrap(0x8001), 0x8001);
  picture.reset();
  EXPECT_EQ(picture.unwrap(5), 5);
}

TEST(IsNewer, holds_across_the_wrap) {
  EXPECT_TRUE(is_newer<std::uint16_t>(0, 65535));
  EXPECT_FALSE(is_newer<std::uint16_t>(65535, 0));
  EXPECT_FALSE(is_newer<std::uint16_t>(7, 7));
  EXPECT_FALSE(is_newer<std::uint16_t>(0x8000, 0));
  EXPECT_TRUE(is_newer<std::uint32_t>(5, 0xffff'ffff));
}

}  // namespace
}  // namespace stoa::rtp
