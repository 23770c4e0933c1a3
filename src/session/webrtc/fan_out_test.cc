#include "session/webrtc/fan_out.h"

#include "media/payload/vp8.h"
#include "proto/rtcp/ntp.h"
#include "proto/rtcp/packet.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kFrame = Duration::milliseconds(33);

// A keyframe and `more` frames, sent as they come.
void play(FanOutWorld& world, StreamId stream, int more, bool begins_with_keyframe = true,
          payload::LayerIndex layer = 0) {
  for (int i = 0; i <= more; ++i) {
    world.frame(stream, {.is_keyframe = begins_with_keyframe && i == 0, .layer = layer});
    world.drain();
    world.pass(kFrame);
  }
}

TEST(FanOut, sends_the_payloads_of_a_stream_in_trains_of_one_frame) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  EXPECT_EQ(world.take_wanted().size(), 1u);
  play(world, stream, 9);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 50u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  for (std::size_t i = 0; i < 50; ++i) {
    payload::Packet packet;
    packet.sequence = 65'500 + static_cast<std::int64_t>(i);
    EXPECT_EQ(got[i].payload, FanOutWorld::payload_of(packet, 1100));
    EXPECT_EQ(got[i].payload_type, 96);
  }
  EXPECT_EQ(world.segments, std::vector<std::size_t>(10, 5));
  EXPECT_TRUE(world.refusals.empty());
  EXPECT_EQ(world.fan_out.totals().refused, 0u);
}

TEST(FanOut, pads_packets_of_nearly_equal_size_into_one_train) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  const std::size_t sizes[] = {1000, 1001, 999, 1001, 400};
  for (int i = 0; i < 5; ++i) {
    payload::Packet packet;
    packet.sequence = i;
    packet.facts = {.starts_frame = i == 0, .is_keyframe = true};
    packet.marker = i == 4;
    world.add(stream, packet, sizes[i]);
  }
  world.flush(stream);
  world.drain();
  EXPECT_EQ(world.segments, std::vector<std::size_t>{5});
  EXPECT_EQ(world.fan_out.totals().padding_bytes, 3u);
  ASSERT_EQ(peer.of(kVideoSsrc).size(), 5u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(peer.of(kVideoSsrc)[i].payload.size(), sizes[i]);
}

TEST(FanOut, gives_a_late_receiver_the_group_with_timestamps_drawn_together) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  play(world, stream, 30);
  Peer& peer = world.add_peer(
      {FanOutWorld::video()},
      {.bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000});
  world.set_source(peer, stream);
  EXPECT_TRUE(world.take_wanted().empty());
  world.drain();
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 31u * 5);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  // A second of media in about 31 ms.
  EXPECT_LE(got.back().timestamp - got.front().timestamp, 90u * 40);
  // Live goes on at its own pace.
  const std::uint32_t edge = got.back().timestamp;
  play(world, stream, 2, false);
  EXPECT_EQ(got.back().timestamp - edge, 9000u);
  FanOutWorld::expect_forward_timestamps(got);
}

TEST(FanOut, asks_for_a_keyframe_when_the_one_it_has_is_old) {
  FanOutWorld world({.catch_up_max = Duration::milliseconds(500)});
  const StreamId stream = world.add_stream();
  play(world, stream, 30);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  ASSERT_EQ(world.take_wanted().size(), 1u);
  play(world, stream, 3, false);
  EXPECT_TRUE(peer.of(kVideoSsrc).empty());
  world.pass(Duration::seconds(2));
  EXPECT_GE(world.take_wanted().size(), 1u) << "asks again";
  play(world, stream, 1);
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 10u);
}

TEST(FanOut, does_not_answer_a_nack_of_what_would_come_too_late) {
  FanOutWorld world;
  Peer& peer = world.add_peer();
  const StreamId stream = world.add_stream();
  world.set_source(peer, stream);
  for (int i = 0; i < 30; ++i) {
    world.frame(stream, {.is_keyframe = i == 0});
    world.drain();
    world.pass(Duration::milliseconds(50));
  }
  const std::vector<Got> got = peer.of(kVideoSsrc);
  // Sent 1.5 and 0.5 s ago.
  world.nack(peer,
             {static_cast<std::uint16_t>(got[0].sequence), static_cast<std::uint16_t>(got[100].sequence)});
  world.drain();
  EXPECT_EQ(peer.of(kRtxSsrc).size(), 1u);
  EXPECT_EQ(world.fan_out.stats(peer.id, 0).nacked_late, 1u);
}

TEST(FanOut, answers_a_nack_with_rtx_once_in_a_round_trip) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 20);
  const Got wanted = peer.of(kVideoSsrc)[40];
  world.nack(peer, {static_cast<std::uint16_t>(wanted.sequence)});
  world.nack(peer, {static_cast<std::uint16_t>(wanted.sequence)});
  world.drain();
  auto& rtx = peer.of(kRtxSsrc);
  ASSERT_EQ(rtx.size(), 1u);
  EXPECT_EQ(rtx[0].payload_type, 97);
  EXPECT_EQ(rtx[0].timestamp, wanted.timestamp);
  ASSERT_EQ(rtx[0].payload.size(), wanted.payload.size() + 2);
  EXPECT_EQ(rtx[0].payload[0] << 8 | rtx[0].payload[1], wanted.sequence & 0xffff);
  EXPECT_TRUE(std::equal(wanted.payload.begin(), wanted.payload.end(), rtx[0].payload.begin() + 2));
  world.pass(Duration::milliseconds(200));
  world.nack(peer, {static_cast<std::uint16_t>(wanted.sequence),
                    static_cast<std::uint16_t>(wanted.sequence + 5000)});
  world.drain();
  EXPECT_EQ(rtx.size(), 2u);
  EXPECT_EQ(rtx[1].sequence, rtx[0].sequence + 1);
  const OutletStats stats = world.fan_out.stats(peer.id, 0);
  EXPECT_EQ(stats.retransmitted, 2u);
  EXPECT_EQ(stats.nacked_unknown, 1u);
}

TEST(FanOut, bounds_what_it_sends_again) {
  FanOutWorld world({.retransmission_share_max = 0.1, .retransmission_age_max = Duration::seconds(10)});
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 60);
  std::vector<std::uint16_t> all;
  for (const Got& got : peer.of(kVideoSsrc)) all.push_back(static_cast<std::uint16_t>(got.sequence));
  world.nack(peer, all);
  world.drain();
  world.pass(Duration::milliseconds(100));
  EXPECT_GT(peer.of(kRtxSsrc).size(), 5u);
  EXPECT_LE(peer.of(kRtxSsrc).size(), 20u);
}

TEST(FanOut, repeats_the_same_bytes_without_rtx_where_that_is_safe) {
  for (const srtp::Profile profile : {srtp::Profile::kAes128CmHmacSha1_80, srtp::Profile::kAeadAes128Gcm}) {
    FanOutWorld world({}, profile);
    const StreamId stream = world.add_stream();
    Peer& peer = world.add_peer({FanOutWorld::video(payload::Encoding::kH264, false)});
    world.set_source(peer, stream);
    play(world, stream, 3);
    const std::size_t before = world.raw.size();
    world.nack(peer, {static_cast<std::uint16_t>(peer.of(kVideoSsrc)[7].sequence)});
    world.drain();
    if (srtp::shape_of(profile).cipher == crypto::SrtpCipher::kAes128CounterHmacSha1) {
      ASSERT_EQ(world.raw.size(), before + 1);
      EXPECT_EQ(world.raw.back(), world.raw[7]);
    } else {
      EXPECT_EQ(world.raw.size(), before);
    }
    EXPECT_EQ(world.fan_out.totals().refused, 0u);
  }
}

TEST(FanOut, switches_layers_at_a_keyframe_without_a_hole) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  for (int i = 0; i < 50; ++i) {
    if (i == 10) world.fan_out.set_layer_max(world.now, peer.id, 0, 0, world.out);
    if (i == 30) world.fan_out.set_layer_max(world.now, peer.id, 0, 1, world.out);
    world.frame(stream, {.is_keyframe = i % 20 == 0, .bytes = 300, .layer = 0});
    world.frame(stream, {.is_keyframe = i % 20 == 0, .bytes = 1100, .layer = 1});
    world.drain();
    world.pass(kFrame);
    // Nobody needs what is before the keyframe with which it came down.
    if (i == 25) world.nack(peer, {static_cast<std::uint16_t>(peer.of(kVideoSsrc)[98].sequence)});
  }
  EXPECT_TRUE(peer.of(kRtxSsrc).empty());
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 250u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  EXPECT_EQ(got[50].payload.size(), 1100u) << "goes on until the keyframe";
  EXPECT_EQ(got[99].payload.size(), 1100u);
  EXPECT_EQ(got[100].payload.size(), 300u);
  EXPECT_EQ(got[199].payload.size(), 300u);
  EXPECT_EQ(got[200].payload.size(), 1100u);
  // The clock goes on as the frames came.
  EXPECT_NEAR(static_cast<double>(got[100].timestamp - got[95].timestamp), 2970, 30);
  // What was sent of a lower layer before it went up can still be had.
  world.nack(peer, {static_cast<std::uint16_t>(got[198].sequence)});
  world.drain();
  ASSERT_EQ(peer.of(kRtxSsrc).size(), 1u);
  EXPECT_EQ(peer.of(kRtxSsrc)[0].payload.size(), 302u);
  EXPECT_EQ(peer.of(kRtxSsrc)[0].timestamp, got[198].timestamp);
}

TEST(FanOut, falls_to_a_lower_layer_when_one_goes_silent_and_comes_back) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 300; ++i) {
    const bool has_high = i < 50 || i >= 200;
    world.frame(stream, {.is_keyframe = i % 30 == 0, .bytes = 300, .layer = 0});
    if (has_high) world.frame(stream, {.is_keyframe = i % 30 == 0 || i == 200, .bytes = 1100, .layer = 1});
    world.drain();
    world.pass(kFrame);
    sizes.push_back(peer.of(kVideoSsrc).empty() ? 0 : peer.of(kVideoSsrc).back().payload.size());
  }
  EXPECT_EQ(sizes[49], 1100u);
  EXPECT_EQ(sizes[140], 300u);
  EXPECT_EQ(sizes[299], 1100u);
  FanOutWorld::expect_no_holes(peer.of(kVideoSsrc));
  FanOutWorld::expect_forward_timestamps(peer.of(kVideoSsrc));
}

TEST(FanOut, changes_the_stream_by_the_clocks_of_both) {
  FanOutWorld world;
  const StreamId first = world.add_stream(), second = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, first);
  // What `first` sends was captured 100 ms before it came, of `second` 300 ms.
  play(world, first, 9);
  world.fan_out.map_clock(first, 0, {1'000'000 + 10 * 3000, world.wall() - Duration::milliseconds(133)});
  world.set_source(peer, second);
  play(world, first, 4, false);
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 75u);
  world.fan_out.map_clock(second, 0, {1'003'000, world.wall() - Duration::milliseconds(50)});
  play(world, second, 5);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 105u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  // Captured: the last of the first stream at -133 ms - 33 + 0, so 83 ms + 33 between them.
  EXPECT_NEAR(static_cast<double>(got[75].timestamp - got[70].timestamp),
              90.0 * (133 - 50 + 5 * 33) - 5 * 3000, 100);
}

TEST(FanOut, rewrites_picture_ids_where_the_source_changes) {
  FanOutWorld world;
  const StreamId first = world.add_stream(payload::Encoding::kVp8),
                 second = world.add_stream(payload::Encoding::kVp8);
  Peer& peer = world.add_peer({FanOutWorld::video(payload::Encoding::kVp8)});
  const auto send = [&](StreamId stream, int number, int picture) {
    payload::PayloadList list;
    payload::write_vp8_descriptor({.starts_partition = true,
                                   .picture_id = static_cast<std::uint16_t>(picture),
                                   .tl0_index = static_cast<std::uint8_t>(picture)},
                                  list);
    for (int i = 0; i < 50; ++i) list.u8(static_cast<std::uint8_t>(i & ~1));
    list.end_payload();
    payload::Packet packet;
    packet.sequence = number;
    packet.timestamp = number * 3000;
    packet.marker = true;
    packet.facts = {.starts_frame = true, .is_keyframe = number == 0};
    payload::PacketWriter writer;
    writer.add(packet, list[0]);
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    world.fan_out.append(world.now, stream, batches[0]);
    world.drain();
    world.pass(kFrame);
  };
  world.set_source(peer, first);
  for (int i = 0; i < 4; ++i) send(first, i, 500 + i);
  world.set_source(peer, second);
  for (int i = 0; i < 4; ++i) send(second, i, 32'766 + i);
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 8u);
  for (int i = 0; i < 8; ++i) {
    const auto parsed = payload::parse_vp8(got[i].payload);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed->descriptor.picture_id, 500 + i);
    EXPECT_EQ(*parsed->descriptor.tl0_index, static_cast<std::uint8_t>(500 + i));
    EXPECT_EQ(parsed->body.size(), 50u);
  }
  world.nack(peer, {static_cast<std::uint16_t>(got[5].sequence)});
  world.drain();
  ASSERT_EQ(peer.of(kRtxSsrc).size(), 1u);
  EXPECT_TRUE(
      std::equal(got[5].payload.begin(), got[5].payload.end(), peer.of(kRtxSsrc)[0].payload.begin() + 2));
}

TEST(FanOut, forwards_what_was_repaired_late_under_its_own_number) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 2);
  world.frame(stream, {.lost = 2});
  world.drain();
  play(world, stream, 1, false);
  world.add(stream, world.lost_packet, 1100);
  world.flush(stream);
  world.drain();
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 30u);
  EXPECT_EQ(got.back().sequence, got.front().sequence + 17);
  EXPECT_EQ(got.back().timestamp, got[16].timestamp);
}

TEST(FanOut, closes_up_over_padding) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 0);
  for (int i = 0; i < 3; ++i) {
    world.frame(stream, {.packets = 2, .bytes = 0}, 0);
    play(world, stream, 1, false);
  }
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 35u);
  FanOutWorld::expect_no_holes(peer.of(kVideoSsrc));
}

TEST(FanOut, answers_pli_from_the_history_once_for_a_keyframe) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer(
      {FanOutWorld::video()},
      {.bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000});
  world.set_source(peer, stream);
  play(world, stream, 1);
  world.take_wanted();
  world.pli(peer);
  world.drain();
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 10u) << "it is on its way";
  play(world, stream, 4, false);
  world.pli(peer);
  world.drain();
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 35u + 35);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  EXPECT_EQ(got[35].payload, got[0].payload);
  EXPECT_TRUE(world.take_wanted().empty());
  play(world, stream, 20, false);
  FanOutWorld::expect_forward_timestamps(got);
  world.pli(peer);
  EXPECT_EQ(world.take_wanted().size(), 1u);
}

TEST(FanOut, spreads_a_burst_while_audio_passes) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(), sound = world.add_stream(payload::Encoding::kOpus);
  Peer& peer = world.add_peer({FanOutWorld::video(), FanOutWorld::audio()});
  world.set_source(peer, stream, 0);
  world.set_source(peer, sound, 1);
  world.frame(stream, {.is_keyframe = true, .packets = 100});
  world.drain();
  EXPECT_LE(peer.of(kVideoSsrc).size(), 15u);  // 5 ms at 20 Mb/s.
  EXPECT_GE(peer.of(kVideoSsrc).size(), 10u);
  world.frame(sound, {.packets = 1, .bytes = 100}, 960);
  world.drain();
  EXPECT_EQ(peer.of(kAudioSsrc).size(), 1u);
  EXPECT_LE(peer.of(kVideoSsrc).size(), 30u);
  world.pass(Duration::milliseconds(15));
  EXPECT_LT(peer.of(kVideoSsrc).size(), 80u);
  world.pass(Duration::milliseconds(45));
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 100u);
  EXPECT_GT(world.fan_out.totals().held_back, 2u);
  FanOutWorld::expect_no_holes(peer.of(kVideoSsrc));
}

TEST(FanOut, goes_on_where_a_full_batch_stopped_it) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  for (int i = 0; i < 40; ++i) world.set_source(world.add_peer(), stream);
  world.frame(stream, {.is_keyframe = true});
  world.drain(DatagramBatch::kTrainBytesMax);
  EXPECT_GE(world.fills, 4u);
  for (const auto& peer : world.peers) ASSERT_EQ(peer->of(kVideoSsrc).size(), 5u);
  EXPECT_FALSE(world.fan_out.has_work());
}

TEST(FanOut, skips_to_the_newest_keyframe_when_it_fell_behind) {
  FanOutWorld world({.history = {.packets = 256, .bytes = 8u << 20, .age = Duration::seconds(4)}});
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer(
      {FanOutWorld::video()},
      {.bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000});
  world.set_source(peer, stream);
  play(world, stream, 2);
  for (int i = 0; i < 100; ++i) world.frame(stream, {.is_keyframe = i == 80});
  world.drain();
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_EQ(got.size(), 15u + 100);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  EXPECT_GT(world.fan_out.stats(peer.id, 0).skipped, 200u);
}

TEST(FanOut, leaves_a_hole_where_a_frame_was_left_in_its_middle) {
  FanOutWorld world({.history = {.packets = 256, .bytes = 8u << 20, .age = Duration::seconds(4)}});
  const StreamId stream = world.add_stream();
  Peer& peer =
      world.add_peer({FanOutWorld::video()},
                     {.bits_per_second = 1'000'000, .burst_bytes_min = 2'000, .burst_bytes_max = 2'000});
  world.set_source(peer, stream);
  world.frame(stream, {.is_keyframe = true});
  world.drain();
  const std::size_t before = peer.of(kVideoSsrc).size();
  ASSERT_GT(before, 0u);
  ASSERT_FALSE(peer.of(kVideoSsrc).back().marker) << "the pacer held back the rest of the frame";
  for (int i = 0; i < 100; ++i) world.frame(stream, {.is_keyframe = i == 80});
  world.pass(Duration::milliseconds(50));
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_GT(got.size(), before);
  EXPECT_EQ(got[before].sequence, got[before - 1].sequence + 2);
}

TEST(FanOut, reports_what_it_sent_and_learns_from_the_answers) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer();
  world.set_source(peer, stream);
  play(world, stream, 0);
  world.fan_out.map_clock(stream, 0, {1'003'000, world.wall()});
  const std::uint32_t shown = peer.of(kVideoSsrc).back().timestamp;
  const WallTime mapped = world.wall();
  world.out.clear();
  world.pass(Duration::milliseconds(700));
  Buffer packet;
  for (FanOutOutput& output : world.out.take())
    if (auto* report = std::get_if<SendReport>(&output)) packet = report->packet;
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kCompound);
  ASSERT_TRUE(reader);
  const auto first = reader->next();
  ASSERT_TRUE(first && *first);
  const auto& report = std::get<rtcp::SenderReport>(**first);
  EXPECT_EQ(report.ssrc, kVideoSsrc);
  EXPECT_EQ(report.sender.packets, 5u);
  EXPECT_EQ(report.sender.octets, 5500u);
  const Duration since = report.sender.ntp.to_wall() - mapped;
  EXPECT_NEAR(static_cast<double>(report.sender.rtp_time - shown), since.as_seconds() * 90'000, 2);
  const auto second = reader->next();
  EXPECT_EQ(as_text(*std::get<rtcp::SourceDescription>(**second).find(kVideoSsrc, rtcp::SdesType::kCname)),
            "stoa");

  const rtcp::ReportBlock block{
      .ssrc = kVideoSsrc, .fraction_lost = 64, .jitter = 900, .last_sr = report.sender.ntp.compact()};
  rtcp::Writer writer;
  writer.write_receiver_report(1, std::span(&block, 1));
  writer.write_remb(1, 3'000'000, std::vector<std::uint32_t>{kVideoSsrc});
  world.rtcp(peer, writer);
  const OutletStats stats = world.fan_out.stats(peer.id, 0);
  EXPECT_DOUBLE_EQ(stats.loss, 0.25);
  EXPECT_EQ(stats.jitter, Duration::milliseconds(10));
  EXPECT_GT(stats.round_trip, Duration());
  EXPECT_NEAR(static_cast<double>(stats.remb_bps), 3e6, 3e4);
}

TEST(FanOut, forgets_ten_thousand_senders_in_any_order) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kH264, 2);
  Peer& keys = world.add_peer();
  std::vector<SenderId> ids;
  for (int i = 0; i < 10'000; ++i) {
    const SenderId id =
        world.fan_out.add_sender(world.now, {.outlets = {FanOutWorld::video()}}, *keys.send, {});
    world.fan_out.set_source(world.now, id, 0, stream, world.out);
    ids.push_back(id);
  }
  world.frame(stream, {.is_keyframe = true});
  Rng rng(3);
  while (!ids.empty()) {
    const std::size_t at = rng.below(ids.size());
    world.fan_out.remove_sender(ids[at]);
    ids[at] = ids.back();
    ids.pop_back();
    if (ids.size() == 5000) world.fan_out.remove_stream(stream);
  }
  EXPECT_EQ(world.fan_out.senders(), 1u);
  DatagramBatch batch;
  EXPECT_FALSE(world.fan_out.fill(world.now, batch));
  EXPECT_TRUE(batch.is_empty());
  world.out.clear();
  world.fan_out.handle_deadline(world.now + Duration::seconds(5), world.wall(), world.out);
  EXPECT_TRUE(world.out.empty());
}

// Whatever comes, in whatever order: no SRTP index twice, no packet refused by its receiver.
TEST(FanOut, never_uses_an_index_twice) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    FanOutWorld world({.history = {.packets = 512, .bytes = 1u << 20, .age = Duration::seconds(2)}},
                      seed % 2 ? srtp::Profile::kAeadAes128Gcm : srtp::Profile::kAes128CmHmacSha1_80);
    Rng rng(seed);
    std::vector<StreamId> streams{world.add_stream(payload::Encoding::kH264, 3), world.add_stream()};
    for (int i = 0; i < 3; ++i) world.add_peer();
    for (int step = 0; step < 500; ++step) {
      const StreamId stream = streams[rng.below(2)];
      Peer& peer = *world.peers[rng.below(world.peers.size())];
      switch (rng.below(10)) {
        case 0: world.set_source(peer, rng.chance(0.1) ? StreamId{} : stream); break;
        case 1:
          world.fan_out.set_layer_max(world.now, peer.id, 0, static_cast<payload::LayerIndex>(rng.below(4)),
                                      world.out);
          break;
        case 2:
          if (const auto& got = peer.of(kVideoSsrc); !got.empty())
            world.nack(peer, {static_cast<std::uint16_t>(got[rng.below(got.size())].sequence),
                              static_cast<std::uint16_t>(rng.next())});
          break;
        case 3: world.pli(peer); break;
        case 4:
          if (world.lost_packet.marker || world.lost_packet.sequence > 0) {
            world.add(streams[0], world.lost_packet, 700);
            world.flush(streams[0]);
          }
          break;
        case 5:
          if (rng.chance(0.05)) {
            world.fan_out.remove_stream(streams[1]);
            streams[1] = world.add_stream();
          } else if (rng.chance(0.05)) {
            world.fan_out.remove_sender(peer.id);
            world.add_peer();
          }
          break;
        default:
          world.frame(stream,
                      {.is_keyframe = rng.chance(0.1),
                       .packets = 1 + rng.below(12),
                       .bytes = rng.chance(0.05) ? 0 : 200 + rng.below(40),
                       .layer = static_cast<payload::LayerIndex>(stream == streams[0] ? rng.below(3) : 0),
                       .lost = stream == streams[0] && rng.chance(0.2) ? rng.below(6) : ~std::size_t{0}});
      }
      if (rng.chance(0.5)) world.drain(DatagramBatch::kTrainBytesMax);
      if (rng.chance(0.3)) world.pass(Duration::milliseconds(static_cast<std::int64_t>(rng.below(60))));
    }
    world.drain();
    ASSERT_TRUE(world.refusals.empty()) << seed << " " << srtp::name_of(world.refusals[0]);
    ASSERT_EQ(world.fan_out.totals().refused, 0u) << seed;
    ASSERT_GT(world.fan_out.totals().packets, 100u) << seed;
  }
}

}  // namespace
}  // namespace stoa::webrtc
