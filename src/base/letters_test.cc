#include "base/letters.h"

#include <gtest/gtest.h>

namespace stoa {
namespace {

TEST(Letters, are_lowered_and_nothing_else_is) {
  EXPECT_EQ(lower("video/H264 @[`{ AZaz09"), "video/h264 @[`{ azaz09");
  EXPECT_EQ(lower("\xc3\x84\xff"), "\xc3\x84\xff");  // Of ASCII alone.
  EXPECT_EQ(lower(""), "");
  EXPECT_EQ(lower('Q'), 'q');
  EXPECT_EQ(lower('@'), '@');
}

TEST(Letters, are_compared_without_their_case) {
  EXPECT_TRUE(equals_ignoring_case("Content-Type", "content-tYPE"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("opus", "opus/48000"));
  EXPECT_FALSE(equals_ignoring_case("opus/48000", "opus"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace stoa
