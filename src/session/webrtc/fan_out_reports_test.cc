// What receivers say of what they are sent, and what is done for it.
#include <gtest/gtest.h>

#include "proto/rtcp/ntp.h"
#include "proto/rtcp/packet.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kFrame = Duration::milliseconds(33);
constexpr std::uint8_t kPlayoutId = 9;

void play(FanOutWorld& world, StreamId stream, int frames, bool begins_with_keyframe = false) {
  for (int i = 0; i < frames; ++i) {
    world.frame(stream, {.is_keyframe = begins_with_keyframe && i == 0});
    world.drain();
    world.pass(kFrame);
  }
}
void fir(FanOutWorld& world, Peer& peer, std::uint32_t sender_ssrc, std::uint8_t sequence) {
  rtcp::Writer writer;
  const rtcp::FirItem item{.ssrc = kVideoSsrc, .sequence = sequence};
  writer.write_fir(sender_ssrc, std::span(&item, 1));
  world.rtcp(peer, writer);
}
OutletConfig told_playout(bool has_rtx = true) {
  OutletConfig config = FanOutWorld::video(payload::Encoding::kH264, has_rtx);
  config.extensions.set(rtp::ExtensionKind::kPlayoutDelay, kPlayoutId);
  return config;
}

// RFC 5104 §4.3.1.2
TEST(FanOutReports, takes_a_repeated_intra_request_for_one) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 30, true);
  world.take_wanted();
  fir(world, peer, 1, 7);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  for (int i = 0; i < 5; ++i) {
    world.pass(Duration::seconds(1));
    fir(world, peer, 1, 7);
  }
  EXPECT_TRUE(world.take_wanted().empty());
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).plis, 1u);
  fir(world, peer, 1, 8);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  world.pass(Duration::seconds(1));
  fir(world, peer, 2, 8);
  EXPECT_EQ(world.take_wanted().size(), 1u) << "whoever else asks counts for itself";
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).plis, 3u);
}

// RFC 3611 §4.4, §4.5: so that who only receives learns the round trip as well.
TEST(FanOutReports, answers_a_reference_time_once) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 3, true);
  world.pass(Duration::seconds(2));
  world.out.clear();
  const rtcp::NtpTime theirs = rtcp::NtpTime::from_wall(WallTime::from_seconds(1'700'000'000));
  rtcp::Writer writer;
  writer.write_reference_time(4242, theirs);
  world.rtcp(peer, writer);
  const Timestamp asked_at = world.now;
  std::size_t answers = 0;
  for (int i = 0; i < 300; ++i) {
    world.pass(Duration::milliseconds(10));
    for (FanOutOutput& output : world.out.take()) {
      auto* report = std::get_if<SendReport>(&output);
      if (report == nullptr) continue;
      auto reader = rtcp::Reader::open(report->packet, rtcp::Form::kCompound);
      ASSERT_TRUE(reader);
      while (auto next = reader->next()) {
        const auto* extended = *next ? std::get_if<rtcp::ExtendedReport>(&**next) : nullptr;
        if (extended == nullptr) continue;
        EXPECT_EQ(extended->ssrc, kVideoSsrc);
        rtcp::XrBlocks blocks = extended->blocks();
        while (const auto block = blocks.next()) {
          const auto* delay = std::get_if<rtcp::DelaySinceLast>(&*block);
          ASSERT_TRUE(delay);
          for (const rtcp::DlrrItem item : delay->items) {
            ++answers;
            EXPECT_EQ(item.ssrc, 4242u);
            EXPECT_EQ(item.last_rr, theirs.compact());
            EXPECT_NEAR(item.delay_since_last_rr / 65'536.0, (world.now - asked_at).as_seconds(), 0.011);
          }
        }
      }
    }
  }
  EXPECT_EQ(answers, 1u);
}

TEST(FanOutReports, tells_its_playout_delay_until_the_receiver_has_it) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer({told_playout()});
  Peer& deaf = world.add_peer();
  world.set_source(peer, stream);
  world.set_source(deaf, stream);
  play(world, stream, 10, true);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 50u);
  for (const Got& each : got) {
    const auto told = FanOutWorld::element_of(each, kPlayoutId);
    ASSERT_TRUE(told);
    EXPECT_EQ(rtp::parse_playout_delay(*told), (rtp::PlayoutDelay{{}, Duration::milliseconds(1000)}));
  }
  EXPECT_FALSE(FanOutWorld::element_of(deaf.of(kVideoSsrc)[0], kPlayoutId));
  const auto report = [&](std::int64_t highest) {
    const rtcp::ReportBlock block{.ssrc = kVideoSsrc,
                                  .highest_sequence = static_cast<std::uint32_t>(highest)};
    rtcp::Writer writer;
    writer.write_receiver_report(1, std::span(&block, 1));
    world.rtcp(peer, writer);
  };
  report(got.front().sequence - 1);
  play(world, stream, 1);
  EXPECT_TRUE(FanOutWorld::element_of(got.back(), kPlayoutId));
  report(got.front().sequence + 3);
  play(world, stream, 1);
  EXPECT_FALSE(FanOutWorld::element_of(got.back(), kPlayoutId));
  world.nack(peer, {static_cast<std::uint16_t>(got.front().sequence)});
  world.drain();
  EXPECT_EQ(peer.of(kRtxSsrc).size(), 1u);
  EXPECT_TRUE(world.refusals.empty());
}

TEST(FanOutReports, ends_telling_its_playout_delay_though_no_report_comes) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer({told_playout()});
  world.set_source(peer, stream);
  play(world, stream, 300, true);
  EXPECT_TRUE(FanOutWorld::element_of(peer.of(kVideoSsrc)[990], kPlayoutId));
  EXPECT_FALSE(FanOutWorld::element_of(peer.of(kVideoSsrc)[1'010], kPlayoutId));
}

// A packet that is sent again must be the same to the last bit: its key stream is.
TEST(FanOutReports, tells_no_playout_delay_where_packets_are_repeated) {
  FanOutWorld world({}, srtp::Profile::kAes128CmHmacSha1_80);
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer({told_playout(false)});
  world.set_source(peer, stream);
  play(world, stream, 3, true);
  EXPECT_FALSE(FanOutWorld::element_of(peer.of(kVideoSsrc)[0], kPlayoutId));
}

void nack_items(FanOutWorld& world, Peer& peer, std::size_t items) {
  Buffer packet = {0x81, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0x11, 0x11};
  rtcp::store_u16(packet.data() + 2, static_cast<std::uint16_t>(2 + items));
  const auto first = static_cast<std::uint16_t>(peer.of(kVideoSsrc).back().sequence - 16);
  for (std::size_t i = 0; i < items; ++i) {
    packet.resize(packet.size() + 4, 0xff);
    rtcp::store_u16(packet.data() + packet.size() - 4, first);
  }
  world.fan_out.handle_rtcp(world.now, world.wall(), peer.id, packet, world.out);
}

TEST(FanOutReports, looks_at_so_many_nacks_in_so_long_however_many_come) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer({FanOutWorld::video()}, {.bits_per_second = 1'000'000'000});
  world.set_source(peer, stream);
  play(world, stream, 60, true);
  const auto stats = [&] { return world.fan_out.stats(peer.id, 0); };
  // 370 items of 17 packets each fill a datagram.
  nack_items(world, peer, 370);
  EXPECT_EQ(stats().nacked, 128u);
  EXPECT_EQ(stats().nacks_ignored, 370u * 17 - 128);
  for (int i = 0; i < 20; ++i) nack_items(world, peer, 370);
  EXPECT_EQ(stats().nacked, 128u) << "in any number of datagrams";
  world.pass(Duration::milliseconds(10));
  nack_items(world, peer, 370);
  EXPECT_EQ(stats().nacked, 256u);
  EXPECT_EQ(world.fan_out.totals().nacks_ignored, 22u * 370 * 17 - 256);
  world.drain();
  EXPECT_EQ(peer.of(kRtxSsrc).size(), 17u) << "each once in a round trip";
}

TEST(FanOutReports, looks_at_no_nack_after_the_first_that_there_is_no_room_for) {
  FanOutWorld world({.retransmission_share_max = 0});
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 10, true);
  nack_items(world, peer, 2);
  // 20'000 bytes at 1100 each: 18 would fit, of which 17 were asked for twice.
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacks_ignored, 0u);
  world.drain();
  world.pass(Duration::milliseconds(200));
  nack_items(world, peer, 3);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacked, 34u + 2);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacks_ignored, 3u * 17 - 1);
}

TEST(FanOutReports, looks_at_no_nack_while_the_queue_is_full) {
  FanOutWorld world({.retransmission_age_max = Duration::seconds(10)});
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  for (int i = 0; i < 40; ++i) {
    world.frame(stream, {.is_keyframe = i == 0, .bytes = 100});
    world.drain();
    world.pass(kFrame);
  }
  const auto nack_all = [&] {
    std::vector<std::uint16_t> missing;
    for (int back = 190; back > 0; --back)
      missing.push_back(static_cast<std::uint16_t>(peer.of(kVideoSsrc).back().sequence - back));
    world.nack(peer, missing);
  };
  nack_all();
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacked, 128u);
  world.now = world.now + Duration::milliseconds(10);  // Nothing is sent meanwhile.
  nack_all();
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacked, 128u + 1);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacks_ignored, 190u - 128 + 190);
}

// What was asked for in time and waited for its turn is over when SRTP would not take its number any more.
TEST(FanOutReports, repeats_no_packet_that_came_to_be_too_old_while_it_waited) {
  FanOutWorld world({.history = {.packets = 1024, .bytes = 8u << 20, .age = Duration::seconds(4)}},
                    srtp::Profile::kAes128CmHmacSha1_80);
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer(
      {FanOutWorld::video(payload::Encoding::kH264, false)},
      {.bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000});
  world.set_source(peer, stream);
  for (int i = 0; i < 24; ++i) {
    world.frame(stream, {.is_keyframe = i == 0, .packets = 50, .bytes = 200});
    world.drain();
    world.pass(kFrame);
  }
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 1'200u);
  // The first is sent, the second is let go of by the history, and then others go out before the third.
  for (const int back : {10, 999, 998})
    world.nack(peer, {static_cast<std::uint16_t>(got.back().sequence - back)});
  world.frame(stream, {.packets = 25, .bytes = 200});
  world.drain();
  EXPECT_EQ(world.fan_out.totals().packets, 1'225u);
  EXPECT_EQ(world.fan_out.totals().retransmitted, 1u);
  EXPECT_EQ(world.fan_out.totals().refused, 0u);
}

}  // namespace
}  // namespace stoa::webrtc
