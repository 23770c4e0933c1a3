#include "room/room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "room/test_meeting.h"

namespace stoa::room {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

Permissions hidden() {
  Permissions permissions;
  permissions.is_hidden = true;
  return permissions;
}
std::vector<std::string> identities(const std::vector<SharedParticipant>& people) {
  std::vector<std::string> names;
  for (const auto& p : people) names.push_back(p->identity);
  std::sort(names.begin(), names.end());
  return names;
}
template <typename T>
std::vector<std::string> tracks(const std::vector<T>& events) {
  std::vector<std::string> sids;
  for (const auto& event : events) {
    if constexpr (requires { event.track.sid; }) {
      sids.push_back(event.track.sid);
    } else {
      sids.push_back(event.track);
    }
  }
  return sids;
}

// ---- Coming and going.

TEST(Room, tells_a_newcomer_of_those_who_are_there_and_them_of_it) {
  Meeting m;
  Joined ann = m.join("ann");
  m.clear();
  Joined bob = m.join("bob", {}, false);
  EXPECT_THAT(identities(bob.others), ElementsAre("ann"));
  EXPECT_THAT(bob.self->sid, StartsWith("PA_"));
  EXPECT_THAT(bob.room.sid, StartsWith("RM_"));
  EXPECT_EQ(bob.room.participants, 2u);
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->state, ParticipantState::kJoined);
  EXPECT_THAT(m.all<ParticipantsChanged>(bob), IsEmpty());
  m.say(bob, BecomeActive{});
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->state, ParticipantState::kActive);
  EXPECT_EQ(m.last_told(bob, bob.self->sid)->state, ParticipantState::kActive);
  EXPECT_GT(m.last_told(ann, bob.self->sid)->version, bob.self->version);
}

TEST(Room, throws_out_the_old_one_of_an_identity_before_the_new_one_is_in) {
  Meeting m;
  Joined ann = m.join("ann");
  Joined old = m.join("bob");
  m.clear();
  Joined fresh = m.join("bob", {}, false);
  EXPECT_NE(fresh.self->sid, old.self->sid);
  ASSERT_THAT(m.all<Removed>(old), SizeIs(1));
  EXPECT_EQ(m.all<Removed>(old)[0].reason, LeaveReason::kDuplicateIdentity);
  EXPECT_EQ(m.outputs<Left>().at(0).participant, old.participant);
  auto told = m.all<ParticipantsChanged>(ann);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].participants[0]->sid, old.self->sid);
  EXPECT_EQ(told[0].participants[0]->state, ParticipantState::kDisconnected);
  EXPECT_EQ(told[1].participants[0]->sid, fresh.self->sid);
  EXPECT_THAT(identities(fresh.others), ElementsAre("ann"));
}

TEST(Room, keeps_the_old_one_when_the_new_one_is_refused) {
  RoomInfo info = Meeting::named("demo");
  info.participants_max = 1;
  Meeting m({}, info);
  m.join("bob");
  JoinWish bad = Meeting::wish("bob");
  bad.metadata = std::string(kMetadataBytesMax + 1, 'x');
  EXPECT_EQ(m.room.join(m.now, m.wall, bad, m.out).error(), JoinRefusal::kBadWish);
  EXPECT_TRUE(m.room.find_by_identity("bob").has_value());
  EXPECT_EQ(m.room.join(m.now, m.wall, Meeting::wish("ann"), m.out).error(), JoinRefusal::kFull);
  EXPECT_TRUE(m.room.join(m.now, m.wall, Meeting::wish("bob"), m.out).has_value());
}

TEST(Room, lets_those_in_who_are_there_for_others_though_it_is_full) {
  RoomInfo info = Meeting::named("demo");
  info.participants_max = 1;
  Meeting m({}, info);
  m.join("ann");
  JoinWish agent = Meeting::wish("agent");
  agent.kind = ParticipantKind::kAgent;
  EXPECT_TRUE(m.room.join(m.now, m.wall, agent, m.out).has_value());
  RoomConfig config;
  config.limits.participants_max = 1;
  Meeting small(config);
  small.join("ann");
  EXPECT_EQ(small.room.join(small.now, small.wall, agent, small.out).error(), JoinRefusal::kFull);
}

TEST(Room, refuses_texts_that_are_no_texts) {
  Meeting m;
  for (std::string bad :
       {std::string(), std::string("\xff"), std::string("\xc0\x80"), std::string("a\xed\xa0\x80"),
        std::string("\xf4\x90\x80\x80"), std::string("\xe2\x82"), std::string(257, 'a')})
    EXPECT_EQ(m.room.join(m.now, m.wall, Meeting::wish(bad), m.out).error(), JoinRefusal::kBadWish);
  for (std::string good : {"Zoë", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(m.room.join(m.now, m.wall, Meeting::wish(good), m.out).has_value());
  JoinWish wish = Meeting::wish("ann");
  for (std::size_t i = 0; i <= kAttributesMax; ++i) wish.attributes[std::to_string(i)] = "x";
  EXPECT_EQ(m.room.join(m.now, m.wall, wish, m.out).error(), JoinRefusal::kBadWish);
}

TEST(Room, removes_who_never_becomes_active) {
  Meeting m;
  Joined ann = m.join("ann");
  Joined bob = m.join("bob", {}, false);
  m.clear();
  m.pass(Duration::milliseconds(59'900));
  EXPECT_THAT(m.outputs<Left>(), IsEmpty());
  m.pass(Duration::milliseconds(200));
  EXPECT_EQ(m.all<Removed>(bob).at(0).reason, LeaveReason::kJoinFailure);
  EXPECT_THAT(m.happenings(), ElementsAre(Happening::kParticipantAborted));
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->left_for, LeaveReason::kJoinFailure);
  EXPECT_EQ(m.room.size(), 1u);
}

TEST(Room, passes_over_commands_of_those_who_are_gone) {
  Meeting m;
  Joined ann = m.join("ann");
  m.join("bob");
  m.say(ann, Leave{});
  EXPECT_THAT(m.all<Removed>(ann), IsEmpty());
  m.clear();
  m.announce(ann);
  m.say(ann, SendData{});
  m.say(ann, BecomeActive{});
  EXPECT_TRUE(m.out.empty());
}

TEST(Room, seats_its_own_shard_first_then_the_next_then_the_emptiest) {
  RoomConfig config;
  config.shard = 1;
  config.shards = 3;
  config.limits.seats_per_shard = 2;
  Meeting m(config);
  std::vector<std::uint32_t> shards;
  std::vector<Joined> all;
  for (int i = 0; i < 7; ++i) {
    all.push_back(m.join("p" + std::to_string(i)));
    shards.push_back(all.back().shard);
  }
  EXPECT_THAT(shards, ElementsAre(1, 1, 2, 2, 0, 0, 1));
  m.say(all[2], Leave{});
  EXPECT_EQ(m.join("x").shard, 2u);
}

// ---- Presence.

TEST(Room, shows_a_hidden_participant_to_nobody_but_itself) {
  Meeting m;
  Joined ann = m.join("ann");
  Joined spy = m.join("spy", hidden());
  EXPECT_THAT(identities(spy.others), ElementsAre("ann"));
  EXPECT_EQ(m.last_told(ann, spy.self->sid), nullptr);
  EXPECT_NE(m.last_told(spy, spy.self->sid), nullptr);
  EXPECT_EQ(spy.room.participants, 1u);
  EXPECT_EQ(m.announce(spy), "");
  EXPECT_EQ(m.all<TrackRefused>(spy).at(0).why, RequestOutcome::kNotAllowed);
  EXPECT_THAT(identities(m.join("bob").others), ElementsAre("ann"));
  m.say(spy, Leave{});
  EXPECT_EQ(m.last_told(ann, spy.self->sid), nullptr);
}

TEST(Room, hides_and_shows_a_participant_as_its_permissions_change) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(bob);
  m.clear();
  ParticipantUpdate update;
  update.permissions = hidden();
  ASSERT_TRUE(m.room.update_participant(m.now, m.wall, "bob", update, m.out).has_value());
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->state, ParticipantState::kDisconnected);
  EXPECT_THAT(tracks(m.all<Unsubscribed>(ann)), ElementsAre(track));
  EXPECT_EQ(m.all<TrackUnpublished>(bob).at(0).sid, track);
  EXPECT_EQ(m.last_told(bob, bob.self->sid)->state, ParticipantState::kActive);
  EXPECT_EQ(m.room.info().participants, 1u);
  update.permissions = Permissions();
  ASSERT_TRUE(m.room.update_participant(m.now, m.wall, "bob", update, m.out).has_value());
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->state, ParticipantState::kActive);
}

TEST(Room, tells_who_comes_over_the_limit_only_of_those_who_publish) {
  RoomConfig config;
  config.limits.presence_max = 2;
  Meeting m(config);
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(ann);
  m.clear();
  Joined cid = m.join("cid");
  EXPECT_THAT(identities(cid.others), ElementsAre("ann"));
  EXPECT_EQ(m.last_told(ann, cid.self->sid), nullptr);
  // The two know each other; a stranger to one of them hears nothing.
  m.clear();
  m.room.update_participant(m.now, m.wall, "bob", {"meta", {}, {}, {}}, m.out).value();
  EXPECT_NE(m.last_told(ann, bob.self->sid), nullptr);
  EXPECT_EQ(m.last_told(cid, bob.self->sid), nullptr);
  m.publish(cid);
  EXPECT_NE(m.last_told(ann, cid.self->sid), nullptr);
  EXPECT_THAT(identities(m.join("dan").others), ElementsAre("ann", "cid"));
}

TEST(Room, does_not_let_somebody_seem_to_leave_who_stops_publishing) {
  RoomConfig config;
  config.limits.presence_max = 1;
  Meeting m(config);
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(bob);
  m.clear();
  m.say(bob, UnpublishTrack{track});
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->state, ParticipantState::kActive);
  m.say(bob, Leave{});
  EXPECT_EQ(m.last_told(ann, bob.self->sid)->state, ParticipantState::kDisconnected);
}

TEST(Room, acquaints_everybody_when_it_is_small_again) {
  RoomConfig config;
  config.limits.presence_max = 2;
  Meeting m(config);
  Joined ann = m.join("ann"), bob = m.join("bob"), cid = m.join("cid");
  m.clear();
  m.say(bob, Leave{});
  EXPECT_EQ(m.last_told(ann, cid.self->sid)->state, ParticipantState::kActive);
  EXPECT_EQ(m.last_told(cid, ann.self->sid)->state, ParticipantState::kActive);
  EXPECT_EQ(m.last_told(cid, bob.self->sid), nullptr);
}

TEST(Room, costs_an_audience_a_few_messages_a_join) {
  RoomConfig config;
  config.shards = 4;
  config.limits.presence_max = 50;
  Meeting m(config);
  Joined speaker = m.join("speaker");
  m.publish(speaker);
  for (int i = 0; i < 1'000; ++i) m.join("p" + std::to_string(i));
  m.clear();
  Joined late = m.join("late");
  EXPECT_THAT(identities(late.others), ElementsAre("speaker"));
  // Its own state, its subscription, its happening.
  EXPECT_LE(m.out.size(), 3u);
  m.clear();
  m.say(late, Leave{});
  EXPECT_LE(m.out.size(), 2u);
}

TEST(Room, names_those_who_left_while_a_seat_was_away) {
  RoomConfig config;
  config.limits.presence_max = 3;
  Meeting m(config);
  Joined ann = m.join("ann"), bob = m.join("bob"), spy = m.join("spy", hidden());
  m.join("cid");
  Joined stranger = m.join("stranger");
  m.pass(Duration::seconds(10));
  WallTime away = m.wall;
  m.pass(Duration::seconds(1));
  m.say(spy, Leave{});
  m.say(stranger, Leave{});
  m.say(bob, Leave{});
  auto snapshot = m.room.snapshot(ann.participant, away);
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_THAT(identities(snapshot->others), ElementsAre("cid"));
  EXPECT_THAT(identities(snapshot->gone), ElementsAre("bob"));
  EXPECT_EQ(snapshot->gone[0]->state, ParticipantState::kDisconnected);
  EXPECT_THAT(m.room.snapshot(ann.participant, m.wall + Duration::seconds(1))->gone, IsEmpty());
  EXPECT_FALSE(m.room.snapshot(bob.participant, away).has_value());
}

// ---- Data.

TEST(Room, sends_data_to_those_named_or_to_all_others) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob"), spy = m.join("spy", hidden());
  SendData data;
  data.payload = SharedBytes(std::string("hello"));
  m.say(ann, data);
  EXPECT_THAT(m.all<DataArrived>(ann), IsEmpty());
  ASSERT_THAT(m.all<DataArrived>(bob), SizeIs(1));
  EXPECT_EQ(m.all<DataArrived>(bob)[0].from_identity, "ann");
  EXPECT_EQ(m.all<DataArrived>(bob)[0].payload.data(), data.payload.data());
  EXPECT_THAT(m.all<DataArrived>(spy), SizeIs(1));
  m.clear();
  data.identities = {"ann", "bob", "bob", "nobody"};
  m.say(ann, data);
  EXPECT_THAT(m.all<DataArrived>(ann), IsEmpty());
  EXPECT_THAT(m.all<DataArrived>(bob), SizeIs(1));
  EXPECT_THAT(m.all<DataArrived>(spy), IsEmpty());
}

TEST(Room, passes_over_data_that_may_not_be_sent) {
  Meeting m;
  Permissions mute;
  mute.can_publish_data = false;
  Joined ann = m.join("ann", mute), bob = m.join("bob");
  m.clear();
  m.say(ann, SendData{});
  SendData bomb;
  bomb.payload = SharedBytes(Buffer(kDataBytesMax + 1));
  m.say(bob, bomb);
  SendData many;
  many.identities.assign(kDestinationsMax + 1, "ann");
  m.say(bob, many);
  EXPECT_TRUE(m.out.empty());
}

// ---- Itself.

TEST(Room, lets_a_participant_change_itself_only_with_the_right_to) {
  Meeting m;
  Permissions may;
  may.can_update_metadata = true;
  Joined ann = m.join("ann", may), bob = m.join("bob");
  UpdateSelf wish{"meta", "Ann", {{"hand", "up"}}, 7};
  m.say(ann, wish);
  EXPECT_EQ(m.all<Answered>(ann).at(0).outcome, RequestOutcome::kDone);
  EXPECT_EQ(m.all<Answered>(ann).at(0).request, 7u);
  EXPECT_EQ(m.last_told(bob, ann.self->sid)->attributes.at("hand"), "up");
  wish.attributes["hand"] = "";
  m.say(ann, wish);
  EXPECT_THAT(m.last_told(bob, ann.self->sid)->attributes, IsEmpty());
  m.say(bob, wish);
  EXPECT_EQ(m.all<Answered>(bob).at(0).outcome, RequestOutcome::kNotAllowed);
  m.clear();
  wish.metadata = std::string(kMetadataBytesMax + 1, 'x');
  m.say(ann, wish);
  EXPECT_EQ(m.all<Answered>(ann).at(0).outcome, RequestOutcome::kLimitExceeded);
  EXPECT_THAT(m.all<ParticipantsChanged>(bob), IsEmpty());
}

// ---- The room's life.

TEST(Room, ends_when_nobody_ever_comes) {
  Meeting m;
  m.pass(Duration::seconds(299));
  EXPECT_FALSE(m.room.has_ended());
  m.pass(Duration::seconds(1));
  EXPECT_TRUE(m.room.has_ended());
  EXPECT_THAT(m.happenings(), ElementsAre(Happening::kRoomStarted, Happening::kRoomFinished));
  EXPECT_THAT(m.outputs<Ended>(), SizeIs(1));
  EXPECT_EQ(m.room.next_deadline(), Timestamp::never());
  EXPECT_EQ(m.room.join(m.now, m.wall, Meeting::wish("late"), m.out).error(), JoinRefusal::kEnded);
}

TEST(Room, ends_after_the_last_left_with_whoever_is_there_for_others) {
  Meeting m;
  Joined ann = m.join("ann");
  JoinWish wish = Meeting::wish("agent");
  wish.kind = ParticipantKind::kAgent;
  Joined agent = m.join(wish);
  m.pass(Duration::seconds(1'000));
  m.say(ann, Leave{});
  m.pass(Duration::seconds(19));
  ann = m.join("ann");
  m.pass(Duration::seconds(1'000));
  EXPECT_FALSE(m.room.has_ended());
  m.say(ann, Leave{});
  m.clear();
  m.pass(Duration::seconds(20));
  EXPECT_TRUE(m.room.has_ended());
  EXPECT_EQ(m.all<Removed>(agent).at(0).reason, LeaveReason::kRoomClosed);
  EXPECT_THAT(m.happenings(), ElementsAre(Happening::kParticipantLeft, Happening::kRoomFinished));
}

TEST(Room, puts_everybody_out_when_it_is_closed) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  m.publish(ann);
  m.clear();
  m.room.close(m.now, m.wall, LeaveReason::kRoomDeleted, m.out);
  EXPECT_EQ(m.all<Removed>(ann).at(0).reason, LeaveReason::kRoomDeleted);
  EXPECT_EQ(m.all<Removed>(bob).at(0).reason, LeaveReason::kRoomDeleted);
  EXPECT_THAT(m.outputs<Left>(), SizeIs(2));
  EXPECT_THAT(m.happenings(), ElementsAre(Happening::kTrackUnpublished, Happening::kParticipantLeft,
                                          Happening::kParticipantLeft, Happening::kRoomFinished));
  EXPECT_EQ(m.room.size(), 0u);
  m.clear();
  m.room.close(m.now, m.wall, LeaveReason::kRoomDeleted, m.out);
  m.room.send_data(m.now, {}, m.out);
  m.room.update_metadata(m.now, m.wall, "late", m.out).value();
  EXPECT_TRUE(m.out.empty());
}

TEST(Room, tells_metadata_at_once_and_counts_now_and_then) {
  Meeting m;
  Joined ann = m.join("ann");
  m.pass(Duration::seconds(60));
  m.clear();
  m.join("bob");
  m.pass(Duration::seconds(1));
  m.join("cid");
  m.pass(Duration::milliseconds(3'900));
  EXPECT_THAT(m.all<RoomChanged>(ann), IsEmpty());
  m.pass(Duration::milliseconds(200));
  ASSERT_THAT(m.all<RoomChanged>(ann), SizeIs(1));
  EXPECT_EQ(m.all<RoomChanged>(ann)[0].room.participants, 3u);
  m.room.update_metadata(m.now, m.wall, "news", m.out).value();
  m.room.set_recorded(m.now, true, m.out);
  m.room.set_recorded(m.now, true, m.out);
  ASSERT_THAT(m.all<RoomChanged>(ann), SizeIs(3));
  EXPECT_EQ(m.all<RoomChanged>(ann)[1].room.metadata, "news");
  EXPECT_TRUE(m.all<RoomChanged>(ann)[2].room.is_recorded);
  EXPECT_EQ(m.room.update_metadata(m.now, m.wall, std::string(kMetadataBytesMax + 1, 'x'), m.out).error(),
            ApiRefusal::kBadValue);
}

}  // namespace
}  // namespace stoa::room
