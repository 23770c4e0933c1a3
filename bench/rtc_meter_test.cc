#include "rtc_meter.h"

#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

constexpr std::int64_t kMs = 1'000'000;

// Frames of three packets, 33 ms apart.
struct Stream {
  StreamMeter meter{1, 90'000, true};
  std::int64_t now = 1000 * kMs;

  bool packet(int number) {
    return meter.handle_packet(now,
                               {.sequence = static_cast<std::uint16_t>(65'500 + number),
                                .timestamp = static_cast<std::uint32_t>(number / 3 * 2970),
                                .marker = number % 3 == 2},
                               1000);
  }
  void frame(int index) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(packet(index * 3 + i), i == 2);
    now += 33 * kMs;
  }
};

TEST(StreamMeter, counts_frames_over_the_wrap_of_sequence_numbers) {
  Stream stream;
  for (int i = 0; i < 100; ++i) stream.frame(i);
  StreamCounts counts = stream.meter.counts();
  EXPECT_EQ(counts.packets, 300u);
  EXPECT_EQ(counts.bytes, 300'000u);
  EXPECT_EQ(counts.frames, 100u);
  EXPECT_EQ(counts.expected, 300);
  EXPECT_EQ(counts.received, 300);
  EXPECT_EQ(counts.broken_frames + counts.freezes, 0u);
}

TEST(StreamMeter, knows_what_is_missing_and_which_frames_it_breaks) {
  Stream stream;
  for (int i = 0; i < 10; ++i) stream.frame(i);
  stream.packet(30);
  stream.packet(32);  // 31 is lost, and so is the beginning of the next.
  stream.packet(34);
  stream.packet(35);
  for (int i = 12; i < 30; ++i) stream.frame(i);
  StreamCounts counts = stream.meter.counts();
  EXPECT_EQ(counts.expected - counts.received, 2);
  EXPECT_EQ(counts.frames, 28u);
  EXPECT_EQ(counts.broken_frames, 2u);
}

TEST(StreamMeter, waits_for_packets_out_of_order) {
  Stream stream;
  stream.frame(0);
  EXPECT_FALSE(stream.packet(5));
  EXPECT_FALSE(stream.packet(6));
  EXPECT_FALSE(stream.packet(3));
  EXPECT_TRUE(stream.packet(4));
  stream.packet(8);
  EXPECT_TRUE(stream.packet(7));
  EXPECT_EQ(stream.meter.counts().frames, 3u);
}

TEST(StreamMeter, takes_padding_behind_a_frame_for_no_frame) {
  Stream stream;
  for (int i = 0; i < 2; ++i) stream.frame(i);
  EXPECT_FALSE(stream.meter.handle_packet(stream.now, {.sequence = 65'506, .timestamp = 2970}, 200));
  for (int i = 7; i < 10; ++i)
    stream.meter.handle_packet(
        stream.now,
        {.sequence = static_cast<std::uint16_t>(65'500 + i), .timestamp = 2 * 2970, .marker = i == 9}, 200);
  EXPECT_EQ(stream.meter.counts().frames, 3u);
}

TEST(StreamMeter, calls_a_long_pause_a_freeze) {
  Stream stream;
  for (int i = 0; i < 60; ++i) stream.frame(i);
  stream.now += 100 * kMs;
  stream.frame(60);
  EXPECT_EQ(stream.meter.counts().freezes, 0u);
  stream.now += 300 * kMs;
  stream.frame(61);
  EXPECT_EQ(stream.meter.counts().freezes, 1u);
  EXPECT_NEAR(static_cast<double>(stream.meter.counts().frozen_ns), 333e6, 1e6);
}

}  // namespace
}  // namespace stoa::bench
