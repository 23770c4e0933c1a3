#include "work/numbers.h"

#include <gtest/gtest.h>

namespace stoa::work {
namespace {

constexpr Duration ms(int count) { return Duration::milliseconds(count); }

TEST(RungMeter, says_what_waits_and_for_how_long) {
  RungMeter meter;
  Timestamp start;
  EXPECT_EQ(meter.read(start).waiting, 0u);
  for (int i = 0; i < 3; ++i) meter.handle_waiting(start + ms(10 * i));
  meter.handle_taken();
  relay::RungProgress progress = meter.read(start + ms(100));
  EXPECT_EQ(progress.waiting, 2u);
  EXPECT_EQ(progress.oldest_wait, ms(90));
  meter.handle_gone();
  EXPECT_EQ(meter.read(start + ms(100)).waiting, 0u);
}

TEST(RungMeter, says_times_and_speed_of_the_last_second_alone) {
  RungMeter meter;
  for (int i = 1; i <= 100; ++i) meter.handle_encoded(ms(i), ms(101), 500, "libx264");
  relay::RungProgress progress = meter.read({});
  EXPECT_EQ(progress.frames, 100u);
  EXPECT_EQ(progress.encode_p95, ms(96));
  EXPECT_EQ(progress.speed_permille, 2'000u);  // 10.1 s in 5.05 s.
  EXPECT_EQ(progress.encoder, "libx264");
  meter.handle_encoded(ms(40), ms(20), 7, "libx264");
  progress = meter.read({});
  EXPECT_EQ(progress.frames, 101u);
  EXPECT_EQ(progress.bytes, 50'007u);
  EXPECT_EQ(progress.encode_p95, ms(40));
  EXPECT_EQ(progress.speed_permille, 500u);
  progress = meter.read({});
  EXPECT_EQ(progress.encode_p95, Duration());
  EXPECT_EQ(progress.speed_permille, 0u);
}

TEST(Numbers, go_on_when_a_rung_comes_again) {
  Numbers numbers;
  numbers.set_rungs({2, 7});
  numbers.meter(2)->handle_encoded(ms(1), ms(33), 100, "libx264");
  numbers.meter(3)->handle_encoded(ms(1), ms(33), 100, "libx264");
  numbers.meter(2)->handle_encoded(ms(1), ms(33), 100, "libx264");
  numbers.handle_decoded(4, 1);
  numbers.handle_decoded(1, 0);
  relay::Progress progress = numbers.read({});
  EXPECT_EQ(progress.pictures_decoded, 5u);
  EXPECT_EQ(progress.frames_refused, 1u);
  ASSERT_EQ(progress.rungs.size(), 1u);  // Of 7 nothing was made yet, 3 is no more.
  EXPECT_EQ(progress.rungs[0].rung, 2);
  EXPECT_EQ(progress.rungs[0].frames, 2u);
  EXPECT_EQ(progress.rungs[0].bytes, 200u);
}

TEST(Numbers, say_how_complex_pictures_of_the_last_second_were) {
  Numbers numbers;
  EXPECT_EQ(numbers.read({}).pictures, 0u);
  numbers.handle_measured({10, 1.5});
  numbers.handle_measured({12.5, 0});
  relay::Progress progress = numbers.read({});
  EXPECT_EQ(progress.pictures, 2u);
  EXPECT_EQ(progress.spatial_permille, 11'250u);
  EXPECT_EQ(progress.temporal_permille, 750u);
  numbers.handle_measured({1, 1});
  progress = numbers.read({});
  EXPECT_EQ(progress.pictures, 1u);
  EXPECT_EQ(progress.spatial_permille, 1'000u);
  EXPECT_EQ(numbers.read({}).pictures, 0u);
}

}  // namespace
}  // namespace stoa::work
