#include "proto/rtcp/round_trip.h"

#include <gtest/gtest.h>

namespace stoa::rtcp {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }
NtpTime ntp_s(std::uint64_t seconds) { return NtpTime::from_bits(seconds << 32 | 0x8000'0000); }

// RFC 3550 §6.4.1, figure 2.
TEST(RoundTrip, is_the_rfcs_example) {
  EXPECT_EQ(round_trip(0xb710'8000, 0xb705'2000, 0x0005'4000), Duration::milliseconds(6125));
}

TEST(RoundTrip, survives_the_wrap_of_compact_time) {
  EXPECT_EQ(round_trip(0x0000'8000, 0xffff'8000, 0x0000'4000), Duration::milliseconds(750));
}

TEST(RoundTrip, clamps_a_small_lie_and_refuses_a_large_one) {
  EXPECT_EQ(round_trip(0x0001'0000, 0x0000'8000, 0x0000'8001), Duration());
  EXPECT_EQ(round_trip(0x0001'0000, 0x0000'8000, 0x0001'8000), std::nullopt);
  EXPECT_EQ(round_trip(0x0001'0000, 0, 0), std::nullopt);
}

TEST(RoundTrip, measures_by_the_monotonic_clock) {
  RoundTrip rtt;
  EXPECT_FALSE(rtt.is_known());
  EXPECT_EQ(rtt.smoothed_or(Duration::milliseconds(77)), Duration::milliseconds(77));
  rtt.handle_sent(at_ms(0), ntp_s(100));
  rtt.handle_sent(at_ms(1000), ntp_s(50));  // Somebody set the wall clock back.
  EXPECT_EQ(rtt.handle_echo(at_ms(1540), ntp_s(50).compact(), to_compact(Duration::milliseconds(500))),
            Duration::milliseconds(40));
  EXPECT_EQ(rtt.handle_echo(at_ms(1580), ntp_s(100).compact(), to_compact(Duration::milliseconds(1500))),
            Duration::milliseconds(80));
  EXPECT_EQ(rtt.latest(), Duration::milliseconds(80));
  EXPECT_EQ(rtt.smoothed_or({}), Duration::milliseconds(45));
  EXPECT_EQ(rtt.variation(), Duration::milliseconds(25));
}

TEST(RoundTrip, believes_no_echo_of_what_was_never_said) {
  RoundTrip rtt;
  EXPECT_FALSE(rtt.handle_echo(at_ms(10), 0x1234, 0));
  rtt.handle_sent(at_ms(0), ntp_s(1));
  EXPECT_FALSE(rtt.handle_echo(at_ms(10), 0x1234, 0));
  EXPECT_FALSE(rtt.handle_echo(at_ms(10), 0, 0));
  EXPECT_FALSE(rtt.handle_echo(at_ms(10), ntp_s(1).compact(), 0xffff'ffff));
  EXPECT_FALSE(rtt.is_known());
  for (std::size_t i = 0; i < kSentReportsMax; ++i) rtt.handle_sent(at_ms(100), ntp_s(10 + i));
  EXPECT_FALSE(rtt.handle_echo(at_ms(110), ntp_s(1).compact(), 0));  // Too long ago.
  EXPECT_TRUE(rtt.handle_echo(at_ms(110), ntp_s(10).compact(), 0));
}

}  // namespace
}  // namespace stoa::rtcp
