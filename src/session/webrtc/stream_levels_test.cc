// What History says of temporal layers.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "media/payload/vp8.h"
#include "session/webrtc/stream.h"

namespace stoa::webrtc {
namespace {

Level rate(TemporalLevel level) { return {.temporal = level}; }

class HistoryLevels : public testing::Test {
 protected:
  payload::PacketBatch batch(std::int64_t sequence, std::uint8_t layer, std::uint16_t picture) {
    payload::Vp8Descriptor descriptor{.starts_partition = true};
    descriptor.picture_id = picture;
    descriptor.tl0_index = std::uint8_t{1};
    descriptor.temporal_id = std::min<std::uint8_t>(layer, 3);
    payload::PayloadList list;
    payload::write_vp8_descriptor(descriptor, list);
    list.u8(1);
    list.end_payload();
    payload::Packet packet;
    packet.sequence = sequence;
    packet.timestamp = picture * 3000;
    packet.facts = {.starts_frame = true, .is_keyframe = is_keyframe, .is_switch_point = is_switch_point};
    packet.facts.temporal_layer = layer;
    writer.add(packet, list[0]);
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    return batches.at(0);
  }
  Position add(std::int64_t sequence, std::uint8_t layer, std::uint16_t picture) {
    history->append(now, batch(sequence, layer, picture), 0);
    return history->end() - 1;
  }
  Position add(std::int64_t sequence, std::uint8_t layer) {
    return add(sequence, layer, static_cast<std::uint16_t>(sequence & 0x7fff));
  }
  Position padding(std::int64_t sequence) {
    payload::Packet packet;
    packet.sequence = sequence;
    writer.add(packet, {});
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    history->append(now, batches.at(0), 0);
    return history->end() - 1;
  }
  void make(payload::Encoding encoding) { history = std::make_unique<History>(HistoryLimits{}, encoding); }
  // Less what is left out before it.
  std::int64_t number(Position at, TemporalLevel level) {
    return history->slot(at).sequence - history->above(at).packets[Level{.temporal = level}.index()];
  }

  bool is_keyframe = false, is_switch_point = false;
  payload::PacketWriter writer;
  std::unique_ptr<History> history = std::make_unique<History>(HistoryLimits{}, payload::Encoding::kVp8);
  Timestamp now = Timestamp::from_ns(1'000'000'000);
};

TEST_F(HistoryLevels, closes_numbers_up_over_what_is_above_a_level) {
  std::vector<Position> at;
  for (int i = 0; i < 1000; ++i) at.push_back(add(i, std::array<std::uint8_t, 4>{0, 2, 1, 2}[i % 4u]));
  for (int i = 0; i < 1000; i += 4) {
    const auto first = static_cast<std::size_t>(i);
    ASSERT_EQ(number(at[first], 0), i / 4);
    ASSERT_EQ(number(at[first], 1), i / 2);
    ASSERT_EQ(number(at[first + 2], 1), i / 2 + 1);
    ASSERT_EQ(number(at[first], 2), i);
    ASSERT_EQ(history->find_in_level(rate(0), 0, i / 4), at[first]);
    ASSERT_EQ(history->find_in_level(rate(1), 0, i / 2), at[first]);
    ASSERT_EQ(history->find_in_level(rate(1), 0, i / 2 + 1), at[first + 2]);
    ASSERT_EQ(history->find_in_level({}, 0, i), at[first]);
  }
  EXPECT_FALSE(history->find_in_level(rate(0), 0, 250)) << "it did not come yet";
  EXPECT_FALSE(history->find_in_level(rate(0), 0, -1));
}

TEST_F(HistoryLevels, counts_pictures_and_not_their_packets) {
  add(10, 0, 100);
  for (int i = 11; i < 14; ++i) add(i, 2, 101);
  const Position next = add(14, 0, 102);
  EXPECT_EQ(history->above(next).packets[rate(1).index()], 3u);
  EXPECT_EQ(history->above(next).pictures[1], 1u);
  add(15, 2, 103);
  const Position far = add(18, 1, 105);  // A picture of which nothing came is kept a place.
  EXPECT_EQ(history->above(far).pictures[1], 2u);
  make(payload::Encoding::kVp9);
  add(10, 0, 100);
  add(11, 2, 101);
  EXPECT_EQ(history->above(add(12, 0, 102)).packets[rate(0).index()], 1u);
  EXPECT_EQ(history->above(history->end() - 1).pictures[0], 0u) << "nobody needs it";
}

TEST_F(HistoryLevels, leaves_a_late_packet_the_number_that_was_free_for_it) {
  add(1, 0);
  add(2, 2);
  add(6, 0);  // 3 to 5 are missing.
  const Position last = add(7, 2);
  EXPECT_EQ(number(last - 1, 0), 5);
  EXPECT_FALSE(history->find_in_level(rate(0), 0, 3));
  const Position four = add(4, 2), three = add(3, 0), five = add(5, 1);
  for (const Position at : {three, four, five}) EXPECT_TRUE(history->above(at).is_late());
  EXPECT_EQ(number(three, 0), 2);
  EXPECT_EQ(number(four, 0), 3);
  EXPECT_EQ(number(five, 0), 4);
  EXPECT_EQ(number(last - 1, 0), 5) << "what was given away stays";
  EXPECT_EQ(number(add(8, 0), 0), 6);
  EXPECT_EQ(history->find_in_level(rate(0), 0, 3), four) << "above the level, but its number was free";
  EXPECT_EQ(history->find_in_level(rate(0), 0, 6), history->end() - 1);
}

TEST_F(HistoryLevels, knows_what_had_come_late_when_the_first_of_a_higher_layer_comes) {
  for (const bool is_late : {false, true}) {
    make(payload::Encoding::kVp8);
    std::vector<Position> at(9);
    for (const std::size_t i : {1u, 2u, 6u, 3u, 4u, 7u}) at[i] = add(static_cast<std::int64_t>(i), 0);
    if (is_late) at[5] = add(5, 2);
    at[8] = add(8, 2);
    for (const std::size_t i : {1u, 2u, 3u, 4u, 6u, 7u}) {
      EXPECT_EQ(history->find_in_level(rate(0), 0, static_cast<std::int64_t>(i)), at[i]) << i;
      EXPECT_EQ(history->above(at[i]).is_late(), i == 3 || i == 4) << i;
    }
    EXPECT_EQ(history->find_in_level(rate(1), 0, 5), is_late ? std::optional(at[5]) : std::nullopt);
    EXPECT_FALSE(history->above(at[8]).is_late());
  }
}

TEST_F(HistoryLevels, knows_what_had_come_late_also_where_what_it_came_behind_is_gone) {
  add(1, 0);
  add(5, 0);
  now += Duration::seconds(3);
  for (const int i : {2, 4, 3}) add(i, 0);
  now += Duration::seconds(2);
  for (const int i : {6, 7}) add(i, 0);
  ASSERT_EQ(history->slot(history->begin()).sequence, 2);
  add(8, 2);
  for (const std::int64_t i : {2, 3, 4, 6, 7})
    EXPECT_EQ(history->find_in_level(rate(0), 0, i), history->find_position(i)) << i;
}

TEST_F(HistoryLevels, closes_up_over_padding_too) {
  add(1, 0);
  padding(2);
  add(3, 2);
  EXPECT_EQ(number(add(4, 0), 0), 2);
  padding(6);  // 5 is missing.
  EXPECT_EQ(number(add(7, 0), 0), 4);
  EXPECT_EQ(number(add(5, 2), 0), 3);
  padding(9);
  add(10, 0);  // 8 is missing, and is padding.
  const Position late = padding(8);
  EXPECT_TRUE(history->entry(late).payload.empty());
  EXPECT_EQ(history->find_in_level(rate(0), 0, 5), late);
}

TEST_F(HistoryLevels, takes_no_late_packet_whose_number_is_not_known_any_more) {
  const int first = 300, holes = static_cast<int>(History::kHolesMax), last = first + 2 * holes + 4;
  const auto fill = [&](std::uint8_t higher) {
    for (int i = 0; i <= first; ++i) add(i, 0);
    for (int i = first + 2; i <= last; i += 2) add(i, i % 4 == 2 ? higher : 0);
  };
  fill(2);
  const Position end = history->end();
  add(first + 1, 0);
  EXPECT_EQ(history->end(), end);
  add(last - 1, 0);
  EXPECT_EQ(history->end(), end + 1);
  make(payload::Encoding::kVp8);
  fill(0);
  add(first + 1, 0);
  EXPECT_EQ(history->end(), end + 1) << "without temporal layers it has its own";
}

TEST_F(HistoryLevels, numbers_mean_nothing_any_more_where_a_group_takes_their_place) {
  std::vector<payload::PacketBatch> group;
  for (int i = 0; i < 10; ++i) {
    is_keyframe = i == 0;
    group.push_back(batch(i, i % 2 == 0 ? 0 : 1, static_cast<std::uint16_t>(i)));
  }
  is_keyframe = false;
  for (int i = 0; i < 8; ++i) add(i, i % 2 == 0 ? 0 : 1);
  const std::uint32_t epoch = history->epoch();
  const auto frames = history->layer_frames();
  history->restore(now, group, 0);
  EXPECT_EQ(history->layer_frames(), frames) << "they came before";
  EXPECT_NE(history->epoch(), epoch);
  EXPECT_EQ(number(history->begin() + 4, 0), 2);
  EXPECT_EQ(history->find_in_level(rate(0), 0, 3), history->begin() + 6);
}

TEST_F(HistoryLevels, climbs_where_vp8_says_that_a_layer_begins) {
  add(0, 0);
  const auto next = [&](std::int64_t at, std::uint8_t layer, bool is_sync, TemporalLevel level,
                        TemporalLevel wanted) {
    is_switch_point = is_sync;
    return history->next_level(add(at, layer), rate(level), rate(wanted)).temporal;
  };
  EXPECT_EQ(next(1, 2, false, kFullRate, 0), 0) << "down at any frame";
  EXPECT_EQ(next(2, 2, true, 0, kFullRate), 0) << "layer 1 is not there to refer to";
  EXPECT_EQ(next(3, 1, false, 0, kFullRate), 0);
  EXPECT_EQ(next(4, 1, true, 0, kFullRate), 1);
  EXPECT_EQ(next(5, 2, false, 1, kFullRate), 1);
  EXPECT_EQ(next(6, 2, true, 1, kFullRate), 2);
  EXPECT_EQ(next(7, 0, false, 2, kFullRate), kFullRate) << "there is no more";
  EXPECT_EQ(next(8, 3, true, 2, kFullRate), kFullRate);
  EXPECT_EQ(next(9, 0, false, 2, kFullRate), 2) << "but for the one that just came";
  EXPECT_EQ(next(11, 1, true, 0, 1), 0) << "10 may be of the same frame";
  EXPECT_EQ(next(12, 1, true, 0, 1), 1);
  EXPECT_EQ(next(10, 1, true, 0, 1), 0) << "late: some behind it were passed over";
  EXPECT_EQ(history->next_level(add(13, 1, 12), rate(0), rate(1)).temporal, 0)
      << "of the frame that 12 is of";
  is_keyframe = true;
  EXPECT_EQ(next(14, 0, true, 0, kFullRate), kFullRate);
}

TEST_F(HistoryLevels, climbs_where_vp9_says_that_nothing_above_looks_back) {
  make(payload::Encoding::kVp9);
  add(0, 0);
  add(1, 2);
  is_switch_point = true;
  EXPECT_EQ(history->next_level(add(2, 0), rate(0), rate(kFullRate)).temporal, kFullRate);
  EXPECT_EQ(history->next_level(add(3, 1), rate(0), rate(kFullRate)).temporal, 1);
  EXPECT_EQ(history->next_level(add(4, 2), rate(0), rate(kFullRate)).temporal, 0);
  is_switch_point = false;
  EXPECT_EQ(history->next_level(add(5, 0), rate(0), rate(kFullRate)).temporal, 0);
}

TEST_F(HistoryLevels, costs_a_stream_without_temporal_layers_nothing) {
  for (int i = 0; i < 300; ++i) add(i, 0);
  EXPECT_EQ(&history->above(history->begin()), &history->above(history->end() - 1));
  EXPECT_EQ(history->layer_frames()[0], 300u);
  add(300, 7);
  add(301, 0);
  EXPECT_EQ(history->above(history->end() - 1).packets[rate(2).index()], 1u) << "layers above 3 are like 3";
  EXPECT_EQ(history->layer_frames()[3], 1u);
  make(payload::Encoding::kHevc);
  add(0, 0);
  add(1, 1);
  EXPECT_EQ(history->layer_frames()[1], 1u);
  EXPECT_EQ(history->above(history->end() - 1).pictures[0], 0u) << "there is none but in VP8";
}

}  // namespace
}  // namespace stoa::webrtc
