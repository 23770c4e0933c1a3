#include "proto/rtcp/transport_feedback.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/rng.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"

namespace stoa::rtcp {
namespace {

using Arrivals = std::vector<std::pair<int, std::int64_t>>;  // Index and microseconds.

Result<TransportFeedback, Refusal> read_one(Bytes datagram) {
  auto reader = Reader::open(datagram, Form::kReducedSize);
  if (!reader) return refuse(reader.error());
  auto packet = reader->next();
  if (!*packet) return refuse(packet->error());
  return std::get<TransportFeedback>(**packet);
}

Arrivals arrivals_of(const TransportFeedback& feedback) {
  Arrivals arrivals;
  FeedbackArrivals walk = feedback.arrivals();
  while (auto arrival = walk.next()) arrivals.emplace_back(arrival->index, arrival->since_reference.us());
  return arrivals;
}

Buffer packet_of(std::uint16_t first, std::uint16_t count, Buffer content) {
  Buffer packet = {0x8f, 0xcd, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
  for (int value : {first >> 8, first & 255, count >> 8, count & 255, 0, 0, 1, 7})
    packet.push_back(static_cast<std::uint8_t>(value));
  packet.insert(packet.end(), content.begin(), content.end());
  while (packet.size() % 4 != 0) packet.push_back(0);
  packet[3] = static_cast<std::uint8_t>(packet.size() / 4 - 1);
  return packet;
}

// As Chromium sends it: padded by one byte, with the padding bit.
TEST(TransportFeedback, reads_a_single_arrival_of_a_browser) {
  Buffer bytes = {0xaf, 0xcd, 0x00, 0x05, 0xfa, 0x17, 0xfa, 0x17, 0x43, 0x03, 0x2f, 0xa0,
                  0x00, 0x99, 0x00, 0x01, 0x3d, 0xe8, 0x02, 0x17, 0x20, 0x01, 0x94, 0x01};
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(feedback->sender_ssrc, 4'195'875'351u);
  EXPECT_EQ(feedback->media_ssrc, 1'124'282'272u);
  EXPECT_EQ(feedback->first_sequence, 153);
  EXPECT_EQ(feedback->status_count, 1);
  EXPECT_EQ(feedback->reference_time, 4'057'090u);
  EXPECT_EQ(feedback->feedback_count, 23);
  EXPECT_EQ(arrivals_of(*feedback), (Arrivals{{0, 37'000}}));
}

TEST(TransportFeedback, adds_small_deltas_up) {
  Buffer bytes = {0xaf, 0xcd, 0x00, 0x07, 0xfa, 0x17, 0xfa, 0x17, 0x19, 0x3d, 0xd8,
                  0xbb, 0x00, 0x04, 0x00, 0x07, 0x10, 0x63, 0x6e, 0x01, 0x20, 0x07,
                  0x4c, 0x24, 0x24, 0x10, 0x0c, 0x0c, 0x10, 0x00, 0x00, 0x03};
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(feedback->reference_time, 1'074'030u);
  EXPECT_EQ(
      arrivals_of(*feedback),
      (Arrivals{{0, 19'000}, {1, 28'000}, {2, 37'000}, {3, 41'000}, {4, 44'000}, {5, 47'000}, {6, 51'000}}));
}

TEST(TransportFeedback, reads_a_vector_of_one_bit_symbols) {
  Buffer bytes = {0xaf, 0xcd, 0x00, 0x06, 0xfa, 0x17, 0xfa, 0x17, 0x19, 0x3d, 0xd8, 0xbb, 0x00, 0x01,
                  0x00, 0x0e, 0x10, 0x63, 0x6d, 0x00, 0xba, 0x00, 0x10, 0x0c, 0x0c, 0x10, 0x00, 0x02};
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(arrivals_of(*feedback), (Arrivals{{0, 4000}, {1, 7000}, {2, 10'000}, {4, 14'000}}));
}

TEST(TransportFeedback, reads_large_and_small_runs) {
  Buffer bytes = {0xaf, 0xcd, 0x00, 0x07, 0xfa, 0x17, 0xfa, 0x17, 0x19, 0x3d, 0xd8,
                  0xbb, 0x01, 0x74, 0x00, 0x06, 0x45, 0xb1, 0x5a, 0x40, 0x40, 0x02,
                  0x20, 0x04, 0x1f, 0xfe, 0x1f, 0x9a, 0xd0, 0x00, 0xd0, 0x00};
  bytes[0] = 0x8f;  // All four of the last bytes are deltas.
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(
      arrivals_of(*feedback),
      (Arrivals{
          {0, 2'047'500}, {1, 4'070'000}, {2, 4'122'000}, {3, 4'122'000}, {4, 4'174'000}, {5, 4'174'000}}));
}

// The draft's §3.1.3, example 1, and §3.1.4, example 1: 221 lost, then 5 and 3 received of 14.
TEST(TransportFeedback, reads_the_drafts_chunks) {
  auto bytes = packet_of(10, 221 + 14, {0x00, 0xdd, 0x9f, 0x1c, 1, 1, 1, 1, 1, 1, 1, 1});
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(arrivals_of(*feedback), (Arrivals{{222, 250},
                                              {223, 500},
                                              {224, 750},
                                              {225, 1000},
                                              {226, 1250},
                                              {230, 1500},
                                              {231, 1750},
                                              {232, 2000}}));
}

TEST(TransportFeedback, goes_back_in_time_with_a_negative_delta) {
  auto bytes = packet_of(0, 3, {0xd9, 0x00, 0x08, 0xff, 0xfc, 0x04});  // Small, large, small.
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(arrivals_of(*feedback), (Arrivals{{0, 2000}, {1, 1000}, {2, 2000}}));
}

TEST(TransportFeedback, passes_over_a_huge_loss_in_one_step) {
  auto bytes =
      packet_of(0, 32'768, {0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x00, 0x03, 0x20, 0x01, 0x09});
  auto feedback = read_one(bytes);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(arrivals_of(*feedback), (Arrivals{{32'767, 2250}}));
}

TEST(TransportFeedback, refuses_what_does_not_add_up) {
  EXPECT_FALSE(read_one(packet_of(0, 0, {0x20, 0x00})));  // No status.
  EXPECT_FALSE(read_one(packet_of(0, 32'769, {0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff})));
  EXPECT_FALSE(read_one(packet_of(0, 15, {0x9f, 0xff, 1, 1})));       // Chunks too short.
  EXPECT_FALSE(read_one(packet_of(0, 4, {0x20, 0x04})));              // No deltas.
  EXPECT_FALSE(read_one(packet_of(0, 24, {0x60, 0x18})));             // The reserved symbol.
  EXPECT_FALSE(read_one(packet_of(0, 7, {0xcd, 0x50, 1, 1, 1, 1})));  // The same in a vector.
  EXPECT_TRUE(read_one(packet_of(0, 1, {0xcd, 0x50})));               // Behind the last status.
  EXPECT_EQ(read_one(packet_of(0, 0, {})).error(), Refusal::kBadTransportFeedback);
}

TEST(FeedbackTimeline, unwraps_numbers_and_reference_times) {
  FeedbackTimeline timeline;
  TransportFeedback feedback{.first_sequence = 65'535, .reference_time = 0xff'ffff, .feedback_count = 254};
  auto first = timeline.place(feedback);
  EXPECT_EQ(first.first_sequence, 65'535);
  feedback = {.first_sequence = 3, .reference_time = 2, .feedback_count = 255};
  auto second = timeline.place(feedback);
  EXPECT_EQ(second.first_sequence, 65'539);
  EXPECT_EQ(second.reference - first.reference, Duration::milliseconds(3 * 64));
  EXPECT_EQ(second.feedback_lost, 0);
  feedback.feedback_count = 2;
  EXPECT_EQ(timeline.place(feedback).feedback_lost, 2);
  feedback.feedback_count = 1;  // Late: neither lost nor the new count.
  EXPECT_EQ(timeline.place(feedback).feedback_lost, 0);
  feedback.feedback_count = 3;
  feedback.reference_time = 1;
  auto last = timeline.place(feedback);
  EXPECT_EQ(last.feedback_lost, 0);
  EXPECT_EQ(last.reference - second.reference, Duration::milliseconds(-64));
}

Buffer write_one(const TransportFeedbackBuilder& builder) {
  Writer writer;
  EXPECT_TRUE(builder.write(1, 2, 7, writer));
  EXPECT_EQ(writer.view().size(), builder.size_bytes());
  return writer.take();
}

TEST(TransportFeedbackBuilder, writes_what_a_browser_would) {
  TransportFeedbackBuilder builder(10, 100);
  Timestamp at = Timestamp() + Duration::milliseconds(64);
  ASSERT_TRUE(builder.add(221, at + Duration::microseconds(250)));
  for (int i = 2; i <= 5; ++i) ASSERT_TRUE(builder.add(0, at + kFeedbackTick * i));
  EXPECT_EQ(write_one(builder), packet_of(10, 226, {0x00, 0xdd, 0x20, 0x05, 1, 1, 1, 1, 1}));
}

TEST(TransportFeedbackBuilder, refuses_what_lies_too_far_apart) {
  TransportFeedbackBuilder builder(0, 1000);
  Timestamp at = Timestamp() + Duration::seconds(100);
  ASSERT_TRUE(builder.add(0, at));
  EXPECT_FALSE(builder.add(0, at + kFeedbackTick * 32'768));
  EXPECT_FALSE(builder.add(0, at - kFeedbackTick * 32'769));
  EXPECT_TRUE(builder.add(0, at + kFeedbackTick * 32'767));
  EXPECT_FALSE(builder.add(kFeedbackStatusesMax - 2, at));
  EXPECT_TRUE(builder.add(kFeedbackStatusesMax - 3, at));
}

TEST(TransportFeedbackBuilder, stays_below_its_limit) {
  TransportFeedbackBuilder builder(0, 64);
  int added = 0;
  while (builder.add(0, Timestamp() + Duration::milliseconds(100 * added))) ++added;
  EXPECT_GT(added, 10);
  EXPECT_LE(builder.size_bytes(), 64u);
  auto feedback = read_one(write_one(builder));
  ASSERT_TRUE(feedback);
  EXPECT_EQ(feedback->status_count, added);
}

// Any arrivals, of all shapes of chunks: what is read is what was put in, to the tick.
TEST(TransportFeedbackBuilder, survives_the_round_trip_of_random_arrivals) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    TransportFeedbackBuilder builder(65'000, 1160);
    std::int64_t ticks = static_cast<std::int64_t>(rng.below(1'000'000'000)) - 500'000'000;
    std::uint64_t loss = rng.below(4), jump = rng.below(4);
    Arrivals expected;
    std::int64_t origin = 0;
    std::size_t index = 0;
    for (std::uint64_t i = 0, count = 1 + rng.below(400); i < count; ++i) {
      std::size_t lost = rng.below(4) < loss ? rng.below(rng.below(8) == 0 ? 3000 : 20) : 0;
      ticks += rng.below(8) < jump ? static_cast<std::int64_t>(rng.below(2000)) - 1000
                                   : static_cast<std::int64_t>(rng.below(40));
      if (!builder.add(lost, Timestamp() + kFeedbackTick * ticks)) break;
      if (i == 0) origin = ticks >> 8 << 8;
      index += lost;
      expected.emplace_back(static_cast<int>(index), (ticks - origin) * 250);
      ++index;
    }
    auto bytes = write_one(builder);
    EXPECT_LE(bytes.size(), 1160u);
    auto feedback = read_one(bytes);
    ASSERT_TRUE(feedback);
    ASSERT_EQ(feedback->status_count, index);
    ASSERT_EQ(feedback->reference_time, static_cast<std::uint32_t>(origin >> 8) & 0xff'ffff);
    ASSERT_EQ(arrivals_of(*feedback), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace stoa::rtcp
