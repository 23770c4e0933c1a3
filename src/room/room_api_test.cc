#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "room/room.h"
#include "room/test_meeting.h"

namespace stoa::room {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// ---- Moderation.

TEST(RoomApi, mutes_a_track_and_unmutes_it_only_where_that_is_configured) {
  for (bool may : {false, true}) {
    RoomConfig config;
    config.may_unmute_remotely = may;
    Meeting m(config);
    Joined ann = m.join("ann"), bob = m.join("bob");
    std::string track = m.publish(ann);
    EXPECT_TRUE(m.room.mute(m.now, m.wall, "ann", track, true, m.out)->is_muted);
    EXPECT_TRUE(m.all<TrackMuted>(ann).at(0).is_muted);
    EXPECT_TRUE(m.last_told(bob, ann.self->sid)->tracks.at(0).is_muted);
    EXPECT_TRUE(m.room.mute(m.now, m.wall, "ann", track, true, m.out).has_value());
    auto unmuted = m.room.mute(m.now, m.wall, "ann", track, false, m.out);
    EXPECT_EQ(unmuted.has_value(), may);
    EXPECT_EQ(m.all<TrackMuted>(ann).size(), may ? 2u : 1u);
    EXPECT_EQ(m.room.mute(m.now, m.wall, "bob", track, true, m.out).error(), ApiRefusal::kNoTrack);
    EXPECT_EQ(m.room.mute(m.now, m.wall, "cid", track, true, m.out).error(), ApiRefusal::kNoParticipant);
  }
}

TEST(RoomApi, takes_back_tracks_that_may_not_be_published_any_more) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string sound = m.publish(ann), picture = m.publish(ann, TrackKind::kVideo, TrackSource::kCamera);
  std::string waiting = m.announce(ann, TrackKind::kVideo, TrackSource::kScreenShare);
  m.clear();
  ParticipantUpdate update;
  update.permissions = Permissions();
  update.permissions->sources = {TrackSource::kMicrophone};
  auto shown = m.room.update_participant(m.now, m.wall, "ann", update, m.out);
  ASSERT_TRUE(shown.has_value());
  auto taken = m.all<TrackUnpublished>(ann);
  ASSERT_THAT(taken, SizeIs(2));
  EXPECT_EQ(taken[0].sid, picture);
  EXPECT_EQ(taken[1].sid, waiting);
  EXPECT_EQ(m.all<Unsubscribed>(bob).at(0).track, picture);
  ASSERT_THAT(m.last_told(bob, ann.self->sid)->tracks, SizeIs(1));
  EXPECT_EQ(m.last_told(bob, ann.self->sid)->tracks[0].sid, sound);
  EXPECT_THAT(m.all<ParticipantsChanged>(bob), SizeIs(1));
}

TEST(RoomApi, ends_all_subscriptions_with_the_right_to_them_and_gives_them_back) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(ann);
  m.clear();
  ParticipantUpdate update;
  update.permissions = Permissions();
  update.permissions->can_subscribe = false;
  m.room.update_participant(m.now, m.wall, "bob", update, m.out).value();
  EXPECT_THAT(m.all<Unsubscribed>(bob), SizeIs(1));
  m.say(bob, Subscribe{{track}, true});
  EXPECT_EQ(m.all<SubscribeFailed>(bob).at(0).why, SubscribeRefusal::kNotAllowed);
  update.permissions->can_subscribe = true;
  m.room.update_participant(m.now, m.wall, "bob", update, m.out).value();
  EXPECT_THAT(m.all<Subscribed>(bob), SizeIs(1));
}

TEST(RoomApi, refuses_updates_over_a_limit_and_changes_nothing) {
  Meeting m;
  Joined ann = m.join("ann");
  m.clear();
  ParticipantUpdate update;
  update.metadata = "fine";
  update.attributes["big"] = std::string(kAttributesBytesMax + 1, 'x');
  EXPECT_EQ(m.room.update_participant(m.now, m.wall, "ann", update, m.out).error(), ApiRefusal::kBadValue);
  EXPECT_EQ(m.room.participant(ann.participant)->metadata, "");
  EXPECT_EQ(m.room.update_participant(m.now, m.wall, "bob", {}, m.out).error(), ApiRefusal::kNoParticipant);
  EXPECT_TRUE(m.out.empty());
}

TEST(RoomApi, removes_a_participant) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  m.clear();
  EXPECT_TRUE(m.room.remove(m.now, m.wall, "ann", LeaveReason::kRemoved, m.out).has_value());
  EXPECT_EQ(m.all<Removed>(ann).at(0).reason, LeaveReason::kRemoved);
  EXPECT_EQ(m.last_told(bob, ann.self->sid)->left_for, LeaveReason::kRemoved);
  EXPECT_EQ(m.room.remove(m.now, m.wall, "ann", LeaveReason::kRemoved, m.out).error(),
            ApiRefusal::kNoParticipant);
}

TEST(RoomApi, subscribes_to_tracks_and_to_all_of_a_participant) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string one = m.publish(ann), two = m.publish(ann);
  m.clear();
  std::vector<std::string> all{ann.self->sid}, single{two};
  ASSERT_TRUE(m.room.update_subscriptions(m.now, m.wall, "bob", all, false, m.out).has_value());
  EXPECT_THAT(m.all<Unsubscribed>(bob), SizeIs(2));
  ASSERT_TRUE(m.room.update_subscriptions(m.now, m.wall, "bob", single, true, m.out).has_value());
  ASSERT_THAT(m.all<Subscribed>(bob), SizeIs(1));
  EXPECT_EQ(m.all<Subscribed>(bob)[0].track.sid, two);
}

TEST(RoomApi, sends_data_from_the_server_by_identity_and_sid) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob"), cid = m.join("cid");
  SendData data;
  data.identities = {"ann"};
  data.sids = {bob.self->sid};
  m.room.send_data(m.now, data, m.out);
  EXPECT_EQ(m.all<DataArrived>(ann).at(0).from_identity, "");
  EXPECT_THAT(m.all<DataArrived>(bob), SizeIs(1));
  EXPECT_THAT(m.all<DataArrived>(cid), IsEmpty());
}

// ---- Moving.

TEST(RoomMove, takes_a_participant_along_with_its_seat_and_tracks) {
  Meeting here, there({}, Meeting::named("other"), 2);
  Joined ann = here.join("ann"), bob = here.join("bob"), eve = there.join("eve");
  std::string mine = here.publish(ann), bobs = here.publish(bob), eves = there.publish(eve);
  std::string waiting = here.announce(ann);
  here.clear();
  there.clear();
  auto luggage = here.room.take_out(here.now, here.wall, "ann", here.out);
  ASSERT_TRUE(luggage.has_value());
  EXPECT_EQ(luggage->id, ann.participant);
  EXPECT_EQ(here.all<Unsubscribed>(ann).at(0).track, bobs);
  EXPECT_THAT(here.all<Removed>(ann), IsEmpty());
  EXPECT_THAT(here.outputs<Left>(), IsEmpty());
  auto gone = here.last_told(bob, ann.self->sid);
  EXPECT_EQ(gone->state, ParticipantState::kDisconnected);
  EXPECT_EQ(here.all<Unsubscribed>(bob).at(0).track, mine);

  luggage->shard = 0;
  auto moved = there.room.put_in(there.now, there.wall, std::move(*luggage), there.out);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->self->sid, ann.self->sid);
  EXPECT_GT(moved->self->version, gone->version);
  ASSERT_THAT(there.all<Moved>(*moved), SizeIs(1));
  EXPECT_EQ(there.all<Moved>(*moved)[0].room.name, "other");
  EXPECT_EQ(there.all<Moved>(*moved)[0].others.at(0)->identity, "eve");
  EXPECT_EQ(there.all<Subscribed>(*moved).at(0).track.sid, eves);
  EXPECT_EQ(there.all<Subscribed>(eve).at(0).track.sid, mine);
  EXPECT_EQ(there.all<Subscribed>(eve).at(0).media.at(0).place.publication, mine);
  there.say(*moved, PublishTrack{waiting, "1", {"audio/opus", {0, "w"}}, ""});
  EXPECT_THAT(there.all<Subscribed>(eve), SizeIs(2));
}

TEST(RoomMove, keeps_whom_the_publisher_lets_subscribe) {
  Meeting here, there({}, Meeting::named("other"), 2);
  Joined ann = here.join("ann"), eve = there.join("eve"), bob = there.join("bob");
  here.publish(ann);
  SetSubscribers only_bob;
  only_bob.everybody = false;
  only_bob.permissions = {{"", "bob", true, {}}};
  here.say(ann, only_bob);
  auto luggage = here.room.take_out(here.now, here.wall, "ann", here.out);
  ASSERT_TRUE(there.room.put_in(there.now, there.wall, std::move(*luggage), there.out).has_value());
  EXPECT_THAT(there.all<Subscribed>(bob), SizeIs(1));
  EXPECT_THAT(there.all<Subscribed>(eve), IsEmpty());
}

TEST(RoomMove, is_refused_where_there_is_no_room) {
  RoomConfig config;
  config.limits.publishers_max = 1;
  Meeting here, there(config, Meeting::named("other"), 2);
  Joined ann = here.join("ann");
  there.announce(there.join("eve"));
  here.publish(ann);
  auto luggage = here.room.take_out(here.now, here.wall, "ann", here.out);
  EXPECT_EQ(there.room.put_in(there.now, there.wall, std::move(*luggage), there.out).error(),
            JoinRefusal::kFull);
  EXPECT_EQ(there.room.size(), 1u);
}

// ---- Forwarding.

class Forward : public testing::Test {
 protected:
  // Carries what each room says to the other until both are quiet.
  void carry() {
    for (bool is_quiet = false; !is_quiet;) {
      is_quiet = true;
      for (Meeting* from : {&here, &there}) {
        for (const ForwardChanged& forward : from->outputs<ForwardChanged>()) {
          Meeting& to = forward.to_room == "demo" ? here : there;
          last = to.room.handle_forward(to.now, to.wall, forward, to.out);
          is_quiet = false;
        }
        seen.insert(seen.end(), from->out.begin(), from->out.end());
        std::vector<Output> kept;
        for (Output& output : from->out)
          if (!std::holds_alternative<ForwardChanged>(output)) kept.push_back(std::move(output));
        from->out.clear();
        for (Output& output : kept) from->out.push(std::move(output));
      }
    }
  }

  Meeting here, there{{}, Meeting::named("other"), 2};
  Joined ann = here.join("ann"), eve = there.join("eve");
  std::vector<Output> seen;
  Result<void, JoinRefusal> last;
};

TEST_F(Forward, shows_a_participant_in_another_room_as_it_changes) {
  ASSERT_TRUE(here.room.forward(here.now, "ann", "other", here.out).has_value());
  carry();
  EXPECT_EQ(there.last_told(eve, ann.self->sid)->identity, "ann");
  EXPECT_EQ(there.room.size(), 2u);
  there.clear();
  std::string track = here.publish(ann);
  carry();
  EXPECT_EQ(there.all<Subscribed>(eve).at(0).track.sid, track);
  here.say(ann, MuteTrack{track, true});
  carry();
  EXPECT_TRUE(there.last_told(eve, ann.self->sid)->tracks.at(0).is_muted);
  here.say(ann, UnpublishTrack{track});
  carry();
  EXPECT_EQ(there.all<Unsubscribed>(eve).at(0).track, track);
  EXPECT_THAT(there.outputs<Happened>(), IsEmpty());
  here.say(ann, Leave{});
  carry();
  EXPECT_EQ(there.last_told(eve, ann.self->sid)->state, ParticipantState::kDisconnected);
  EXPECT_EQ(there.room.size(), 1u);
}

TEST_F(Forward, ends_by_either_room_s_word) {
  std::string track = here.publish(ann);
  here.room.forward(here.now, "ann", "other", here.out).value();
  carry();
  here.room.stop_forwarding(here.now, "ann", "other", here.out);
  carry();
  EXPECT_EQ(there.room.size(), 1u);
  here.room.forward(here.now, "ann", "other", here.out).value();
  carry();
  EXPECT_EQ(there.room.size(), 2u);
  ASSERT_TRUE(there.room.remove(there.now, there.wall, "ann", LeaveReason::kRemoved, there.out).has_value());
  EXPECT_THAT(there.outputs<Left>(), IsEmpty());
  carry();
  EXPECT_EQ(there.room.size(), 1u);
  here.say(ann, MuteTrack{track, true});
  carry();
  EXPECT_EQ(there.room.size(), 1u);
  EXPECT_EQ(here.room.size(), 1u);
}

TEST_F(Forward, is_refused_where_the_identity_is_taken) {
  there.join("ann");
  here.room.forward(here.now, "ann", "other", here.out).value();
  carry();
  EXPECT_EQ(last.error(), JoinRefusal::kBadWish);
  EXPECT_EQ(there.room.size(), 2u);
}

TEST_F(Forward, is_refused_for_who_is_hidden_or_forwarded_and_for_too_many_rooms) {
  Permissions hidden;
  hidden.is_hidden = true;
  here.join("spy", hidden);
  EXPECT_EQ(here.room.forward(here.now, "spy", "other", here.out).error(), ApiRefusal::kNotAllowed);
  EXPECT_EQ(here.room.forward(here.now, "bob", "other", here.out).error(), ApiRefusal::kNoParticipant);
  EXPECT_EQ(here.room.forward(here.now, "ann", "demo", here.out).error(), ApiRefusal::kBadValue);
  here.room.forward(here.now, "ann", "other", here.out).value();
  carry();
  EXPECT_EQ(there.room.forward(there.now, "ann", "third", there.out).error(), ApiRefusal::kNotAllowed);
  EXPECT_EQ(there.room.take_out(there.now, there.wall, "ann", there.out).error(), ApiRefusal::kNotAllowed);
  for (std::size_t i = 1; i < kForwardsMax; ++i)
    EXPECT_TRUE(here.room.forward(here.now, "ann", "room" + std::to_string(i), here.out).has_value());
  EXPECT_EQ(here.room.forward(here.now, "ann", "last", here.out).error(), ApiRefusal::kBadValue);
}

TEST_F(Forward, does_not_keep_a_room_alive) {
  here.room.forward(here.now, "ann", "other", here.out).value();
  carry();
  there.say(eve, Leave{});
  there.pass(Duration::seconds(20));
  EXPECT_TRUE(there.room.has_ended());
  auto answers = there.outputs<ForwardChanged>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_TRUE(answers[0].is_gone);
  EXPECT_EQ(answers[0].to_room, "demo");
  EXPECT_EQ(answers[0].from_room, "other");
}

}  // namespace
}  // namespace stoa::room
