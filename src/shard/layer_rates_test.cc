#include "shard/layer_rates.h"

#include <gtest/gtest.h>

#include "session/webrtc/test_scalable.h"

namespace stoa::shard {
namespace {

struct Feed {
  webrtc::StreamId stream;
  payload::RtpTrack track;
};

TEST(LayerRates, tell_what_each_layer_within_a_stream_takes) {
  for (const bool is_key : {false, true}) {
    webrtc::FanOutWorld world;
    Feed feed;
    feed.track.encoding = payload::Encoding::kVp9;
    feed.stream = world.fan_out.add_stream(feed.track);
    webrtc::ScalableSource source(world, feed.stream, payload::Encoding::kVp9, {.is_key = is_key});
    LayerRates rates;
    for (int i = 0; i < 12; ++i) {
      source.play(15, i == 0);
      rates.measure(world.now, world.fan_out, feed.stream, feed.track);
    }
    const auto all = static_cast<double>(rates.bits_per_second(2));
    EXPECT_GT(all, 0);
    // Of this source all layers are as large. Where they go without the lower ones that is all there is to
    // it.
    EXPECT_NEAR(static_cast<double>(rates.bits_per_second(0)) / all, is_key ? 1 : 1.0 / 3, 0.05);
    EXPECT_NEAR(static_cast<double>(rates.bits_per_second(1)) / all, is_key ? 1 : 2.0 / 3, 0.05);
    // Three temporal layers of 30 frames a second.
    EXPECT_NEAR(rates.frames_per_second(0, 1), 7.5, 1);
    EXPECT_NEAR(rates.frames_per_second(0, 2), 15, 1);
  }
}

TEST(LayerRates, have_no_levels_where_there_are_none) {
  webrtc::FanOutWorld world;
  Feed feed;
  feed.stream = world.add_stream();
  LayerRates rates;
  for (int i = 0; i < 20; ++i) {
    for (int frame = 0; frame < 15; ++frame) world.frame(feed.stream, {.is_keyframe = i + frame == 0});
    world.now += Duration::milliseconds(500);
    rates.measure(world.now, world.fan_out, feed.stream, feed.track);
  }
  EXPECT_NEAR(static_cast<double>(rates.bits_per_second(0)), 30 * 5 * 1160 * 8, 30 * 5 * 8);
  EXPECT_EQ(rates.frames_per_second(0, 1), 0u);
  EXPECT_EQ(rates.frames_per_second(0, 2), 0u);
  EXPECT_EQ(rates.bits_per_second(1), 0u);
  // What comes no more is known for a while.
  world.now += LayerRates::kKept;
  rates.measure(world.now, world.fan_out, feed.stream, feed.track);
  EXPECT_GT(rates.bits_per_second(0), 0u);
  world.now += Duration::milliseconds(500);
  rates.measure(world.now, world.fan_out, feed.stream, feed.track);
  EXPECT_EQ(rates.bits_per_second(0), 0u);
}

TEST(LayerRates, are_not_measured_over_a_moment) {
  webrtc::FanOutWorld world;
  const payload::RtpTrack track;
  const webrtc::StreamId stream = world.add_stream();
  LayerRates rates;
  for (int second = 0; second < 5; ++second) {
    rates.measure(world.now, world.fan_out, stream, track);
    for (int frame = 0; frame < 30; ++frame) world.frame(stream, {.is_keyframe = second + frame == 0});
    world.now += Duration::seconds(1);
  }
  rates.measure(world.now, world.fan_out, stream, track);
  const std::uint64_t before = rates.bits_per_second(0);
  world.frame(stream, {});
  world.now += Duration::milliseconds(2);
  rates.measure(world.now, world.fan_out, stream, track);
  EXPECT_EQ(rates.bits_per_second(0), before);
  for (int frame = 0; frame < 29; ++frame) world.frame(stream, {});
  world.now += Duration::milliseconds(998);
  rates.measure(world.now, world.fan_out, stream, track);
  EXPECT_NEAR(static_cast<double>(rates.bits_per_second(0)), 30 * 5 * 1160 * 8, 30 * 5 * 8)
      << "and no frame is forgotten";
}

TEST(LayerRates, do_not_count_a_group_that_was_kept) {
  webrtc::FanOutWorld world;
  const payload::RtpTrack track;
  const webrtc::StreamId stream = world.add_stream();
  LayerRates rates;
  rates.measure(world.now, world.fan_out, stream, track);
  for (int frame = 0; frame < 60; ++frame) world.frame(stream, {.is_keyframe = frame == 0});
  rates.skip();
  for (int second = 0; second < 3; ++second) {
    world.now += Duration::seconds(1);
    rates.measure(world.now, world.fan_out, stream, track);
    for (int frame = 0; frame < 30; ++frame) world.frame(stream, {});
  }
  EXPECT_NEAR(static_cast<double>(rates.bits_per_second(0)), 30 * 5 * 1160 * 8, 30 * 5 * 8);
}

}  // namespace
}  // namespace stoa::shard
