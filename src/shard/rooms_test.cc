#include "shard/rooms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "shard/test_rooms_town.h"

namespace stoa::shard {
namespace {

using sdp::MediaKind;
using ::testing::ElementsAre;

struct Case {
  ShardIndex shards;
  bool is_single;
};
class RoomsOfAnyKind : public testing::TestWithParam<Case> {};

TEST_P(RoomsOfAnyKind, let_people_see_and_hear_each_other) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kVideo, 1);
  town.publish(anna, MediaKind::kAudio, 2);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single);
  town.publish(ben, MediaKind::kAudio, 3);
  auto has = [](Person& person, std::uint32_t tag) { return person.receiver().of(tag).size() > 50; };
  EXPECT_TRUE(town.run_until([&] { return has(ben, 1) && has(ben, 2) && has(anna, 3); }))
      << ben.receiver().of(1).size() << ' ' << ben.receiver().of(2).size() << ' '
      << anna.receiver().of(3).size();
  EXPECT_TRUE(ben.receiver().of(1).front().is_keyframe);
  for (auto [person, tag] : {std::pair(&ben, 1), std::pair(&ben, 2), std::pair(&anna, 3)})
    expect_whole(person->receiver().of(static_cast<std::uint32_t>(tag)));
  EXPECT_EQ(town.relayed > 0, GetParam().shards > 1);
  // Nobody gets what is his own.
  EXPECT_TRUE(anna.receiver().of(1).empty() && anna.receiver().of(2).empty());
}

TEST_P(RoomsOfAnyKind, pass_redundancy_of_sound_where_both_sides_have_it) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single, true);
  pb::SignalRequest without, encrypted;
  without.mutable_add_track()->set_disable_red(true);
  encrypted.mutable_add_track()->set_encryption(pb::Encryption::GCM);
  town.publish(anna, MediaKind::kAudio, 1);
  town.publish(anna, MediaKind::kAudio, 2, without);
  town.publish(anna, MediaKind::kAudio, 3, encrypted);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single, true);
  Person& cleo = town.join("meeting", "cleo", 0, GetParam().is_single);
  town.publish(cleo, MediaKind::kAudio, 4);
  auto has_all = [](Person& person) {
    return std::ranges::all_of(std::array{1u, 2u, 3u},
                               [&](std::uint32_t tag) { return person.receiver().of(tag).size() > 50; });
  };
  ASSERT_TRUE(
      town.run_until([&] { return has_all(ben) && has_all(cleo) && ben.receiver().of(4).size() > 50; }));
  auto with_red = [](Person& person, std::uint32_t tag) {
    const auto got = person.receiver().of(tag);
    expect_whole(got);
    return std::ranges::count(got, 1u, &webrtc::PeerGot::earlier) * 100 /
           static_cast<std::ptrdiff_t>(got.size());
  };
  EXPECT_GE(with_red(ben, 1), 98);  // The very first has nothing before it.
  EXPECT_EQ(with_red(cleo, 1), 0);
  for (std::uint32_t tag : {2u, 3u, 4u}) EXPECT_EQ(with_red(ben, tag), 0) << tag;
  EXPECT_EQ(with_red(cleo, 2) + with_red(cleo, 3), 0);
}

TEST_P(RoomsOfAnyKind, make_good_for_everybody_what_redundancy_brings_again) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single, true);
  town.publish(anna, MediaKind::kAudio, 1);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  // One packet is lost, now and then.
  for (int i = 0; i < 10; ++i) {
    anna.sending->is_cut = true;
    const std::uint32_t number = anna.sending->sending(1).number;
    ASSERT_TRUE(town.run_until([&] { return anna.sending->sending(1).number > number; }));
    anna.sending->is_cut = false;
    town.run_for(Duration::milliseconds(50));
  }
  town.run_for(Duration::milliseconds(100));
  expect_whole(ben.receiver().of(1));
  EXPECT_EQ(town.metric("stoa_webrtc_published_recovered_total"), 10);
}

TEST_P(RoomsOfAnyKind, leave_nothing_behind) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kVideo, 1);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  pb::SignalRequest leave;
  leave.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  for (Person* person : {&anna, &ben}) town.say(*person, leave);
  EXPECT_TRUE(town.run_until([&] { return town.metric("stoa_rooms") == 0; }, Duration::seconds(60)));
  EXPECT_EQ(town.metric("stoa_room_participants"), 0);
  EXPECT_EQ(town.metric("stoa_room_tracks_published"), 0);
  EXPECT_EQ(town.metric("stoa_room_tracks_subscribed"), 0);
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
  EXPECT_EQ(town.entries(), 0u);
  EXPECT_FALSE(anna.is_open || ben.is_open);
}

TEST_P(RoomsOfAnyKind, keep_media_going_while_signalling_is_away) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kAudio, 2);
  Person& ben = town.join("meeting", "ben", 0, GetParam().is_single);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(2).size() > 50; }));
  const std::string sid = ben.sid;
  town.cut(ben);
  town.run_for(Duration::seconds(3));
  // To another shard than before.
  town.resume(ben, GetParam().shards - 1);
  EXPECT_TRUE(town.run_until([&] { return !ben.all(pb::SignalResponse::kReconnect).empty(); }));
  EXPECT_EQ(ben.sid, sid);
  EXPECT_EQ(ben.all(pb::SignalResponse::kJoin).size(), 1u);
  ASSERT_TRUE(ben.find("anna"));
  town.run_for(Duration::seconds(2));
  expect_whole(ben.receiver().of(2));
  // And it hears of what is new.
  town.publish(anna, MediaKind::kVideo, 1);
  EXPECT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
}

TEST_P(RoomsOfAnyKind, stop_what_is_unsubscribed_and_begin_it_anew) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kVideo, 1);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  pb::SignalRequest request;
  request.mutable_subscription()->add_track_sids(ben.find("anna")->tracks(0).sid());
  town.say(ben, request);
  town.run_for(Duration::milliseconds(200));
  const std::size_t before = ben.receiver().of(1).size();
  town.run_for(Duration::seconds(1));
  EXPECT_EQ(ben.receiver().of(1).size(), before);
  request.mutable_subscription()->set_subscribe(true);
  town.say(ben, request);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > before + 10; }));
  EXPECT_TRUE(ben.receiver().of(1)[before].is_keyframe);
}

INSTANTIATE_TEST_SUITE_P(Rooms, RoomsOfAnyKind,
                         testing::Values(Case{1, false}, Case{3, false}, Case{1, true}, Case{3, true}),
                         [](const auto& one) {
                           return std::to_string(one.param.shards) +
                                  (one.param.is_single ? "Single" : "Double");
                         });

TEST(Rooms, tell_a_client_that_resumes_what_is_gone_to_join_anew) {
  RoomsTown town(2);
  Person& anna = town.join("meeting", "anna", 0);
  town.cut(anna);
  anna.sid = "PA_nobody";
  town.resume(anna, 1);
  ASSERT_TRUE(town.run_until([&] { return !anna.all(pb::SignalResponse::kLeave).empty(); }));
  EXPECT_EQ(anna.heard.back().leave().action(), pb::LeaveRequest::RECONNECT);
  EXPECT_EQ(anna.heard.back().leave().reason(), pb::STATE_MISMATCH);
}

TEST(Rooms, give_up_a_participant_whose_signalling_does_not_come_back) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  town.cut(anna);
  town.run_for(SeatConfig().resume_timeout - Duration::seconds(1));
  EXPECT_TRUE(ben.find("anna"));
  EXPECT_TRUE(town.run_until([&] { return !ben.find("anna"); }, Duration::seconds(3)));
}

TEST(Rooms, refuse_a_token_with_the_status_that_control_says) {
  RoomsTown town(1);
  Person& anna = town.ask("", "anna", 0);
  EXPECT_TRUE(town.run_until([&] { return anna.status == 401; }));
  EXPECT_FALSE(anna.is_open);
  EXPECT_EQ(town.metric("stoa_rooms"), 0);
}

TEST(Rooms, tell_publishers_what_nobody_looks_at) {
  RoomsTown town(2, spread());
  Person& anna = town.join("meeting", "anna", 0);
  town.publish(anna, MediaKind::kVideo, 1);
  Person& ben = town.join("meeting", "ben", 1);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  pb::SignalRequest request;
  request.mutable_track_setting()->add_track_sids(ben.find("anna")->tracks(0).sid());
  request.mutable_track_setting()->set_disabled(true);
  town.say(ben, request);
  town.run_for(Duration::milliseconds(100));
  const std::size_t before = ben.receiver().of(1).size();
  EXPECT_TRUE(town.run_until(
      [&] {
        auto told = anna.all(pb::SignalResponse::kSubscribedQualityUpdate);
        return !told.empty() && !told.back().subscribed_quality_update().subscribed_qualities(0).enabled();
      },
      room::Demand::kHold + Duration::seconds(1)));
  EXPECT_EQ(ben.receiver().of(1).size(), before);  // Disabled costs nothing.
  request.mutable_track_setting()->set_disabled(false);
  request.mutable_track_setting()->set_quality(pb::HIGH);
  town.say(ben, request);
  EXPECT_TRUE(town.run_until(
      [&] {
        return anna.all(pb::SignalResponse::kSubscribedQualityUpdate)
            .back()
            .subscribed_quality_update()
            .subscribed_qualities(0)
            .enabled();
      },
      Duration::milliseconds(100)));
  EXPECT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > before + 10; }));
}

TEST(Rooms, pass_on_nothing_of_what_is_muted_though_it_is_sent) {
  RoomsTown town(2, spread());
  const std::string room = town.room_of(0);
  Person& anna = town.join(room, "anna", 0);
  Person& ben = town.join(room, "ben", 1);
  const auto got = [&](std::uint32_t tag) { return ben.receiver().of(tag).size(); };
  town.publish(anna, MediaKind::kVideo, 1);
  town.publish(anna, MediaKind::kAudio, 2);
  ASSERT_TRUE(town.run_until([&] { return got(1) > 10 && got(2) > 10; }));
  const auto mute = [&](bool is_muted) {
    for (const pb::TrackInfo& track : ben.find("anna")->tracks()) {
      pb::SignalRequest request;
      request.mutable_mute()->set_sid(track.sid());
      request.mutable_mute()->set_muted(is_muted);
      town.say(anna, request);
    }
    ASSERT_TRUE(town.run_until([&] {
      return std::ranges::all_of(ben.find("anna")->tracks(),
                                 [&](const pb::TrackInfo& track) { return track.muted() == is_muted; });
    }));
  };
  mute(true);
  const std::size_t pictures = got(1), sounds = got(2);
  town.run_for(Duration::seconds(2));
  EXPECT_EQ(got(1), pictures);
  EXPECT_EQ(got(2), sounds);
  // Who comes now is not sent anything either.
  Person& carl = town.join(room, "carl", 0);
  town.run_for(Duration::seconds(1));
  EXPECT_TRUE(carl.receiver().of(1).empty() && carl.receiver().of(2).empty());
  // Nor is what was sent meanwhile, later.
  anna.sending->sending(1).wants_keyframe = true;
  town.run_for(Duration::milliseconds(500));
  const std::uint32_t sent = anna.sending->sending(1).number;
  mute(false);
  ASSERT_TRUE(town.run_until([&] { return got(1) > pictures + 10 && got(2) > sounds + 10; }));
  EXPECT_TRUE(ben.receiver().of(1)[pictures].is_keyframe);
  EXPECT_GE(ben.receiver().of(1)[pictures].number, sent);
  EXPECT_TRUE(town.run_until([&] { return !carl.receiver().of(1).empty(); }));
  EXPECT_TRUE(carl.receiver().of(1).front().is_keyframe);
  for (std::uint32_t tag : {1u, 2u})
    for (std::size_t i = 1; i < got(tag); ++i)
      ASSERT_EQ(ben.receiver().of(tag)[i].index, ben.receiver().of(tag)[i - 1].index + 1) << tag;
}

TEST(Rooms, tell_a_crowd_who_comes_and_goes_in_few_frames) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  std::vector<Person*> people = {&anna};
  auto come = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      people.push_back(&town.ask("meeting", "guest" + std::to_string(people.size()), 0));
    ASSERT_TRUE(town.run_until([&] {
      return std::ranges::all_of(people, [](Person* one) { return one->receiver().is_connected(); });
    }));
    town.run_for(kPresenceWait * 2);
  };
  auto frames = [&] { return anna.all(pb::SignalResponse::kUpdate).size(); };
  auto present = [](const Person& one) {
    return std::ranges::count_if(
        one.known, [](const auto& known) { return known.second.state() == pb::ParticipantInfo::ACTIVE; });
  };
  come(kCrowdSeats);
  const std::size_t before = frames();
  come(20);
  EXPECT_LT(frames() - before, 8u) << "of twenty who come and connect";
  for (Person* one : people) EXPECT_EQ(present(*one), std::ssize(people)) << one->identity;

  // Who publishes is not waited with, and comes after what it builds on.
  Person& late = town.ask("meeting", "late", 0);
  ASSERT_TRUE(town.run_until([&] { return late.receiver().is_connected(); }));
  town.publish(late, MediaKind::kVideo, 7);
  ASSERT_TRUE(town.run_until([&] { return anna.find("late") && anna.find("late")->tracks_size() > 0; }));
  EXPECT_EQ(anna.find("late")->state(), pb::ParticipantInfo::ACTIVE);

  const std::size_t then = frames();
  pb::SignalRequest leave;
  leave.mutable_leave();
  for (int i = 0; i < 10; ++i) town.say(*people[people.size() - 1 - static_cast<std::size_t>(i)], leave);
  ASSERT_TRUE(town.run_until([&] { return present(anna) == std::ssize(people) + 1 - 10; }));
  EXPECT_LT(frames() - then, 4u);

  // Who is hidden from now on is gone for the others, not for itself.
  Person& ghost = *people[1];
  pb::UpdateParticipantRequest hide;
  hide.set_room("meeting");
  hide.set_identity(ghost.identity);
  hide.mutable_permission()->set_hidden(true);
  hide.mutable_permission()->set_can_subscribe(true);
  town.ask_server(hide);
  ASSERT_TRUE(town.run_until([&] { return present(anna) == std::ssize(people) - 10; }));
  town.run_for(kPresenceWait * 2);
  for (const pb::SignalResponse& response : ghost.all(pb::SignalResponse::kUpdate))
    for (const pb::ParticipantInfo& one : response.update().participants())
      if (one.sid() == ghost.sid) {
        EXPECT_NE(one.state(), pb::ParticipantInfo::DISCONNECTED);
      }
}

TEST(Rooms, pause_what_does_not_fit_and_say_so) {
  RoomsTown town(2, spread());
  Person& anna = town.join("meeting", "anna", 0);
  town.publish(anna, MediaKind::kVideo, 1);
  town.publish(anna, MediaKind::kAudio, 2);
  Person& carl = town.join("meeting", "carl", 1);
  town.publish(carl, MediaKind::kVideo, 3);
  Person& ben = town.join("meeting", "ben", 1);
  auto count = [&](std::uint32_t tag) { return ben.receiver().of(tag).size(); };
  ASSERT_TRUE(town.run_until([&] { return count(1) > 10 && count(2) > 10 && count(3) > 10; }));
  auto sid_of = [&](const char* who) { return ben.find(who)->tracks(0).sid(); };

  // Carl's picture matters more; both would not fit.
  pb::SignalRequest request;
  request.mutable_track_setting()->add_track_sids(sid_of("carl"));
  request.mutable_track_setting()->set_quality(pb::HIGH);
  request.mutable_track_setting()->set_priority(9);
  town.say(ben, request);
  request.mutable_simulate()->set_subscriber_bandwidth(1);
  town.say(ben, request);
  ASSERT_TRUE(town.run_until([&] { return ben.all(pb::SignalResponse::kStreamStateUpdate).size() > 0; }));
  town.run_for(Duration::seconds(2));
  const std::size_t pictures = count(1) + count(3), sounds = count(2);
  town.run_for(Duration::seconds(10));
  EXPECT_EQ(count(1) + count(3), pictures);
  EXPECT_GT(count(2), sounds + 100) << "sound goes on";

  // 50 packets a second of each, some 70 bytes long with all headers: of three there is room for two.
  request.mutable_simulate()->set_subscriber_bandwidth(70'000);
  town.say(ben, request);
  const std::size_t annas = count(1), carls = count(3);
  town.run_for(Duration::seconds(10));
  EXPECT_EQ(count(1), annas);
  EXPECT_GT(count(3), carls + 100);
  request.mutable_simulate()->set_subscriber_bandwidth(0);
  town.say(ben, request);
  EXPECT_TRUE(town.run_until([&] { return count(1) > annas + 10; }));
  std::map<std::string, std::vector<pb::StreamState>> told;
  for (const pb::SignalResponse& response : ben.all(pb::SignalResponse::kStreamStateUpdate))
    for (const pb::StreamStateInfo& state : response.stream_state_update().stream_states())
      told[state.track_sid()].push_back(state.state());
  EXPECT_THAT(told[sid_of("anna")], ElementsAre(pb::PAUSED, pb::ACTIVE));
  EXPECT_THAT(told[sid_of("carl")], ElementsAre(pb::PAUSED, pb::ACTIVE));
}

TEST(Rooms, throw_out_who_floods_and_nobody_else) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 0);
  pb::SignalRequest ping;
  ping.set_ping(1);
  for (int i = 0; i < 1000 && ben.is_open; ++i) town.say(ben, ping);
  EXPECT_FALSE(ben.is_open);
  EXPECT_EQ(ben.all(pb::SignalResponse::kLeave).size(), 1u);
  EXPECT_EQ(town.metric("stoa_room_signal_floods_total"), 1);
  EXPECT_TRUE(town.run_until([&] { return !anna.find("ben"); }));
  EXPECT_TRUE(anna.is_open);
}

TEST(Rooms, put_out_who_sends_a_description_that_does_not_read) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  pb::SignalRequest request;
  request.mutable_offer()->set_type("offer");
  request.mutable_offer()->set_sdp("v=0\r\nnonsense");
  town.say(anna, request);
  EXPECT_TRUE(town.run_until([&] { return !anna.is_open; }));
  ASSERT_FALSE(anna.all(pb::SignalResponse::kLeave).empty());
  EXPECT_EQ(town.metric("stoa_room_descriptions_refused_total"), 1);
}

TEST(Rooms, take_frames_that_do_not_read_for_nothing) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  town.say_bytes(anna, as_bytes("\xff\xff\xff\xff"));
  EXPECT_EQ(town.metric("stoa_room_signal_refused_total"), 1);
  pb::SignalRequest ping;
  ping.mutable_ping_req()->set_timestamp(7);
  town.say(anna, ping);
  ASSERT_FALSE(anna.all(pb::SignalResponse::kPongResp).empty());
  EXPECT_EQ(anna.heard.back().pong_resp().last_ping_timestamp(), 7);
}

TEST(Rooms, give_fresh_tokens_to_those_who_stay) {
  RoomsTown town(1);
  Person& anna = town.join("meeting", "anna", 0);
  ASSERT_TRUE(town.run_until([&] { return anna.all(pb::SignalResponse::kRefreshToken).size() == 1; }));
  town.run_for(SeatConfig().token_interval + Duration::seconds(1));
  EXPECT_EQ(anna.all(pb::SignalResponse::kRefreshToken).size(), 2u);
}

TEST(Rooms, end_for_everybody_when_the_node_stops) {
  RoomsTown town(2, spread());
  Person& anna = town.join("meeting", "anna", 0);
  Person& ben = town.join("meeting", "ben", 1);
  town.end();
  EXPECT_TRUE(town.run_until([&] { return !anna.is_open && !ben.is_open; }));
  for (Person* person : {&anna, &ben}) {
    ASSERT_FALSE(person->all(pb::SignalResponse::kLeave).empty());
    EXPECT_EQ(person->heard.back().leave().reason(), pb::SERVER_SHUTDOWN);
  }
}

}  // namespace
}  // namespace stoa::shard
