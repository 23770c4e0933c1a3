// Outlets that come and go while others of their sender flow.
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kFrame = Duration::milliseconds(33);

OutletConfig another(std::uint32_t ssrc, payload::Encoding encoding = payload::Encoding::kH264) {
  OutletConfig config = FanOutWorld::video(encoding);
  config.ssrc = ssrc;
  config.rtx_ssrc = ssrc + 1;
  return config;
}

TEST(FanOutOutlets, come_and_go_beside_one_that_flows) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(), other = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  for (std::uint32_t i = 0; i < 40; ++i) {
    const std::uint32_t ssrc = 0x10000 + i / 4 * 16;
    // Between what is appended and what is sent, so with a list of what is to be sent.
    world.frame(stream, {.is_keyframe = i == 0});
    world.frame(other, {.is_keyframe = i % 4 == 0});
    if (i % 4 == 0) {
      world.fan_out.open_outlet(peer.id, 1 + i % 8, another(ssrc));
      world.set_source(peer, other, 1 + i % 8);
    }
    if (i % 4 == 3) world.fan_out.close_outlet(peer.id, 1 + (i - 3) % 8);
    world.drain();
    world.pass(kFrame);
  }
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 200u);
  FanOutWorld::expect_no_holes(peer.of(kVideoSsrc));
  FanOutWorld::expect_forward_timestamps(peer.of(kVideoSsrc));
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(peer.of(0x10000 + i * 16).size(), 15u) << i;
    FanOutWorld::expect_no_holes(peer.of(0x10000 + i * 16));
  }
  EXPECT_TRUE(world.refusals.empty());
  EXPECT_EQ(world.fan_out.totals().refused, 0u);
}

TEST(FanOutOutlets, leave_the_list_of_those_that_wait_to_be_sent_whole) {
  // Held by the pacer: all outlets of video stay listed.
  for (std::size_t gone = 0; gone < 3; ++gone) {
    FanOutWorld world;
    const StreamId stream = world.add_stream();
    Peer& peer =
        world.add_peer({FanOutWorld::video(), another(0x100), another(0x200)},
                       {.bits_per_second = 4'000'000, .burst_bytes_min = 3000, .burst_bytes_max = 3000});
    for (std::size_t i = 0; i < 3; ++i) world.set_source(peer, stream, i);
    world.frame(stream, {.is_keyframe = true, .packets = 20});
    world.drain();
    // Its place is sound's now, which has a list of its own.
    world.fan_out.close_outlet(peer.id, gone);
    world.fan_out.open_outlet(peer.id, gone, FanOutWorld::audio());
    const StreamId sound = world.add_stream(payload::Encoding::kOpus);
    world.set_source(peer, sound, gone);
    world.frame(sound, {.packets = 1, .bytes = 80});
    world.drain();
    EXPECT_EQ(peer.of(kAudioSsrc).size(), 1u);
    world.pass(Duration::seconds(1));
    const std::uint32_t ssrcs[] = {kVideoSsrc, 0x100, 0x200};
    for (std::size_t i = 0; i < 3; ++i) {
      if (i == gone) continue;
      EXPECT_EQ(peer.of(ssrcs[i]).size(), 20u) << gone << ' ' << i;
    }
  }
}

TEST(FanOutOutlets, go_on_with_the_numbers_of_their_ssrc) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  for (int i = 0; i < 5; ++i) {
    world.fan_out.open_outlet(peer.id, 0, FanOutWorld::video());
    world.set_source(peer, stream);
    world.frame(stream, {.is_keyframe = true});
    world.drain();
    world.nack(peer, {static_cast<std::uint16_t>(peer.of(kVideoSsrc).back().sequence)});
    world.drain();
    world.fan_out.close_outlet(peer.id, 0);
    world.pass(kFrame);
  }
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 25u);
  FanOutWorld::expect_no_holes(peer.of(kVideoSsrc));
  EXPECT_EQ(peer.of(kRtxSsrc).size(), 5u);
  FanOutWorld::expect_no_holes(peer.of(kRtxSsrc));
  EXPECT_EQ(world.fan_out.totals().refused, 0u);
}

TEST(FanOutOutlets, that_are_closed_hear_nothing) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  world.frame(stream, {.is_keyframe = true});
  world.drain();
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).packets, 5u);
  world.fan_out.close_outlet(peer.id, 0);
  world.fan_out.close_outlet(peer.id, 0);
  world.fan_out.close_outlet(peer.id, 7);
  world.pli(peer);
  rtcp::Writer writer;
  writer.write_pli(1, 0);  // The SSRC of nothing.
  world.rtcp(peer, writer);
  world.set_source(peer, stream);
  world.frame(stream, {.is_keyframe = true});
  world.drain();
  world.pass(Duration::seconds(2));
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 5u);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).packets, 0u);
  EXPECT_EQ(world.fan_out.totals().plis, 0u);
  world.fan_out.remove_stream(stream);
  world.fan_out.open_outlet(peer.id, kOutletsMax, FanOutWorld::video());
  world.fan_out.remove_sender(peer.id);
  EXPECT_EQ(world.fan_out.senders(), 0u);
}

}  // namespace
}  // namespace stoa::webrtc
