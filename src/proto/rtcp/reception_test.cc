#include "proto/rtcp/reception.h"

#include <gtest/gtest.h>

namespace stoa::rtcp {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

TEST(Reception, has_nothing_to_say_of_a_silent_source) {
  Reception reception(1, 90'000);
  EXPECT_FALSE(reception.take_report_block(at_ms(0)));
  reception.handle_packet(at_ms(0), 5, 0);
  EXPECT_TRUE(reception.take_report_block(at_ms(0)));
  EXPECT_FALSE(reception.take_report_block(at_ms(1000)));
  reception.handle_sender_report(at_ms(1000), NtpTime::from_bits(1ull << 32));
  EXPECT_TRUE(reception.take_report_block(at_ms(2000)));
}

TEST(Reception, counts_losses_of_the_interval_and_in_all) {
  Reception reception(9, 48'000);
  for (std::uint16_t i = 0; i < 8; ++i)
    if (i % 4 != 1) reception.handle_packet(at_ms(20 * i), static_cast<std::uint16_t>(65'532 + i), 960u * i);
  auto block = reception.take_report_block(at_ms(200));
  ASSERT_TRUE(block);
  EXPECT_EQ(block->ssrc, 9u);
  EXPECT_EQ(block->fraction_lost, 64);  // 2 of 8.
  EXPECT_EQ(block->cumulative_lost, 2);
  EXPECT_EQ(block->highest_sequence, 65'539u);  // One cycle and 3.
  for (std::uint16_t i = 8; i < 12; ++i)
    reception.handle_packet(at_ms(20 * i), static_cast<std::uint16_t>(65'532 + i), 960u * i);
  block = reception.take_report_block(at_ms(300));
  EXPECT_EQ(block->fraction_lost, 0);
  EXPECT_EQ(block->cumulative_lost, 2);
  EXPECT_EQ(reception.expected(), 12);
  EXPECT_EQ(reception.received(), 10);
}

TEST(Reception, makes_a_loss_good_when_the_packet_comes_late) {
  Reception reception(9, 48'000);
  for (std::uint16_t i : {1, 2, 4, 3}) reception.handle_packet(at_ms(i), i, 0);
  EXPECT_EQ(reception.take_report_block(at_ms(9))->cumulative_lost, 0);
}

TEST(Reception, goes_below_zero_with_duplicates_and_never_wraps_the_fraction) {
  Reception reception(9, 48'000);
  for (int i = 0; i < 5; ++i) reception.handle_packet(at_ms(0), 7, 0);
  auto block = reception.take_report_block(at_ms(9));
  EXPECT_EQ(block->cumulative_lost, -4);
  EXPECT_EQ(block->fraction_lost, 0);
  reception.handle_packet(at_ms(10), 7 + 3000, 0);  // 2999 of 3000 lost: 255.9 of 256.
  EXPECT_EQ(reception.take_report_block(at_ms(11))->fraction_lost, 255);
}

// RFC 3550 A.8 by hand: |D| of 80 ticks each time; the estimate gains a sixteenth of what is missing.
TEST(Reception, follows_the_rfcs_jitter_in_integers) {
  Reception reception(9, 8000);
  std::uint32_t sixteenths = 0;
  for (int i = 0; i < 100; ++i) {
    std::int64_t wobble = i % 2 == 0 ? 0 : 10;  // 10 ms are 80 ticks.
    reception.handle_packet(at_ms(20 * i + wobble), static_cast<std::uint16_t>(i),
                            160u * static_cast<std::uint32_t>(i));
    if (i > 0) sixteenths += 80 - ((sixteenths + 8) >> 4);
  }
  auto block = reception.take_report_block(at_ms(2000));
  EXPECT_EQ(block->jitter, sixteenths >> 4);
  EXPECT_GE(block->jitter, 78u);
  EXPECT_EQ(reception.jitter(), Duration::from_ticks(block->jitter, 8000));
}

TEST(Reception, has_no_jitter_on_a_steady_stream_even_over_the_timestamps_wrap) {
  Reception reception(9, 90'000);
  for (int i = 0; i < 100; ++i)
    reception.handle_packet(at_ms(40 * i), static_cast<std::uint16_t>(i),
                            0xffff'f000u + 3600u * static_cast<std::uint32_t>(i));
  EXPECT_EQ(reception.take_report_block(at_ms(4000))->jitter, 0u);
}

TEST(Reception, takes_a_jump_of_the_clock_for_no_jitter) {
  Reception reception(9, 90'000);
  reception.handle_packet(at_ms(0), 1, 0);
  reception.handle_packet(at_ms(40), 2, 3600 + 90'000 * 60);
  reception.handle_packet(at_ms(80), 3, 7200 + 90'000 * 60);
  EXPECT_EQ(reception.take_report_block(at_ms(100))->jitter, 0u);
}

TEST(Reception, echoes_the_last_sender_report) {
  Reception reception(9, 90'000);
  reception.handle_packet(at_ms(0), 1, 0);
  auto block = reception.take_report_block(at_ms(0));
  EXPECT_EQ(block->last_sr, 0u);
  EXPECT_EQ(block->delay_since_last_sr, 0u);
  reception.handle_sender_report(at_ms(1000), NtpTime::from_bits(0xb44d'b705'2000'0000));
  block = reception.take_report_block(at_ms(6250));
  EXPECT_EQ(block->last_sr, 0xb705'2000u);
  EXPECT_EQ(block->delay_since_last_sr, 0x0005'4000u);
}

TEST(Reception, starts_anew_with_a_source_that_does) {
  Reception reception(9, 90'000);
  for (std::uint16_t i = 0; i < 10; ++i) reception.handle_packet(at_ms(i), i, 0);
  EXPECT_FALSE(reception.handle_packet(at_ms(20), 30'000, 0));
  EXPECT_TRUE(reception.handle_packet(at_ms(21), 30'001, 0));
  EXPECT_EQ(reception.restarts(), 1u);
  auto block = reception.take_report_block(at_ms(30));
  EXPECT_EQ(block->highest_sequence, 30'001u);
  EXPECT_EQ(block->cumulative_lost, 0);
}

}  // namespace
}  // namespace stoa::rtcp
