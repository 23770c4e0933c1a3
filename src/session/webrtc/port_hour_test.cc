// An hour of stream time over a line that loses, delays, reorders and doubles: ICE, DTLS, SRTP and RTCP of a
// publisher, a server and a viewer, with every number that wraps brought to wrap.
#include <gtest/gtest.h>

#include "session/webrtc/test_port.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kHour = Duration::seconds(3600);
// Fewer packets a second than a camera sends, so that the hour takes seconds: what counts is how long it
// lasts and how often something is lost.
constexpr Duration kPictureInterval = Duration::milliseconds(200),
                   kSoundInterval = Duration::milliseconds(40);

TEST(PortOverALossyLine, carries_an_hour_of_sound_and_picture) {
  sim::Link::Config line{.latency = Duration::milliseconds(15),
                         .jitter = Duration::milliseconds(4),
                         .loss = 0.02,
                         .duplication = 0.01,
                         .reordering = 0.01};
  TestClientOptions options{.link = line,
                            .picture_interval = kPictureInterval,
                            .sound_interval = kSoundInterval,
                            .keyframe_every = 300,
                            .picture_bytes = 2'500,  // Three packets.
                            .first_sequence = 32'000,
                            .first_timestamp = 0xffff'ffffu - 90'000u * 60,
                            .wait_max = Duration::milliseconds(1'500)};
  PortWorld world;
  TestClient& publisher = world.publish(options);
  TestClient& viewer = world.watch(options);
  const Timestamp end = world.time.now() + kHour;
  while (world.time.now() < end) {
    world.run_for(Duration::seconds(60));
    ASSERT_TRUE(world.closed.empty());
    // Memory is bounded: tables stay as they are, histories keep what they may.
    EXPECT_LE(world.port.entries(), 8u);
    for (const auto& [track, stream] : world.streams) {
      const History* history = world.port.fan_out().history(stream, 0);
      ASSERT_TRUE(history);
      EXPECT_LE(history->held_bytes(), HistoryLimits().bytes);
      EXPECT_LE(history->end() - history->begin(), 400);
    }
  }
  publisher.is_paused = true;
  world.run_for(Duration::seconds(5));

  // Pictures: in order, whole, and all of them but for the few whose repairs were lost too, time and again;
  // no decoder was fed a picture that refers to one of those.
  ASSERT_GE(publisher.pictures_sent, 18'000u);
  EXPECT_EQ(viewer.damaged, 0u);
  ASSERT_FALSE(viewer.pictures.empty());
  constexpr std::size_t kJoined = 20;  // Before, what was kept is shown faster.
  for (std::size_t i = kJoined; i < viewer.pictures.size(); ++i) {
    const Told& before = viewer.pictures[i - 1];
    const Told& next = viewer.pictures[i];
    ASSERT_GT(next.number, before.number);
    // The RTP time between two pictures is what it was when they were taken, also over a wrap.
    ASSERT_EQ(next.timestamp - before.timestamp,
              static_cast<std::int64_t>(next.number - before.number) * 18'000);
    ASSERT_TRUE(next.number == before.number + 1 || next.is_keyframe);
  }
  std::size_t expected = publisher.pictures_sent - viewer.pictures.front().number;
  EXPECT_GE(viewer.pictures.size(), expected - 5);

  // Sounds: without a stream for retransmissions, which browsers do not offer for sound, GCM lets nobody send
  // a packet again. So both lines take their share.
  for (std::size_t i = 1; i < viewer.sounds.size(); ++i)
    ASSERT_GT(viewer.sounds[i].number, viewer.sounds[i - 1].number);
  double share = static_cast<double>(viewer.sounds.size()) / static_cast<double>(publisher.sounds_sent);
  EXPECT_GT(share, 0.95);
  EXPECT_LT(share, 0.975);

  // Nothing but what a line doubled was refused: no key, rollover counter or window went wrong.
  EXPECT_GT(viewer.dialer->stats().srtp_refused, 0u);
  EXPECT_LE(viewer.dialer->stats().srtp_refused, viewer.down.stats().duplicated);
  EXPECT_LE(world.metric("stoa_webrtc_datagrams_refused_total", "not_authentic"),
            static_cast<double>(publisher.up.stats().duplicated + viewer.up.stats().duplicated));
  EXPECT_EQ(world.metric("stoa_webrtc_datagrams_refused_total", "unknown_path"), 0);
  world.close(viewer);
  world.close(publisher);
  EXPECT_EQ(world.port.entries(), 0u);
}

}  // namespace
}  // namespace stoa::webrtc
