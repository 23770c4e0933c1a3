// Calls with somebody who is far away: 200 to 600 ms to the node and back, with and without loss.
#include <gtest/gtest.h>

#include <ostream>

#include "sim/world.h"

namespace stoa::sim {
namespace {

constexpr std::size_t kFar = 2;  // Of the three.
constexpr Duration kLength = Duration::seconds(40);

struct Far {
  std::int64_t round_trip_ms = 0;
  double loss = 0;          // Either way.
  bool echoes_time = true;  // As browsers; else nobody tells the node how far it is.
};
void PrintTo(const Far& far, std::ostream* out) {
  *out << far.round_trip_ms << " ms, " << far.loss * 100 << " % lost, "
       << (far.echoes_time ? "echoes" : "no echoes");
}

// Two who are near and one who is far. All talk, and keep their eyes on the same picture.
Story far_call(const Far& how) {
  Story story = make_call(1, 3, kLength);
  for (PersonPlan& plan : story.people) {
    plan.publisher.talking = 0.9;
    plan.attention = kLength * 2;
    plan.viewer.patience = Duration::seconds(3);  // As browsers.
  }
  PersonPlan& far = story.people[kFar];
  far.up = far.down = {.capacity = {{Duration(), 10'000'000}},
                       .delay = {{Duration(), Duration::milliseconds(how.round_trip_ms / 2)}},
                       .loss = how.loss};
  far.publisher.echoes_time = how.echoes_time;
  far.is_steady = false;
  return story;
}

void expect_no_faults(const World& world) {
  EXPECT_EQ(world.faults().count(), 0u);
  for (const Fault& fault : world.faults().kept())
    ADD_FAILURE() << (fault.at - Timestamp()).as_seconds() << " s: " << fault.text;
}

class LongPath : public testing::TestWithParam<Far> {};
class LongLossyPath : public testing::TestWithParam<Far> {};

TEST_P(LongPath, disturbs_nothing_by_its_length) {
  World world(far_call(GetParam()));
  // Joining takes eight round trips; then the estimate rises to what three layers want, within 8 s as on a
  // short path and ten round trips more.
  const Duration ramp = Duration::seconds(9) + Duration::milliseconds(10 * GetParam().round_trip_ms);
  world.run_until(Timestamp() + ramp);
  ASSERT_NE(world.person(kFar).publisher().controller(), nullptr);
  EXPECT_GT(world.person(kFar).publisher().controller()->target().bits_per_second, 2'500'000u);
  world.run_until(Timestamp() + kLength);
  const Publisher::Counts& far = world.person(kFar).publisher().counts();
  EXPECT_EQ(far.nacked, 0u);
  EXPECT_LE(far.keyframes_asked, 6u);  // At the start, of three layers.
  for (std::size_t i = 0; i < world.people(); ++i) {
    const ViewerCounts& saw = world.person(i).viewer().counts();
    EXPECT_EQ(saw.sounds_lost, 0u);
    EXPECT_LT(saw.longest_sound_gap, Duration::milliseconds(20));
    EXPECT_EQ(saw.freezes, 0u);
    EXPECT_EQ(saw.nacks, 0u);
    EXPECT_LE(saw.layer_changes, 3u);  // Up, and not down again.
    EXPECT_GT(saw.video_frames, 2 * 30 * 30u);
  }
  world.run();
  expect_no_faults(world);
}

TEST_P(LongLossyPath, is_repaired_as_far_as_that_helps) {
  World world(far_call(GetParam()));
  world.run_until(Timestamp() + kLength);
  SCOPED_TRACE(world.report());
  const Publisher::Counts& far = world.person(kFar).publisher().counts();
  const std::uint64_t lost_up = world.up_stats(kFar).lost, lost_down = world.down_stats(kFar).lost;
  // Pictures are some four fifths of the packets. What answers, or requests, were lost is asked for once
  // more; before the round trip is known it is asked for too often.
  EXPECT_GT(far.nacked * 2, lost_up);
  EXPECT_LT(far.nacked, lost_up * 5 / 4 + 40);
  // Of all layers together less than one for each time that an answer takes.
  EXPECT_LE(far.keyframes_asked, 45u);
  EXPECT_LT(world.person(kFar).viewer().counts().nacks, lost_down * 5 / 4 + 40);
  for (std::size_t i = 0; i < world.people(); ++i) {
    const ViewerCounts& saw = world.person(i).viewer().counts();
    EXPECT_LE(saw.layer_changes, 6u);
    // Without redundancy what is lost of sound is lost, and no more.
    EXPECT_LT(static_cast<double>(saw.sounds_lost),
              (GetParam().loss * 1.5 + 0.005) * static_cast<double>(saw.sounds));
    EXPECT_GT(saw.video_frames, 2 * 30 * 30u * 3 / 4);
  }
  world.run();
  expect_no_faults(world);
}

INSTANTIATE_TEST_SUITE_P(RoundTrips, LongPath,
                         testing::Values(Far{.round_trip_ms = 200}, Far{.round_trip_ms = 400},
                                         Far{.round_trip_ms = 600}));
INSTANTIATE_TEST_SUITE_P(RoundTrips, LongLossyPath,
                         testing::Values(Far{200, 0.01}, Far{200, 0.05}, Far{400, 0.01}, Far{400, 0.05},
                                         Far{600, 0.01}, Far{600, 0.05}, Far{600, 0.05, false}));

}  // namespace
}  // namespace stoa::sim
