#include "media/payload/packet.h"

#include <gmock/gmock.h>

#include <string>

#include "media/payload/test_payloads.h"
#include "media/payload/test_red.h"

namespace stoa::payload {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

std::vector<PacketBatch> take(PacketWriter& writer) {
  std::vector<PacketBatch> batches;
  writer.take_batches(batches);
  return batches;
}
std::vector<std::int64_t> sequences_of(const std::vector<PacketBatch>& batches) {
  std::vector<std::int64_t> sequences;
  for (const PacketBatch& batch : batches) {
    for (std::size_t i = 0; i < batch.count; ++i) sequences.push_back(batch[i].sequence);
  }
  return sequences;
}

TEST(PacketWriter, keeps_what_a_packet_is_and_joins_its_payload) {
  PacketWriter writer;
  EXPECT_TRUE(writer.is_empty());
  Packet packet{.sequence = 70'000, .timestamp = -5, .layer = 2, .marker = true, .capture_ntp = 9};
  packet.facts.is_keyframe = true;
  writer.add(packet, from_hex("0102"), from_hex("03"), from_hex("aabb"));
  EXPECT_FALSE(writer.is_empty());
  auto batches = take(writer);
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].count, 1u);
  const Packet& written = batches[0][0];
  EXPECT_EQ(written.sequence, 70'000);
  EXPECT_EQ(written.timestamp, -5);
  EXPECT_EQ(written.layer, 2);
  EXPECT_TRUE(written.marker && written.facts.is_keyframe);
  EXPECT_EQ(written.capture_ntp, 9u);
  EXPECT_THAT(batches[0].payload(0), ElementsAreArray(from_hex("010203")));
  EXPECT_THAT(batches[0].block->descriptor(written), ElementsAreArray(from_hex("aabb")));
  EXPECT_TRUE(writer.is_empty());
}

TEST(PacketWriter, shows_the_frame_alone_to_who_does_not_ask_for_its_redundancy) {
  const Buffer bytes = make_red(111, {{960, noise(40)}}, noise(30, 2));
  auto red = parse_red(bytes, 111);
  ASSERT_TRUE(red);
  PacketWriter writer;
  writer.add({.sequence = 1}, noise(10));
  writer.add_red({.sequence = 2, .timestamp = 960}, *red);
  writer.add({.sequence = 3, .red_bytes = 9, .red_headers_bytes = 5}, noise(20));  // Its own has none.
  auto batches = take(writer);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_THAT(batches[0].payload(1), ElementsAreArray(noise(30, 2)));
  const Packet& packet = batches[0][1];
  EXPECT_EQ(packet.red_headers_bytes, 5);
  EXPECT_EQ(packet.red_bytes, 45);
  EXPECT_EQ(packet.kept_bytes(), bytes.size());
  EXPECT_THAT(batches[0].block->red_payload(packet), ElementsAreArray(bytes));
  EXPECT_TRUE(batches[0].block->descriptor(packet).empty());
  for (std::size_t i : {0u, 2u}) EXPECT_EQ(batches[0][i].red_bytes + batches[0][i].red_headers_bytes, 0);
  EXPECT_THAT(batches[0].payload(2), ElementsAreArray(noise(20)));
}

TEST(PacketWriter, hands_each_packet_out_once_and_fills_the_same_block) {
  PacketWriter writer;
  writer.add({.sequence = 1}, noise(10));
  auto first = take(writer);
  EXPECT_TRUE(take(writer).empty());
  writer.add({.sequence = 2}, noise(20));
  writer.add({.sequence = 3}, noise(30));
  auto second = take(writer);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].block, second[0].block);
  EXPECT_THAT(sequences_of(second), ElementsAre(2, 3));
  EXPECT_THAT(first[0].payload(0), ElementsAreArray(noise(10)));
  EXPECT_THAT(second[0].payload(1), ElementsAreArray(noise(30)));
}

TEST(PacketWriter, begins_another_block_when_the_packets_are_counted_out) {
  PacketWriter writer;
  for (std::size_t i = 0; i <= PacketBlock::kPackets; ++i) {
    writer.add({.sequence = static_cast<std::int64_t>(i)}, noise(1));
  }
  auto batches = take(writer);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].count, PacketBlock::kPackets);
  EXPECT_EQ(batches[1].count, 1u);
  EXPECT_EQ(batches[1].first, 0u);
  EXPECT_EQ(sequences_of(batches).back(), static_cast<std::int64_t>(PacketBlock::kPackets));
}

TEST(PacketWriter, begins_another_block_when_the_bytes_do_not_fit) {
  PacketWriter writer;
  writer.add({.sequence = 1}, noise(PacketBlock::kBytes - 100));
  writer.add({.sequence = 2}, noise(60), noise(30), noise(10));  // The last byte is used.
  writer.add({.sequence = 3}, noise(1));
  writer.add({.sequence = 4}, noise(PacketBlock::kBytes));
  auto batches = take(writer);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].count, 2u);
  EXPECT_EQ(batches[2].payload(0).size(), PacketBlock::kBytes);
  EXPECT_THAT(sequences_of(batches), ElementsAre(1, 2, 3, 4));
}

TEST(PacketWriter, takes_packets_without_payload) {
  PacketWriter writer;
  writer.add({.sequence = 1}, {});
  auto batches = take(writer);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].payload(0).empty());
}

TEST(PacketBatch, keeps_its_block_when_the_writer_is_gone) {
  std::vector<PacketBatch> batches;
  {
    PacketWriter writer;
    writer.add({.sequence = 1}, noise(500));
    writer.take_batches(batches);
    writer.add({.sequence = 2}, noise(PacketBlock::kBytes));
  }
  EXPECT_THAT(batches[0].payload(0), ElementsAreArray(noise(500)));
}

TEST(Obstacle, has_a_stable_name) {
  EXPECT_EQ(std::string(name_of(Obstacle::kNone)), "none");
  EXPECT_EQ(std::string(name_of(Obstacle::kCodec)), "codec");
  EXPECT_EQ(std::string(name_of(Obstacle::kReorderedFrames)), "reordered_frames");
}

TEST(UnbrokenClock, goes_on_as_time_passed_where_timestamps_step) {
  UnbrokenClock clock(90'000);
  Timestamp now = Timestamp::from_ns(1'000'000'000);
  EXPECT_EQ(clock.place(now, 1'000'000, true), 1'000'000);
  now += Duration::milliseconds(100);
  EXPECT_EQ(clock.place(now, 1'009'000, true), 1'009'000);
  now += Duration::milliseconds(100);
  EXPECT_EQ(clock.place(now, 500, true), 1'018'000);
  EXPECT_EQ(clock.shift(), 1'017'500);
  EXPECT_EQ(clock.place(now, 3'500, true), 1'021'000);
  EXPECT_EQ(clock.place(now, 1'008'000, false), 1'008'000) << "late, of the time before";
  EXPECT_EQ(clock.place(now, 1'022'000, true), 1'022'000) << "that was one packet only";
  now += Duration::milliseconds(100);
  EXPECT_EQ(clock.place(now, 1'000'000'000, true), 1'031'000);
  EXPECT_EQ(clock.place(now, 1'000'000'000, true), 1'031'000);
}

TEST(UnbrokenClock, leaves_pauses_and_what_comes_late_as_they_are) {
  UnbrokenClock clock(90'000);
  Timestamp now = Timestamp::from_ns(1'000'000'000);
  clock.place(now, 0, true);
  now += Duration::seconds(60);
  EXPECT_EQ(clock.place(now, 60 * 90'000, true), 60 * 90'000);
  now += Duration::seconds(20);
  EXPECT_EQ(clock.place(now, 60 * 90'000 + 3'000, true), 60 * 90'000 + 3'000) << "held up on its way";
  EXPECT_EQ(clock.shift(), 0);
}

}  // namespace
}  // namespace stoa::payload
