#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "room/room.h"
#include "room/test_meeting.h"

namespace stoa::room {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

template <typename T>
std::vector<std::string> sids(const std::vector<T>& events) {
  std::vector<std::string> named;
  for (const auto& event : events) {
    if constexpr (requires { event.track.sid; }) {
      named.push_back(event.track.sid);
    } else {
      named.push_back(event.track);
    }
  }
  return named;
}

// ---- Announcing.

TEST(RoomTracks, gives_a_track_a_sid_that_tells_what_it_is) {
  Meeting m;
  Joined ann = m.join("ann");
  EXPECT_THAT(m.announce(ann, TrackKind::kVideo, TrackSource::kCamera), StartsWith("TR_VC"));
  EXPECT_THAT(m.announce(ann, TrackKind::kAudio, TrackSource::kMicrophone), StartsWith("TR_AM"));
  EXPECT_THAT(m.announce(ann, TrackKind::kVideo, TrackSource::kScreenShare), StartsWith("TR_VS"));
  EXPECT_THAT(m.announce(ann, TrackKind::kAudio, TrackSource::kScreenShareAudio), StartsWith("TR_As"));
  EXPECT_THAT(m.announce(ann, TrackKind::kVideo, TrackSource::kUnknown), StartsWith("TR_VU"));
}

TEST(RoomTracks, shows_a_track_to_others_only_when_its_media_is_there) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  m.clear();
  std::string track = m.announce(ann);
  EXPECT_EQ(m.last_told(bob, ann.self->sid), nullptr);
  EXPECT_THAT(m.all<Subscribed>(bob), IsEmpty());
  m.say(ann, PublishTrack{track, "4", {"audio/opus", {0, "x"}}, ""});
  auto told = m.last_told(bob, ann.self->sid);
  ASSERT_THAT(told->tracks, SizeIs(1));
  EXPECT_EQ(told->tracks[0].codecs.at(0).mid, "4");
  EXPECT_EQ(told->tracks[0].codecs.at(0).mime_type, "audio/opus");
  ASSERT_THAT(m.all<Subscribed>(bob), SizeIs(1));
  EXPECT_EQ(m.all<Subscribed>(bob)[0].publisher_identity, "ann");
  EXPECT_EQ(m.all<Subscribed>(bob)[0].media, (std::vector<TrackMedia>{{"audio/opus", {0, "x"}}}));
  EXPECT_EQ(m.room.info().publishers, 1u);
  EXPECT_THAT(m.happenings(), ElementsAre(Happening::kTrackPublished));
}

TEST(RoomTracks, answers_a_cid_again_with_the_same_track) {
  Meeting m;
  Joined ann = m.join("ann");
  AnnounceTrack wish;
  wish.cid = "camera";
  m.say(ann, wish);
  m.say(ann, wish);
  auto answers = m.all<TrackAnnounced>(ann);
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[0].track.sid, answers[1].track.sid);
}

TEST(RoomTracks, refuses_sources_that_may_not_be_published) {
  Meeting m;
  Permissions microphone_only;
  microphone_only.sources = {TrackSource::kMicrophone};
  Joined ann = m.join("ann", microphone_only);
  EXPECT_NE(m.announce(ann), "");
  EXPECT_EQ(m.announce(ann, TrackKind::kVideo, TrackSource::kCamera), "");
  EXPECT_EQ(m.all<TrackRefused>(ann).at(0).why, RequestOutcome::kNotAllowed);
}

TEST(RoomTracks, refuses_what_is_over_a_limit) {
  RoomConfig config;
  config.limits.publishers_max = 1;
  Meeting m(config);
  Joined ann = m.join("ann"), bob = m.join("bob");
  auto refused = [&](auto change) {
    AnnounceTrack wish;
    wish.cid = "cid";
    wish.request = 9;
    change(wish);
    m.clear();
    m.say(ann, wish);
    auto refusals = m.all<TrackRefused>(ann);
    return refusals.size() == 1 && refusals[0].why == RequestOutcome::kLimitExceeded &&
           refusals[0].request == 9;
  };
  EXPECT_TRUE(refused([](AnnounceTrack& w) { w.track.name = std::string(kTrackNameBytesMax + 1, 'x'); }));
  EXPECT_TRUE(refused([](AnnounceTrack& w) { w.track.name = "\xff"; }));
  EXPECT_TRUE(refused([](AnnounceTrack& w) { w.cid = std::string(kShortTextBytesMax + 1, 'x'); }));
  EXPECT_TRUE(refused([](AnnounceTrack& w) { w.track.layers.resize(kLayersMax + 1); }));
  EXPECT_TRUE(refused([](AnnounceTrack& w) { w.track.codecs.resize(kCodecsMax + 1); }));
  EXPECT_TRUE(refused([](AnnounceTrack& w) { w.track.audio_features.resize(kFeaturesMax + 1); }));
  EXPECT_TRUE(refused([](AnnounceTrack& w) {
    w.track.codecs.resize(1);
    w.track.codecs[0].layers.resize(kLayersMax + 1);
  }));
  for (std::size_t i = 0; i < kTracksMax; ++i) EXPECT_NE(m.announce(ann), "");
  EXPECT_EQ(m.announce(ann), "");
  EXPECT_EQ(m.announce(bob), "");
  EXPECT_EQ(m.all<TrackRefused>(bob).at(0).why, RequestOutcome::kLimitExceeded);
  m.say(ann, Leave{});
  EXPECT_NE(m.announce(bob), "");
}

TEST(RoomTracks, adds_a_second_codec_and_tells_subscribers_of_its_media) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  AnnounceTrack wish;
  wish.cid = "av1";
  wish.track.kind = TrackKind::kVideo;
  wish.track.codecs = {{"video/AV1", "", "av1", {}, LayerMode::kSeveralPerStream}};
  m.say(ann, wish);
  std::string track = m.all<TrackAnnounced>(ann).at(0).track.sid;
  m.say(ann, PublishTrack{track, "1", {"video/AV1", {0, "x"}}, "av1"});
  AnnounceTrack backup;
  backup.cid = "vp8";
  backup.track.sid = track;
  backup.track.codecs = {{"video/VP8", "", "vp8", {}, LayerMode::kOnePerStream}};
  m.clear();
  m.say(ann, backup);
  EXPECT_EQ(m.all<TrackAnnounced>(ann).at(0).track.sid, track);
  EXPECT_THAT(m.last_told(bob, ann.self->sid)->tracks.at(0).codecs, SizeIs(2));
  EXPECT_THAT(m.all<Subscribed>(bob), IsEmpty());
  m.say(ann, PublishTrack{track, "2", {"video/VP8", {0, "y"}}, "vp8"});
  EXPECT_EQ(m.all<Subscribed>(bob).at(0).media,
            (std::vector<TrackMedia>{{"video/AV1", {0, "x"}}, {"video/VP8", {0, "y"}}}));
  EXPECT_THAT(m.happenings(), IsEmpty());
  backup.track.codecs[0].mime_type = "video/H264";
  m.say(ann, backup);
  EXPECT_EQ(m.all<TrackRefused>(ann).at(0).why, RequestOutcome::kLimitExceeded);
  backup.track.sid = "TR_none";
  m.say(ann, backup);
  EXPECT_EQ(m.all<TrackRefused>(ann).at(1).why, RequestOutcome::kNotFound);
}

TEST(RoomTracks, stamps_each_change_of_a_track_with_a_later_time) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(ann);
  std::vector<WallTime> versions{m.last_told(bob, ann.self->sid)->tracks.at(0).version};
  for (bool is_muted : {true, false, true}) {
    m.say(ann, MuteTrack{track, is_muted});
    versions.push_back(m.last_told(bob, ann.self->sid)->tracks.at(0).version);
    EXPECT_GT(versions.back(), versions[versions.size() - 2]);
  }
  m.pass(Duration::seconds(3));
  m.say(ann, UpdateTrack{track, 1280, 720, {}});
  EXPECT_EQ(m.last_told(bob, ann.self->sid)->tracks.at(0).version, m.wall);
  EXPECT_EQ(m.last_told(bob, ann.self->sid)->tracks.at(0).height, 720u);
  m.clear();
  m.say(ann, UpdateTrack{track, 1280, {}, {}});
  m.say(ann, MuteTrack{track, true});
  EXPECT_TRUE(m.out.empty());
}

TEST(RoomTracks, ends_subscriptions_before_it_tells_that_a_track_is_gone) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(ann);
  m.clear();
  m.say(ann, UnpublishTrack{track});
  auto begin = m.out.begin();
  ASSERT_GE(m.out.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<ToParticipant>(*begin));
  EXPECT_THAT(sids(m.all<Unsubscribed>(bob)), ElementsAre(track));
  EXPECT_THAT(m.last_told(bob, ann.self->sid)->tracks, IsEmpty());
  EXPECT_THAT(m.happenings(), ElementsAre(Happening::kTrackUnpublished));
  EXPECT_EQ(m.room.info().publishers, 0u);
}

// ---- Subscribing.

TEST(RoomSubscriptions, begin_when_a_participant_becomes_active) {
  Meeting m;
  Joined ann = m.join("ann");
  std::string track = m.publish(ann);
  Joined bob = m.join("bob", {}, false);
  EXPECT_THAT(bob.others.at(0)->tracks, SizeIs(1));
  EXPECT_THAT(m.all<Subscribed>(bob), IsEmpty());
  m.say(bob, BecomeActive{});
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(track));
  EXPECT_THAT(m.all<Subscribed>(ann), IsEmpty());
}

TEST(RoomSubscriptions, follow_what_is_asked_for_once_it_is_asked) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(ann);
  m.clear();
  m.say(bob, Subscribe{{track}, false});
  m.say(bob, Subscribe{{track}, false});
  EXPECT_THAT(sids(m.all<Unsubscribed>(bob)), ElementsAre(track));
  ParticipantUpdate update;
  update.permissions = Permissions();
  update.permissions->can_subscribe = false;
  m.room.update_participant(m.now, m.wall, "bob", update, m.out).value();
  update.permissions->can_subscribe = true;
  m.room.update_participant(m.now, m.wall, "bob", update, m.out).value();
  EXPECT_THAT(m.all<Subscribed>(bob), IsEmpty());
  m.say(bob, Subscribe{{track}, true});
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(track));
}

TEST(RoomSubscriptions, wait_to_be_asked_for_where_they_are_not_made_by_themselves) {
  Meeting m;
  Joined ann = m.join("ann");
  JoinWish wish = Meeting::wish("bob");
  wish.auto_subscribe = false;
  Joined bob = m.join(wish);
  std::string one = m.publish(ann), two = m.publish(ann);
  EXPECT_THAT(m.all<Subscribed>(bob), IsEmpty());
  m.say(bob, Subscribe{{two}, true});
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(two));
  EXPECT_THAT(sids(m.all<FirstSubscriber>(ann)), ElementsAre(two));
  m.say(m.join("cid"), Subscribe{{two}, true});
  EXPECT_THAT(sids(m.all<FirstSubscriber>(ann)), UnorderedElementsAre(two, one));
}

TEST(RoomSubscriptions, remember_tracks_that_are_not_there_yet) {
  Meeting m;
  Joined ann = m.join("ann");
  JoinWish wish = Meeting::wish("bob");
  wish.auto_subscribe = false;
  Joined bob = m.join(wish), cid = m.join("cid");
  std::string track = m.announce(ann);
  m.say(bob, Subscribe{{track}, true});
  m.say(cid, Subscribe{{track}, false});
  ASSERT_THAT(m.all<SubscribeFailed>(bob), SizeIs(1));
  EXPECT_EQ(m.all<SubscribeFailed>(bob)[0].why, SubscribeRefusal::kTrackNotFound);
  EXPECT_THAT(m.all<SubscribeFailed>(cid), IsEmpty());
  m.say(ann, PublishTrack{track, "0", {"audio/opus", {0, "x"}}, ""});
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(track));
  EXPECT_THAT(m.all<Subscribed>(cid), IsEmpty());
}

TEST(RoomSubscriptions, forget_the_oldest_of_too_many_unknown_tracks) {
  Meeting m;
  Joined ann = m.join("ann");
  JoinWish wish = Meeting::wish("bob");
  wish.auto_subscribe = false;
  Joined bob = m.join(wish);
  std::string old = m.announce(ann), recent = m.announce(ann);
  m.say(bob, Subscribe{{old}, true});
  for (std::size_t i = 1; i < kUnknownSubscriptionsMax; ++i)
    m.say(bob, Subscribe{{"TR_" + std::to_string(i)}, true});
  m.say(bob, Subscribe{{recent}, true});
  for (const std::string& track : {old, recent})
    m.say(ann, PublishTrack{track, "0", {"audio/opus", {0, track}}, ""});
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(recent));
}

TEST(RoomSubscriptions, are_for_those_alone_whom_the_publisher_lets) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob"), cid = m.join("cid");
  std::string one = m.publish(ann), two = m.publish(ann);
  m.clear();
  SetSubscribers some;
  some.everybody = false;
  some.permissions = {{bob.self->sid, "", false, {one}}, {"", "cid", true, {}}};
  m.say(ann, some);
  EXPECT_THAT(sids(m.all<Unsubscribed>(bob)), ElementsAre(two));
  ASSERT_THAT(m.all<SubscriptionAllowed>(bob), SizeIs(1));
  EXPECT_FALSE(m.all<SubscriptionAllowed>(bob)[0].is_allowed);
  EXPECT_THAT(m.all<Unsubscribed>(cid), IsEmpty());
  m.say(bob, Subscribe{{two}, true});
  EXPECT_EQ(m.all<SubscribeFailed>(bob).at(0).why, SubscribeRefusal::kNotAllowed);
  Joined dan = m.join("dan");
  EXPECT_THAT(m.all<Subscribed>(dan), IsEmpty());
  EXPECT_THAT(m.all<SubscriptionAllowed>(dan), SizeIs(2));
  m.clear();
  m.say(ann, SetSubscribers{});
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(two));
  EXPECT_TRUE(m.all<SubscriptionAllowed>(bob).at(0).is_allowed);
  EXPECT_THAT(sids(m.all<Subscribed>(dan)), UnorderedElementsAre(one, two));
}

TEST(RoomSubscriptions, let_nobody_in_by_permissions_over_the_limit) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob"), cid = m.join("cid");
  SetSubscribers many;
  many.everybody = false;
  many.permissions.resize(kTrackPermissionsMax + 1);
  many.permissions.front() = {"", "bob", true, {}};
  many.permissions.back() = {"", "cid", true, {}};
  m.say(ann, many);
  m.publish(ann);
  EXPECT_THAT(m.all<Subscribed>(bob), SizeIs(1));
  EXPECT_THAT(m.all<Subscribed>(cid), IsEmpty());
}

TEST(RoomSubscriptions, of_one_s_own_tracks_are_refused) {
  Meeting m;
  Joined ann = m.join("ann");
  std::string track = m.publish(ann);
  m.say(ann, Subscribe{{track}, true});
  EXPECT_THAT(m.all<Subscribed>(ann), IsEmpty());
  EXPECT_EQ(m.all<SubscribeFailed>(ann).at(0).why, SubscribeRefusal::kNotAllowed);
}

TEST(RoomSubscriptions, do_not_pass_to_who_takes_the_place_of_a_track_or_a_participant) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string first = m.publish(ann);
  m.say(bob, Subscribe{{first}, false});
  m.say(ann, UnpublishTrack{first});
  m.clear();
  std::string second = m.publish(ann);
  EXPECT_THAT(sids(m.all<Subscribed>(bob)), ElementsAre(second));
  m.say(bob, Subscribe{{second}, false});
  m.say(bob, Leave{});
  m.clear();
  Joined cid = m.join("cid");
  EXPECT_EQ(cid.participant.index, bob.participant.index);
  EXPECT_THAT(sids(m.all<Subscribed>(cid)), ElementsAre(second));
}

}  // namespace
}  // namespace stoa::room
