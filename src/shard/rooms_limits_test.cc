// What one participant may make the others, and the server, do.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "shard/rooms.h"
#include "shard/test_rooms_town.h"

namespace stoa::shard {
namespace {

using sdp::MediaKind;

// Sids that are no track's.
template <typename Sids>
void add_sids(Sids* sids, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) *sids->Add() = "TR_" + std::to_string(i);
}

TEST(RoomsLimits, a_client_asks_for_so_many_tracks_at_once) {
  RoomsTown town(2, spread());
  const std::string room = town.room_of(0);
  town.join(room, "anna", 0);
  Person& ben = town.join(room, "ben", 1);
  std::vector<std::size_t> asked_for;
  town.on_mail = [&](const Mail& mail) {
    const auto* asked = std::get_if<RoomAsked>(&mail);
    if (const auto* subscribe = asked ? std::get_if<room::Subscribe>(&asked->command) : nullptr)
      asked_for.push_back(subscribe->tracks.size());
  };
  pb::SignalRequest sync, update;
  add_sids(sync.mutable_sync_state()->mutable_subscription()->mutable_track_sids(), 5'000);
  town.say(ben, sync);
  add_sids(update.mutable_subscription()->mutable_track_sids(), 5'000);
  town.say(ben, update);
  pb::SignalRequest by_participant;
  for (int i = 0; i < 10; ++i)
    add_sids(by_participant.mutable_subscription()->add_participant_tracks()->mutable_track_sids(), 300);
  town.say(ben, by_participant);
  EXPECT_EQ(asked_for, (std::vector<std::size_t>(3, 1'000)));
  EXPECT_TRUE(ben.is_open);
}

// Each costs one and one more for each 2 KiB, of 500 at once and 50 a second.
TEST(RoomsLimits, long_frames_weigh_more_than_short_ones) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  Person& carl = town.join("meeting", "carl", 0);
  town.run_for(Duration::seconds(1));
  pb::SignalRequest request;
  request.mutable_trickle()->set_candidateinit(std::string(200'000, 'x'));
  for (int i = 0; i < 5; ++i) town.say(ben, request);
  EXPECT_TRUE(ben.is_open);
  town.say(ben, request);
  EXPECT_FALSE(ben.is_open);
  EXPECT_EQ(ben.code, 1008);
  ASSERT_EQ(ben.heard.back().message_case(), pb::SignalResponse::kLeave);
  EXPECT_EQ(ben.heard.back().leave().reason(), pb::STATE_MISMATCH);
  EXPECT_EQ(ben.heard.back().leave().action(), pb::LeaveRequest::DISCONNECT);
  EXPECT_EQ(town.metric("stoa_room_signal_floods_total"), 1);
  EXPECT_TRUE(town.run_until([&] { return !anna.find("ben"); }));
  // Who takes his time may say as much.
  for (int i = 0; i < 10; ++i) {
    town.say(carl, request);
    town.run_for(Duration::seconds(2));
  }
  EXPECT_TRUE(carl.is_open && anna.is_open);
}

// What we ask for is as long as we make it.
class RoomsLimitsOfBoth : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Single, RoomsLimitsOfBoth, testing::Bool());

TEST_P(RoomsLimitsOfBoth, descriptions_that_we_ask_for_weigh_as_one_frame_up_to_a_limit) {
  for (const bool is_over : {false, true}) {
    ShardConfig config;
    config.rooms.seat.requests_per_second = config.rooms.seat.description_bytes_per_second = 0.01;
    config.rooms.seat.request_burst = 80;
    if (is_over) config.rooms.seat.description_burst_bytes = 10'000;
    config.rooms.limits.loudest_max = 100;
    RoomsTown town(1, config);
    Person& ben = town.join("meeting", "ben", 0, GetParam());
    for (std::uint32_t i = 0; i < 30 && ben.is_open; ++i) {
      Person& other = town.join("meeting", "speaker " + std::to_string(i), 0);
      town.publish(other, MediaKind::kAudio, i + 1);
      ASSERT_TRUE(town.run_until([&] { return !ben.is_open || !ben.receiver().of(i + 1).empty(); })) << i;
    }
    EXPECT_EQ(ben.is_open, !is_over);
    EXPECT_EQ(town.metric("stoa_room_signal_floods_total") > 0, is_over);
  }
}

struct DataCase {
  const char* name;
  double packets_per_second, bytes_per_second;
  std::size_t bytes;    // Of a packet.
  std::size_t at_once;  // So many of 500 pass.
};
class DataLimits : public testing::TestWithParam<DataCase> {};

TEST_P(DataLimits, refuse_what_is_over_and_disturb_nobody) {
  ShardConfig config;
  config.rooms.seat.data_packets_per_second = GetParam().packets_per_second;
  config.rooms.seat.data_bytes_per_second = GetParam().bytes_per_second;
  RoomsTown town(1, config);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  Person& carl = town.join("meeting", "carl", 0);
  town.run_for(Duration::seconds(3));
  for (std::uint32_t i = 1; i <= 500; ++i) town.send_data(anna, std::string(GetParam().bytes, 'x'), i);
  for (std::uint32_t i = 1; i <= 50; ++i) {
    town.send_data(carl, "c", i);
    town.run_for(Duration::milliseconds(20));
  }
  std::size_t of_anna = 0, of_carl = 0;
  for (const pb::DataPacket& packet : ben.data()) {
    if (packet.participant_identity() == "anna") ++of_anna;
    if (packet.participant_identity() == "carl") {
      EXPECT_EQ(packet.sequence(), ++of_carl);
    }
  }
  EXPECT_EQ(of_carl, 50u);
  EXPECT_GE(of_anna, GetParam().at_once);
  EXPECT_LE(of_anna, GetParam().at_once * 11 / 10);
  EXPECT_EQ(town.metric("stoa_room_data_refused_total"), 500 - static_cast<double>(of_anna));
  EXPECT_EQ(town.metric("stoa_room_data_packets_total"), 550);
  // Who waits is heard again.
  town.run_for(Duration::seconds(1));
  town.send_data(anna, "again", 501);
  EXPECT_TRUE(town.run_until([&] { return ben.data().back().user().payload() == "again"; }));
  EXPECT_TRUE(anna.is_open);
}
INSTANTIATE_TEST_SUITE_P(RoomsLimits, DataLimits,
                         testing::Values(DataCase{"packets", 100, 1e6, 10, 200},
                                         DataCase{"bytes", 1'000, 10'000, 980, 20}),
                         [](const auto& one) { return one.param.name; });

// Each needs a section of his connection.
class Subscriptions : public testing::TestWithParam<bool> {};

TEST_P(Subscriptions, over_the_limit_wait_until_there_is_room) {
  ShardConfig config;
  config.rooms.seat.subscriptions_max = 3;
  RoomsTown town(1, config);
  Person& anna = town.join("meeting", "anna", 0, GetParam());
  for (std::uint32_t tag = 1; tag <= 3; ++tag) town.publish(anna, MediaKind::kAudio, tag);
  Person& ben = town.join("meeting", "ben", 0, GetParam());
  auto has = [&](std::uint32_t tag) { return ben.receiver().of(tag).size() > 10; };
  ASSERT_TRUE(town.run_until([&] { return has(1) && has(2) && has(3); }));
  town.publish(anna, MediaKind::kAudio, 4);
  town.publish(anna, MediaKind::kAudio, 5);
  ASSERT_TRUE(town.run_until([&] { return ben.find("anna")->tracks_size() == 5; }));
  town.run_for(Duration::seconds(1));
  EXPECT_FALSE(has(4) || has(5));
  EXPECT_TRUE(ben.is_open);
  EXPECT_EQ(town.metric("stoa_room_tracks_subscribed"), 3);
  auto sid_of = [&](std::uint32_t tag) {
    for (const pb::TrackPublishedResponse& one : [&] {
           std::vector<pb::TrackPublishedResponse> all;
           for (const auto& response : anna.all(pb::SignalResponse::kTrackPublished))
             all.push_back(response.track_published());
           return all;
         }())
      if (one.cid() == "cid" + std::to_string(tag)) return one.track().sid();
    return std::string();
  };
  // Of what waits, one is not wanted any more.
  pb::SignalRequest request;
  request.mutable_subscription()->add_track_sids(sid_of(4));
  town.say(ben, request);
  request.mutable_subscription()->set_track_sids(0, sid_of(2));
  town.say(ben, request);
  EXPECT_TRUE(town.run_until([&] { return has(5); }));
  EXPECT_FALSE(has(4));
  EXPECT_EQ(town.metric("stoa_room_tracks_subscribed"), 3);
  // And it comes when it is wanted again, and another one ends.
  request.mutable_subscription()->set_subscribe(true);
  request.mutable_subscription()->set_track_sids(0, sid_of(4));
  town.say(ben, request);
  town.run_for(Duration::milliseconds(500));
  EXPECT_FALSE(has(4));
  request.mutable_subscription()->set_subscribe(false);
  request.mutable_subscription()->set_track_sids(0, sid_of(1));
  town.say(ben, request);
  EXPECT_TRUE(town.run_until([&] { return has(4); }));
}
INSTANTIATE_TEST_SUITE_P(RoomsLimits, Subscriptions, testing::Bool(),
                         [](const auto& one) { return one.param ? "Single" : "Double"; });

// All sections of a connection are in use, 20 tracks go and 20 come: 15 in the sections that are left, five
// in those of the ones that went, once the client knows that they are free.
TEST(RoomsLimits, tracks_that_find_no_section_get_the_next_that_is_free) {
  ShardConfig config;
  config.rooms.limits.loudest_max = 1'000;
  RoomsTown town(1, config);
  town.query = "&auto_subscribe=0";
  std::vector<Person*> publishers;
  std::uint32_t last = 0;
  for (int i = 0; i < 17; ++i) {
    Person& one = *publishers.emplace_back(&town.join("meeting", "p" + std::to_string(i), 0));
    while (++last % 16 != 0) town.announce(one, MediaKind::kAudio, last);
    town.announce(one, MediaKind::kAudio, last);
    town.offer(one);
  }
  ASSERT_EQ(last, 272u);
  ASSERT_TRUE(town.run_until([&] { return town.metric("stoa_room_tracks_published") == last; }));
  for (Person* one : publishers)
    for (auto& sending : one->sending->sendings) sending.is_on = sending.tag > 240;
  town.query.clear();
  Person& ben = town.join("meeting", "ben", 0);
  ASSERT_TRUE(town.run_until([&] { return town.metric("stoa_room_tracks_subscribed") == 240; }));
  town.run_for(Duration::seconds(1));
  auto heard = [&] {
    std::set<std::uint32_t> tags;
    for (const webrtc::PeerGot& got : ben.receiver().got) tags.insert(got.tag);
    return tags.size();
  };
  const std::size_t before = heard();
  pb::SignalRequest request;
  std::size_t gone = 0;
  for (Person* one : publishers)
    for (const pb::SignalResponse& response : one->all(pb::SignalResponse::kTrackPublished)) {
      const std::uint32_t tag =
          static_cast<std::uint32_t>(std::stoul(response.track_published().cid().substr(3)));
      if (tag > 20) continue;
      request.mutable_subscription()->add_track_sids(response.track_published().track().sid());
      ++gone;
    }
  ASSERT_EQ(gone, 20u);
  town.say(ben, request);
  town.run_for(Duration::seconds(2));
  EXPECT_EQ(town.metric("stoa_room_tracks_subscribed"), 240);
  EXPECT_EQ(heard(), before + 20);
}

TEST(Rooms, send_everything_again_on_the_connection_that_comes_after_one) {
  RoomsTown town(2, spread());
  Person& anna = town.join("meeting", "anna", 0, true);
  town.publish(anna, MediaKind::kVideo, 1);
  Person& ben = town.join("meeting", "ben", 1, true);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  ben.sending->close();
  town.run_for(Duration::seconds(1));
  EXPECT_TRUE(ben.is_open);
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 1);
  town.connect_anew(ben);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  EXPECT_TRUE(ben.receiver().of(1).front().is_keyframe);
}

}  // namespace
}  // namespace stoa::shard
