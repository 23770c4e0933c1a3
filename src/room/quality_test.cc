#include "room/quality.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace stoa::room {
namespace {

TEST(MosOf, is_the_model_s_own_for_audio) {
  StreamQuality stream;
  // d = 20: Id = 0.48, R = 93.72.
  EXPECT_NEAR(mos_of(stream), 4.419, 0.0005);
  // d = 100 / 2 + 2 * 15 + 20 = 100: Id = 2.4; Ie = 30 ln(1 + 15 * 0.02) = 7.871; R = 83.929.
  stream.round_trip = Duration::milliseconds(100);
  stream.jitter = Duration::milliseconds(15);
  stream.loss = 0.02;
  EXPECT_NEAR(mos_of(stream), 4.163, 0.001);
  // d = 320: Id = 7.68 + 0.11 * 142.7 = 23.377; R = 70.823 without loss.
  stream.loss = 0;
  stream.jitter = Duration();
  stream.round_trip = Duration::milliseconds(600);
  EXPECT_NEAR(mos_of(stream), 3.635, 0.001);
}

TEST(PartsOf, say_what_delay_and_loss_take) {
  StreamQuality stream;
  stream.round_trip = Duration::milliseconds(100);
  stream.jitter = Duration::milliseconds(15);
  stream.loss = 0.02;
  const ScoreParts sound = parts_of(stream);
  EXPECT_NEAR(sound.delay_impairment, 2.4, 0.001);
  EXPECT_NEAR(sound.loss_impairment, 7.871, 0.001);
  EXPECT_EQ(sound.mos, mos_of(stream));
  stream.is_video = true;
  EXPECT_EQ(parts_of(stream).delay_impairment, 0);
  EXPECT_NEAR(parts_of(stream).loss_impairment, 7.871, 0.001);
}

TEST(MosOf, counts_loss_squared_where_sound_is_sent_twice) {
  StreamQuality twice, once;
  twice.has_redundancy = true;
  twice.loss = 0.1;
  once.loss = 0.01;
  EXPECT_DOUBLE_EQ(mos_of(twice), mos_of(once));
}

TEST(MosOf, takes_loss_and_missing_height_off_a_picture) {
  StreamQuality stream;
  stream.is_video = true;
  EXPECT_DOUBLE_EQ(mos_of(stream), 4.5);
  stream.wanted_height = 720;
  stream.delivered_height = 360;
  EXPECT_DOUBLE_EQ(mos_of(stream), 3.75);
  stream.delivered_height = 1080;
  EXPECT_DOUBLE_EQ(mos_of(stream), 4.5);
  stream.round_trip = Duration::seconds(2);
  EXPECT_DOUBLE_EQ(mos_of(stream), 4.5);
  stream.loss = 0.02;
  EXPECT_NEAR(mos_of(stream), 4.5 - (4.428 - 4.239), 0.01);
}

TEST(MosOf, stays_between_one_and_four_and_a_half_whatever_comes) {
  for (double loss : {-1.0, 0.0, 0.5, 1.0, 7.0, std::nan(""), HUGE_VAL})
    for (bool is_video : {false, true})
      for (std::int64_t ms : {-5'000, 0, 100, 100'000}) {
        StreamQuality stream;
        stream.loss = loss;
        stream.is_video = is_video;
        stream.round_trip = stream.jitter = Duration::milliseconds(ms);
        stream.wanted_height = 1;
        EXPECT_GE(mos_of(stream), 1.0);
        EXPECT_LE(mos_of(stream), 4.5);
      }
}

TEST(ScoreOf, is_that_of_the_worst_stream) {
  std::vector<StreamQuality> streams(2);
  streams[1].loss = 0.08;
  EXPECT_EQ(score_of(streams).quality, ConnectionQuality::kGood);
  EXPECT_DOUBLE_EQ(score_of(streams).mos, mos_of(streams[1]));
  streams[1].loss = 0.3;
  EXPECT_EQ(score_of(streams).quality, ConnectionQuality::kPoor);
  streams.pop_back();
  EXPECT_EQ(score_of(streams).quality, ConnectionQuality::kExcellent);
}

TEST(ScoreOf, is_lost_only_when_all_are_silent) {
  std::vector<StreamQuality> streams(2);
  streams[0].is_silent = true;
  EXPECT_EQ(score_of(streams).quality, ConnectionQuality::kPoor);
  streams[1].is_silent = true;
  EXPECT_EQ(score_of(streams).quality, ConnectionQuality::kLost);
}

TEST(ScoreOf, is_excellent_where_nothing_flows) {
  EXPECT_EQ(score_of({}).quality, ConnectionQuality::kExcellent);
  EXPECT_DOUBLE_EQ(score_of({}).mos, 4.5);
}

}  // namespace
}  // namespace stoa::room
