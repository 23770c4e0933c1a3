// The parts of an association, each by itself.
#include <gtest/gtest.h>

#include <set>

#include "proto/sctp/congestion.h"
#include "proto/sctp/outstanding.h"
#include "proto/sctp/reassembly.h"
#include "proto/sctp/rto.h"
#include "proto/sctp/send_queue.h"
#include "proto/sctp/test_peers.h"
#include "proto/sctp/tsn_tracker.h"

namespace stoa::sctp {
namespace {

TEST(Unwrap, finds_the_nearest_value) {
  EXPECT_EQ(unwrap32(0xffff'fffe, kSerialOrigin + 1), kSerialOrigin - 2);
  EXPECT_EQ(unwrap32(1, kSerialOrigin + 0xffff'fffe), kSerialOrigin + 0x1'0000'0001);
  EXPECT_EQ(unwrap16(2, 0x1'fffe), 0x2'0002u);
  EXPECT_EQ(unwrap16(0xfffe, 0x2'0001), 0x1'fffeu);
}

// Against a set that remembers everything.
TEST(TsnTracker, agrees_with_a_plain_set_whatever_comes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    Tsn cumulative = kSerialOrigin + 0xffff'fff0 + rng.below(20);
    TsnTracker tracker(cumulative);
    std::set<Tsn> seen;
    for (int i = 0; i < 3000; ++i) {
      Tsn tsn = cumulative + 1 + rng.below(60) - std::min<Tsn>(rng.below(5), 1);
      bool is_new = tsn > cumulative && !seen.contains(tsn);
      ASSERT_EQ(tracker.unwrap(static_cast<std::uint32_t>(tsn)), tsn);
      ASSERT_EQ(tracker.judge(tsn) == TsnTracker::Verdict::kNew, is_new);
      if (is_new) {
        tracker.add(tsn);
        seen.insert(tsn);
      }
      while (seen.contains(cumulative + 1)) ++cumulative;
      if (rng.chance(0.01)) {
        Tsn to = cumulative + rng.below(10);
        ASSERT_EQ(tracker.forward(to), to > cumulative);
        cumulative = std::max(cumulative, to);
      }
      while (seen.contains(cumulative + 1)) ++cumulative;
      ASSERT_EQ(tracker.cumulative(), cumulative);
      Sack sack = tracker.take_sack(1000);
      std::set<Tsn> reported;
      for (const GapBlock& gap : sack.gaps)
        for (Tsn each = gap.first; each <= gap.last; ++each) reported.insert(cumulative + each);
      ASSERT_EQ(reported, std::set<Tsn>(seen.upper_bound(cumulative), seen.end()));
    }
  }
}

TEST(TsnTracker, reports_what_fits) {
  TsnTracker tracker(kSerialOrigin);
  for (Tsn i = 2; i < 100; i += 2) tracker.add(kSerialOrigin + i);
  for (int i = 0; i < 100; ++i) tracker.add_duplicate(kSerialOrigin);
  Sack sack = tracker.take_sack(16 + 4 * 50);
  EXPECT_EQ(sack.gaps.size(), 49u);
  EXPECT_EQ(sack.duplicates.size(), 1u);
  EXPECT_EQ(tracker.take_sack(16).gaps.size(), 0u);
}

DataChunk fragment(const Buffer& payload, int number, bool is_begin, bool is_end, bool is_unordered = false) {
  return {.stream = 1,
          .message_number = static_cast<std::uint32_t>(number),
          .protocol = 51,
          .is_unordered = is_unordered,
          .is_begin = is_begin,
          .is_end = is_end,
          .payload = payload};
}

// Messages of several fragments in any order of arrival.
TEST(Reassembly, puts_messages_together_in_any_order) {
  for (bool is_interleaved : {false, true})
    for (bool is_unordered : {false, true})
      for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Rng rng(seed);
        struct Piece {
          Tsn tsn;
          int number;
          std::uint32_t fragment;
          bool is_begin, is_end;
        };
        std::vector<Piece> pieces;
        for (int message = 0; message < 8; ++message) {
          auto parts = static_cast<std::uint32_t>(1 + rng.below(6));
          for (std::uint32_t part = 0; part < parts; ++part)
            pieces.push_back({kSerialOrigin + pieces.size(), message, part, part == 0, part + 1 == parts});
        }
        for (std::size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[rng.below(i)]);
        Reassembly reassembly({}, is_interleaved);
        std::vector<ReceivedMessage> out;
        for (const Piece& piece : pieces) {
          Buffer payload = {static_cast<std::uint8_t>(piece.number),
                            static_cast<std::uint8_t>(piece.fragment)};
          DataChunk chunk = fragment(payload, piece.number, piece.is_begin, piece.is_end, is_unordered);
          if (is_interleaved) chunk.fragment = piece.fragment;
          ASSERT_TRUE(reassembly.add(piece.tsn, chunk, out));
        }
        ASSERT_EQ(out.size(), 8u);
        EXPECT_EQ(reassembly.held_bytes(), 0u);
        std::set<int> numbers;
        for (std::size_t i = 0; i < out.size(); ++i) {
          if (!is_unordered) {
            EXPECT_EQ(out[i].payload[0], i);
          }
          numbers.insert(out[i].payload[0]);
          for (std::size_t k = 0; k < out[i].payload.size(); k += 2) EXPECT_EQ(out[i].payload[k + 1], k / 2);
        }
        EXPECT_EQ(numbers.size(), 8u);
      }
}

TEST(Reassembly, forgets_what_the_peer_gave_up) {
  for (bool is_interleaved : {false, true}) {
    Reassembly reassembly({}, is_interleaved);
    std::vector<ReceivedMessage> out;
    Buffer payload(100, 1);
    ASSERT_TRUE(reassembly.add(kSerialOrigin + 1, fragment(payload, 0, true, false, true), out));
    ASSERT_TRUE(reassembly.add(kSerialOrigin + 3, fragment(payload, 0, true, false), out));
    ASSERT_TRUE(reassembly.add(kSerialOrigin + 5, fragment(payload, 1, true, true), out));
    ASSERT_TRUE(reassembly.add(kSerialOrigin + 7, fragment(payload, 2, true, true), out));
    EXPECT_TRUE(out.empty());
    std::vector<Skipped> skipped = {{1, false, 1}};
    if (is_interleaved) skipped.push_back({1, true, 0});
    ASSERT_TRUE(reassembly.skip(kSerialOrigin + 6, skipped, out));
    EXPECT_EQ(out.size(), 2u);
    EXPECT_EQ(reassembly.held_bytes(), 0u);
    reassembly.reset_streams({});
    ASSERT_TRUE(reassembly.add(kSerialOrigin + 8, fragment(payload, 0, true, true), out));
    EXPECT_EQ(out.size(), 3u);
  }
}

TEST(Reassembly, does_not_wait_for_the_beginning_of_what_was_given_up) {
  for (bool is_interleaved : {false, true}) {
    Reassembly reassembly({}, is_interleaved);
    std::vector<ReceivedMessage> out;
    Buffer payload(100, 1);
    auto add = [&](std::uint32_t at, int number, bool is_begin, bool is_end) {
      DataChunk chunk = fragment(payload, number, is_begin, is_end, true);
      chunk.fragment = at;
      ASSERT_TRUE(reassembly.add(kSerialOrigin + at, chunk, out));
    };
    // Of six fragments the third and the last came before the first two were skipped, the others after.
    add(2, 0, false, false);
    add(5, 0, false, true);
    std::vector<Skipped> skipped;
    if (is_interleaved) skipped.push_back({1, true, 0});
    ASSERT_TRUE(reassembly.skip(kSerialOrigin + 1, skipped, out));
    add(3, 0, false, false);
    add(4, 0, false, false);
    EXPECT_EQ(reassembly.held_bytes(), 0u);
    add(6, 1, true, false);
    add(7, 1, false, true);
    EXPECT_EQ(out.size(), 1u);
    EXPECT_EQ(reassembly.held_bytes(), 0u);
  }
}

TEST(SendQueue, shares_the_line_by_weight) {
  Limits limits;
  SendQueue queue(limits);
  queue.set_mode(true, true);
  queue.set_weight(1, 512);
  queue.set_weight(2, 128);
  for (StreamId stream : {StreamId{1}, StreamId{2}})
    ASSERT_TRUE(queue.add({}, {.stream = stream, .payload = numbered(1, 200'000)}));
  int chunks[3] = {};
  for (int i = 0; i < 100; ++i) ++chunks[queue.take({}, 1000, 1000)->stream];
  EXPECT_NEAR(chunks[1], 80, 2);
  EXPECT_NEAR(chunks[2], 20, 2);
}

TEST(SendQueue, finishes_a_message_before_the_next_without_interleaving) {
  SendQueue queue(Limits{});
  queue.set_mode(false, true);
  for (StreamId stream : {StreamId{1}, StreamId{2}})
    ASSERT_TRUE(queue.add({}, {.stream = stream, .payload = numbered(1, 5000)}));
  std::vector<StreamId> order;
  while (auto chunk = queue.take({}, 1000, 1000)) order.push_back(chunk->stream);
  EXPECT_EQ(order, (std::vector<StreamId>{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}));
}

TEST(SendQueue, leaves_a_small_rest_of_a_packet_empty) {
  SendQueue queue(Limits{});
  ASSERT_TRUE(queue.add({}, {.payload = numbered(1, 600)}));
  EXPECT_FALSE(queue.take({}, 500, 1000).has_value());
  EXPECT_TRUE(queue.take({}, 600, 1000).has_value());
  ASSERT_TRUE(queue.add({}, {.payload = numbered(1, 6000)}));
  EXPECT_FALSE(queue.take({}, 499, 1000).has_value());
  EXPECT_EQ(queue.take({}, 700, 1000)->payload.size(), 700u);
}

TEST(SendQueue, makes_room_for_the_important) {
  Limits limits;
  limits.send_buffer_bytes_max = 1000 + 3 * kMessageOverheadBytes;
  SendQueue queue(limits);
  for (std::uint32_t priority : {1u, 3u, 2u})
    ASSERT_TRUE(queue.add({}, {.payload = numbered(priority, 300), .reliability = {.priority = priority}}));
  OutgoingMessage less{.payload = numbered(4, 300), .reliability = {.priority = 4}};
  EXPECT_EQ(queue.add({}, std::move(less)).error(), Refusal::kSendBufferFull);
  ASSERT_TRUE(queue.add({}, {.payload = numbered(9, 300)}));  // 3 goes.
  std::vector<std::uint32_t> left;
  while (auto chunk = queue.take({}, 1000, 1000)) left.push_back(ByteReader(chunk->payload.bytes()).u32());
  EXPECT_EQ(left, (std::vector<std::uint32_t>{1, 2, 9}));
  EXPECT_EQ(queue.given_up(), 1u);
  EXPECT_EQ(queue.buffered_bytes(), 0u);
}

TEST(SendQueue, counts_what_small_messages_cost) {
  Limits limits;
  limits.send_buffer_bytes_max = 64u << 10;
  SendQueue queue(limits);
  std::size_t taken = 0;
  while (taken < 100'000 && queue.add({}, {.payload = SharedBytes(Buffer(1, 1))})) ++taken;
  EXPECT_EQ(taken, (64u << 10) / (kMessageOverheadBytes + 1));
  EXPECT_EQ(queue.buffered_bytes(), taken);  // What an application sees is payload.
  EXPECT_EQ(queue.held_bytes(), taken * (kMessageOverheadBytes + 1));
  while (queue.take({}, 1000, 1000)) --taken;
  EXPECT_EQ(taken, 0u);
  EXPECT_EQ(queue.held_bytes(), 0u);
}

TEST(SendQueue, counts_a_message_whole_until_its_last_part_is_taken) {
  SendQueue queue{Limits()};
  SharedBytes payload = numbered(1, 2500);
  ASSERT_TRUE(queue.add({}, {.payload = payload}));
  auto first = queue.take({}, 1000, 1000);
  EXPECT_EQ(queue.buffered_bytes(), 1500u);
  EXPECT_EQ(queue.held_bytes(), 2500 + kMessageOverheadBytes);
  EXPECT_NE(first->payload.data(), payload.data());  // A part does not keep the whole.
  (void)queue.take({}, 1000, 1000);
  (void)queue.take({}, 1000, 1000);
  EXPECT_EQ(queue.held_bytes(), 0u);
}

OutgoingChunk whole_chunk(std::uint64_t id, std::optional<std::uint16_t> retransmissions = std::nullopt) {
  return {.stream = 1,
          .message_number = static_cast<std::uint32_t>(id),
          .is_begin = true,
          .is_end = true,
          .payload = numbered(static_cast<std::uint32_t>(id), 100),
          .message_id = id,
          .retransmissions_max = retransmissions};
}

TEST(Outstanding, takes_three_reports_for_a_loss_and_once_only) {
  Outstanding outstanding(kSerialOrigin, false, true);
  for (std::uint64_t i = 0; i < 10; ++i) outstanding.add({}, whole_chunk(i));
  auto sack = [&](std::uint16_t last) {
    return outstanding.handle_sack({}, {.cumulative_tsn = 0xffff'ffff, .gaps = {{2, last}}}, false);
  };
  EXPECT_FALSE(sack(2)->has_new_loss);
  EXPECT_FALSE(sack(3)->has_new_loss);
  EXPECT_FALSE(sack(3)->has_new_loss);  // Nothing new was acknowledged: no report.
  EXPECT_TRUE(sack(4)->has_new_loss);
  ASSERT_TRUE(outstanding.take_lost({}, 1000).has_value());
  EXPECT_FALSE(outstanding.has_lost());
  for (std::uint16_t last : {5, 6, 7, 8}) EXPECT_FALSE(sack(last)->has_new_loss);
  outstanding.handle_timeout();
  EXPECT_TRUE(outstanding.has_lost());
}

TEST(Outstanding, forwards_over_what_was_given_up) {
  Outstanding outstanding(kSerialOrigin, false, true);
  for (std::uint64_t i = 0; i < 5; ++i)
    outstanding.add({}, whole_chunk(i, i == 3 ? std::nullopt : std::optional<std::uint16_t>(0)));
  outstanding.handle_timeout();
  EXPECT_EQ(outstanding.messages_given_up(), 4u);
  ASSERT_TRUE(outstanding.has_forward());
  EXPECT_EQ(outstanding.forward_point(), kSerialOrigin + 2);  // 3 is only lost.
  ForwardTsn forward = outstanding.make_forward(1000);
  EXPECT_EQ(forward.cumulative_tsn, 2u);
  EXPECT_EQ(forward.skipped, (std::vector<Skipped>{{1, false, 2}}));
  ASSERT_TRUE(outstanding.handle_sack({}, {.cumulative_tsn = 3}, false));
  EXPECT_EQ(outstanding.forward_point(), kSerialOrigin + 4);
  ASSERT_TRUE(outstanding.handle_sack({}, {.cumulative_tsn = 4}, false));
  EXPECT_TRUE(outstanding.empty());
  EXPECT_FALSE(outstanding.has_forward());
}

TEST(Outstanding, forwards_no_further_than_a_reset_until_the_peer_has_passed_it) {
  Outstanding outstanding(kSerialOrigin, false, true);
  for (std::uint64_t i = 0; i < 3; ++i) outstanding.add({}, whole_chunk(i, 0));
  outstanding.mark_reset();
  outstanding.add({}, whole_chunk(0, 0));
  outstanding.handle_timeout();
  EXPECT_EQ(outstanding.forward_point(), kSerialOrigin + 3);
  EXPECT_EQ(outstanding.make_forward(1000).cumulative_tsn, 2u);
  ASSERT_TRUE(outstanding.handle_sack({}, {.cumulative_tsn = 1}, false));
  EXPECT_EQ(outstanding.make_forward(1000).cumulative_tsn, 2u);
  ASSERT_TRUE(outstanding.handle_sack({}, {.cumulative_tsn = 2}, false));
  ForwardTsn forward = outstanding.make_forward(1000);
  EXPECT_EQ(forward.cumulative_tsn, 3u);
  EXPECT_EQ(forward.skipped, (std::vector<Skipped>{{1, false, 0}}));
}

TEST(Outstanding, forwards_over_a_message_that_a_reset_fell_into_as_a_whole) {
  Outstanding outstanding(kSerialOrigin, false, true);
  outstanding.add({}, whole_chunk(0, 0));
  OutgoingChunk begin = whole_chunk(1, 0), end = whole_chunk(1, 0);
  begin.is_end = end.is_begin = false;
  outstanding.add({}, std::move(begin));
  outstanding.mark_reset();
  outstanding.add({}, std::move(end));
  outstanding.handle_timeout();
  EXPECT_EQ(outstanding.make_forward(1000).cumulative_tsn, 0u);
  ASSERT_TRUE(outstanding.handle_sack({}, {.cumulative_tsn = 0}, false));
  EXPECT_EQ(outstanding.make_forward(1000).cumulative_tsn, 2u);
}

TEST(CongestionWindow, starts_slowly_halves_on_loss_and_begins_again_on_timeout) {
  CongestionWindow window(1200);
  EXPECT_EQ(window.bytes(), 4404u);
  for (Tsn i = 0; i < 10; ++i) window.handle_ack(i, true, 2400, window.bytes(), false);
  EXPECT_EQ(window.bytes(), 4404u + 10 * 1200);
  window.handle_ack(10, true, 2400, 1000, false);  // Not in use: no growth.
  EXPECT_EQ(window.bytes(), 4404u + 10 * 1200);
  window.handle_loss(20);
  std::size_t halved = (4404u + 10 * 1200) / 2;
  EXPECT_EQ(window.bytes(), halved);
  window.handle_loss(21);
  EXPECT_EQ(window.bytes(), halved);  // Once a window.
  window.handle_ack(20, true, 100, 100, false);
  EXPECT_FALSE(window.is_recovering());
  window.handle_timeout();
  EXPECT_EQ(window.bytes(), 1200u);
  EXPECT_EQ(window.threshold(), std::max<std::size_t>(halved / 2, 4800));
}

TEST(RetransmissionTimeout, follows_the_round_trips) {
  Timing timing;
  RetransmissionTimeout rto(timing);
  EXPECT_EQ(rto.value(), Duration::seconds(1));
  rto.handle_round_trip(Duration::milliseconds(400));
  EXPECT_EQ(rto.value(), Duration::milliseconds(1200));  // 400 + 4 * 200
  rto.handle_round_trip(Duration::milliseconds(400));
  EXPECT_EQ(rto.value(), Duration::milliseconds(1000));  // 400 + 4 * 150
  for (int i = 0; i < 100; ++i) rto.handle_round_trip(Duration::milliseconds(10));
  EXPECT_EQ(rto.value(), timing.rto_min);
  for (int i = 0; i < 10; ++i) rto.back_off();
  EXPECT_EQ(rto.value(), timing.rto_max);
}

}  // namespace
}  // namespace stoa::sctp
