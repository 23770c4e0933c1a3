#include "session/webrtc/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/rtp/dependency_descriptor.h"
#include "session/webrtc/test_receiver.h"

namespace stoa::webrtc {
namespace {

using namespace stoa::webrtc::testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Duration ms(std::int64_t n) { return Duration::milliseconds(n); }

Sent video(std::int64_t index, Buffer payload = vp8_delta()) {
  return {.ssrc = 20,
          .index = index,
          .time = static_cast<std::uint32_t>(3000 * index),
          .payload = payload,
          .mid = "v"};
}
Sent layer(std::string_view rid, std::uint32_t ssrc, std::int64_t index) {
  return {.ssrc = ssrc,
          .index = index,
          .time = static_cast<std::uint32_t>(3000 * index),
          .payload = vp8_keyframe(),
          .mid = "v",
          .rid = rid};
}
Sent bare(Sent sent) {
  sent.mid = sent.rid = sent.repaired_rid = {};
  return sent;
}
Sent audio(std::int64_t index) {
  return {.ssrc = 10,
          .type = kOpusType,
          .index = index,
          .time = static_cast<std::uint32_t>(960 * index),
          .payload = opus_packet(),
          .mid = "a"};
}

TEST(Receiver, opens_a_track_with_the_first_packet_that_it_understands) {
  Peer peer;
  EXPECT_TRUE(peer.receiver.tracks().empty());
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  auto opened = peer.all<TrackOpened>();
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_EQ(opened[0].track.id, 1);
  EXPECT_EQ(opened[0].track.encoding, payload::Encoding::kVp8);
  EXPECT_EQ(opened[0].track.layers, 1);
  ASSERT_TRUE(peer.send(audio(1)));
  ASSERT_EQ(peer.receiver.tracks().size(), 2u);
  EXPECT_EQ(peer.receiver.tracks()[0].encoding, payload::Encoding::kOpus);
  EXPECT_EQ(peer.receiver.tracks()[0].channels, 2);
  EXPECT_EQ(peer.receiver.tracks()[1].id, 1);
}

// Browsers draw track ids by lot; players would show them as the names of sound tracks.
TEST(Receiver, does_not_take_the_ids_of_an_offer_for_names) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[0].remote_msids = {{"stream", "36c62d71-089b-49da-bc09-262a25587cbf"}};
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(audio(1)));
  EXPECT_EQ(peer.all<TrackOpened>().at(0).track.name, "");
}

TEST(Receiver, hands_packets_on_in_the_order_of_their_arrival) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(100, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(102)));
  ASSERT_TRUE(peer.send(video(101)));
  EXPECT_THAT(peer.packets(1), IsEmpty());
  peer.flush();
  EXPECT_THAT(peer.sequences(1), ElementsAre(100, 102, 101));
  auto batch = peer.all<PacketsReceived>().at(0).batch;
  EXPECT_TRUE(batch[0].facts.is_keyframe);
  EXPECT_FALSE(batch[1].facts.is_keyframe);
  Buffer sent = vp8_keyframe();
  EXPECT_TRUE(std::ranges::equal(batch.payload(0), sent));
}

TEST(Receiver, counts_on_where_sequence_and_timestamp_wrap) {
  Peer peer;
  Sent last = video(0x1ffff, vp8_keyframe()), first = video(0x20000);
  last.time = 0xffff'fff0;
  first.time = 0x10;
  ASSERT_TRUE(peer.send(last));
  ASSERT_TRUE(peer.send(first));
  peer.flush();
  auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[1].sequence, packets[0].sequence + 1);
  EXPECT_EQ(packets[1].timestamp, packets[0].timestamp + 0x20);
}

TEST(Receiver, drops_a_duplicate) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_EQ(peer.send(video(1, vp8_keyframe())).error(), ReceiveRefusal::kDuplicate);
  peer.flush();
  EXPECT_EQ(peer.packets(1).size(), 1u);
  EXPECT_EQ(peer.refused(ReceiveRefusal::kDuplicate), 1u);
}

TEST(Receiver, drops_what_is_too_late_to_be_told_from_a_duplicate) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(5000, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(5000 - 2047)));
  EXPECT_EQ(peer.send(video(5000 - 2048)).error(), ReceiveRefusal::kDuplicate);
}

TEST(Receiver, refuses_garbage) {
  Peer peer;
  EXPECT_EQ(peer.receiver.handle_rtp(peer.now, Buffer{1, 2, 3}, 0, peer.outputs).error(),
            ReceiveRefusal::kMalformed);
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_EQ(peer.send(video(2, Buffer{0x80})).error(), ReceiveRefusal::kMalformed);
  peer.receiver.handle_rtcp(peer.now, peer.wall(), Buffer{1, 2, 3}, peer.outputs);
  EXPECT_EQ(peer.refused(ReceiveRefusal::kMalformed), 3u);
  Sent wide = video(3);
  Buffer bytes = write(wide);
  bytes.resize(10'000);
  EXPECT_EQ(peer.receiver.handle_rtp(peer.now, bytes, 3, peer.outputs).error(), ReceiveRefusal::kMalformed);
}

TEST(Receiver, refuses_payload_types_and_streams_that_were_not_agreed_upon) {
  Peer peer;
  Sent other_type = video(1), other_mid = video(1);
  other_type.type = 50;
  other_mid.mid = "x";
  EXPECT_EQ(peer.send(other_type).error(), ReceiveRefusal::kUnknownPayload);
  EXPECT_EQ(peer.send(other_mid).error(), ReceiveRefusal::kUnknownStream);
  EXPECT_EQ(peer.send(bare(other_type)).error(), ReceiveRefusal::kUnknownStream);
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_EQ(peer.send(other_type).error(), ReceiveRefusal::kUnknownPayload);
}

TEST(Receiver, tells_sections_apart_by_payload_type_when_nothing_else_does) {
  Peer peer;
  ASSERT_TRUE(peer.send(bare(audio(1))));
  ASSERT_TRUE(peer.send(bare(video(1, vp8_keyframe()))));
  EXPECT_EQ(peer.receiver.tracks().size(), 2u);
}

TEST(Receiver, tells_two_sections_of_one_payload_type_apart_by_mid) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections.push_back(section(sdp::MediaKind::kVideo, "w"));
  Peer peer(agreement);
  EXPECT_EQ(peer.send(bare(video(1))).error(), ReceiveRefusal::kUnknownStream);
  Sent other = video(1, vp8_keyframe());
  other.mid = "w";
  other.ssrc = 30;
  ASSERT_TRUE(peer.send(other));
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(bare(other = {.ssrc = 30, .index = 2, .payload = vp8_delta()})));
  peer.flush();
  EXPECT_THAT(peer.sequences(2), ElementsAre(1, 2));
  EXPECT_THAT(peer.sequences(1), ElementsAre(1));
}

TEST(Receiver, moves_a_stream_that_says_another_mid) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections.push_back(section(sdp::MediaKind::kVideo, "w"));
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  Sent moved = video(2, vp8_keyframe());
  moved.mid = "w";
  ASSERT_TRUE(peer.send(moved));
  ASSERT_TRUE(peer.send(bare(video(3))));
  peer.flush();
  EXPECT_THAT(peer.sequences(2), ElementsAre(2, 3));
}

TEST(Receiver, makes_one_track_of_the_layers_of_a_simulcast) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("f", 33, 7)));
  ASSERT_TRUE(peer.send(layer("q", 31, 5)));
  ASSERT_TRUE(peer.send(bare(layer("q", 31, 6))));
  ASSERT_TRUE(peer.send(bare(layer("f", 33, 8))));
  EXPECT_EQ(peer.send(bare(layer("h", 32, 9))).error(), ReceiveRefusal::kUnknownStream);
  EXPECT_EQ(peer.send(layer("x", 32, 9)).error(), ReceiveRefusal::kUnknownStream);
  peer.flush();
  auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 4u);
  EXPECT_EQ(packets[0].layer, 2);
  EXPECT_EQ(packets[1].layer, 0);
  EXPECT_EQ(packets[2].layer, 0);
  EXPECT_EQ(packets[3].layer, 2);
  EXPECT_EQ(packets[3].sequence, 8);
  ASSERT_EQ(peer.receiver.tracks().size(), 1u);
  EXPECT_EQ(peer.receiver.tracks()[0].layers, 3);
  auto active = peer.all<LayersActive>();
  ASSERT_EQ(active.size(), 2u);
  EXPECT_EQ(active[0].layers, 0b100);
  EXPECT_EQ(active[1].layers, 0b101);
}

TEST(Receiver, knows_layers_by_signalled_ssrcs) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].receive_layers = {{.ssrc = 31, .rtx_ssrc = 41}, {.ssrc = 32, .rtx_ssrc = 42}};
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(bare(layer("", 31, 1))));
  ASSERT_TRUE(peer.send(bare(layer("", 32, 1))));
  ASSERT_TRUE(peer.send(bare(layer("", 32, 3))));
  ASSERT_TRUE(peer.send_rtx(bare(layer("", 32, 2)), 42, 900));
  peer.flush();
  auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 4u);
  EXPECT_EQ(packets[0].layer, 0);
  EXPECT_EQ(packets[3].layer, 1);
  EXPECT_EQ(packets[3].sequence, 2);
}

TEST(Receiver, learns_layers_from_source_descriptions) {
  Peer peer(simulcast_agreement());
  rtcp::Writer writer;
  std::vector<rtcp::SdesItem> items = {{32, rtcp::SdesType::kMid, as_bytes("v")},
                                       {32, rtcp::SdesType::kRtpStreamId, as_bytes("h")}};
  writer.write_receiver_report(32, {});
  writer.write_source_description(items);
  peer.send_rtcp(writer);
  ASSERT_TRUE(peer.send(bare(layer("h", 32, 1))));
  peer.flush();
  EXPECT_EQ(peer.packets(1).at(0).layer, 1);
}

TEST(Receiver, restores_retransmissions_under_their_first_number) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("h", 32, 0x1fffe)));
  ASSERT_TRUE(peer.send(layer("h", 32, 0x20001)));
  peer.run_for(ms(5));
  EXPECT_THAT(peer.nacked(), ElementsAre(0xffff, 0));
  Sent lost = bare(layer("h", 32, 0x1ffff));
  lost.repaired_rid = "h";
  lost.mid = "v";
  ASSERT_TRUE(peer.send_rtx(lost, 52, 4000));
  ASSERT_TRUE(peer.send_rtx(bare(layer("h", 32, 0x20000)), 52, 4001));
  EXPECT_EQ(peer.send_rtx(bare(layer("h", 32, 0x20000)), 52, 4002).error(), ReceiveRefusal::kDuplicate);
  EXPECT_EQ(peer.send(bare(layer("h", 32, 0x20000))).error(), ReceiveRefusal::kDuplicate);
  peer.flush();
  EXPECT_THAT(peer.sequences(1), ElementsAre(0x1fffe, 0x20001, 0x1ffff, 0x20000));
  auto packets = peer.packets(1);
  EXPECT_EQ(packets[2].timestamp + 3000, packets[3].timestamp);
  EXPECT_EQ(packets[2].payload_bytes, vp8_keyframe().size());
  EXPECT_TRUE(packets[2].facts.is_keyframe);
  EXPECT_EQ(packets[2].layer, 1);
  EXPECT_EQ(peer.receiver.stats().retransmitted, 2u);
  EXPECT_EQ(peer.receiver.stats().nacks_sent, 2u);
  peer.run_for(ms(900));
  EXPECT_EQ(peer.nacked().size(), 2u);
  EXPECT_EQ(peer.receiver.stats().lost, 0u);
}

TEST(Receiver, passes_over_retransmissions_that_only_probe) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_TRUE(
      peer.send({.ssrc = 60, .type = kVp8RtxType, .index = 1, .payload = {}, .mid = "v", .padding = 200}));
  EXPECT_EQ(peer.send_rtx(bare(video(1)), 60, 2).error(), ReceiveRefusal::kDuplicate);
  peer.flush();
  EXPECT_EQ(peer.packets(1).size(), 1u);
}

TEST(Receiver, passes_over_padding_on_streams_that_it_cannot_place) {
  Peer peer(simulcast_agreement());
  EXPECT_TRUE(peer.send({.ssrc = 61, .type = kVp8RtxType, .index = 1, .payload = {}, .padding = 200}));
  EXPECT_FALSE(peer.send({.ssrc = 61, .type = kVp8RtxType, .index = 2, .payload = {}}));
  EXPECT_EQ(peer.refused(ReceiveRefusal::kUnknownStream), 1u);
}

TEST(Receiver, passes_over_a_retransmission_before_its_stream) {
  Peer peer;
  EXPECT_TRUE(peer.send_rtx(video(9), 60, 2));
  EXPECT_TRUE(peer.receiver.tracks().empty());
  peer.flush();
  EXPECT_TRUE(peer.packets(1).empty());
}

TEST(Receiver, asks_for_no_packet_that_was_sent_again_before_it_was_missed) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send_rtx(video(2), 60, 1));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(500));
  EXPECT_THAT(peer.nacked(), IsEmpty());
  ASSERT_TRUE(peer.send_rtx(video(5), 60, 2));
  peer.run_for(ms(5));
  EXPECT_THAT(peer.nacked(), ElementsAre(4));
  EXPECT_EQ(peer.send(video(5)).error(), ReceiveRefusal::kDuplicate);
  ASSERT_TRUE(peer.send(video(4)));
  peer.run_for(ms(2000));
  EXPECT_THAT(peer.nacked(), ElementsAre(4));
  EXPECT_EQ(peer.receiver.stats().lost, 0u);
  peer.flush();
  EXPECT_THAT(peer.sequences(1), ElementsAre(1, 2, 3, 5, 4));
}

TEST(Receiver, refuses_a_retransmission_of_what_cannot_have_been_sent_yet) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_FALSE(peer.send_rtx(video(1 + 513), 60, 1));
  EXPECT_FALSE(peer.send_rtx(video(5000), 60, 2));
  EXPECT_EQ(peer.refused(ReceiveRefusal::kUnknownStream), 2u);
  ASSERT_TRUE(peer.send(video(2)));
  peer.run_for(ms(100));
  EXPECT_THAT(peer.nacked(), IsEmpty());
}

// A stream of retransmissions says what it repairs by rid alone: the stream before and its numbers are gone.
TEST(Receiver, takes_no_retransmissions_of_the_stream_before) {
  Peer peer(simulcast_agreement());
  auto repair = [](std::uint32_t of, std::int64_t index) {
    Sent lost = layer("h", of, index);
    lost.rid = {};
    lost.repaired_rid = "h";
    return lost;
  };
  ASSERT_TRUE(peer.send(layer("h", 32, 100)));
  ASSERT_TRUE(peer.send(layer("h", 32, 102)));
  ASSERT_TRUE(peer.send_rtx(repair(32, 101), 52, 1));
  peer.run_for(ms(600));
  ASSERT_TRUE(peer.send(layer("h", 36, 98)));
  ASSERT_TRUE(peer.send(layer("h", 36, 104)));
  for (std::int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(peer.send_rtx(repair(32, 103), 52, 2 + i).error(), ReceiveRefusal::kUnknownStream);
    peer.run_for(ms(600));
    ASSERT_TRUE(peer.send(layer("h", 36, 105 + i)));
  }
  // Its own are taken, also those of a stream of retransmissions that was there before its first packet.
  ASSERT_TRUE(peer.send_rtx(repair(36, 99), 56, 1));
  peer.flush();
  EXPECT_THAT(peer.sequences(1), ElementsAre(100, 102, 101, 103, 109, 110, 111, 112, 104));
}

TEST(Receiver, asks_again_after_a_round_trip) {
  Peer peer;
  peer.receiver.set_round_trip(ms(40));
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(5));
  EXPECT_THAT(peer.nacked(), ElementsAre(2));
  peer.run_for(ms(40));
  EXPECT_THAT(peer.nacked(), ElementsAre(2));
  peer.run_for(ms(20));
  EXPECT_THAT(peer.nacked(), ElementsAre(2, 2));
  peer.run_for(ms(20));
  ASSERT_TRUE(peer.send(video(2)));
  EXPECT_EQ(peer.receiver.stats().retransmitted, 1u);
  peer.run_for(ms(100));
  EXPECT_THAT(peer.nacked(), ElementsAre(2, 2));
}

TEST(Receiver, learns_from_what_is_sent_again_how_long_that_takes) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_EQ(peer.receiver.repair_time(), std::nullopt);
  ASSERT_TRUE(peer.send(video(3)));
  while (peer.nacked().empty()) peer.run_for(ms(1));
  peer.run_for(ms(80));
  ASSERT_TRUE(peer.send(video(2)));
  EXPECT_EQ(peer.receiver.repair_time(), ms(80));
  EXPECT_EQ(peer.receiver.round_trip(), std::nullopt);
}

TEST(Receiver, knows_who_will_send_nothing_again) {
  sdp::Agreement deaf = plain_agreement();
  deaf.sections[1].codecs[0].feedback.nack = false;
  Peer without(deaf);
  ASSERT_TRUE(without.send(video(1, vp8_keyframe())));
  EXPECT_EQ(without.receiver.repair_time(), Duration());
  Peer silent;
  for (std::uint64_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(silent.send(video(2 * i + 1, vp8_keyframe())));
    silent.run_for(ms(20));
  }
  EXPECT_EQ(silent.receiver.repair_time(), Duration());
}

TEST(Receiver, asks_for_nothing_that_only_came_out_of_order) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(1));
  ASSERT_TRUE(peer.send(video(2)));
  peer.run_for(ms(100));
  EXPECT_THAT(peer.nacked(), IsEmpty());
  EXPECT_EQ(peer.receiver.stats().retransmitted, 0u);
}

TEST(Receiver, asks_for_a_keyframe_when_packets_are_given_up) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(900));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 0u);
  peer.run_for(ms(200));
  EXPECT_EQ(peer.receiver.stats().lost, 1u);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
}

TEST(Receiver, asks_for_no_keyframe_when_one_came_behind_what_is_given_up) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(500));
  ASSERT_TRUE(peer.send(video(4, vp8_keyframe())));
  peer.run_for(ms(600));
  EXPECT_EQ(peer.receiver.stats().lost, 1u);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 0u);
  // But when it is of the keyframe, or may be.
  ASSERT_TRUE(peer.send(video(6)));
  peer.run_for(ms(100));
  ASSERT_TRUE(peer.send(video(8, vp8_keyframe())));
  peer.run_for(ms(950));
  EXPECT_EQ(peer.receiver.stats().lost, 2u);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 0u);  // 5 is lost, and 8 came.
  peer.run_for(ms(100));
  EXPECT_EQ(peer.receiver.stats().lost, 3u);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);  // 7 is just before 8.
}

TEST(Receiver, asks_for_a_keyframe_at_once_where_nothing_is_sent_again) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].codecs[0].feedback.nack = false;
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(10));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
  ASSERT_TRUE(peer.send(video(5, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(6)));
  peer.run_for(ms(40));
  EXPECT_THAT(peer.nacked(), IsEmpty());
}

// Two layers, then the lower alone.
class GivenUpLayer : public ::testing::Test {
 protected:
  void SetUp() override {
    peer_.receiver.set_round_trip(ms(40));
    for (int i = 0; i < 5; ++i) show(true);
  }
  // A frame of each; of the upper one with a hole before it.
  void show(bool has_upper, bool has_hole = false) {
    ++lower_;
    EXPECT_TRUE(peer_.send(frame("q", 31, lower_, lower_ == 1)));
    if (has_upper) {
      upper_ += has_hole ? 2 : 1;
      EXPECT_TRUE(peer_.send(frame("h", 32, upper_, upper_ == 1)));
    }
    peer_.run_for(ms(33));
  }
  static Sent frame(std::string_view rid, std::uint32_t ssrc, std::int64_t index, bool is_keyframe) {
    Sent sent = layer(rid, ssrc, index);
    if (!is_keyframe) sent.payload = vp8_delta();
    return sent;
  }
  std::size_t plis() const { return peer_.count<rtcp::Pli>(); }

  Peer peer_{simulcast_agreement()};
  std::int64_t lower_ = 0, upper_ = 0;
};

TEST_F(GivenUpLayer, is_asked_for_nothing) {
  show(true, true);
  for (int i = 0; i < 5; ++i) show(false);
  const std::size_t asked = peer_.nacked().size();
  EXPECT_LE(asked, 4u);  // Until it is seen that the layer was given up.
  for (int i = 0; i < 60; ++i) {
    show(false);
    if (i == 20) peer_.receiver.request_keyframe(peer_.now, 1, 1, peer_.outputs);
  }
  EXPECT_EQ(peer_.nacked().size(), asked);
  EXPECT_EQ(peer_.receiver.stats().lost, 1u);
  EXPECT_EQ(plis(), 0u);
  // The other is.
  ++lower_;
  show(false);
  EXPECT_THAT(peer_.nacked().back(), lower_ - 1);
  peer_.receiver.request_keyframe(peer_.now, 1, 0, peer_.outputs);
  EXPECT_EQ(plis(), 1u);
}

TEST_F(GivenUpLayer, is_asked_for_what_it_lacks_when_it_goes_on) {
  show(true, true);
  for (int i = 0; i < 30; ++i) show(false);
  peer_.receiver.request_keyframe(peer_.now, 1, 1, peer_.outputs);
  for (int i = 0; i < 10; ++i) show(false);
  EXPECT_EQ(plis(), 0u);
  for (int i = 0; i < 3; ++i) show(true);
  EXPECT_EQ(plis(), 1u);
}

TEST_F(GivenUpLayer, is_asked_for_nothing_when_it_goes_on_with_a_keyframe) {
  show(true, true);
  for (int i = 0; i < 40; ++i) show(false);
  ASSERT_TRUE(peer_.send(frame("h", 32, ++upper_, true)));
  for (int i = 0; i < 60; ++i) show(true);
  EXPECT_EQ(plis(), 0u);
}

// Packets that are sent again are no sign of life: they may be of what was sent before.
TEST_F(GivenUpLayer, is_not_held_for_one_that_goes_on_by_what_it_repeats) {
  show(true, true);
  for (int i = 0; i < 12; ++i) show(false);
  ASSERT_TRUE(peer_.send_rtx(frame("h", 32, upper_ - 1, false), 42, 1));
  peer_.receiver.request_keyframe(peer_.now, 1, 1, peer_.outputs);
  EXPECT_EQ(plis(), 0u);
}

TEST(Receiver, asks_for_no_sound_that_would_come_too_late) {
  for (std::int64_t round_trip_ms : {100, 400, 600}) {
    Peer peer;
    peer.receiver.set_round_trip(ms(round_trip_ms));
    ASSERT_TRUE(peer.send(audio(1)));
    ASSERT_TRUE(peer.send(audio(3)));
    peer.run_for(ms(550));
    EXPECT_EQ(peer.receiver.stats().lost, 1u);
    const std::size_t asked = peer.nacked().size();
    EXPECT_EQ(asked, round_trip_ms == 100 ? 4u : round_trip_ms == 400 ? 1u : 0u);
    peer.run_for(Duration::seconds(2));
    EXPECT_EQ(peer.nacked().size(), asked);
  }
}

TEST(Receiver, does_not_ask_for_retransmissions_that_were_not_agreed_upon) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[0].codecs[0].feedback.nack = false;
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(audio(1)));
  ASSERT_TRUE(peer.send(audio(3)));
  peer.run_for(Duration::seconds(2));
  EXPECT_THAT(peer.nacked(), IsEmpty());
  EXPECT_EQ(peer.receiver.stats().nacks_sent, 0u);
  EXPECT_EQ(peer.receiver.stats().lost, 1u);
}

TEST(Receiver, asks_a_peer_without_rtx_that_never_answers_for_little) {
  for (bool answers : {false, true}) {
    Peer peer;
    ASSERT_TRUE(peer.send(audio(1)));
    std::size_t asked = 0;
    for (std::int64_t i = 12; i < 232; i += 11) {
      peer.outputs.clear();
      ASSERT_TRUE(peer.send(audio(i)));
      peer.run_for(ms(20));
      asked = peer.nacked().size();
      peer.run_for(ms(60));  // What came sooner than a round trip would be no answer.
      for (std::int64_t lost = i - 10; answers && lost < i; ++lost) ASSERT_TRUE(peer.send(audio(lost)));
      peer.run_for(Duration::seconds(2));
    }
    // Of ten that were lost at once.
    EXPECT_EQ(asked, answers ? 10u : 1u);
  }
}

TEST(Receiver, asks_a_peer_without_rtx_again_after_a_burst_that_it_repaired) {
  Peer peer;
  ASSERT_TRUE(peer.send(audio(1)));
  ASSERT_TRUE(peer.send(audio(102)));
  peer.run_for(ms(20));
  EXPECT_EQ(peer.nacked().size(), 100u);
  peer.run_for(ms(60));
  for (std::int64_t i = 2; i < 102; ++i) ASSERT_TRUE(peer.send(audio(i)));
  peer.outputs.clear();
  ASSERT_TRUE(peer.send(audio(110)));
  peer.run_for(ms(20));
  EXPECT_EQ(peer.nacked().size(), 7u);
}

TEST(Receiver, hands_on_the_numbers_of_payloads_that_it_refuses) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  EXPECT_EQ(peer.send(video(2, Buffer{0x80})).error(), ReceiveRefusal::kMalformed);
  Sent other = video(3, h264_delta());
  other.type = kH264Type;
  EXPECT_EQ(peer.send(other).error(), ReceiveRefusal::kUnknownPayload);
  other = video(4);
  other.type = 50;
  EXPECT_EQ(peer.send(other).error(), ReceiveRefusal::kUnknownPayload);
  EXPECT_EQ(peer.send(other).error(), ReceiveRefusal::kUnknownPayload);
  ASSERT_TRUE(peer.send(video(6)));
  EXPECT_EQ(peer.send_rtx(video(5, Buffer{0x80}), 60, 1).error(), ReceiveRefusal::kMalformed);
  peer.flush();
  EXPECT_THAT(peer.sequences(1), ElementsAre(1, 2, 3, 4, 6, 5));
  for (const payload::Packet& packet : peer.packets(1)) {
    EXPECT_EQ(packet.payload_bytes > 0, packet.sequence == 1 || packet.sequence == 6);
  }
  peer.run_for(ms(500));
  EXPECT_THAT(peer.nacked(), IsEmpty());
}

TEST(Receiver, forwards_padding_as_a_packet_without_payload) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  Sent padding = video(2, {});
  padding.padding = 255;
  ASSERT_TRUE(peer.send(padding));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(50));
  peer.flush();
  auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(packets[1].sequence, 2);
  EXPECT_EQ(packets[1].payload_bytes, 0);
  EXPECT_EQ(packets[1].facts, payload::PayloadFacts{});
  EXPECT_THAT(peer.nacked(), IsEmpty());
}

TEST(Receiver, opens_no_track_for_padding) {
  Peer peer;
  Sent padding = video(2, {});
  padding.padding = 255;
  ASSERT_TRUE(peer.send(padding));
  EXPECT_TRUE(peer.all<TrackOpened>().empty());
  EXPECT_TRUE(peer.all<LayersActive>().empty());
}

TEST(Receiver, throttles_keyframe_requests_of_each_layer) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("q", 31, 1)));
  ASSERT_TRUE(peer.send(layer("h", 32, 1)));
  for (int i = 0; i < 10; ++i) peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
  peer.receiver.request_keyframe(peer.now, 1, 1, peer.outputs);
  std::vector<std::uint32_t> asked;
  peer.visit<rtcp::Pli>([&](const rtcp::Pli& pli) {
    EXPECT_EQ(pli.sender_ssrc, kOurs);
    asked.push_back(pli.media_ssrc);
  });
  EXPECT_THAT(asked, ElementsAre(31, 32));
  // One that came too early is sent once it may be; a layer that never came is not asked.
  peer.receiver.request_keyframe(peer.now, 1, 2, peer.outputs);
  peer.receiver.request_keyframe(peer.now, 1, 9, peer.outputs);
  peer.receiver.request_keyframe(peer.now, 7, 0, peer.outputs);
  peer.run_for(ms(499));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 2u);
  peer.run_for(ms(1));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 3u);
  EXPECT_EQ(peer.receiver.stats().plis_sent, 3u);
}

TEST(Receiver, asks_for_no_keyframe_while_one_may_be_on_its_way) {
  Peer peer;
  peer.receiver.set_round_trip(ms(600));
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  for (int i = 0; i < 8; ++i) {
    peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
    peer.run_for(ms(100));
  }
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
  peer.run_for(ms(99));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
  peer.run_for(ms(1));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 2u);
  // It came: what is wished for now is another one.
  ASSERT_TRUE(peer.send(video(2, vp8_keyframe())));
  peer.run_for(ms(500));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 3u);
}

TEST(Receiver, forgets_a_keyframe_request_when_a_keyframe_comes) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  ASSERT_TRUE(peer.send(video(2, vp8_keyframe())));
  peer.run_for(Duration::seconds(10));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
}

TEST(Receiver, forgets_a_keyframe_request_when_a_keyframe_is_sent_again) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(50));
  ASSERT_TRUE(peer.send_rtx(video(2, vp8_keyframe()), 60, 1));
  peer.run_for(Duration::seconds(10));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
}

TEST(Receiver, is_not_content_with_a_keyframe_from_before_the_loss) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  ASSERT_TRUE(peer.send(video(3)));
  peer.run_for(ms(5));
  ASSERT_TRUE(peer.send(video(700)));  // More than is asked for: all of it is given up.
  EXPECT_EQ(peer.receiver.stats().lost, 697u);
  ASSERT_TRUE(peer.send_rtx(video(2, vp8_keyframe()), 60, 1));
  peer.run_for(ms(1200));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 2u);
  ASSERT_TRUE(peer.send(video(701, vp8_keyframe())));
  peer.run_for(Duration::seconds(5));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 2u);
}

TEST(Receiver, repeats_an_unanswered_keyframe_request_a_few_times) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  peer.run_for(Duration::seconds(20));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 4u);
}

TEST(Receiver, asks_by_fir_where_pli_was_not_agreed_upon) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].codecs[0].feedback.pli = false;
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  ASSERT_TRUE(peer.send(video(2, vp8_keyframe())));
  peer.run_for(ms(600));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  peer.run_for(ms(1000));
  std::vector<int> commands;
  peer.visit<rtcp::Fir>([&](const rtcp::Fir& fir) {
    EXPECT_EQ(fir.items[0].ssrc, 20u);
    commands.push_back(fir.items[0].sequence);
  });
  EXPECT_THAT(commands, ElementsAre(1, 2, 2));
}

TEST(Receiver, opens_the_track_anew_when_its_codec_changes) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, vp8_keyframe())));
  Sent other = video(2, h264_delta());
  other.type = kH264Type;
  EXPECT_EQ(peer.send(other).error(), ReceiveRefusal::kUnknownPayload);
  peer.run_for(Duration::seconds(2));
  other = video(3, h264_keyframe());
  other.type = kH264Type;
  ASSERT_TRUE(peer.send(other));
  peer.flush();
  std::vector<std::string> order;
  for (const auto& output : peer.outputs) {
    if (std::holds_alternative<TrackOpened>(output)) order.push_back("opened");
    if (std::holds_alternative<TrackClosed>(output)) order.push_back("closed");
    if (std::holds_alternative<PacketsReceived>(output)) order.push_back("packets");
    if (std::holds_alternative<TrackClockMapped>(output)) order.push_back("mapped");
  }
  EXPECT_THAT(order, ElementsAre("opened", "mapped", "packets", "closed", "opened", "mapped", "packets"));
  auto track = peer.receiver.tracks().at(0);
  EXPECT_EQ(track.encoding, payload::Encoding::kH264);
  EXPECT_EQ(track.profile, (std::array<std::uint8_t, 3>{0x42, 0xe0, 0x1f}));
  // A straggler of the codec before changes nothing.
  EXPECT_EQ(peer.send(video(0, vp8_keyframe())).error(), ReceiveRefusal::kUnknownPayload);
  EXPECT_EQ(peer.all<TrackOpened>().size(), 2u);
}

TEST(Receiver, goes_on_with_the_numbers_of_a_layer_when_its_ssrc_changes) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(500, vp8_keyframe())));
  Sent next = video(9000, vp8_keyframe());
  next.ssrc = 21;
  // Not while the stream before is alive.
  EXPECT_EQ(peer.send(next).error(), ReceiveRefusal::kUnknownStream);
  peer.run_for(ms(600));
  ASSERT_TRUE(peer.send(next));
  EXPECT_EQ(peer.send(bare(video(501))).error(), ReceiveRefusal::kUnknownStream);
  next.index = 8999;
  EXPECT_EQ(peer.send(next).error(), ReceiveRefusal::kDuplicate);
  peer.flush();
  auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[1].sequence, 501);
  EXPECT_EQ(packets[1].timestamp - packets[0].timestamp, 90 * 600);
  peer.run_for(ms(50));
  EXPECT_THAT(peer.nacked(), IsEmpty());
}

TEST(Receiver, knows_no_more_streams_than_its_limit) {
  ReceiverConfig config;
  config.streams_max = 2;
  Peer peer(simulcast_agreement(), config);
  ASSERT_TRUE(peer.send(layer("q", 31, 1)));
  ASSERT_TRUE(peer.send(layer("h", 32, 1)));
  EXPECT_EQ(peer.send(layer("f", 33, 1)).error(), ReceiveRefusal::kTooManyStreams);
  // Probing fills nothing.
  for (std::uint32_t ssrc = 100; ssrc < 200; ++ssrc)
    EXPECT_TRUE(peer.send({.ssrc = ssrc, .payload = {}, .padding = 10}));
  EXPECT_EQ(peer.refused(ReceiveRefusal::kTooManyStreams), 1u);
}

TEST(Receiver, says_which_layers_fell_silent) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("q", 31, 1)));
  ASSERT_TRUE(peer.send(layer("f", 33, 1)));
  peer.run_for(ms(1500));
  ASSERT_TRUE(peer.send(layer("q", 31, 2)));
  peer.run_for(ms(499));
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0b101);
  peer.run_for(ms(1));
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0b001);
  peer.run_for(ms(1500));
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0);
  ASSERT_TRUE(peer.send(layer("f", 33, 2)));
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0b100);
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
}

TEST(Receiver, closes_a_track_with_the_bye_of_its_last_layer) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("q", 31, 1)));
  ASSERT_TRUE(peer.send(layer("h", 32, 1)));
  rtcp::Writer writer;
  std::uint32_t gone[] = {31, 77};
  writer.write_bye(gone, "");
  peer.send_rtcp(writer);
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0b010);
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  gone[0] = 32;
  writer.write_bye(gone, "");
  peer.send_rtcp(writer);
  ASSERT_EQ(peer.all<TrackClosed>().size(), 1u);
  EXPECT_TRUE(peer.receiver.tracks().empty());
  EXPECT_EQ(peer.packets(1).size(), 2u);
  // What was under way is late; what comes afterwards is a new beginning, without a word of its rid.
  EXPECT_EQ(peer.send(bare(layer("h", 32, 2))).error(), ReceiveRefusal::kUnknownStream);
  peer.run_for(ms(600));
  ASSERT_TRUE(peer.send(bare(layer("h", 32, 3))));
  EXPECT_EQ(peer.all<TrackOpened>().size(), 2u);
  peer.flush();
  EXPECT_EQ(peer.packets(1).back().layer, 1);
}

// An application switches one layer off while the others are held back by the network or show a still
// picture.
TEST(Receiver, keeps_a_track_open_whose_other_layers_only_pause) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("q", 31, 1)));
  ASSERT_TRUE(peer.send(layer("h", 32, 1)));
  peer.run_for(ms(2500));
  ASSERT_TRUE(peer.send(layer("q", 31, 2)));
  peer.send_bye({31});
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0);
  peer.run_for(ms(1900));
  ASSERT_TRUE(peer.send(layer("h", 32, 2)));
  EXPECT_EQ(peer.all<LayersActive>().back().layers, 0b010);
  peer.run_for(Duration::seconds(60));
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  peer.send_bye({32});
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
}

// One BYE of two was lost.
TEST(Receiver, closes_a_track_when_nothing_comes_after_the_bye_of_a_layer) {
  Peer peer(simulcast_agreement());
  ASSERT_TRUE(peer.send(layer("q", 31, 1)));
  ASSERT_TRUE(peer.send(layer("h", 32, 1)));
  peer.send_bye({31});
  ASSERT_TRUE(peer.send(layer("h", 32, 2)));  // Was under way.
  peer.run_for(ms(1999));
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  peer.run_for(ms(1));
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  ASSERT_TRUE(peer.send(layer("h", 32, 3)));
  EXPECT_EQ(peer.all<TrackOpened>().size(), 2u);
}

TEST(Receiver, passes_extension_values_on) {
  Peer peer;
  Sent picture = video(1, vp8_keyframe());
  picture.marker = true;
  picture.elements = {{kOrientationId, {0x02}}, {kDescriptorId, {0x80, 0x00, 0x01}}};
  ASSERT_TRUE(peer.send(picture));
  Sent sound = audio(1);
  sound.elements = {{kLevelId, {0x9e}}};
  ASSERT_TRUE(peer.send(sound));
  peer.flush();
  auto batch = peer.all<PacketsReceived>().at(1).batch;
  EXPECT_TRUE(batch[0].marker && batch[0].has_orientation && !batch[0].has_audio_level);
  EXPECT_EQ(batch[0].orientation, 2);
  Buffer descriptor = {0x80, 0x00, 0x01};
  EXPECT_TRUE(std::ranges::equal(batch.block->descriptor(batch[0]), descriptor));
  auto packet = peer.packets(0).at(0);
  EXPECT_TRUE(packet.has_audio_level && !packet.has_orientation && !packet.marker);
  EXPECT_EQ(packet.audio_level, 0x9e);
}

TEST(Receiver, tells_temporal_layers_by_the_dependency_descriptor) {
  rtp::DependencyStructure structure;
  structure.decode_target_count = 2;
  structure.template_count = 2;
  structure.templates[0].indications.fill(rtp::DecodeTargetIndication::kSwitch);
  structure.templates[1].temporal_id = 1;
  structure.templates[1].indications[1] = rtp::DecodeTargetIndication::kDiscardable;
  structure.templates[1].frame_diffs[0] = 1;
  structure.templates[1].frame_diff_count = 1;
  const auto key = rtp::write_dependency_descriptor(
      {.structure = structure, .active_targets = {}, .frame = structure.templates[0]}, &structure);
  const auto delta = rtp::write_dependency_descriptor({.template_id = 1,
                                                       .frame_number = 1,
                                                       .structure = {},
                                                       .active_targets = {},
                                                       .frame = structure.templates[1]},
                                                      &structure);
  ASSERT_TRUE(key && delta);
  Peer peer;
  Sent first = video(1, vp8_keyframe()), second = video(2, vp8_delta());
  first.elements = {{kDescriptorId, *key}};
  second.elements = {{kDescriptorId, *delta}};
  ASSERT_TRUE(peer.send(first));
  ASSERT_TRUE(peer.send(second));
  peer.flush();
  const auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].facts.temporal_layer, 0);
  EXPECT_EQ(packets[1].facts.temporal_layer, 1);
  EXPECT_TRUE(packets[1].facts.is_switch_point);
}

// Two temporal layers, the lower one in a chain, a packet for each frame.
TEST(Receiver, asks_for_no_keyframe_where_no_chain_is_broken_and_else_passes_on_what_can_be_decoded) {
  rtp::DependencyStructure structure;
  structure.decode_target_count = structure.template_count = 2;
  structure.chain_count = 1;
  structure.templates[0].indications.fill(rtp::DecodeTargetIndication::kSwitch);
  structure.templates[1].temporal_id = 1;
  structure.templates[1].indications[1] = rtp::DecodeTargetIndication::kDiscardable;
  Peer peer;
  std::uint16_t next = 0;
  std::uint32_t ssrc = 20;
  // The next frame, of the lower layer where its number is even.
  const auto frame = [&](bool comes, bool is_keyframe = false) {
    const std::uint16_t number = next++;
    rtp::DependencyDescriptor descriptor{.template_id = static_cast<std::uint8_t>(number % 2),
                                         .frame_number = number,
                                         .structure = {},
                                         .active_targets = {},
                                         .frame = structure.templates[number % 2]};
    if (is_keyframe) {
      descriptor.structure = structure;
    } else {
      const std::uint16_t back = number % 2 == 0 ? 2 : 1;
      descriptor.frame.frame_diffs[0] = back;
      descriptor.frame.frame_diff_count = 1;
      descriptor.frame.chain_diffs[0] = static_cast<std::uint8_t>(back);
    }
    Sent sent = video(number + 1, is_keyframe ? vp8_keyframe() : vp8_delta());
    sent.ssrc = ssrc;
    sent.elements = {{kDescriptorId, *rtp::write_dependency_descriptor(descriptor, &structure)}};
    EXPECT_TRUE(!comes || peer.send(sent));
  };
  const auto empty_since = [&](std::int64_t sequence) {
    peer.flush();
    std::vector<bool> empty;
    for (const payload::Packet& packet : peer.packets(1))
      if (packet.sequence >= sequence) empty.push_back(packet.payload_bytes == 0);
    return empty;
  };
  for (int i = 0; i < 4; ++i) frame(i != 3, i == 0);  // One of the higher layer is lost.
  for (int i = 0; i < 4; ++i) frame(true);
  peer.run_for(ms(1100));
  EXPECT_EQ(peer.receiver.stats().lost, 1u);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 0u);

  frame(false);  // One of the lower.
  for (int i = 0; i < 3; ++i) frame(true);
  peer.run_for(ms(1100));
  EXPECT_EQ(peer.receiver.stats().lost, 2u);
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
  EXPECT_EQ(empty_since(9), (std::vector<bool>{false, false, false})) << "they might have been decoded yet";
  for (int i = 0; i < 2; ++i) frame(true);
  EXPECT_EQ(empty_since(13), (std::vector<bool>{true, true})) << "their numbers close up";
  for (int i = 0; i < 2; ++i) frame(true, i == 0);
  EXPECT_EQ(empty_since(15), (std::vector<bool>{false, false}));

  frame(false);
  for (int i = 0; i < 3; ++i) frame(true);
  peer.run_for(ms(1100));
  ssrc = 21;
  next = 10;  // Another source that counts frames on its own, but nearly like the one before.
  for (int i = 0; i < 4; ++i) frame(true, i == 0);
  EXPECT_EQ(empty_since(21), (std::vector<bool>{false, false, false, false})) << "nothing of it is broken";
}

}  // namespace
}  // namespace stoa::webrtc
