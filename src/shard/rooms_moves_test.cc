// Participants that are moved from room to room, rooms that come after others of their name, and who is heard
// where many speak.
#include <gtest/gtest.h>

#include <algorithm>

#include "shard/rooms.h"
#include "shard/test_rooms_town.h"

namespace stoa::shard {
namespace {

using sdp::MediaKind;

void update_metadata(RoomsTown& town, Person& person, const std::string& metadata) {
  pb::SignalRequest request;
  request.mutable_update_metadata()->set_metadata(metadata);
  town.say(person, request);
}

// Anna and Ben in one room, Carl in another that another shard owns.
struct TwoRooms {
  explicit TwoRooms(bool is_single = false)
      : town(3, spread()),
        from(town.room_of(0)),
        to(town.room_of(1)),
        anna(town.join(from, "anna", 0, is_single)),
        ben(town.join(from, "ben", 1, is_single)),
        carl(town.join(to, "carl", 2, is_single)) {
    town.publish(anna, MediaKind::kVideo, 1);
    town.publish(anna, MediaKind::kAudio, 2);
    town.publish(ben, MediaKind::kAudio, 3);
    town.publish(carl, MediaKind::kVideo, 4);
    EXPECT_TRUE(town.run_until([&] { return has(ben, 1) && has(ben, 2) && has(anna, 3); }));
  }
  static bool has(Person& person, std::uint32_t tag) { return person.receiver().of(tag).size() > 10; }

  RoomsTown town;
  std::string from, to;
  Person &anna, &ben, &carl;
};

class Moves : public testing::TestWithParam<bool> {};

TEST_P(Moves, take_a_participant_out_of_one_room_and_into_the_other) {
  TwoRooms rooms(GetParam());
  auto& [town, from, to, anna, ben, carl] = rooms;
  if (GetParam()) carl.reliable = carl.sending->open_channel("_reliable");
  town.move(anna, to);
  EXPECT_TRUE(town.run_until([&] { return rooms.has(carl, 1) && rooms.has(carl, 2) && rooms.has(anna, 4); }));
  ASSERT_EQ(town.answers.size(), 1u);
  EXPECT_TRUE(town.answers.begin()->second.answer);
  for (std::uint32_t tag : {1u, 2u}) expect_whole(carl.receiver().of(tag));
  expect_whole(anna.receiver().of(4));
  EXPECT_TRUE(carl.find("anna") && anna.find("carl"));

  // Of the old room it has nothing any more, and that nothing of it.
  EXPECT_FALSE(ben.find("anna"));
  const std::size_t of_video = ben.receiver().of(1).size(), of_sound = ben.receiver().of(2).size(),
                    of_ben = anna.receiver().of(3).size();
  town.send_data(anna, "to the new room", 1);
  town.send_data(ben, "to the old room", 1);
  town.run_for(Duration::seconds(1));
  EXPECT_EQ(ben.receiver().of(1).size(), of_video);
  EXPECT_EQ(ben.receiver().of(2).size(), of_sound);
  EXPECT_EQ(anna.receiver().of(3).size(), of_ben);
  EXPECT_TRUE(anna.data().empty() && ben.data().empty());
  ASSERT_EQ(carl.data().size(), 1u);
  EXPECT_EQ(carl.data()[0].user().payload(), "to the new room");
  EXPECT_EQ(town.metric("stoa_room_tracks_subscribed"), 3);
  EXPECT_EQ(town.metric("stoa_room_tracks_published"), 4);

  pb::SignalRequest leave;
  leave.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  for (Person* person : {&anna, &ben, &carl}) town.say(*person, leave);
  EXPECT_TRUE(town.run_until([&] { return town.entries() == 0; }, Duration::seconds(60)));
}
INSTANTIATE_TEST_SUITE_P(RoomsMoves, Moves, testing::Bool(),
                         [](const auto& one) { return one.param ? "Single" : "Double"; });

TEST(RoomsMoves, are_told_with_the_new_token_before_anything_of_the_new_room) {
  TwoRooms rooms;
  auto& [town, from, to, anna, ben, carl] = rooms;
  town.holds = [](const Mail& mail) { return std::holds_alternative<TokenMade>(mail); };
  const std::size_t before = anna.heard.size();
  town.move(anna, to);
  ASSERT_TRUE(town.run_until([&] { return carl.find("anna") != nullptr; }));
  update_metadata(town, carl, "said while she waited");
  town.run_for(Duration::milliseconds(500));
  for (std::size_t i = before; i < anna.heard.size(); ++i) {
    const auto what = anna.heard[i].message_case();
    EXPECT_TRUE(what == pb::SignalResponse::kUpdate || what == pb::SignalResponse::kOffer ||
                what == pb::SignalResponse::kSubscribedQualityUpdate)
        << anna.heard[i].ShortDebugString();
    EXPECT_EQ(anna.heard[i].offer().sdp().find("a=sendonly"), std::string::npos);
    for (const pb::ParticipantInfo& one : anna.heard[i].update().participants())
      EXPECT_NE(one.identity(), "carl");
  }
  EXPECT_FALSE(anna.find("carl"));
  const std::size_t held = anna.heard.size();
  town.release();
  ASSERT_TRUE(town.run_until([&] { return anna.heard.size() > held; }));
  ASSERT_TRUE(anna.heard[held].has_room_moved()) << anna.heard[held].ShortDebugString();
  const pb::RoomMovedResponse& moved = anna.heard[held].room_moved();
  EXPECT_EQ(moved.token(), "token of " + to);
  EXPECT_EQ(moved.room().name(), to);
  EXPECT_EQ(moved.participant().identity(), "anna");
  ASSERT_EQ(moved.other_participants_size(), 1);
  EXPECT_EQ(moved.other_participants(0).identity(), "carl");
  EXPECT_TRUE(town.run_until([&] { return rooms.has(anna, 4); }));
  ASSERT_TRUE(anna.find("carl"));
  EXPECT_EQ(anna.find("carl")->metadata(), "said while she waited");
}

// Its connections go on meanwhile, and the room that it left hears nothing of them any more.
TEST(RoomsMoves, know_in_the_new_room_what_happened_on_the_way) {
  TwoRooms rooms;
  auto& [town, from, to, anna, ben, carl] = rooms;
  town.publish(anna, MediaKind::kAudio, 5);
  Person& dora = town.ask(from, "dora", 2);
  ASSERT_TRUE(town.run_until([&] { return !dora.sid.empty(); }));
  ASSERT_FALSE(dora.receiver().is_connected());
  town.holds = [](const Mail& mail) { return std::holds_alternative<RoomEntered>(mail); };
  ASSERT_TRUE(town.run_until([&] { return anna.all(pb::SignalResponse::kTrackPublished).size() == 3; }));
  town.move(anna, to);
  town.move(dora, to);
  ASSERT_TRUE(town.run_until([&] { return dora.receiver().is_connected(); }));
  town.run_for(Duration::seconds(1));
  EXPECT_TRUE(carl.receiver().of(5).empty() && ben.receiver().of(5).empty());
  town.release();
  EXPECT_TRUE(town.run_until([&] { return rooms.has(carl, 5); }));
  EXPECT_TRUE(town.run_until([&] { return rooms.has(dora, 5) && rooms.has(dora, 4); }));
  EXPECT_TRUE(ben.receiver().of(5).empty());
}

TEST(RoomsMoves, that_would_miss_what_happens_end_in_a_fresh_start) {
  TwoRooms rooms;
  auto& [town, from, to, anna, ben, carl] = rooms;
  town.holds = [](const Mail& mail) { return std::holds_alternative<TokenMade>(mail); };
  town.move(anna, to);
  ASSERT_TRUE(town.run_until([&] { return carl.find("anna") != nullptr; }));
  for (int i = 0; i < 300; ++i) update_metadata(town, carl, std::to_string(i));
  EXPECT_TRUE(town.run_until([&] { return !anna.is_open; }));
  ASSERT_EQ(anna.heard.back().message_case(), pb::SignalResponse::kLeave);
  EXPECT_EQ(anna.heard.back().leave().action(), pb::LeaveRequest::RECONNECT);
  EXPECT_TRUE(carl.is_open);
  EXPECT_TRUE(town.run_until([&] { return !carl.find("anna"); }));
}

class RoomsOfOneName : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Sid, RoomsOfOneName, testing::Values("", "RM_kept"));

TEST_P(RoomsOfOneName, do_not_hear_what_was_said_in_the_one_before) {
  RoomsTown town(2, spread());
  town.room_sid = GetParam();
  const std::string room = town.room_of(0);
  Person& anna = town.join(room, "anna", 0);
  Person& ben = town.join(room, "ben", 1);
  town.holds = [](const Mail& mail) {
    const auto* asked = std::get_if<RoomAsked>(&mail);
    return asked && std::holds_alternative<room::Leave>(asked->command);
  };
  pb::SignalRequest leave;
  leave.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  town.say(ben, leave);
  pb::DeleteRoomRequest deleted;
  deleted.set_room(room);
  town.ask_server(deleted);
  ASSERT_TRUE(town.run_until([&] { return !anna.is_open && !ben.is_open; }));
  ASSERT_TRUE(town.run_until([&] { return town.metric("stoa_rooms") == 0; }));
  Person& again = town.join(room, "anna", 0);
  Person& ben_again = town.join(room, "ben", 1);
  town.release();
  town.run_for(Duration::seconds(1));
  EXPECT_TRUE(ben_again.is_open);
  EXPECT_TRUE(again.find("ben"));
}

// ---- Who is heard.

constexpr std::uint8_t kLoud = 5, kSoft = 25, kSilent = 127;

ShardConfig with_loudest(std::size_t most, bool is_spread) {
  ShardConfig config = is_spread ? spread() : ShardConfig();
  config.rooms.limits.loudest_max = most;
  return config;
}
// Comes into the room and speaks, as loudly as said.
Person& join_speaking(RoomsTown& town, const std::string& room, const std::string& identity,
                      std::uint32_t tag, std::uint8_t level) {
  Person& person = town.join(room, identity, 0);
  town.publish(person, MediaKind::kAudio, tag);
  person.sending->sending(tag).level = level;
  return person;
}
// How many packets come of what is sent with this tag, in a second.
std::size_t heard_in_a_second(RoomsTown& town, Person& person, std::uint32_t tag) {
  const std::size_t before = person.receiver().of(tag).size();
  town.run_for(Duration::seconds(1));
  return person.receiver().of(tag).size() - before;
}

class Audible : public testing::TestWithParam<bool> {};

TEST_P(Audible, are_the_loudest_also_when_others_come_later) {
  RoomsTown town(4, with_loudest(1, GetParam()));
  join_speaking(town, "meeting", "anna", 1, kLoud);
  join_speaking(town, "meeting", "ben", 2, kSoft);
  Person& dora = town.join("meeting", "dora", 0);
  town.run_for(Duration::seconds(4));
  EXPECT_GT(heard_in_a_second(town, dora, 1), 45u);
  EXPECT_EQ(heard_in_a_second(town, dora, 2), 0u);
  Person& carl = join_speaking(town, "meeting", "carl", 3, kSilent);
  town.run_for(Duration::seconds(1));
  ASSERT_EQ(dora.find("carl")->tracks_size(), 1);
  EXPECT_EQ(heard_in_a_second(town, dora, 3), 0u);
  // It may speak up, and be heard.
  carl.sending->sending(3).level = 0;
  town.run_for(Duration::seconds(4));
  EXPECT_GT(heard_in_a_second(town, dora, 3), 45u);
  EXPECT_EQ(heard_in_a_second(town, dora, 1), 0u);
}

TEST_P(Audible, are_the_loudest_of_the_room_that_one_moved_to) {
  RoomsTown town(4, with_loudest(1, GetParam()));
  const std::string busy = town.room_of(0), quiet = town.room_of(1);
  join_speaking(town, busy, "anna", 1, kLoud);
  Person& ben = join_speaking(town, busy, "ben", 2, kSoft);
  Person& carl = join_speaking(town, quiet, "carl", 3, kSilent);
  Person& dora = town.join(busy, "dora", 0);
  Person& emil = town.join(quiet, "emil", 0);
  town.run_for(Duration::seconds(4));
  EXPECT_EQ(heard_in_a_second(town, dora, 2), 0u);
  EXPECT_GT(heard_in_a_second(town, emil, 3), 45u);
  // Where many speak, silence stays outside …
  town.move(carl, busy);
  ASSERT_TRUE(town.run_until([&] { return dora.find("carl") != nullptr; }));
  town.run_for(Duration::seconds(3));
  EXPECT_EQ(heard_in_a_second(town, dora, 3), 0u);
  // … and where nobody else does, everybody is heard.
  town.move(ben, quiet);
  ASSERT_TRUE(town.run_until([&] { return emil.find("ben") != nullptr; }));
  town.run_for(Duration::seconds(1));
  EXPECT_GT(heard_in_a_second(town, emil, 2), 45u);
  expect_whole(emil.receiver().of(2));
}
INSTANTIATE_TEST_SUITE_P(Rooms, Audible, testing::Bool(),
                         [](const auto& one) { return one.param ? "Spread" : "Together"; });

// Also over a network that takes longer than before: when a sound was made is known.
TEST_P(Audible, go_on_by_the_clock_after_a_silence) {
  RoomsTown town(4, with_loudest(1, GetParam()));
  Person& ben = join_speaking(town, "meeting", "ben", 2, kLoud);
  Person& anna = join_speaking(town, "meeting", "anna", 1, kSilent);
  Person& dora = town.join("meeting", "dora", 0);
  town.run_for(Duration::seconds(4));
  EXPECT_GT(heard_in_a_second(town, dora, 2), 45u);
  ben.sending->sending(2).level = kSilent;
  anna.sending->sending(1).level = kLoud;
  town.run_for(Duration::seconds(5));
  EXPECT_EQ(heard_in_a_second(town, dora, 2), 0u);
  ben.sending->up.set_latency(Duration::milliseconds(150));
  town.run_for(Duration::seconds(1));
  ben.sending->sending(2).level = kLoud;
  anna.sending->sending(1).level = kSilent;
  town.run_for(Duration::seconds(5));
  EXPECT_GT(heard_in_a_second(town, dora, 2), 45u);
  const std::vector<webrtc::PeerGot> got = dora.receiver().of(2);
  std::uint32_t widest = 0;
  for (std::size_t i = 1; i < got.size(); ++i) {
    ASSERT_EQ(got[i].index, got[i - 1].index + 1) << i;
    const std::uint32_t elapsed = got[i].number - got[i - 1].number;
    widest = std::max(widest, elapsed);
    ASSERT_EQ(got[i].timestamp - got[i - 1].timestamp, elapsed * 960) << i;
  }
  EXPECT_GT(widest, 100u);  // It was silent indeed.
}

}  // namespace
}  // namespace stoa::shard
