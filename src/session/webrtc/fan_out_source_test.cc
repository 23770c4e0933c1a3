// Which packets of which layer a receiver is sent, and when.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "session/webrtc/fan_out.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kFrame = Duration::milliseconds(33);
constexpr bwe::PacerConfig kUnpaced{
    .bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000};

void play(FanOutWorld& world, StreamId stream, int frames, bool begins_with_keyframe = false,
          payload::LayerIndex layer = 0) {
  for (int i = 0; i < frames; ++i) {
    world.frame(stream, {.is_keyframe = begins_with_keyframe && i == 0, .layer = layer});
    world.drain();
    world.pass(kFrame);
  }
}

TEST(FanOutSource, gives_the_whole_group_of_a_source_that_cannot_be_asked) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
  play(world, stream, 300, true);  // 9.9 s.
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  world.drain();
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 1500u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  EXPECT_LE(got.back().timestamp - got.front().timestamp, 90u * 9'900 / 16);
  // What was lost is sent from there again, though not at every request.
  play(world, stream, 10);
  world.pli(peer);
  world.drain();
  EXPECT_EQ(got.size(), 1550u + 1550);
  play(world, stream, 10);
  world.pli(peer);
  world.drain();
  EXPECT_EQ(got.size(), 3150u);
  play(world, stream, 60);
  world.pli(peer);
  world.drain();
  EXPECT_EQ(got.size(), 3450u + 1900);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  EXPECT_TRUE(world.take_wanted().empty()) << "nobody can be asked";
}

TEST(FanOutSource, asks_a_publisher_once_for_many_requests) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  for (int i = 0; i < 20; ++i) world.set_source(world.add_peer(), stream);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  play(world, stream, 30, true);
  for (const auto& peer : world.peers) world.pli(*peer);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  world.pass(Duration::milliseconds(100));
  for (const auto& peer : world.peers) world.pli(*peer);
  EXPECT_TRUE(world.take_wanted().empty()) << "it was asked just now";
  world.pass(Duration::milliseconds(250));
  EXPECT_EQ(world.take_wanted().size(), 1u) << "and did not answer";
  world.pass(Duration::milliseconds(100));
  world.pli(*world.peers[0]);
  EXPECT_TRUE(world.take_wanted().empty());
  play(world, stream, 30, true);
  EXPECT_TRUE(world.take_wanted().empty()) << "what was wished for has come";
}

TEST(FanOutSource, stays_with_a_layer_while_all_of_them_are_slow) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  const auto show = [&](bool is_keyframe) {
    world.frame(stream, {.is_keyframe = is_keyframe, .bytes = 300, .layer = 0}, 270'000);
    world.drain();
    world.pass(Duration::milliseconds(700));
    world.frame(stream, {.is_keyframe = is_keyframe, .bytes = 1100, .layer = 1}, 270'000);
    world.drain();
    world.pass(Duration::milliseconds(2'300));
  };
  show(true);
  show(true);
  world.take_wanted();
  for (int i = 0; i < 10; ++i) show(false);
  EXPECT_EQ(peer.of(kVideoSsrc).back().payload.size(), 1100u);
  EXPECT_TRUE(world.take_wanted().empty());
}

TEST(FanOutSource, leaves_a_layer_as_soon_as_the_others_are_ahead_of_it) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  for (int i = 0; i < 60; ++i) {
    world.frame(stream, {.is_keyframe = i % 5 == 0, .bytes = 300, .layer = 0});
    if (i < 30) world.frame(stream, {.is_keyframe = i % 5 == 0, .bytes = 1100, .layer = 1});
    world.drain();
    world.pass(kFrame);
  }
  EXPECT_EQ(peer.of(kVideoSsrc).back().payload.size(), 300u) << "a second later";
}

TEST(FanOutSource, goes_over_at_once_from_a_layer_that_was_put_aside) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  for (int i = 0; i < 150; ++i) {
    world.frame(stream, {.is_keyframe = i == 0, .bytes = 300, .layer = 0});
    world.frame(stream, {.is_keyframe = i == 0, .bytes = 1100, .layer = 1});
    world.drain();
    world.pass(kFrame);
  }
  ASSERT_EQ(peer.of(kVideoSsrc).back().payload.size(), 1100u);
  world.take_wanted();
  world.frame(stream, {.bytes = 300, .layer = 0, .layers_aside = 2});
  world.drain();
  world.pass(kFrame);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  world.frame(stream, {.is_keyframe = true, .bytes = 300, .layer = 0, .layers_aside = 2});
  world.drain();
  EXPECT_EQ(peer.of(kVideoSsrc).back().payload.size(), 300u);
  // And it comes back.
  world.frame(stream, {.is_keyframe = true, .bytes = 1100, .layer = 1});
  world.drain();
  EXPECT_EQ(peer.of(kVideoSsrc).back().payload.size(), 1100u);
}

// Layer 0 alone, then layer 1 again, which begins with a keyframe as encoders do; `later` until it is wanted.
class LayerTakenUp : public ::testing::Test {
 protected:
  void begin(bool is_lost = false) {
    world_.set_source(peer_, stream_);
    for (int i = 0; i < 10; ++i) show(i == 0, false);
    world_.take_wanted();
    world_.frame(stream_,
                 {.is_keyframe = true, .bytes = 1100, .layer = 1, .lost = is_lost ? 2 : ~std::size_t{0}});
  }
  void show(bool is_keyframe, bool has_upper = true) {
    world_.frame(stream_, {.is_keyframe = is_keyframe, .bytes = 300, .layer = 0});
    if (has_upper) world_.frame(stream_, {.bytes = 1100, .layer = 1});
    world_.drain();
    world_.pass(kFrame);
  }
  bool is_upper_shown() { return peer_.of(kVideoSsrc).back().payload.size() == 1100u; }

  FanOutWorld world_;
  StreamId stream_ = world_.add_stream(payload::Encoding::kH264, 2);
  Peer& peer_ = world_.add_peer();
};

TEST_F(LayerTakenUp, is_begun_with_the_keyframe_that_it_has) {
  begin();
  show(false);
  EXPECT_TRUE(is_upper_shown());
  EXPECT_TRUE(world_.take_wanted().empty());
}

TEST_F(LayerTakenUp, is_asked_for_a_keyframe_where_it_lost_its_own) {
  begin(true);
  show(false);
  EXPECT_FALSE(is_upper_shown());
  EXPECT_FALSE(world_.take_wanted().empty());
}

TEST_F(LayerTakenUp, is_asked_for_a_keyframe_where_its_own_is_of_the_past) {
  world_.fan_out.set_layer_max(world_.now, peer_.id, 0, 0, world_.out);
  begin();
  for (int i = 0; i < 5; ++i) show(false);
  world_.take_wanted();
  world_.fan_out.set_layer_max(world_.now, peer_.id, 0, 1, world_.out);
  show(false);
  EXPECT_FALSE(is_upper_shown());
  EXPECT_FALSE(world_.take_wanted().empty());
}

// What was missing of it is sent again for a while.
TEST(FanOutSource, leaves_a_layer_that_only_repeats_what_was_missing) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  std::vector<payload::Packet> missing;
  for (int i = 0; i < 50; ++i) {
    world.frame(stream, {.is_keyframe = i % 5 == 0, .bytes = 300, .layer = 0});
    if (i < 10) {
      world.frame(stream, {.is_keyframe = i % 5 == 0, .bytes = 1100, .layer = 1});
    } else if (i < 30) {
      world.frame(stream, {.packets = 2, .bytes = 1100, .layer = 1, .lost = 0});
      missing.push_back(world.lost_packet);
    } else {
      world.add(stream, missing[i - 30], 1100);
      world.flush(stream);
    }
    world.drain();
    world.pass(kFrame);
  }
  EXPECT_EQ(peer.of(kVideoSsrc).back().payload.size(), 300u);
}

TEST(FanOutSource, goes_on_where_timestamps_of_the_source_step) {
  for (const std::int64_t step :
       {std::int64_t{90'000} * 9'000, std::int64_t{-90'000} * 9'000, std::int64_t{90'000} * 6}) {
    FanOutWorld world;
    const StreamId stream = world.add_stream();
    Peer& peer = world.add_peer();
    world.set_source(peer, stream);
    play(world, stream, 30, true);
    world.fan_out.map_clock(stream, 0, {1'000'000 + 30 * 3000, world.wall()});
    world.step_clock(stream, step);
    play(world, stream, 30);
    const auto& got = peer.of(kVideoSsrc);
    ASSERT_EQ(got.size(), 300u);
    FanOutWorld::expect_no_holes(got);
    FanOutWorld::expect_forward_timestamps(got);
    EXPECT_NEAR(static_cast<double>(got.back().timestamp - got.front().timestamp), 59 * 3000, 100);
    // A receiver that comes now is given what is on both sides of it.
    Peer& late = world.add_peer({FanOutWorld::video()}, kUnpaced);
    world.set_source(late, stream);
    world.drain();
    EXPECT_EQ(late.of(kVideoSsrc).size(), 300u);
    FanOutWorld::expect_forward_timestamps(late.of(kVideoSsrc));
    EXPECT_LE(late.of(kVideoSsrc).back().timestamp - late.of(kVideoSsrc).front().timestamp, 90u * 100);
  }
}

TEST(FanOutSource, skips_sound_that_waited_too_long) {
  FanOutWorld world;
  const StreamId sound = world.add_stream(payload::Encoding::kOpus);
  Peer& peer = world.add_peer({FanOutWorld::audio()});
  world.set_source(peer, sound);
  auto speak = [&](int packets) {
    for (int i = 0; i < packets; ++i) {
      world.frame(sound, {.packets = 1, .bytes = 80}, 960);
      world.now += Duration::milliseconds(20);
    }
    world.drain();
  };
  speak(1);
  const auto& got = peer.of(kAudioSsrc);
  speak(15);  // Late by less.
  ASSERT_EQ(got.size(), 16u);
  speak(50);
  ASSERT_EQ(got.size(), 17u);
  EXPECT_EQ(got[16].sequence, got[15].sequence + 1);
  EXPECT_EQ(got[16].timestamp - got[15].timestamp, 50u * 960);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).skipped, 49u);
}

TEST(FanOutSource, draws_no_sound_together) {
  FanOutWorld world({.history = {.packets = 64, .bytes = 1u << 20, .age = Duration::seconds(4)}});
  const StreamId sound = world.add_stream(payload::Encoding::kOpus);
  for (int i = 0; i < 50; ++i) world.frame(sound, {.packets = 1, .bytes = 80}, 960);
  Peer& peer = world.add_peer({FanOutWorld::audio()});
  world.set_source(peer, sound);
  world.drain();
  EXPECT_TRUE(peer.of(kAudioSsrc).empty()) << "what was before it came is over";
  // Several came together.
  for (int i = 0; i < 5; ++i) world.frame(sound, {.packets = 1, .bytes = 80}, 960);
  world.drain();
  const auto& got = peer.of(kAudioSsrc);
  ASSERT_EQ(got.size(), 5u);
  for (std::size_t i = 1; i < got.size(); ++i) EXPECT_EQ(got[i].timestamp - got[i - 1].timestamp, 960u) << i;
  // Nobody sent for long: on with the newest, not with all that is kept.
  for (int i = 0; i < 200; ++i) world.frame(sound, {.packets = 1, .bytes = 80}, 960);
  world.drain();
  ASSERT_EQ(got.size(), 6u);
  EXPECT_EQ(got[5].timestamp - got[4].timestamp, 200u * 960);
  // And where too much was lost.
  world.skip(sound, 2'000);
  for (int i = 0; i < 3; ++i) world.frame(sound, {.packets = 1, .bytes = 80}, 960);
  world.drain();
  ASSERT_EQ(got.size(), 9u);
  for (std::size_t i = 6; i < 9; ++i) EXPECT_EQ(got[i].timestamp - got[i - 1].timestamp, 960u) << i;
  FanOutWorld::expect_no_holes(got);
}

TEST(FanOutSource, serves_all_sections_of_a_receiver_that_is_held_back) {
  FanOutWorld world;
  std::vector<OutletConfig> outlets;
  std::vector<StreamId> streams;
  for (std::uint32_t i = 0; i < 3; ++i) {
    OutletConfig config = FanOutWorld::video(payload::Encoding::kH264, false);
    config.ssrc = 100 + i;
    outlets.push_back(config);
    streams.push_back(world.add_stream());
  }
  Peer& peer = world.add_peer(
      outlets, {.bits_per_second = 4'000'000, .burst_bytes_min = 4'000, .burst_bytes_max = 4'000});
  for (std::size_t i = 0; i < 3; ++i) world.set_source(peer, streams[i], i);
  // Each has 2.6 Mbit/s, all together twice what may be sent.
  for (int i = 0; i < 60; ++i) {
    for (const StreamId stream : streams) world.frame(stream, {.is_keyframe = i == 0, .packets = 10});
    world.drain();
    world.pass(kFrame);
  }
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_GT(peer.of(100 + i).size(), 200u) << i;
}

TEST(FanOutSource, sends_to_another_receiver_first_each_time) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  for (int i = 0; i < 4; ++i) world.set_source(world.add_peer(), stream);
  std::vector<int> was_last(4);
  for (int i = 0; i < 40; ++i) {
    world.frame(stream, {.is_keyframe = i == 0, .packets = 1});
    DatagramBatch batch;
    world.fan_out.fill(world.now, batch);
    ASSERT_EQ(batch.trains().size(), 4u);
    ++was_last[batch.trains().back().remote.port - 1000u];
    world.pass(kFrame);
  }
  for (const int times : was_last) EXPECT_GE(times, 8);
}

TEST(FanOutSource, goes_on_at_once_with_a_keyframe_behind_a_long_loss) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  play(world, stream, 10, true);
  world.skip(stream, 3'000);
  world.frame(stream, {});
  world.frame(stream, {.is_keyframe = true});
  world.drain();
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 55u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
}

TEST(FanOutSource, goes_on_with_a_keyframe_that_is_the_first_behind_a_long_loss) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kAv1);
  Peer& peer = world.add_peer({FanOutWorld::video(payload::Encoding::kAv1)}, kUnpaced);
  world.set_source(peer, stream);
  play(world, stream, 10, true);
  world.skip(stream, 3'000);
  play(world, stream, 10, true);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 100u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
}

// On a shard whose mailbox was full the beginning of the group is missing.
TEST(FanOutSource, begins_with_the_group_that_it_wished_for) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
  world.loses_batches = true;
  play(world, stream, 20, true);
  world.loses_batches = false;
  play(world, stream, 20);
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  world.drain();
  EXPECT_TRUE(peer.of(kVideoSsrc).empty());
  world.fan_out.append_group(world.now, stream, world.group);
  play(world, stream, 10);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 250u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  // Once more changes nothing, for this one nor for the next.
  world.fan_out.append_group(world.now, stream, world.group);
  play(world, stream, 1);
  EXPECT_EQ(got.size(), 255u);
  Peer& next = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(next, stream);
  world.drain();
  EXPECT_EQ(next.of(kVideoSsrc).size(), 255u);
  world.pass(Duration::seconds(3));
  EXPECT_TRUE(world.take_wanted().empty());
}

TEST(FanOutSource, disturbs_nobody_with_a_group_for_another) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  Peer& slow =
      world.add_peer({FanOutWorld::video()},
                     {.bits_per_second = 1'360'000, .burst_bytes_min = 4'000, .burst_bytes_max = 4'000});
  world.set_source(peer, stream);
  world.set_source(slow, stream);
  play(world, stream, 1'000, true);  // 33 s: longer than a group is kept.
  world.take_wanted();
  const auto &got = peer.of(kVideoSsrc), &late = slow.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 5'000u);
  ASSERT_LT(late.size(), 5'000u) << "it is a little behind";
  const std::size_t behind = 5'000 - late.size();
  Peer& other = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(other, stream);
  EXPECT_EQ(world.take_wanted().size(), 1u) << "nothing to begin with is kept";
  world.fan_out.append_group(world.now, stream, world.group);
  world.drain();
  EXPECT_EQ(got.size(), 5'000u);
  ASSERT_EQ(other.of(kVideoSsrc).size(), 5'000u);
  world.nack(peer, {static_cast<std::uint16_t>(got[4'990].sequence)});
  play(world, stream, 10);
  world.pass(Duration::seconds(1));
  EXPECT_EQ(peer.of(kRtxSsrc).size(), 1u) << "numbers mean what they did";
  EXPECT_EQ(got.size(), 5'050u);
  EXPECT_EQ(late.size(), 5'050u) << behind;
  for (const Peer* each : {&peer, &slow, &other}) {
    const auto& all = each->got.at(kVideoSsrc);
    FanOutWorld::expect_no_holes(all);
    FanOutWorld::expect_forward_timestamps(all);
    EXPECT_EQ(all.back().payload, got.back().payload);
  }
  EXPECT_EQ(got[5'000].timestamp - got[4'995].timestamp, 3'000u);
  EXPECT_EQ(world.fan_out.totals().skipped, 0u);
}

TEST(FanOutSource, fills_a_hole_with_the_group_and_begins_anew_for_who_asks) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  play(world, stream, 10, true);
  world.loses_batches = true;
  play(world, stream, 5);
  world.loses_batches = false;
  play(world, stream, 10);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 100u);
  world.take_wanted();
  world.pli(peer);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  world.fan_out.append_group(world.now, stream, world.group);
  world.drain();
  EXPECT_EQ(got.size(), 100u);
  world.pli(peer);
  world.drain();
  EXPECT_EQ(got.size(), 225u);
}

TEST(FanOutSource, does_not_wish_again_for_a_group_that_is_too_large) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  for (int i = 0; i < 170; ++i) world.frame(stream, {.is_keyframe = i == 0, .packets = 100, .bytes = 10});
  world.fan_out.append_group(world.now, stream, world.group);
  world.drain();
  world.take_wanted();
  world.pass(Duration::seconds(3));
  EXPECT_TRUE(world.take_wanted().empty());
  EXPECT_TRUE(peer.of(kVideoSsrc).empty());
  play(world, stream, 2, true);
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 10u);
}

TEST(FanOutSource, leaves_sound_out_of_a_group_where_it_goes_on) {
  FanOutWorld world;
  const StreamId sound = world.add_stream(payload::Encoding::kOpus, 1, false);
  Peer& peer = world.add_peer({FanOutWorld::audio()});
  world.set_source(peer, sound);
  for (int i = 0; i < 400; ++i) {
    world.frame(sound, {.packets = 1, .bytes = 80}, 960);
    world.pass(Duration::milliseconds(20));
    world.drain();
  }
  const std::size_t before = peer.of(kAudioSsrc).size();
  world.fan_out.append_group(world.now, sound, world.group);
  world.drain();
  EXPECT_EQ(peer.of(kAudioSsrc).size(), before);
}

// Sent are 1.4 Mbit/s. Up to date is it after 5 s, or 3.
TEST(FanOutSource, brings_a_receiver_up_to_date_however_often_it_asks) {
  for (const auto& [frames, rate] : {std::pair(300, 4'000'000u), std::pair(30, 1'850'000u)}) {
    FanOutWorld world;
    const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
    play(world, stream, frames, true);
    Peer& peer =
        world.add_peer({FanOutWorld::video()},
                       {.bits_per_second = rate, .burst_bytes_min = 4'000, .burst_bytes_max = 4'000});
    world.set_source(peer, stream);
    world.drain();
    for (int i = 0; i < 300; ++i) {
      if (i % 15 == 7) world.pli(peer);
      play(world, stream, 1);
    }
    const auto& got = peer.of(kVideoSsrc);
    const auto sent = static_cast<std::size_t>(5 * (frames + 300));
    EXPECT_EQ(got.size(), sent) << "nothing twice: the group takes seconds again";
    // What takes less than one is sent.
    play(world, stream, 10, true);
    world.pli(peer);
    play(world, stream, 10);
    world.pass(Duration::seconds(1));
    EXPECT_EQ(got.size(), sent + 100 + 50);
  }
}

TEST(FanOutSource, leaves_a_receiver_some_time_from_the_end_of_a_replay) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 1, false);
  // 1.4 Mbit/s: a second of the past takes 0.4 s to make good.
  Peer& peer =
      world.add_peer({FanOutWorld::video()},
                     {.bits_per_second = 5'100'000, .burst_bytes_min = 4'000, .burst_bytes_max = 4'000});
  world.set_source(peer, stream);
  world.frame(stream, {.is_keyframe = true, .bytes = 1'000});
  play(world, stream, 29);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 150u);
  std::optional<Timestamp> began, ended, again;
  for (int i = 0; i < 150 && !again; ++i) {
    world.pli(peer);
    play(world, stream, 1);
    const auto times =
        std::ranges::count_if(got, [&](const Got& each) { return each.payload.size() == 1'000; });
    if (times == 10 && !began) began = world.now;
    if (times == 15) again = world.now;
    const payload::PacketBatch& newest = world.group.back();
    if (began && !ended && std::ranges::equal(got.back().payload, newest.payload(newest.count - 1u)))
      ended = world.now;
  }
  ASSERT_TRUE(began && ended && again);
  EXPECT_GT(*ended - *began, Duration::milliseconds(250));
  EXPECT_GT(*again - *ended, Duration::milliseconds(1'900));
}

TEST(FanOutSource, is_not_led_in_a_circle_by_packets_far_ahead) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  const auto add = [&](std::int64_t sequence, bool is_keyframe) {
    payload::Packet packet;
    packet.sequence = 70'000 + sequence;
    packet.timestamp = 1'000'000 + sequence * 3'000 / 10;
    packet.facts = {.starts_frame = true, .is_keyframe = is_keyframe};
    packet.marker = true;
    world.add(stream, packet, 100);
  };
  for (int i = -4'200; i < 0; ++i) add(i, false);
  add(0, true);
  add(1'500, false);
  add(3'000, false);
  for (int i = 1; i < 3'000; ++i)
    if (i != 1'500) add(i, false);
  world.flush(stream);
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  world.drain();
  EXPECT_GE(peer.of(kVideoSsrc).size(), 2'990u);
  EXPECT_LE(peer.of(kVideoSsrc).size(), 3'001u);
  EXPECT_TRUE(world.refusals.empty());
}

TEST(FanOutSource, keeps_nothing_old_of_a_source_that_fell_silent) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(), fixed = world.add_stream(payload::Encoding::kH264, 1, false);
  play(world, stream, 30, true);
  play(world, fixed, 30, true);
  EXPECT_GT(world.fan_out.history(stream, 0)->held_bytes(), 0u);
  world.pass(Duration::seconds(6));
  EXPECT_EQ(world.fan_out.history(stream, 0)->held_bytes(), 0u);
  EXPECT_GT(world.fan_out.history(fixed, 0)->held_bytes(), 0u);
  world.pass(Duration::seconds(30));
  EXPECT_EQ(world.fan_out.history(fixed, 0)->held_bytes(), 0u);
  EXPECT_EQ(world.fan_out.next_deadline(), Timestamp::never());
}

// What feeds it fell silent while it waited for a higher layer, which then is said to be too much.
TEST(FanOutSource, gives_up_the_wish_for_a_layer_that_it_may_not_have_any_more) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  world.frame(stream, {.is_keyframe = true, .bytes = 300, .layer = 0});
  world.drain();
  ASSERT_EQ(peer.of(kVideoSsrc).size(), 5u);
  for (int i = 0; i < 40; ++i) {
    world.frame(stream, {.bytes = 1100, .layer = 1});
    world.drain();
    world.pass(kFrame);
  }
  world.fan_out.set_layer_max(world.now, peer.id, 0, 0, world.out);
  world.frame(stream, {.is_keyframe = true, .bytes = 1100, .layer = 1});
  world.drain();
  world.pass(kFrame);
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 5u);
}

}  // namespace
}  // namespace stoa::webrtc
