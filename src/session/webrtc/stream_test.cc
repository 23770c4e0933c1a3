#include "session/webrtc/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace stoa::webrtc {
namespace {

class History_ : public testing::Test {
 protected:
  void add(std::int64_t sequence, bool is_keyframe = false, std::size_t bytes = 100,
           std::int64_t timestamp = -1, bool starts_frame = true) {
    payload::Packet packet;
    packet.sequence = sequence;
    packet.timestamp = timestamp >= 0 ? timestamp : sequence * 3000;
    packet.facts = {.starts_frame = starts_frame, .is_keyframe = is_keyframe};
    writer.add(packet, Buffer(bytes, static_cast<std::uint8_t>(sequence)));
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    for (const payload::PacketBatch& batch : batches) history->append(now, batch, 0);
  }
  void make(HistoryLimits limits, payload::Encoding encoding = payload::Encoding::kH264) {
    history = std::make_unique<History>(limits, encoding);
  }
  std::int64_t at_keyframe() { return history->keyframe() ? history->keyframe_sequence() : -1; }

  payload::PacketWriter writer;
  std::unique_ptr<History> history = std::make_unique<History>(HistoryLimits{});
  Timestamp now = Timestamp::from_ns(1'000'000'000);
};

TEST_F(History_, finds_by_number_and_walks_by_arrival) {
  for (const int sequence : {5, 7, 6, 8}) add(sequence);
  std::vector<std::int64_t> walked;
  for (Position at = history->begin(); at < history->end(); ++at)
    walked.push_back(history->entry(at).sequence);
  EXPECT_EQ(walked, (std::vector<std::int64_t>{5, 7, 6, 8}));
  ASSERT_TRUE(history->find(6));
  EXPECT_EQ(history->find(6)->payload[0], 6);
  EXPECT_FALSE(history->find(9));
  EXPECT_EQ(history->held_bytes(), 400u);
}

TEST_F(History_, drops_duplicates_also_of_what_it_let_go) {
  make({.packets = 64, .bytes = 1000, .age = Duration::seconds(4)});
  for (int i = 0; i < 30; ++i) add(i);
  EXPECT_FALSE(history->find(2));
  const Position end = history->end();
  add(2);
  add(29);
  EXPECT_EQ(history->end(), end);
}

TEST_F(History_, stays_within_packets_bytes_and_age) {
  make({.packets = 128, .bytes = 5000, .age = Duration::seconds(1)});
  for (int i = 0; i < 1000; ++i) add(i, false, 10);
  EXPECT_EQ(history->end() - history->begin(), 128);
  for (int i = 1000; i < 1100; ++i) add(i, false, 1000);
  EXPECT_LE(history->held_bytes(), 5000u);
  now += Duration::seconds(2);
  add(1100);
  EXPECT_EQ(history->end() - history->begin(), 1);
}

TEST_F(History_, lets_go_of_blocks_that_nothing_is_kept_of) {
  std::weak_ptr<const payload::PacketBlock> block;
  payload::PacketWriter other;
  other.add({}, Buffer(10, 1));
  {
    std::vector<payload::PacketBatch> batches;
    other.take_batches(batches);
    block = batches[0].block;
    history->append(now, batches[0], 0);
  }
  other = {};
  EXPECT_FALSE(block.expired());
  history->clear();
  EXPECT_TRUE(block.expired());
}

TEST_F(History_, names_the_newest_keyframe_that_can_be_begun_with) {
  EXPECT_EQ(at_keyframe(), -1);
  add(1, true);
  add(2);
  EXPECT_EQ(at_keyframe(), 1);
  add(4, true);
  EXPECT_EQ(at_keyframe(), -1) << "parameter sets may be missing before 4, and 3 is missing behind 1";
  add(3);
  EXPECT_EQ(at_keyframe(), 4);
  EXPECT_EQ(history->slot(*history->keyframe()).sequence, 4);
  add(6);
  EXPECT_EQ(at_keyframe(), -1);
  add(5);
  EXPECT_EQ(at_keyframe(), 4);
  for (int i = 7; i < 7000; ++i) add(i);
  EXPECT_EQ(at_keyframe(), -1) << "no longer kept";
}

TEST_F(History_, begins_a_keyframe_with_its_first_packet) {
  add(1);
  add(2, true, 100, 9000);
  add(3, true, 100, 9000);
  add(4, true, 100, 9000, false);
  EXPECT_EQ(at_keyframe(), 2);
}

TEST_F(History_, counts_packets_that_came_before_the_keyframe_they_follow) {
  make({}, payload::Encoding::kVp8);
  add(1);
  add(3, false, 100, 6000, false);
  add(2, true, 100, 6000);
  ASSERT_EQ(at_keyframe(), 2);
  EXPECT_EQ(history->slot(*history->keyframe()).sequence, 3);
}

TEST_F(History_, closes_up_over_padding_and_keeps_what_came_too_late_for_that) {
  add(1);
  add(2, false, 0);
  add(3);
  EXPECT_EQ(history->entry(history->end() - 1).sequence, 2);
  add(5);
  add(4, false, 0);
  EXPECT_EQ(history->entry(history->end() - 1).sequence, 3);
  EXPECT_TRUE(history->entry(history->end() - 1).payload.empty());
  add(6);
  EXPECT_EQ(history->entry(history->end() - 1).sequence, 5);
}

TEST_F(History_, knows_the_number_of_what_is_repaired_behind_much_padding) {
  for (int i = 1; i < 100; ++i)
    if (i != 50 && i != 56) add(i);
  int next = 101;  // 100 is missing, too.
  while (next < 1101) add(next++, false, 0);
  add(next++);
  EXPECT_EQ(history->entry(history->end() - 1).sequence, 101);
  add(100);
  EXPECT_TRUE(history->find(100));
  add(50);
  EXPECT_TRUE(history->find(50));
  while (next < 1131) add(next++, false, 0);
  const Position end = history->end();
  add(61);
  EXPECT_EQ(history->end(), end) << "not all padding before it is known: it would be taken for 56";
}

TEST_F(History_, begins_anew_when_the_source_counts_anew) {
  for (int i = 10'000; i < 10'200; ++i) add(i);
  const std::uint32_t epoch = history->epoch();
  const Position end = history->end();
  for (int i = 0; i < 100; ++i) add(i);
  EXPECT_NE(history->epoch(), epoch);
  EXPECT_GE(history->begin(), end);
  EXPECT_TRUE(history->find(99));
}

// Some encoders send delimiters and SEI as packets of their own.
TEST_F(History_, begins_a_keyframe_with_what_is_in_front_of_its_parameter_sets) {
  add(1);
  add(2, false, 2, 9000);
  add(3, false, 30, 9000, false);
  EXPECT_EQ(at_keyframe(), -1);
  add(4, true, 20, 9000, false);
  EXPECT_EQ(at_keyframe(), 2);
  EXPECT_EQ(history->slot(*history->keyframe()).sequence, 2);
  add(5, true, 100, 9000, false);
  EXPECT_EQ(at_keyframe(), 2);
}

TEST_F(History_, finds_the_start_of_a_keyframe_in_whatever_order_it_comes) {
  std::vector<int> order{2, 3, 4, 5};
  do {
    history = std::make_unique<History>(HistoryLimits{});
    add(1);
    for (const int sequence : order) add(sequence, sequence > 3, 100, 9000, sequence == 2);
    add(6, false, 100, 12'000);
    EXPECT_EQ(at_keyframe(), 2) << testing::PrintToString(order);
  } while (std::ranges::next_permutation(order).found);
}

TEST_F(History_, knows_the_number_of_a_keyframe_while_more_numbers_are_missing_than_there_is_room_for) {
  add(0, true);
  for (int i = 1; i <= 10; ++i) add(i);
  for (int i = 21; i <= 70; ++i) add(i);
  for (int i = 11; i <= 20; ++i) add(i);
  EXPECT_EQ(at_keyframe(), 0);
  EXPECT_TRUE(history->find(0));
  EXPECT_TRUE(history->find(6));
}

TEST_F(History_, keeps_the_group_of_a_source_that_cannot_be_asked) {
  history = std::make_unique<History>(
      HistoryLimits{.packets = 64, .bytes = 5000, .age = Duration::seconds(1)}, payload::Encoding::kH264,
      HistoryLimits{.packets = 256, .bytes = 20'000, .age = Duration::seconds(10)});
  for (int i = 0; i < 50; ++i) add(i);
  add(50, true);
  for (int i = 51; i < 150; ++i) {
    now += Duration::milliseconds(50);
    add(i);
  }
  EXPECT_EQ(at_keyframe(), 50);
  EXPECT_EQ(history->slot(history->begin()).sequence, 50) << "what is before it goes as ever";
  for (int i = 150; i < 400; ++i) {
    now += Duration::milliseconds(1);
    add(i);
  }
  EXPECT_EQ(at_keyframe(), -1) << "over its limits it is kept like all else";
  EXPECT_LE(history->end() - history->begin(), 64);
  EXPECT_LE(history->held_bytes(), 5000u);
  add(400, true);
  now += Duration::seconds(11);
  history->trim(now);
  EXPECT_EQ(history->begin(), history->end());
}

TEST_F(History_, takes_a_group_that_came_before_in_place_of_what_it_has) {
  std::vector<payload::PacketBatch> group;
  for (int i = 10; i < 100; ++i) {
    payload::Packet packet;
    packet.sequence = i;
    packet.timestamp = i * 3000;
    packet.facts = {.starts_frame = true, .is_keyframe = i == 10};
    writer.add(packet, Buffer(100, static_cast<std::uint8_t>(i)));
  }
  writer.take_batches(group);
  for (const int sequence : {80, 81, 83, 99}) add(sequence);
  const Position end = history->end();
  const std::uint32_t epoch = history->epoch();
  history->restore(now, group, 0);
  EXPECT_EQ(at_keyframe(), 10);
  EXPECT_EQ(history->keyframe_bytes(), 9'000u);
  EXPECT_EQ(history->begin(), end);
  EXPECT_EQ(history->end(), end + 90);
  EXPECT_EQ(history->epoch(), epoch);
  EXPECT_EQ(history->position_from(3), end);
  EXPECT_EQ(history->position_from(82), end + 72);
  EXPECT_EQ(history->position_from(100), history->end());
  EXPECT_EQ(history->frames(), 4u) << "the others did not come now";
  add(100, false, 50);
  EXPECT_EQ(history->frames(), 5u);
  EXPECT_EQ(history->keyframe_bytes(), 9'050u);
}

TEST_F(History_, lets_go_of_what_is_old_though_nothing_comes) {
  for (int i = 0; i < 10; ++i) add(i, i == 0);
  now += Duration::seconds(5);
  history->trim(now);
  EXPECT_EQ(history->begin(), history->end());
  EXPECT_EQ(history->held_bytes(), 0u);
  add(10, true);
  EXPECT_EQ(at_keyframe(), 10);
}

TEST_F(History_, lays_timestamps_on_one_line) {
  add(1, true, 100, 1'000'000);
  now += Duration::milliseconds(100);
  add(2, false, 100, 4'000'000'000);
  EXPECT_EQ(history->newest_timestamp(), 1'009'000);
  EXPECT_EQ(history->entry(history->end() - 1).timestamp, 1'009'000);
  EXPECT_EQ(history->entry(history->end() - 1).packet->timestamp, 4'000'000'000);
  EXPECT_EQ(4'000'000'000 + history->timestamp_shift(), 1'009'000);
  EXPECT_EQ(history->frames(), 2u);
}

TEST_F(History_, begins_with_no_keyframe_whose_holes_it_gave_up) {
  add(0, true);
  for (int i = 2; i < 2 * static_cast<int>(History::kHolesMax) + 10; i += 2) add(i);
  EXPECT_EQ(at_keyframe(), -1);
  for (int i = 101; i < 2 * static_cast<int>(History::kHolesMax) + 10; i += 2) add(i);
  EXPECT_EQ(at_keyframe(), -1);
}

}  // namespace
}  // namespace stoa::webrtc
