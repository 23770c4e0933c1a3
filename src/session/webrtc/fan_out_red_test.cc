// Sound with redundancy (RED) to receivers that take it and to others, of one stream.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "media/payload/test_red.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr std::uint8_t kPublisherType = 109;  // What the publisher calls Opus.
constexpr std::uint8_t kRedType = 63;

Buffer frame_of(std::int64_t number) {
  return srtp::make_payload(40 + static_cast<std::size_t>(number % 7), static_cast<std::uint8_t>(number));
}
Buffer red_of(std::uint8_t payload_type, std::int64_t number) {
  return payload::make_red(payload_type, {{1920, frame_of(number - 2)}, {960, frame_of(number - 1)}},
                           frame_of(number));
}

// A publisher of sound whose every fifth packet has no redundancy.
struct Speaker {
  FanOutWorld& world;
  StreamId stream;
  std::int64_t number = 70'000;
  payload::PacketWriter writer;

  static bool has_red(std::int64_t number) { return number % 5 != 0; }
  void speak(int packets) {
    for (int i = 0; i < packets; ++i, ++number) {
      const payload::Packet packet{.sequence = number, .timestamp = number * 960, .marker = i == 0};
      if (has_red(number)) {
        const Buffer bytes = red_of(kPublisherType, number);
        auto red = payload::parse_red(bytes, kPublisherType);
        ASSERT_TRUE(red);
        writer.add_red(packet, *red);
      } else {
        writer.add(packet, frame_of(number));
      }
      std::vector<payload::PacketBatch> batches;
      writer.take_batches(batches);
      for (const payload::PacketBatch& batch : batches) world.fan_out.append(world.now, stream, batch);
      world.drain();
      world.pass(Duration::milliseconds(20));
    }
  }
};

OutletConfig with_red(std::uint8_t payload_type = 111) {
  OutletConfig config = FanOutWorld::audio();
  config.payload_type = payload_type;
  config.red_payload_type = kRedType;
  config.has_nack = true;
  return config;
}

TEST(FanOutRed, gives_redundancy_to_who_takes_it_and_the_frame_alone_to_others) {
  FanOutWorld world;
  Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
  Peer &takes = world.add_peer({with_red(96)}), &plain = world.add_peer({FanOutWorld::audio()});
  for (Peer* peer : {&takes, &plain}) world.set_source(*peer, speaker.stream);
  const std::int64_t first = speaker.number;
  speaker.speak(40);
  for (Peer* peer : {&takes, &plain}) {
    const auto& got = peer->of(kAudioSsrc);
    ASSERT_EQ(got.size(), 40u);
    FanOutWorld::expect_no_holes(got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::int64_t number = first + static_cast<std::int64_t>(i);
      const bool is_red = peer == &takes && Speaker::has_red(number);
      EXPECT_EQ(got[i].payload_type, is_red ? kRedType : peer == &takes ? 96 : 111) << i;
      EXPECT_EQ(got[i].payload, is_red ? red_of(96, number) : frame_of(number)) << i;
      EXPECT_EQ(got[i].timestamp - got[0].timestamp, 960 * i);
    }
  }
  EXPECT_EQ(world.fan_out.stats(takes.id, 0).with_red, 32u);
  EXPECT_EQ(world.fan_out.stats(plain.id, 0).with_red, 0u);
  EXPECT_GT(world.fan_out.stats(takes.id, 0).bytes, 2 * world.fan_out.stats(plain.id, 0).bytes);
  EXPECT_TRUE(world.refusals.empty());
  EXPECT_EQ(world.fan_out.totals().refused, 0u);
}

TEST(FanOutRed, is_sent_where_loss_calls_for_it) {
  FanOutWorld world;
  Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
  Peer& peer = world.add_peer({with_red()});
  world.set_source(peer, speaker.stream);
  auto report = [&](std::uint8_t fraction_lost) {
    rtcp::ReportBlock block{.ssrc = kAudioSsrc, .fraction_lost = fraction_lost};
    block.highest_sequence = static_cast<std::uint32_t>(peer.of(kAudioSsrc).back().sequence);
    rtcp::Writer writer;
    writer.write_receiver_report(1, {&block, 1});
    world.rtcp(peer, writer);
  };
  auto red_of_next = [&](int packets) {
    peer.got.clear();
    speaker.speak(packets);
    return std::ranges::count(peer.of(kAudioSsrc), kRedType, &Got::payload_type);
  };
  EXPECT_EQ(red_of_next(500), 400);  // Ten seconds: who knows?
  report(0);
  EXPECT_EQ(red_of_next(50), 0);
  report(2);  // Of 256.
  EXPECT_EQ(red_of_next(50), 0);
  report(3);
  EXPECT_EQ(red_of_next(450), 360);
  report(0);
  EXPECT_EQ(red_of_next(50), 40);
  report(0);
  EXPECT_EQ(red_of_next(50), 0);
}

// So far away that nothing that is asked for again comes in time: what there is comes with the packets.
TEST(FanOutRed, repairs_ten_percent_of_loss_without_a_round_trip) {
  for (const bool is_burst : {false, true}) {
    FanOutWorld world;
    Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
    Peer& peer = world.add_peer({with_red()});
    world.set_source(peer, speaker.stream);
    Rng rng(5);
    std::vector<bool> is_heard;
    std::size_t lost = 0, burst_left = 0;
    for (int second = 0; second < 60; ++second) {
      peer.got.clear();
      speaker.speak(50);
      for (const Got& got : peer.of(kAudioSsrc)) {
        is_heard.push_back(false);
        if (burst_left == 0 && rng.chance(is_burst ? 0.05 : 0.1)) burst_left = is_burst ? 2 : 1;
        if (burst_left > 0) {
          --burst_left;
          ++lost;
          continue;
        }
        const std::size_t carried = got.payload_type == kRedType ? 3 : 1;
        for (std::size_t i = 0; i < std::min(carried, is_heard.size()); ++i)
          is_heard[is_heard.size() - 1 - i] = true;
      }
      rtcp::ReportBlock block{.ssrc = kAudioSsrc, .fraction_lost = 26};
      block.highest_sequence = static_cast<std::uint32_t>(peer.of(kAudioSsrc).back().sequence);
      rtcp::Writer writer;
      writer.write_receiver_report(1, {&block, 1});
      world.rtcp(peer, writer);
    }
    const auto silent = static_cast<std::size_t>(std::ranges::count(is_heard, false));
    EXPECT_GT(lost, is_heard.size() / 13);
    EXPECT_LT(silent * 5, lost) << is_burst;
  }
}

TEST(FanOutRed, repeats_the_same_bytes_where_that_is_safe) {
  FanOutWorld world({}, srtp::Profile::kAes128CmHmacSha1_80);
  Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
  Peer& peer = world.add_peer({with_red()});
  world.set_source(peer, speaker.stream);
  const std::int64_t first = speaker.number;
  speaker.speak(20);
  for (const std::size_t lost : {7u, 10u}) {
    EXPECT_EQ(Speaker::has_red(first + static_cast<std::int64_t>(lost)), lost == 7);
    const std::size_t before = world.raw.size();
    world.nack(peer, {static_cast<std::uint16_t>(peer.of(kAudioSsrc)[lost].sequence)}, kAudioSsrc);
    world.drain();
    ASSERT_EQ(world.raw.size(), before + 1);
    EXPECT_EQ(world.raw.back(), world.raw[lost]);
    world.pass(Duration::milliseconds(200));
  }
  EXPECT_EQ(world.fan_out.totals().refused, 0u);
}

TEST(FanOutRed, retransmits_the_frame_alone_since_rtx_is_of_opus) {
  FanOutWorld world;
  Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
  OutletConfig config = with_red();
  config.rtx_ssrc = kRtxSsrc;
  config.rtx_payload_type = 112;
  Peer& peer = world.add_peer({config});
  world.set_source(peer, speaker.stream);
  const std::int64_t first = speaker.number;
  speaker.speak(20);
  world.nack(peer, {static_cast<std::uint16_t>(peer.of(kAudioSsrc)[7].sequence)}, kAudioSsrc);
  world.drain();
  const auto& again = peer.of(kRtxSsrc);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].payload_type, 112);
  const Buffer frame = frame_of(first + 7);
  ASSERT_EQ(again[0].payload.size(), frame.size() + 2);
  EXPECT_TRUE(std::equal(frame.begin(), frame.end(), again[0].payload.begin() + 2));
  EXPECT_EQ(peer.of(kAudioSsrc)[7].payload_type, kRedType);
}

TEST(FanOutRed, ends_and_all_else_goes_on) {
  for (const srtp::Profile profile : {srtp::Profile::kAes128CmHmacSha1_80, srtp::Profile::kAeadAes128Gcm}) {
    FanOutWorld world({}, profile);
    Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
    Peer& peer = world.add_peer({with_red()});
    world.set_source(peer, speaker.stream);
    const std::int64_t first = speaker.number;
    speaker.speak(12);
    world.fan_out.set_red(peer.id, 0, std::nullopt);
    speaker.speak(12);
    const auto& got = peer.of(kAudioSsrc);
    ASSERT_EQ(got.size(), 24u);
    FanOutWorld::expect_no_holes(got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::int64_t number = first + static_cast<std::int64_t>(i);
      const bool is_red = i < 12 && Speaker::has_red(number);
      EXPECT_EQ(got[i].payload_type, is_red ? kRedType : 111) << i;
      EXPECT_EQ(got[i].payload, is_red ? red_of(111, number) : frame_of(number)) << i;
      EXPECT_EQ(got[i].timestamp - got[0].timestamp, 960 * i);
    }
    EXPECT_EQ(world.fan_out.stats(peer.id, 0).packets, 24u);
    EXPECT_EQ(world.fan_out.stats(peer.id, 0).with_red, 9u);
    EXPECT_TRUE(world.refusals.empty());
  }
}

// Two forms under one number would be two texts under one key stream.
TEST(FanOutRed, repeats_nothing_in_another_form) {
  FanOutWorld world({}, srtp::Profile::kAes128CmHmacSha1_80);
  Speaker speaker{.world = world, .stream = world.add_stream(payload::Encoding::kOpus), .writer = {}};
  Peer& peer = world.add_peer({with_red()});
  world.set_source(peer, speaker.stream);
  speaker.speak(12);
  const auto& got = peer.of(kAudioSsrc);
  const auto nack = [&](std::size_t lost) {
    world.nack(peer, {static_cast<std::uint16_t>(got[lost].sequence)}, kAudioSsrc);
  };
  nack(7);  // It waits to be sent.
  world.fan_out.set_red(peer.id, 0, std::nullopt);
  speaker.speak(12);
  nack(7);
  nack(11);
  world.drain();
  EXPECT_EQ(world.raw.size(), 24u);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacked_unknown, 2u);
  nack(12);
  world.drain();
  ASSERT_EQ(world.raw.size(), 25u);
  EXPECT_EQ(world.raw.back(), world.raw[12]);
}

}  // namespace
}  // namespace stoa::webrtc
