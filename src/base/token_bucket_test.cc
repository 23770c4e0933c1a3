#include "base/token_bucket.h"

#include <gtest/gtest.h>

namespace stoa {
namespace {

constexpr TokenBucket::Rate kRate{.per_second = 10, .most = 5};
constexpr Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

TEST(TokenBucket, has_what_it_began_with) {
  TokenBucket bucket(3, at_ms(1'000));
  EXPECT_TRUE(bucket.has(at_ms(1'000), 3, kRate));
  EXPECT_FALSE(bucket.has(at_ms(1'000), 3.01, kRate));
  bucket.take(2);
  EXPECT_TRUE(bucket.has(at_ms(1'000), 1, kRate));
  EXPECT_FALSE(bucket.has(at_ms(1'000), 2, kRate));
}

TEST(TokenBucket, gets_more_with_time_up_to_its_size) {
  TokenBucket bucket(0, at_ms(0));
  EXPECT_FALSE(bucket.has(at_ms(99), 1, kRate));
  EXPECT_TRUE(bucket.has(at_ms(101), 1, kRate));
  EXPECT_TRUE(bucket.has(at_ms(10'000), 5, kRate));
  EXPECT_FALSE(bucket.has(at_ms(10'000), 5.01, kRate));
  bucket.take(5);
  EXPECT_FALSE(bucket.has(at_ms(10'000), 0.01, kRate));
}

TEST(TokenBucket, loses_nothing_by_being_asked_often) {
  TokenBucket often(0, at_ms(0)), seldom(0, at_ms(0));
  for (int ms = 1; ms < 400; ++ms) EXPECT_FALSE(often.has(at_ms(ms), 4.001, kRate));
  EXPECT_TRUE(often.has(at_ms(401), 4, kRate));
  EXPECT_TRUE(seldom.has(at_ms(401), 4, kRate));
}

}  // namespace
}  // namespace stoa
