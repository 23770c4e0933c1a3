#include "proto/srtp/packet_index.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace stoa::srtp {
namespace {

struct EstimateCase {
  const char* name;
  std::uint64_t highest;
  std::uint16_t sequence_number;
  std::uint64_t index;
};

TEST(PacketIndex, is_the_nearest_to_the_highest) {
  const EstimateCase cases[] = {
      {"the next", 100, 101, 101},
      {"the same", 100, 100, 100},
      {"one before", 100, 99, 99},
      {"over the first wrap", 0xffff, 0, 0x1'0000},
      {"well over the first wrap", 0xfff0, 0x0100, 0x1'0100},
      {"late, from before the wrap", 0x1'0002, 0xfffe, 0xfffe},
      {"half a cycle ahead, low half", 0x5'0000, 0x8000, 0x5'8000},
      {"more than half a cycle ahead, low half", 0x5'0000, 0x8001, 0x4'8001},
      {"half a cycle behind, high half", 0x5'8000, 0x0000, 0x5'0000},
      {"more than half a cycle behind, high half", 0x5'8001, 0x0000, 0x6'0000},
      {"the last of all", 0xffff'ffff'fffe, 0xffff, 0xffff'ffff'ffff},
  };
  for (const EstimateCase& one : cases) {
    const auto index = estimate_index(one.highest, one.sequence_number);
    ASSERT_TRUE(index) << one.name;
    EXPECT_EQ(*index, one.index) << one.name;
  }
}

TEST(PacketIndex, ends_at_both_ends) {
  EXPECT_EQ(estimate_index(2, 0xfffe).error(), Refusal::kTooOld);
  EXPECT_EQ(estimate_index(0xffff'ffff'fff0, 3).error(), Refusal::kKeyExhausted);
}

TEST(PacketIndex, follows_a_sender_through_wraps_whatever_is_lost_and_late) {
  Rng rng(7);
  std::uint64_t sent = 65'000, highest = sent;
  for (int i = 0; i < 200'000; ++i) {
    sent += 1 + rng.below(rng.chance(0.001) ? 30'000 : 3);
    const std::uint64_t late = sent - std::min<std::uint64_t>(sent, rng.below(500));
    const auto index = estimate_index(highest, static_cast<std::uint16_t>(late));
    ASSERT_TRUE(index);
    ASSERT_EQ(*index, late);
    highest = std::max(highest, late);
  }
}

TEST(ReplayWindow, takes_each_index_once) {
  ReplayWindow<64> window;
  EXPECT_TRUE(window.is_empty());
  EXPECT_TRUE(window.check(5));
  window.accept(5);
  EXPECT_EQ(window.check(5).error(), Refusal::kReplayed);
  EXPECT_TRUE(window.check(3));
  window.accept(3);
  EXPECT_EQ(window.check(3).error(), Refusal::kReplayed);
  EXPECT_EQ(window.highest(), 5u);
}

TEST(ReplayWindow, ends_where_its_width_ends) {
  ReplayWindow<64> window;
  window.accept(1000);
  EXPECT_TRUE(window.check(1000 - 63));
  EXPECT_EQ(window.check(1000 - 64).error(), Refusal::kTooOld);
  EXPECT_EQ(window.check(0).error(), Refusal::kTooOld);
}

TEST(ReplayWindow, forgets_nothing_and_invents_nothing_when_it_moves) {
  ReplayWindow<64> window;
  for (std::uint64_t index : {10, 11, 40, 73}) window.accept(index);
  EXPECT_EQ(window.check(10).error(), Refusal::kReplayed);  // The last that the window still holds.
  EXPECT_EQ(window.check(11).error(), Refusal::kReplayed);
  EXPECT_EQ(window.check(40).error(), Refusal::kReplayed);
  EXPECT_TRUE(window.check(12));
  EXPECT_TRUE(window.check(72));
  window.accept(10'000);
  for (std::uint64_t index = 10'000 - 63; index < 10'000; ++index) EXPECT_TRUE(window.check(index)) << index;
}

TEST(ReplayWindow, agrees_with_a_set_of_all_that_was_seen) {
  Rng rng(3);
  ReplayWindow<128> window;
  std::set<std::uint64_t> seen;
  std::uint64_t front = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (rng.chance(0.6)) front += rng.below(rng.chance(0.01) ? 400 : 4);
    const std::uint64_t index = front - std::min<std::uint64_t>(front, rng.below(160));
    const auto verdict = window.check(index);
    const std::uint64_t highest = seen.empty() ? 0 : *seen.rbegin();
    if (!seen.empty() && index + 128 <= highest) {
      ASSERT_EQ(verdict.error(), Refusal::kTooOld);
    } else if (seen.contains(index)) {
      ASSERT_EQ(verdict.error(), Refusal::kReplayed);
    } else {
      ASSERT_TRUE(verdict);
      window.accept(index);
      seen.insert(index);
    }
    while (seen.size() > 400) seen.erase(seen.begin());
  }
}

TEST(ReplayWindow, goes_on_where_another_ended) {
  ReplayWindow<64> window;
  window.resume(500);
  EXPECT_EQ(window.check(500).error(), Refusal::kReplayed);
  EXPECT_EQ(window.check(470).error(), Refusal::kReplayed);
  EXPECT_EQ(window.check(400).error(), Refusal::kTooOld);
  EXPECT_TRUE(window.check(501));
}

}  // namespace
}  // namespace stoa::srtp
