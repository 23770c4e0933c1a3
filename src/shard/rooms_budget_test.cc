// What participants are sent when there is no room for all of it.
#include <gmock/gmock.h>

#include <array>

#include "shard/test_rooms_town.h"

namespace stoa::shard {
namespace {

using sdp::MediaKind;
using ::testing::ElementsAre;

constexpr std::uint32_t kSound = 2, kLow = 10, kMedium = 11, kHigh = 12;  // Tags.

ShardConfig controlled(ShardConfig config = {}) {
  config.rtc.port.fan_out.congestion = bwe::Config{.start_bits_per_second = 3'000'000};
  return config;
}

// Anna is seen and heard, Ben has a path that carries what the test says: he tells so himself (REMB).
class BadNetwork : public ::testing::Test {
 protected:
  explicit BadNetwork(ShardConfig config = controlled()) : town(1, std::move(config)) {}

  void SetUp() override {
    anna = &town.join("meeting", "anna", 0);
    town.publish_layers(*anna, kLow);
    town.publish(*anna, MediaKind::kAudio, kSound);
    ben = &town.join("meeting", "ben", 0);
    ASSERT_TRUE(carry_until(3'000'000, [&] { return count(kHigh) > 50 && count(kSound) > 50; }));
  }
  std::size_t count(std::uint32_t tag) { return ben->receiver().of(tag).size(); }
  bool carry_until(std::uint64_t bits_per_second, const std::function<bool()>& is_met,
                   Duration most = Duration::seconds(20)) {
    for (const Timestamp end = town.time.now() + most; town.time.now() < end;) {
      ben->receiver().send_remb(bits_per_second);
      if (town.run_until(is_met, Duration::milliseconds(200))) return true;
    }
    return is_met();
  }
  void carry(std::uint64_t bits_per_second, Duration duration) {
    carry_until(bits_per_second, [] { return false; }, duration);
  }
  std::vector<pb::StreamState> told() {
    std::vector<pb::StreamState> states;
    for (const pb::SignalResponse& response : ben->all(pb::SignalResponse::kStreamStateUpdate))
      for (const pb::StreamStateInfo& state : response.stream_state_update().stream_states())
        states.push_back(state.state());
    return states;
  }
  pb::ConnectionQuality quality() {
    pb::ConnectionQuality last = pb::EXCELLENT;
    for (const pb::SignalResponse& response : ben->all(pb::SignalResponse::kConnectionQuality))
      for (const pb::ConnectionQualityInfo& one : response.connection_quality().updates())
        if (one.participant_sid() == ben->sid) last = one.quality();
    return last;
  }

  RoomsTown town;
  Person *anna = nullptr, *ben = nullptr;
};

TEST_F(BadNetwork, drops_layers_then_pictures_and_never_sound) {
  // Less: a smaller picture, with the next keyframe.
  ben->receiver().send_remb(400'000);
  town.run_for(Duration::milliseconds(60));
  const std::size_t high = count(kHigh);
  const std::size_t medium = count(kMedium);
  carry(400'000, Duration::seconds(3));
  EXPECT_EQ(count(kHigh), high);
  EXPECT_GT(count(kMedium), medium + 130);
  EXPECT_THAT(told(), ElementsAre());

  // Not even the smallest: after a while it is paused, and sound goes on without a gap.
  const std::size_t sound = count(kSound);
  carry(100'000, Duration::seconds(6));
  EXPECT_THAT(told(), ElementsAre(pb::PAUSED));
  const std::size_t pictures = count(kLow) + count(kMedium) + count(kHigh);
  carry(100'000, Duration::seconds(4));
  EXPECT_EQ(count(kLow) + count(kMedium) + count(kHigh), pictures);
  EXPECT_GE(count(kSound), sound + 495);
  EXPECT_EQ(quality(), pb::POOR);
  EXPECT_EQ(town.metric("stoa_room_participants_audio_only"), 1);
  EXPECT_EQ(town.metric("stoa_room_tracks_paused"), 1);

  // And back.
  const Timestamp back = town.time.now();
  ASSERT_TRUE(carry_until(3'000'000, [&] { return count(kHigh) > high; }));
  EXPECT_LE(town.time.now() - back, Duration::seconds(3));
  EXPECT_THAT(told(), ElementsAre(pb::PAUSED, pb::ACTIVE));
  EXPECT_EQ(town.metric("stoa_room_participants_audio_only"), 0);
  EXPECT_TRUE(carry_until(3'000'000, [&] { return quality() == pb::EXCELLENT; }));
}

TEST_F(BadNetwork, prefers_who_speaks_and_then_who_is_asked_for) {
  Person& carl = town.join("meeting", "carl", 0);
  town.publish_layers(carl, 20);
  town.publish(carl, MediaKind::kAudio, 3);
  // Of two there is room for one in medium size, and the other in small: who came first, while nobody speaks.
  ASSERT_TRUE(carry_until(3'000'000, [&] { return count(22) > 50; }));
  carry(550'000, Duration::seconds(8));
  auto flowing = [&](std::uint32_t tag) {
    const std::size_t before = count(tag);
    carry(550'000, Duration::seconds(1));
    return count(tag) > before + 40;
  };
  anna->sending->sending(kSound).level = 127;
  carl.sending->sending(3).level = 10;
  carry(550'000, Duration::seconds(4));
  EXPECT_TRUE(flowing(21));
  EXPECT_TRUE(flowing(kLow));
  // A large tile is more than a voice.
  carl.sending->sending(3).level = 127;
  pb::SignalRequest request;
  request.mutable_track_setting()->set_width(320);
  request.mutable_track_setting()->set_height(180);
  for (const pb::TrackInfo& track : ben->find("carl")->tracks())
    if (track.type() == pb::VIDEO) request.mutable_track_setting()->add_track_sids(track.sid());
  town.say(*ben, request);
  carry(550'000, Duration::seconds(1));
  EXPECT_TRUE(flowing(kMedium));
  EXPECT_TRUE(flowing(20));
}

TEST_F(BadNetwork, does_not_count_what_is_muted) {
  Person& carl = town.join("meeting", "carl", 0);
  town.publish_layers(carl, 20);
  ASSERT_TRUE(carry_until(3'000'000, [&] { return count(22) > 50; }));
  carry(400'000, Duration::seconds(3));
  EXPECT_EQ(count(kLow) > 0, true);
  pb::SignalRequest request;
  for (const pb::TrackInfo& track : ben->find("carl")->tracks()) request.mutable_mute()->set_sid(track.sid());
  request.mutable_mute()->set_muted(true);
  town.say(carl, request);
  carry(400'000, Duration::seconds(8));
  const std::size_t before = count(kMedium);
  carry(400'000, Duration::seconds(1));
  EXPECT_GT(count(kMedium), before + 40) << "Anna has what Carl left";
}

// ---- Layers of one stream.

class BadNetworkOfLayers : public BadNetwork {
 protected:
  void SetUp() override {
    anna = &town.join("meeting", "anna", 0);
    town.publish_layers(*anna, kLow, true);
    town.publish(*anna, MediaKind::kAudio, kSound);
    ben = &town.join("meeting", "ben", 0);
    ASSERT_TRUE(carry_until(3'000'000, [&] { return count(kHigh) > 50 && count(kSound) > 50; }));
  }
};

TEST_F(BadNetworkOfLayers, drops_layers_then_pictures_and_never_sound) {
  // All that it needs is the highest layer, with all three of a keyframe.
  const std::size_t keyframes = count(kLow);
  carry(3'000'000, Duration::seconds(2));
  EXPECT_LE(count(kLow), keyframes + 1);
  const std::size_t began = count(kSound);
  std::array<std::size_t, 3> before{count(kLow), count(kMedium), count(kHigh)};

  // Less: a smaller picture, with the keyframe that is asked for.
  carry(400'000, Duration::milliseconds(400));
  const std::size_t high = count(kHigh);
  carry(400'000, Duration::seconds(3));
  EXPECT_LE(count(kHigh), high + 1) << "the next layer at once";
  EXPECT_GT(count(kMedium), before[1] + 130);
  EXPECT_THAT(told(), ElementsAre());

  // Still less: the smallest, then with fewer frames, before none is left.
  const std::size_t medium = count(kMedium), low = count(kLow);
  carry(200'000, Duration::seconds(4));
  EXPECT_LE(count(kMedium), medium + 25);
  EXPECT_GT(count(kLow), low + 130);
  EXPECT_THAT(told(), ElementsAre());
  const std::size_t all = count(kLow);
  carry(140'000, Duration::seconds(4));
  EXPECT_LT(count(kLow), all + 150);
  EXPECT_GT(count(kLow), all + 40);
  EXPECT_THAT(told(), ElementsAre());

  carry(50'000, Duration::seconds(6));
  EXPECT_THAT(told(), ElementsAre(pb::PAUSED));
  const std::size_t pictures = ben->receiver().got.size() - count(kSound);
  carry(50'000, Duration::seconds(2));
  EXPECT_EQ(ben->receiver().got.size() - count(kSound), pictures);

  // And back.
  const std::size_t highest = count(kHigh);
  ASSERT_TRUE(carry_until(3'000'000, [&] { return count(kHigh) > highest + 50; }));
  EXPECT_THAT(told(), ElementsAre(pb::PAUSED, pb::ACTIVE));
  EXPECT_GE(count(kSound), began + 950) << "in nineteen seconds and more";
}

// ---- Egress budgets.

class Egress : public ::testing::TestWithParam<bool> {};

TEST_P(Egress, keeps_sound_and_small_pictures_of_all_and_shares_the_rest) {
  ShardConfig config = spread();
  (GetParam() ? config.rooms.node_egress_max : config.rooms.room_egress_max) = 1'500'000;
  RoomsTown town(3, config);
  Person& anna = town.join("meeting", "anna", 0);
  town.publish_layers(anna, kLow);
  town.publish(anna, MediaKind::kAudio, kSound);
  std::vector<Person*> viewers;
  auto sum = [&](std::uint32_t tag) {
    std::size_t all = 0;
    for (Person* viewer : viewers) all += viewer->receiver().of(tag).size();
    return all;
  };
  for (int i = 0; i < 3; ++i) viewers.push_back(&town.join("meeting", "viewer" + std::to_string(i), 1));
  town.run_for(Duration::seconds(5));
  std::size_t high = sum(kHigh), medium = sum(kMedium), low = sum(kLow);
  town.run_for(Duration::seconds(2));
  EXPECT_GT(sum(kHigh), high + 280) << "three have room";

  for (int i = 3; i < 6; ++i) viewers.push_back(&town.join("meeting", "viewer" + std::to_string(i), 2));
  town.run_for(Duration::seconds(8));
  const std::size_t sound = sum(kSound);
  high = sum(kHigh), medium = sum(kMedium), low = sum(kLow);
  town.run_for(Duration::seconds(4));
  EXPECT_EQ(sum(kHigh), high) << "six have not";
  EXPECT_EQ(sum(kMedium) + sum(kLow), medium + low + std::size_t{6} * 4 * 50) << "each has something";
  EXPECT_GE(sum(kSound), sound + std::size_t{6} * 4 * 50 - 6);
  const double sent = 8.0 / 4 *
                      static_cast<double>((sum(kMedium) - medium) * 672 + (sum(kLow) - low) * 372 +
                                          (sum(kSound) - sound) * 69);
  EXPECT_LE(sent, 1'500'000);
  EXPECT_EQ(town.metric("stoa_room_participants_bounded"), 6);
  EXPECT_GT(town.metric("stoa_room_egress_wanted_bits_per_second"), 1'500'000);

  // Some leave: there is room again.
  for (int i = 3; i < 6; ++i) {
    pb::SignalRequest leave;
    leave.mutable_leave();
    town.say(*viewers[static_cast<std::size_t>(i)], leave);
  }
  viewers.resize(3);
  high = sum(kHigh);
  town.run_for(Duration::seconds(10));
  EXPECT_GT(sum(kHigh), high + 280);
  EXPECT_EQ(town.metric("stoa_room_participants_bounded"), 0);
}

INSTANTIATE_TEST_SUITE_P(OfRoomAndNode, Egress, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "node" : "room"; });

TEST(EgressTables, are_empty_when_everybody_left) {
  ShardConfig config = spread();
  config.rooms.node_egress_max = config.rooms.room_egress_max = 1'000'000;
  RoomsTown town(2, config);
  std::vector<Person*> people;
  for (int i = 0; i < 3; ++i) people.push_back(&town.join("meeting", "p" + std::to_string(i), 0));
  town.run_for(Duration::seconds(3));
  for (Person* person : people) {
    pb::SignalRequest leave;
    leave.mutable_leave();
    town.say(*person, leave);
  }
  EXPECT_TRUE(town.run_until([&] { return town.entries() == 0; }, Duration::seconds(60)));
}

}  // namespace
}  // namespace stoa::shard
