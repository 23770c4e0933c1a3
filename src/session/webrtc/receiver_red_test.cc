// Sound that comes with redundancy (RED), without, and with what was lost in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/payload/test_red.h"
#include "session/webrtc/receiver.h"
#include "session/webrtc/test_receiver.h"

namespace stoa::webrtc {
namespace {

using namespace stoa::webrtc::testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint8_t kRedType = 63;

sdp::Agreement red_agreement(std::uint8_t of = kOpusType) {
  sdp::Agreement agreement = plain_agreement();
  sdp::AgreedCodec red = codec(sdp::Codec::kRed, kRedType);
  red.clock_rate = 48'000;
  red.channels = 2;
  red.receive_format = red.send_format = sdp::RedFormat{{of, of}};
  agreement.sections[0].codecs.push_back(red);
  return agreement;
}
Buffer frame(std::int64_t index) { return opus_packet(static_cast<std::uint8_t>(index)); }
Sent plain(std::int64_t index) {
  return {.ssrc = 10,
          .type = kOpusType,
          .index = index,
          .time = static_cast<std::uint32_t>(960 * index),
          .payload = frame(index),
          .mid = "a"};
}
// With so many of the frames before it.
Sent red(std::int64_t index, int earlier, std::uint8_t of = kOpusType) {
  std::vector<payload::Earlier> before;
  for (int i = earlier; i > 0; --i) before.push_back({static_cast<std::uint16_t>(960 * i), frame(index - i)});
  Sent sent = plain(index);
  sent.type = kRedType;
  sent.payload = payload::make_red(of, before, frame(index));
  return sent;
}

struct Heard {
  payload::Packet packet;
  Buffer payload, red;
};
std::vector<Heard> heard(Peer& peer) {
  peer.flush();
  std::vector<Heard> all;
  for (const PacketsReceived& received : peer.all<PacketsReceived>())
    for (std::size_t i = 0; i < received.batch.count; ++i) {
      Heard one{.packet = received.batch[i], .payload = {}, .red = {}};
      const Bytes payload = received.batch.payload(i);
      one.payload.assign(payload.begin(), payload.end());
      if (one.packet.red_bytes > 0) {
        const Bytes red = received.batch.block->red_payload(one.packet);
        one.red.assign(red.begin(), red.end());
      }
      all.push_back(std::move(one));
    }
  return all;
}
void expect_frames(const std::vector<Heard>& all, const std::vector<std::int64_t>& numbers) {
  ASSERT_EQ(all.size(), numbers.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].packet.sequence, numbers[i]) << i;
    EXPECT_EQ(all[i].packet.timestamp, 960 * numbers[i]) << i;
    EXPECT_EQ(all[i].payload, frame(numbers[i])) << i;
    EXPECT_TRUE(all[i].packet.facts.is_keyframe) << i;
  }
}

TEST(ReceiverRed, makes_one_track_of_packets_with_redundancy_and_without) {
  Peer peer(red_agreement());
  for (const Sent& sent : {plain(1), red(2, 1), red(3, 2), plain(4), red(5, 0)}) ASSERT_TRUE(peer.send(sent));
  const auto all = heard(peer);
  expect_frames(all, {1, 2, 3, 4, 5});
  EXPECT_EQ(all[1].red, red(2, 1).payload);
  EXPECT_EQ(all[2].red, red(3, 2).payload);
  for (std::size_t i : {0u, 3u, 4u}) EXPECT_EQ(all[i].packet.red_bytes, 0) << i;  // RED of one frame is none.
  ASSERT_EQ(peer.all<TrackOpened>().size(), 1u);
  EXPECT_EQ(peer.all<TrackOpened>()[0].track.encoding, payload::Encoding::kOpus);
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  EXPECT_EQ(peer.receiver.stats().recovered, 0u);
  EXPECT_EQ(peer.receiver.track_stats()[0].layers[0].with_red, 2u);
}

TEST(ReceiverRed, opens_a_track_with_redundancy) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(red(7, 2)));  // What it holds of before the beginning is not missed.
  expect_frames(heard(peer), {7});
  EXPECT_EQ(peer.all<TrackOpened>().size(), 1u);
}

TEST(ReceiverRed, drops_and_counts_what_does_not_read) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(red(1, 1)));
  Sent cut = red(2, 1), other = red(3, 1, 110), no_opus = red(4, 1);
  cut.payload.resize(7);
  no_opus.payload = payload::make_red(kOpusType, {{960, frame(3)}}, {});
  for (const Sent& sent : {cut, other, no_opus})
    EXPECT_EQ(peer.send(sent).error(), ReceiveRefusal::kMalformed);
  EXPECT_EQ(peer.refused(ReceiveRefusal::kMalformed), 3u);
  ASSERT_TRUE(peer.send(red(5, 1)));
  peer.flush();
  // Their numbers were used.
  EXPECT_THAT(peer.sequences(0), ElementsAre(1, 2, 3, 4, 5));
  for (const payload::Packet& packet : peer.packets(0))
    EXPECT_EQ(packet.payload_bytes > 0, packet.sequence == 1 || packet.sequence == 5);
}

TEST(ReceiverRed, is_not_taken_unless_it_is_of_what_was_agreed_upon) {
  for (const sdp::Agreement& agreement : {plain_agreement(), red_agreement(9)}) {
    Peer peer(agreement);
    ASSERT_TRUE(peer.send(plain(1)));
    EXPECT_EQ(peer.send(red(2, 1)).error(), ReceiveRefusal::kUnknownPayload);
    ASSERT_TRUE(peer.send(plain(3)));
    EXPECT_EQ(peer.receiver.tracks().size(), 1u);
  }
}

TEST(ReceiverRed, makes_good_what_was_lost_before_it_and_asks_for_nothing) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  ASSERT_TRUE(peer.send(red(4, 2)));
  ASSERT_TRUE(peer.send(red(6, 2)));
  peer.run_for(Duration::milliseconds(500));
  const auto all = heard(peer);
  expect_frames(all, {1, 2, 3, 4, 5, 6});
  for (std::size_t i : {1u, 2u, 4u}) EXPECT_EQ(all[i].packet.red_bytes, 0) << i;
  EXPECT_EQ(peer.receiver.stats().recovered, 3u);
  EXPECT_EQ(peer.receiver.stats().lost, 0u);
  EXPECT_THAT(peer.nacked(), IsEmpty());
  // What comes late all the same came before.
  EXPECT_EQ(peer.send(plain(5)).error(), ReceiveRefusal::kDuplicate);
}

TEST(ReceiverRed, makes_few_packets_of_one) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  ASSERT_TRUE(peer.send(red(32, 30)));
  peer.run_for(Duration::milliseconds(10));
  expect_frames(heard(peer), {1, 28, 29, 30, 31, 32});
  EXPECT_EQ(peer.receiver.stats().recovered, 4u);
}

TEST(ReceiverRed, makes_good_what_was_lost_behind_a_packet_that_came_late) {
  Peer peer(red_agreement());
  for (const Sent& sent : {plain(1), plain(3), plain(2), red(5, 2)}) ASSERT_TRUE(peer.send(sent));
  expect_frames(heard(peer), {1, 3, 2, 4, 5});
  EXPECT_EQ(peer.receiver.stats().recovered, 1u);
}

TEST(ReceiverRed, makes_good_what_was_lost_behind_a_clock_that_was_set_back) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  for (Sent sent : {plain(2), red(4, 1)}) {
    sent.time -= 960'000;
    ASSERT_TRUE(peer.send(sent));
  }
  peer.flush();
  EXPECT_THAT(peer.sequences(0), ElementsAre(1, 2, 3, 4));
}

TEST(ReceiverRed, asks_for_what_redundancy_does_not_reach) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  ASSERT_TRUE(peer.send(red(5, 1)));
  peer.run_for(Duration::milliseconds(50));
  expect_frames(heard(peer), {1, 4, 5});
  EXPECT_THAT(peer.nacked(), ElementsAre(2, 3));
}

// Who was let go of so many requests is asked for one at a time, until it answers.
TEST(ReceiverRed, is_no_answer_to_what_was_asked_for) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  std::size_t asked = 0;
  for (std::int64_t i = 13; i < 253; i += 12) {
    peer.outputs.clear();
    ASSERT_TRUE(peer.send(red(i, 1)));  // Ten before it are beyond its reach.
    peer.run_for(Duration::milliseconds(20));
    asked = peer.nacked().size();
    peer.run_for(Duration::seconds(2));
  }
  EXPECT_EQ(peer.receiver.stats().recovered, 20u);
  EXPECT_EQ(peer.receiver.stats().retransmitted, 0u);
  EXPECT_EQ(asked, 1u);
}

TEST(ReceiverRed, does_not_guess_where_times_do_not_fit_the_numbers) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  // Two frames after the first, but one number is missing.
  Sent odd = red(3, 2);
  odd.time = 960 * 4;
  ASSERT_TRUE(peer.send(odd));
  // A frame of the time of the one before.
  Sent still = red(5, 1);
  still.time = 960 * 5;
  still.payload = payload::make_red(kOpusType, {{960, frame(4)}}, frame(5));
  ASSERT_TRUE(peer.send(still));
  peer.flush();
  EXPECT_THAT(peer.sequences(0), ElementsAre(1, 3, 5));
  EXPECT_EQ(peer.receiver.stats().recovered, 0u);
}

TEST(ReceiverRed, takes_nothing_that_is_no_opus_for_what_was_lost) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(plain(1)));
  Sent sent = red(3, 1);
  sent.payload = payload::make_red(kOpusType, {{960, {}}}, frame(3));
  ASSERT_TRUE(peer.send(sent));
  peer.flush();
  EXPECT_THAT(peer.sequences(0), ElementsAre(1, 3));
}

TEST(ReceiverRed, ends_with_the_agreement) {
  Peer peer(red_agreement());
  ASSERT_TRUE(peer.send(red(1, 1)));
  const std::vector<InboundSlot> slots = {{.slot = 0, .section = 0}, {.slot = 1, .section = 1}};
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].index = 1;
  peer.receiver.update(peer.now, agreement, slots, peer.outputs);
  EXPECT_EQ(peer.send(red(2, 1)).error(), ReceiveRefusal::kUnknownPayload);
  ASSERT_TRUE(peer.send(plain(3)));
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  peer.flush();
  EXPECT_THAT(peer.sequences(0), ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace stoa::webrtc
