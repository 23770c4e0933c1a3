#include "sim/narrow_call.h"

#include <gtest/gtest.h>

namespace stoa::sim {
namespace {

class NarrowCallOfSeed : public testing::TestWithParam<std::uint64_t> {};

TEST_P(NarrowCallOfSeed, is_heard_and_seen_all_the_time_and_back_at_the_top) {
  const NarrowCall call = run_narrow_call(GetParam());
  EXPECT_EQ(call.layer_before, kCameraLayers - 1);
  // One is usual; of two hundred seeds 5 is the worst.
  EXPECT_LE(call.sounds_lost, 5u);
  // The queue of the line, once, and what its last packet takes.
  EXPECT_LE(call.sound_wait.ms(), 350);
  // Probes for more, later on. Of fifty seeds 142 ms is the worst.
  EXPECT_LE(call.sound_wait_settled.ms(), 200);
  // 260 are usual; of two hundred seeds 400 ms is the worst.
  EXPECT_LE(call.longest_gap.ms(), 500);
  EXPECT_GT(call.shown[0] + call.shown[1], kNarrowFor - Duration::seconds(2));
  ASSERT_TRUE(call.back);
  // 2 s are usual; of two hundred seeds 4.2 s is the worst.
  EXPECT_LE(call.back->ms(), 8'000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, NarrowCallOfSeed, testing::Range<std::uint64_t>(1, 5));

}  // namespace
}  // namespace stoa::sim
