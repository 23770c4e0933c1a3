#include "base/time.h"

#include <gtest/gtest.h>

namespace stoa {
namespace {

TEST(Time, formats_known_instants) {
  EXPECT_EQ(to_iso8601(WallTime::from_us(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(WallTime::from_us(951'782'400'250'000)), "2000-02-29T00:00:00.250Z");
  EXPECT_EQ(to_iso8601(WallTime::from_us(-1000)), "1969-12-31T23:59:59.999Z");
  // RFC 9110 §5.6.7's example.
  EXPECT_EQ(to_http_date(WallTime::from_seconds(784'111'777)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Time, converts_ticks_to_the_nearest) {
  EXPECT_EQ(Duration::from_ticks(3003, 90'000).to_ticks(90'000), 3003);
  EXPECT_EQ(Duration::from_ticks(-1, 44'100).to_ticks(44'100), -1);
  EXPECT_EQ(Duration::milliseconds(333).to_ticks(90'000), 29'970);
}

TEST(Time, never_stays_never) {
  EXPECT_EQ(Timestamp::never() + Duration::seconds(1), Timestamp::never());
  EXPECT_LT(Timestamp::from_ns(5), Timestamp::never());
}

}  // namespace
}  // namespace stoa
