#include "proto/rtcp/sender_clock.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/rng.h"

namespace stoa::rtcp {
namespace {

constexpr NtpTime kStart = NtpTime::from_bits(0xb44d'b705'2000'0000);

NtpTime after_ms(std::int64_t ms) { return kStart + Duration::milliseconds(ms); }

TEST(SenderClock, knows_nothing_before_the_first_report) {
  SenderClock clock(90'000);
  EXPECT_FALSE(clock.is_known());
  EXPECT_FALSE(clock.capture_time(0));
  EXPECT_FALSE(clock.rtp_time_at(kStart));
  EXPECT_FALSE(clock.handle_sender_report(NtpTime(), 5));  // A sender without a clock.
  EXPECT_FALSE(clock.is_known());
}

TEST(SenderClock, counts_from_one_report_at_the_nominal_rate) {
  SenderClock clock(90'000);
  ASSERT_TRUE(clock.handle_sender_report(kStart, 0xffff'ff00));
  EXPECT_EQ(*clock.capture_time(0xffff'ff00) - kStart, Duration());
  EXPECT_EQ(*clock.capture_time(0xffff'ff00u + 90'000) - kStart, Duration::seconds(1));
  EXPECT_EQ(*clock.capture_time(0xffff'ff00u - 45'000) - kStart, Duration::milliseconds(-500));
  EXPECT_EQ(clock.rtp_time_at(after_ms(2000)), 0xffff'ff00u + 180'000);
  EXPECT_EQ(clock.rtp_time_at(after_ms(-2000)), 0xffff'ff00u - 180'000);
}

// Audio and video with clocks of their own, captured at the same moments.
TEST(SenderClock, brings_audio_and_video_into_step) {
  SenderClock audio(48'000), video(90'000);
  audio.handle_sender_report(after_ms(130), 1'000'000);
  video.handle_sender_report(after_ms(700), 77);
  auto voice = audio.capture_time(1'000'000 + 48 * 1870);  // Two seconds after the start.
  auto lips = video.capture_time(77 + 90 * 1300);
  EXPECT_LE((*voice - *lips).abs(), Duration::microseconds(1));
}

TEST(SenderClock, follows_a_capture_clock_that_drifts) {
  constexpr double kTrueRate = 90'000 * 1.0002;
  SenderClock clock(90'000);
  Rng rng(5);
  auto ticks_at = [&](std::int64_t ms) {
    return static_cast<std::uint32_t>(static_cast<std::int64_t>(static_cast<double>(ms) / 1000 * kTrueRate)) +
           0xffff'0000u;
  };
  for (std::int64_t i = 0; i < 40; ++i) {
    auto jitter = Duration::microseconds(static_cast<std::int64_t>(rng.below(1000)) - 500);
    ASSERT_TRUE(clock.handle_sender_report(after_ms(5000 * i) + jitter, ticks_at(5000 * i)));
  }
  EXPECT_NEAR(clock.rate(), kTrueRate, 90'000 * 20e-6);
  Duration error = *clock.capture_time(ticks_at(5000 * 39 + 5000)) - after_ms(5000 * 39 + 5000);
  EXPECT_LE(error.abs(), Duration::milliseconds(1));
  auto ticks = clock.rtp_time_at(after_ms(5000 * 39 + 5000));
  EXPECT_LE(std::abs(static_cast<std::int32_t>(*ticks - ticks_at(5000 * 39 + 5000))), 90);
}

TEST(SenderClock, is_not_shaken_by_one_report_that_was_delayed) {
  SenderClock clock(90'000);
  for (std::int64_t i = 0; i < 15; ++i)
    clock.handle_sender_report(after_ms(5000 * i), static_cast<std::uint32_t>(450'000 * i));
  clock.handle_sender_report(after_ms(75'020), 450'000 * 15);  // 20 ms late.
  Duration error = *clock.capture_time(450'000 * 15) - after_ms(75'000);
  EXPECT_LT(error.abs(), Duration::milliseconds(6));
  EXPECT_LT(std::abs(static_cast<std::int32_t>(*clock.rtp_time_at(after_ms(75'000)) - 450'000 * 15)), 6 * 90);
}

TEST(SenderClock, ignores_a_report_that_is_not_newer) {
  SenderClock clock(90'000);
  ASSERT_TRUE(clock.handle_sender_report(after_ms(1000), 90'000));
  EXPECT_FALSE(clock.handle_sender_report(after_ms(1000), 90'000));
  EXPECT_FALSE(clock.handle_sender_report(after_ms(0), 0));
  EXPECT_EQ(*clock.capture_time(90'000) - after_ms(1000), Duration());
}

TEST(SenderClock, believes_a_new_clock_when_two_reports_agree) {
  SenderClock clock(90'000);
  clock.handle_sender_report(after_ms(0), 0);
  EXPECT_FALSE(clock.handle_sender_report(after_ms(5000), 9'000'000));
  EXPECT_EQ(*clock.capture_time(90'000) - kStart, Duration::seconds(1));  // Not shaken by one.
  EXPECT_TRUE(clock.handle_sender_report(after_ms(10'000), 900'000));     // The old clock goes on.
  EXPECT_FALSE(clock.handle_sender_report(after_ms(15'000), 50'000'000));
  EXPECT_TRUE(clock.handle_sender_report(after_ms(20'000), 50'450'000));
  EXPECT_EQ(clock.restarts(), 1u);
  EXPECT_EQ(*clock.capture_time(50'450'000) - after_ms(20'000), Duration());
}

TEST(SenderClock, follows_a_wall_clock_that_is_set_back) {
  SenderClock clock(90'000);
  clock.handle_sender_report(after_ms(0), 0);
  clock.handle_sender_report(after_ms(5000), 450'000);
  EXPECT_FALSE(clock.handle_sender_report(after_ms(-3'590'000), 900'000));
  EXPECT_TRUE(clock.handle_sender_report(after_ms(-3'585'000), 1'350'000));
  EXPECT_EQ(*clock.capture_time(1'350'000) - after_ms(-3'585'000), Duration());
}

TEST(SenderClock, does_not_follow_a_rate_that_no_clock_has) {
  SenderClock clock(90'000);
  for (std::int64_t i = 0; i < 10; ++i)
    clock.handle_sender_report(after_ms(5000 * i), static_cast<std::uint32_t>(450'000 * i * 101 / 100));
  EXPECT_EQ(clock.rate(), 90'000);
}

TEST(SenderClock, bears_a_day_between_reports) {
  SenderClock clock(90'000);
  clock.handle_sender_report(after_ms(0), 0);
  std::uint32_t later = static_cast<std::uint32_t>(86'400ull * 90'000);
  EXPECT_TRUE(clock.handle_sender_report(after_ms(86'400'000), later));
  EXPECT_EQ(clock.restarts(), 0u);
}

}  // namespace
}  // namespace stoa::rtcp
