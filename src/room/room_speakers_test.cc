#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "room/room.h"
#include "room/test_meeting.h"

namespace stoa::room {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Duration kMoment = Duration::milliseconds(1);

TEST(RoomSpeakers, are_told_as_they_change_and_no_oftener_than_the_interval) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string a = m.publish(ann), b = m.publish(bob);
  m.pass(Duration::seconds(1));
  m.clear();
  m.speak(ann, a, 0.25f);
  m.speak(bob, b, 0.75f);
  m.pass(kMoment);
  ASSERT_THAT(m.all<SpeakersChanged>(ann), SizeIs(1));
  EXPECT_THAT(m.all<SpeakersChanged>(ann)[0].speakers, ElementsAre(SpeakerLevel{bob.self->sid, 0.75f, true},
                                                                   SpeakerLevel{ann.self->sid, 0.25f, true}));
  m.clear();
  m.speak(ann, a, 0.9f);
  m.pass(Duration::milliseconds(398));
  EXPECT_THAT(m.all<SpeakersChanged>(bob), IsEmpty());
  m.speak(ann, a, 0);
  m.pass(kMoment);
  ASSERT_THAT(m.all<SpeakersChanged>(bob), SizeIs(1));
  EXPECT_THAT(m.all<SpeakersChanged>(bob)[0].speakers, ElementsAre(SpeakerLevel{ann.self->sid, 0, false}));
}

TEST(RoomSpeakers, are_no_news_when_they_hardly_change) {
  Meeting m;
  Joined ann = m.join("ann");
  std::string a = m.publish(ann);
  m.speak(ann, a, 0.51f);
  m.pass(Duration::seconds(1));
  m.clear();
  m.speak(ann, a, 0.6f);
  m.pass(Duration::seconds(1));
  EXPECT_THAT(m.all<SpeakersChanged>(ann), IsEmpty());
  m.speak(ann, a, 0.7f);
  m.pass(Duration::seconds(1));
  EXPECT_THAT(m.all<SpeakersChanged>(ann), SizeIs(1));
}

TEST(RoomSpeakers, fall_silent_when_they_are_muted_unpublished_or_leave) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  auto speaks = [&] {
    m.pass(Duration::seconds(1));
    auto snapshot = m.room.snapshot(bob.participant, m.wall);
    return !snapshot->speakers.empty();
  };
  std::string track = m.publish(ann);
  m.speak(ann, track, 0.5f);
  EXPECT_TRUE(speaks());
  m.say(ann, MuteTrack{track, true});
  m.speak(ann, track, 0.5f);
  EXPECT_FALSE(speaks());
  m.say(ann, MuteTrack{track, false});
  m.speak(ann, track, 0.5f);
  EXPECT_TRUE(speaks());
  m.say(ann, UnpublishTrack{track});
  EXPECT_FALSE(speaks());
  track = m.publish(ann);
  m.speak(ann, track, 0.5f);
  EXPECT_TRUE(speaks());
  m.clear();
  m.say(ann, Leave{});
  ASSERT_THAT(m.all<SpeakersChanged>(bob), SizeIs(1));
  EXPECT_FALSE(m.all<SpeakersChanged>(bob)[0].speakers.at(0).is_active);
}

TEST(RoomSpeakers, are_told_to_who_becomes_active) {
  Meeting m;
  Joined ann = m.join("ann");
  m.speak(ann, m.publish(ann), 0.5f);
  m.pass(Duration::seconds(1));
  Joined bob = m.join("bob");
  EXPECT_THAT(m.all<SpeakersChanged>(bob).at(0).speakers,
              ElementsAre(SpeakerLevel{ann.self->sid, 0.5f, true}));
}

TEST(RoomSpeakers, take_no_level_that_is_no_level_nor_of_another_s_track) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  std::string track = m.publish(ann);
  m.pass(Duration::seconds(1));
  m.clear();
  m.speak(ann, track, std::numeric_limits<float>::quiet_NaN());
  m.speak(ann, track, -3);
  m.speak(bob, track, 0.5f);
  m.pass(Duration::seconds(1));
  EXPECT_THAT(m.all<SpeakersChanged>(ann), IsEmpty());
  m.speak(ann, track, 77);
  m.pass(Duration::seconds(1));
  EXPECT_FLOAT_EQ(m.all<SpeakersChanged>(ann).at(0).speakers.at(0).level, 1);
}

class Loudest : public testing::Test {
 protected:
  static RoomConfig config() {
    RoomConfig config;
    config.limits.loudest_max = 2;
    config.limits.seats_per_shard = 2;
    config.shards = 2;
    return config;
  }
  void publish(int count) {
    for (int i = 0; i < count; ++i) {
      people.push_back(m.join("p" + std::to_string(i)));
      tracks.push_back(m.publish(people.back()));
    }
  }
  void speak(std::size_t who, float level) { m.speak(people[who], tracks[who], level); }
  // What each shard was told last.
  std::map<std::uint32_t, AudibleTracks> told() const {
    std::map<std::uint32_t, AudibleTracks> last;
    for (const AudibleTracks& audible : m.outputs<AudibleTracks>()) last[audible.shard] = audible;
    return last;
  }
  bool is_audible(std::size_t who) const {
    auto here = told().at(people[who].shard).tracks;
    return std::find(here.begin(), here.end(), tracks[who]) != here.end();
  }

  Meeting m{config()};
  std::vector<Joined> people;
  std::vector<std::string> tracks;
};

TEST_F(Loudest, are_not_chosen_while_few_can_speak) {
  publish(2);
  speak(0, 1);
  m.pass(Duration::seconds(5));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Loudest, alone_are_passed_on_and_others_for_a_while) {
  publish(4);
  m.pass(Duration::seconds(10));
  speak(1, 0.9f);
  speak(3, 0.8f);
  m.pass(Duration::milliseconds(500));
  EXPECT_TRUE(is_audible(1));
  EXPECT_TRUE(is_audible(3));
  m.pass(Duration::seconds(3));
  EXPECT_FALSE(is_audible(0));
  EXPECT_FALSE(is_audible(2));
  m.clear();
  speak(2, 1);
  m.pass(kMoment);
  // Track 3 was among the loudest until now.
  EXPECT_THAT(told().at(people[2].shard).tracks, SizeIs(2));
  EXPECT_EQ(told().count(people[1].shard), people[1].shard == people[2].shard ? 1u : 0u);
  m.pass(Duration::milliseconds(1'990));
  EXPECT_TRUE(is_audible(3));
  m.pass(Duration::milliseconds(20));
  EXPECT_FALSE(is_audible(3));
  EXPECT_TRUE(is_audible(2));
}

TEST_F(Loudest, are_told_on_change_only) {
  publish(4);
  speak(0, 0.9f);
  speak(1, 0.8f);
  m.pass(Duration::seconds(5));
  m.clear();
  speak(0, 0.7f);
  m.pass(Duration::seconds(5));
  EXPECT_THAT(m.outputs<AudibleTracks>(), IsEmpty());
}

TEST_F(Loudest, are_no_longer_chosen_when_few_are_left) {
  publish(3);
  m.pass(Duration::seconds(1));
  EXPECT_TRUE(told().at(0).is_limited);
  EXPECT_TRUE(told().at(1).is_limited);
  m.clear();
  m.say(people[0], MuteTrack{tracks[0], true});
  m.pass(Duration::seconds(1));
  EXPECT_FALSE(told().at(0).is_limited);
  EXPECT_FALSE(told().at(1).is_limited);
}

TEST(RoomQuality, is_told_at_first_and_on_change_and_gathered_for_a_second) {
  Meeting m;
  Joined ann = m.join("ann"), bob = m.join("bob");
  m.clear();
  for (int i = 0; i < 2; ++i) {
    m.say(ann, ReportQuality{ConnectionQuality::kExcellent, 4.4f});
    m.pass(Duration::seconds(2));
    ASSERT_THAT(m.all<QualityChanged>(bob), SizeIs(1));
  }
  m.clear();
  m.say(ann, ReportQuality{ConnectionQuality::kPoor, 2});
  m.pass(kMoment);
  ASSERT_THAT(m.all<QualityChanged>(bob), SizeIs(1));
  EXPECT_EQ(m.all<QualityChanged>(bob)[0].qualities.at(0).participant, ann.self->sid);
  EXPECT_THAT(m.all<QualityChanged>(ann), SizeIs(1));
  m.clear();
  m.say(ann, ReportQuality{ConnectionQuality::kGood, 3.5f});
  m.say(bob, ReportQuality{ConnectionQuality::kLost, 1});
  m.say(ann, ReportQuality{ConnectionQuality::kPoor, 2});
  m.pass(Duration::milliseconds(998));
  EXPECT_THAT(m.all<QualityChanged>(bob), IsEmpty());
  m.pass(kMoment);
  ASSERT_THAT(m.all<QualityChanged>(bob), SizeIs(1));
  EXPECT_THAT(m.all<QualityChanged>(bob)[0].qualities, SizeIs(1));
}

TEST(RoomQuality, is_told_to_those_alone_who_are_told_of_its_owner) {
  RoomConfig config;
  config.limits.presence_max = 2;
  Meeting m(config);
  Permissions hidden;
  hidden.is_hidden = true;
  Joined ann = m.join("ann"), bob = m.join("bob"), cid = m.join("cid"), spy = m.join("spy", hidden);
  m.clear();
  for (const Joined& who : {bob, cid, spy}) m.say(who, ReportQuality{ConnectionQuality::kPoor, 2});
  m.pass(Duration::seconds(1));
  EXPECT_THAT(m.all<QualityChanged>(ann), SizeIs(1));
  EXPECT_THAT(m.all<QualityChanged>(bob), SizeIs(1));
  EXPECT_EQ(m.all<QualityChanged>(cid).at(0).qualities.at(0).participant, cid.self->sid);
  EXPECT_EQ(m.all<QualityChanged>(spy).at(0).qualities.at(0).participant, spy.self->sid);
}

}  // namespace
}  // namespace stoa::room
