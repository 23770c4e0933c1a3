// Sound that many hear waits a little for that of others who speak, so that it leaves in trains.
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr std::uint32_t kFirstSsrc = 0x2222, kSecondSsrc = 0x2333;
constexpr std::size_t kMany = 250, kFew = 50;
constexpr Duration kPacketTime = Duration::milliseconds(20);

// Two who speak, and who hears both.
struct Hall {
  explicit Hall(std::size_t listeners, FanOutConfig config = {}) : world(config) {
    OutletConfig other = FanOutWorld::audio();
    other.ssrc = kSecondSsrc;
    for (std::size_t i = 0; i < listeners; ++i) {
      Peer& peer = world.add_peer({FanOutWorld::audio(), other});
      world.set_source(peer, first, 0);
      world.set_source(peer, second, 1);
    }
    // From the first packet on they are heard, from the second on it is known that there are two.
    for (int i = 0; i < 2; ++i) {
      speak(first);
      speak(second);
      world.pass(kPacketTime);
    }
    world.segments.clear();
  }
  void speak(StreamId who) {
    world.frame(who, {.packets = 1, .bytes = 80}, 960);
    world.drain();
  }
  std::size_t heard(std::uint32_t ssrc) {
    std::size_t count = 0;
    for (const auto& peer : world.peers) count += peer->of(ssrc).size();
    return count;
  }

  FanOutWorld world;
  StreamId first = world.add_stream(payload::Encoding::kOpus);
  StreamId second = world.add_stream(payload::Encoding::kOpus);
};

TEST(FanOutGather, sends_the_sound_of_two_in_one_train) {
  Hall hall(kMany);
  const Duration most = FanOutConfig().gather_max;
  hall.speak(hall.first);
  hall.world.pass(most / 2);
  hall.speak(hall.second);
  EXPECT_TRUE(hall.world.segments.empty());  // Both wait …
  hall.world.pass(most / 2);                 // … no longer than the first may.
  EXPECT_EQ(hall.world.segments, std::vector<std::size_t>(kMany, 2));
  EXPECT_EQ(hall.heard(kFirstSsrc), 3 * kMany);
  EXPECT_EQ(hall.heard(kSecondSsrc), 3 * kMany);
  for (const auto& peer : hall.world.peers) {
    FanOutWorld::expect_no_holes(peer->of(kFirstSsrc));
    FanOutWorld::expect_no_holes(peer->of(kSecondSsrc));
  }
}

TEST(FanOutGather, does_not_hold_up_one_who_speaks_alone) {
  Hall hall(kMany);
  hall.world.pass(Duration::seconds(1));
  for (int i = 0; i < 3; ++i) {
    hall.world.segments.clear();
    hall.speak(hall.first);
    EXPECT_EQ(hall.world.segments.size(), kMany) << i;
    hall.world.pass(kPacketTime);
  }
}

TEST(FanOutGather, does_not_hold_up_sound_that_few_hear) {
  Hall hall(kFew);
  hall.speak(hall.first);
  EXPECT_EQ(hall.world.segments.size(), kFew);
  hall.speak(hall.second);
  EXPECT_EQ(hall.world.segments.size(), 2 * kFew);
}

TEST(FanOutGather, does_not_hold_up_one_for_whom_others_hear) {
  Hall hall(kMany);
  const StreamId elsewhere = hall.world.add_stream(payload::Encoding::kOpus);
  for (std::size_t i = 0; i < kMany; ++i)
    hall.world.set_source(hall.world.add_peer({FanOutWorld::audio()}), elsewhere);
  for (int i = 0; i < 3; ++i) {
    hall.speak(hall.first);
    hall.world.pass(kPacketTime / 2);
    hall.world.segments.clear();
    hall.speak(elsewhere);
    EXPECT_EQ(hall.world.segments.size(), kMany) << i;
    hall.world.pass(kPacketTime / 2);
  }
}

TEST(FanOutGather, waits_for_nobody_where_it_may_not) {
  Hall hall(kMany, {.gather_max = Duration()});
  hall.speak(hall.first);
  hall.speak(hall.second);
  EXPECT_EQ(hall.world.segments.size(), 2 * kMany);
}

TEST(FanOutGather, forgets_a_stream_that_goes_meanwhile) {
  Hall hall(kMany);
  hall.speak(hall.first);
  hall.speak(hall.second);
  hall.world.fan_out.remove_stream(hall.first);
  hall.world.pass(kPacketTime);
  EXPECT_EQ(hall.heard(kFirstSsrc), 2 * kMany);
  EXPECT_EQ(hall.heard(kSecondSsrc), 3 * kMany);
}

}  // namespace
}  // namespace stoa::webrtc
