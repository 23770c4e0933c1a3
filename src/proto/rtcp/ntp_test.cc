#include "proto/rtcp/ntp.h"

#include <gtest/gtest.h>

namespace stoa::rtcp {
namespace {

// RFC 3550 §6.4.1, figure 2: 10 Nov 1995 11:33:25.125 UTC.
constexpr NtpTime kFigure2 = NtpTime::from_bits(0xb44d'b705'2000'0000);

TEST(NtpTime, is_the_wall_clock_of_the_rfcs_figure) {
  WallTime wall = WallTime::from_us(816'003'205'125'000);
  EXPECT_EQ(to_iso8601(wall), "1995-11-10T11:33:25.125Z");
  EXPECT_EQ(NtpTime::from_wall(wall), kFigure2);
  EXPECT_EQ(kFigure2.to_wall(), wall);
  EXPECT_EQ(kFigure2.compact(), 0xb705'2000u);
}

TEST(NtpTime, keeps_every_microsecond) {
  for (std::int64_t us : {std::int64_t{0}, std::int64_t{1}, std::int64_t{999'999}, std::int64_t{-1},
                          std::int64_t{1'790'000'000'123'457}, std::int64_t{1'790'000'000'999'999}}) {
    WallTime wall = WallTime::from_us(us);
    EXPECT_EQ(NtpTime::from_wall(wall).to_wall(), wall) << us;
  }
}

TEST(NtpTime, goes_on_after_the_rollover_of_2036) {
  WallTime before = WallTime::from_seconds(2'085'978'495), after = WallTime::from_seconds(2'085'978'497);
  EXPECT_EQ(NtpTime::from_wall(before).bits() >> 32, 0xffff'ffffu);
  EXPECT_EQ(NtpTime::from_wall(after).bits() >> 32, 1u);
  EXPECT_EQ(NtpTime::from_wall(after).to_wall(), after);
  EXPECT_EQ(NtpTime::from_wall(after) - NtpTime::from_wall(before), Duration::seconds(2));
  EXPECT_EQ(NtpTime::from_wall(before) - NtpTime::from_wall(after), Duration::seconds(-2));
}

TEST(NtpTime, adds_and_takes_durations) {
  for (std::int64_t ns : {0ll, 1ll, -1ll, 250'000'000ll, -999'999'999ll, 86'400'000'000'001ll}) {
    Duration d = Duration::nanoseconds(ns);
    EXPECT_EQ((kFigure2 + d) - kFigure2, d) << ns;
    EXPECT_EQ(kFigure2 - (kFigure2 - d), d) << ns;
  }
  EXPECT_EQ((kFigure2 + Duration::milliseconds(500)).bits(), 0xb44d'b705'a000'0000u);
}

TEST(CompactDelay, counts_65536_to_the_second_and_saturates) {
  EXPECT_EQ(to_compact(Duration::milliseconds(5250)), 0x0005'4000u);  // RFC 3550 §6.4.1, figure 2.
  EXPECT_EQ(from_compact(0x0005'4000), Duration::milliseconds(5250));
  EXPECT_EQ(to_compact(Duration::milliseconds(-3)), 0u);
  EXPECT_EQ(to_compact(Duration::seconds(65'536)), 0xffff'ffffu);
  EXPECT_EQ(to_compact(Duration::seconds(65'536) - Duration::nanoseconds(1)), 0xffff'ffffu);
  EXPECT_EQ(to_compact(Duration::infinite()), 0xffff'ffffu);
}

}  // namespace
}  // namespace stoa::rtcp
