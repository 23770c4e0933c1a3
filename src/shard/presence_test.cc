#include "shard/presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::shard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Timestamp kStart = Timestamp::from_ns(1'000'000'000);
constexpr Duration kTick = Duration::milliseconds(10);

room::ParticipantsChanged change(const std::string& sid, std::uint32_t version = 1, bool publishes = false) {
  room::ParticipantInfo info;
  info.sid = sid;
  info.version = version;
  if (publishes) info.tracks.push_back({});
  return {{std::make_shared<const room::ParticipantInfo>(info)}};
}
std::vector<std::string> told(const Presence& presence, Presence::Mark mark) {
  std::vector<std::string> all;
  for (const auto& one : presence.since(mark).participants)
    all.push_back(one->sid + std::to_string(one->version));
  return all;
}

TEST(Presence, is_for_those_who_publish_nothing) {
  EXPECT_TRUE(Presence::may_wait(change("anna")));
  EXPECT_FALSE(Presence::may_wait(change("anna", 1, true)));
  room::ParticipantsChanged two = change("anna");
  two.participants.push_back(change("ben", 1, true).participants[0]);
  EXPECT_FALSE(Presence::may_wait(two));
  EXPECT_FALSE(Presence::may_wait(room::RoomChanged{}));
}

TEST(Presence, waits_from_the_first_news_on) {
  Presence presence;
  EXPECT_EQ(presence.due(), Timestamp::never());
  presence.add(kStart, change("anna"));
  presence.add(kStart + kTick, change("ben"));
  EXPECT_EQ(presence.due(), kStart + kPresenceWait);
  presence = presence.next();
  EXPECT_EQ(presence.due(), Timestamp::never());
  EXPECT_TRUE(presence.is_empty());
  presence.add(kStart + kTick * 9, change("carl"));
  EXPECT_EQ(presence.due(), kStart + kTick * 9 + kPresenceWait);
  EXPECT_THAT(told(presence, 0), ElementsAre("carl1"));
}

TEST(Presence, does_not_wait_once_it_is_much) {
  Presence presence;
  for (std::size_t i = 0; i + 1 < kPresenceMax; ++i) presence.add(kStart, change("one " + std::to_string(i)));
  EXPECT_EQ(presence.due(), kStart + kPresenceWait);
  presence.add(kStart, change("the last"));
  EXPECT_EQ(presence.due(), kStart);
}

TEST(Presence, does_not_wait_once_it_is_long) {
  Presence presence;
  room::ParticipantInfo talkative;
  talkative.metadata.assign(60'000, 'x');
  talkative.attributes["about"].assign(60'000, 'y');
  talkative.sid = "anna";
  presence.add(kStart, {{std::make_shared<const room::ParticipantInfo>(talkative)}});
  EXPECT_EQ(presence.due(), kStart + kPresenceWait);
  talkative.sid = "ben";
  presence.add(kStart + kTick, {{std::make_shared<const room::ParticipantInfo>(talkative)}});
  EXPECT_EQ(presence.due(), kStart + kTick);
  presence = presence.next();
  presence.add(kStart + kTick * 2, change("carl"));
  EXPECT_EQ(presence.due(), kStart + kTick * 2 + kPresenceWait);
}

TEST(Presence, tells_the_newest_of_each_in_the_order_of_the_news) {
  Presence presence;
  presence.add(kStart, change("anna", 1));
  presence.add(kStart, change("ben", 1));
  presence.add(kStart, change("anna", 2));
  EXPECT_THAT(told(presence, presence.first()), ElementsAre("ben1", "anna2"));
}

TEST(Presence, does_not_tell_newcomers_what_they_know) {
  Presence presence;
  presence.add(kStart, change("anna"));
  const Presence::Mark carl = presence.mark();
  EXPECT_GT(carl, presence.first());
  EXPECT_THAT(told(presence, carl), IsEmpty());
  presence.add(kStart, change("ben"));
  EXPECT_THAT(told(presence, carl), ElementsAre("ben1"));
  presence.add(kStart, change("anna", 2));
  EXPECT_THAT(told(presence, carl), ElementsAre("ben1", "anna2"));
  presence = presence.next();
  presence.add(kStart, change("dora"));
  EXPECT_LE(carl, presence.first());
  EXPECT_THAT(told(presence, carl), ElementsAre("dora1"));
}

TEST(Presence, does_not_wait_for_ever_more) {
  Presence presence;
  presence.add(kStart, change("PA_0"));
  for (std::size_t i = 1; i < kPresenceMax; ++i) {
    EXPECT_EQ(presence.due(), kStart + kPresenceWait);
    presence.add(kStart + kTick, change("PA_" + std::to_string(i)));
  }
  EXPECT_EQ(presence.due(), kStart + kTick);
}

}  // namespace
}  // namespace stoa::shard
