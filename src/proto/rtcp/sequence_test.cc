#include "proto/rtcp/sequence.h"

#include <gtest/gtest.h>

namespace stoa::rtcp {
namespace {

using Step = SequenceExtender::Step;

TEST(ExtendSequence, takes_the_nearer_side) {
  EXPECT_EQ(extend_sequence(65'530, 3), 65'539);
  EXPECT_EQ(extend_sequence(65'539, 65'530), 65'530);
  EXPECT_EQ(extend_sequence(2, 65'535), -1);
  EXPECT_EQ(extend_sequence(-1, 0), 0);
  EXPECT_EQ(extend_sequence(10 * 65'536 + 5, 6), 10 * 65'536 + 6);
}

TEST(SequenceExtender, counts_cycles) {
  SequenceExtender extender;
  EXPECT_EQ(extender.place(65'534).step, Step::kFirst);
  EXPECT_EQ(extender.place(1).extended, 65'537);
  EXPECT_EQ(extender.place(65'535).step, Step::kLate);
  EXPECT_EQ(extender.place(65'535).extended, 65'535);
  EXPECT_EQ(extender.highest(), 65'537);
}

TEST(SequenceExtender, doubts_a_jump_until_the_next_number_follows) {
  SequenceExtender extender;
  extender.place(100);
  EXPECT_EQ(extender.place(100 + kDropoutMax).step, Step::kForward);
  EXPECT_EQ(extender.place(20'000).step, Step::kDoubted);
  EXPECT_EQ(extender.place(40'000).step, Step::kDoubted);
  EXPECT_EQ(extender.place(20'001).step, Step::kDoubted);
  EXPECT_EQ(extender.highest(), 100 + kDropoutMax);
  auto placed = extender.place(20'002);
  EXPECT_EQ(placed.step, Step::kRestart);
  EXPECT_EQ(placed.extended, 20'002);
  EXPECT_EQ(extender.place(20'003).step, Step::kForward);
}

TEST(SequenceExtender, forgets_its_doubt_when_the_stream_goes_on) {
  SequenceExtender extender;
  extender.place(100);
  EXPECT_EQ(extender.place(50'000).step, Step::kDoubted);
  EXPECT_EQ(extender.place(101).step, Step::kForward);
  EXPECT_EQ(extender.place(50'001).step, Step::kDoubted);
  EXPECT_EQ(extender.highest(), 101);
}

TEST(SequenceExtender, doubts_what_comes_too_late) {
  SequenceExtender extender;
  extender.place(5000);
  EXPECT_EQ(extender.place(static_cast<std::uint16_t>(5000 - kMisorderMax)).step, Step::kLate);
  EXPECT_EQ(extender.place(static_cast<std::uint16_t>(4999 - kMisorderMax)).step, Step::kDoubted);
}

}  // namespace
}  // namespace stoa::rtcp
