// A receiver whose agreement changes while packets come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session/webrtc/receiver.h"
#include "session/webrtc/test_receiver.h"

namespace stoa::webrtc {
namespace {

using namespace stoa::webrtc::testing;
using ::testing::ElementsAre;

Sent picture(std::int64_t index, std::uint32_t ssrc = 20, std::string_view mid = "v") {
  return {.ssrc = ssrc,
          .index = index,
          .time = static_cast<std::uint32_t>(3000 * index),
          .payload = vp8_keyframe(),
          .mid = mid};
}

// The sections of plain_agreement(), and another of video, "w".
sdp::Agreement wider() {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections.push_back(section(sdp::MediaKind::kVideo, "w"));
  for (std::size_t i = 0; i < agreement.sections.size(); ++i) agreement.sections[i].index = i;
  return agreement;
}
// Numbers 0, 1 and so on to these sections.
std::vector<InboundSlot> slots(std::vector<std::size_t> sections) {
  std::vector<InboundSlot> all;
  for (std::size_t section : sections)
    all.push_back({.slot = static_cast<std::uint8_t>(all.size()), .section = section});
  return all;
}

struct Updated : Peer {
  using Peer::Peer;
  void update(const sdp::Agreement& agreement, const std::vector<InboundSlot>& all) {
    receiver.update(now, agreement, all, outputs);
  }
};

TEST(ReceiverUpdate, goes_on_with_what_stays) {
  Updated peer;
  for (std::int64_t i : {1, 2, 4}) ASSERT_TRUE(peer.send(picture(i)));
  peer.update(wider(), slots({0, 1, 2}));
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  // Its SSRC, what came, and what is missing are known.
  Sent unnamed = picture(5);
  unnamed.mid = {};
  ASSERT_TRUE(peer.send(unnamed));
  EXPECT_EQ(peer.send(picture(4)).error(), ReceiveRefusal::kDuplicate);
  peer.flush();
  peer.run_for(Duration::milliseconds(100));
  EXPECT_THAT(peer.nacked(), ::testing::Contains(3));
  EXPECT_THAT(peer.sequences(1), ElementsAre(1, 2, 4, 5));
  EXPECT_EQ(peer.all<TrackOpened>().size(), 1u);
  EXPECT_EQ(peer.all<TrackClockMapped>().size(), 1u);
  // The other is placed by its name.
  ASSERT_TRUE(peer.send(picture(70, 30, "w")));
  EXPECT_EQ(peer.all<TrackOpened>().back().track.id, 2);
  auto stats = peer.receiver.track_stats();
  ASSERT_EQ(stats.size(), 3u);
  EXPECT_EQ(stats[1].layers[0].packets, 4u);
  EXPECT_EQ(stats[1].layers[0].expected, 5);
}

TEST(ReceiverUpdate, hands_on_what_came_and_closes_what_goes) {
  Updated peer(wider());
  ASSERT_TRUE(peer.send(picture(1)));
  ASSERT_TRUE(peer.send(picture(70, 30, "w")));
  peer.update(wider(), {{.slot = 0, .section = 0}, {.slot = 2, .section = 2}});
  ASSERT_EQ(peer.all<TrackClosed>().size(), 1u);
  EXPECT_EQ(peer.all<TrackClosed>()[0].track, 1);
  EXPECT_THAT(peer.sequences(1), ElementsAre(1));
  EXPECT_EQ(peer.send(picture(2)).error(), ReceiveRefusal::kUnknownStream);
  ASSERT_TRUE(peer.send(picture(71, 30, "w")));
  EXPECT_EQ(peer.receiver.tracks().size(), 1u);
  // And it comes back.
  peer.update(wider(), slots({0, 1, 2}));
  ASSERT_TRUE(peer.send(picture(3)));
  EXPECT_EQ(peer.all<TrackOpened>().size(), 3u);
  EXPECT_EQ(peer.all<TrackOpened>().back().track.id, 1);
}

TEST(ReceiverUpdate, forgets_the_streams_of_a_track_that_another_takes_over) {
  Updated peer(wider());
  ASSERT_TRUE(peer.send(picture(1)));
  std::vector<InboundSlot> all = slots({0, 1, 2});
  all[1].is_new = true;
  peer.update(wider(), all);
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  Sent unnamed = picture(2);
  unnamed.mid = {};
  EXPECT_FALSE(peer.send(unnamed));  // Of which of the two sections of video?
  ASSERT_TRUE(peer.send(picture(500, 21)));
  EXPECT_EQ(peer.all<TrackOpened>().size(), 2u);
  // At once, though the one before was heard just now.
  peer.flush();
  EXPECT_THAT(peer.sequences(1), ElementsAre(1, 500));
}

TEST(ReceiverUpdate, begins_anew_where_the_layers_are_others) {
  Updated peer;
  ASSERT_TRUE(peer.send(picture(1)));
  sdp::Agreement agreement = simulcast_agreement();
  for (std::size_t i = 0; i < agreement.sections.size(); ++i) agreement.sections[i].index = i;
  peer.update(agreement, slots({0, 1}));
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  Sent sent = picture(5, 40);
  sent.rid = "h";
  ASSERT_TRUE(peer.send(sent));
  EXPECT_EQ(peer.all<TrackOpened>().back().track.layers, 3);
}

TEST(ReceiverUpdate, keeps_a_track_whose_codecs_change_their_order) {
  Updated peer;
  ASSERT_TRUE(peer.send(picture(1)));
  sdp::Agreement agreement = wider();
  std::swap(agreement.sections[1].codecs[0], agreement.sections[1].codecs[1]);
  peer.update(agreement, slots({0, 1, 2}));
  ASSERT_TRUE(peer.send(picture(2)));
  EXPECT_TRUE(peer.all<TrackClosed>().empty());
  EXPECT_EQ(peer.receiver.tracks()[0].encoding, payload::Encoding::kVp8);
  // And ends it where its codec is not agreed on any more.
  agreement.sections[1].codecs.pop_back();
  peer.update(agreement, slots({0, 1, 2}));
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  EXPECT_FALSE(peer.send(picture(3)));
}

TEST(ReceiverUpdate, begins_without_any_section) {
  Updated peer{sdp::Agreement()};
  EXPECT_EQ(peer.send(picture(1)).error(), ReceiveRefusal::kUnknownStream);
  peer.update(wider(), {{.slot = 15, .section = 2}});
  ASSERT_TRUE(peer.send(picture(1, 30, "w")));
  EXPECT_EQ(peer.all<TrackOpened>()[0].track.id, 15);
  peer.update(sdp::Agreement(), {});
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  EXPECT_TRUE(peer.receiver.tracks().empty());
  EXPECT_TRUE(peer.receiver.track_stats().empty());
}

}  // namespace
}  // namespace stoa::webrtc
