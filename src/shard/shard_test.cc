// Whole shards in virtual time: encoders that speak RTMP over slow lines, viewers that hold reloads, mail
// that takes a while, and control's own rules for who may publish.
#include "shard/shard.h"

#include <gtest/gtest.h>

#include "shard/test_town.h"

namespace stoa::shard {
namespace {

TEST(Shard, every_shard_serves_a_channel_whoever_receives_it) {
  for (ShardIndex ingest = 0; ingest < 3; ++ingest) {
    Town town(3);
    town.add_encoder("news", ingest);
    std::vector<api::RequestKey> asked;
    town.run_for(Duration::milliseconds(800));
    for (ShardIndex i = 0; i < 3; ++i) asked.push_back(town.get(i, "/live/news/index.m3u8"));
    town.run_for(Duration::milliseconds(1200));
    for (auto key : asked) EXPECT_EQ(town.status(key), 200) << ingest;
    std::string folder = town.folder(0, "news");
    ASSERT_FALSE(folder.empty());
    EXPECT_EQ(folder, town.folder(1, "news"));
    EXPECT_EQ(town.fetch(0, folder + "v0.m3u8"), town.fetch(2, folder + "v0.m3u8"));
    EXPECT_FALSE(town.fetch(1, folder + "v0/p0.m4s").empty());
  }
}

TEST(Shard, a_part_reaches_waiting_viewers_of_all_shards_within_mail_time) {
  Town town(2);
  town.add_encoder("news", 0);
  town.run_for(Duration::seconds(3));
  std::string folder = town.folder(0, "news");
  std::string playlist = town.fetch(0, folder + "v0.m3u8");
  std::size_t hint = playlist.find("v0/p", playlist.find("PRELOAD-HINT"));
  std::string next = playlist.substr(hint, playlist.find('"', hint) - hint);
  api::RequestKey here = town.get(0, folder + next), there = town.get(1, folder + next);
  ASSERT_TRUE(town.run_until([&] { return town.is_answered(here) || town.is_answered(there); },
                             Duration::seconds(1)));
  town.run_for(Duration::milliseconds(1));
  EXPECT_EQ(town.status(here), 200);
  EXPECT_EQ(town.body(here), town.body(there));
  EXPECT_FALSE(town.body(here).empty());
}

TEST(Shard, an_encoder_that_reconnects_takes_over_from_its_half_open_self) {
  for (ShardIndex second : {0u, 1u}) {
    Town town(2);
    TestEncoder& old = town.add_encoder("news", 0);
    town.run_for(Duration::seconds(3));
    std::string folder = town.folder(0, "news");
    town.cut(old, false);
    TestEncoder& fresh = town.add_encoder("news", second);
    Timestamp began = town.time.now();
    ASSERT_TRUE(town.run_until([&] { return is_closed(town, old); }, Duration::seconds(2)));
    // The new one has media on the same playlist in under a second.
    ASSERT_TRUE(town.run_until(
        [&] { return town.fetch(0, folder + "v0.m3u8").find("#EXT-X-DISCONTINUITY\n") != std::string::npos; },
        Duration::seconds(2)));
    EXPECT_LT(town.time.now() - began, Duration::seconds(1));
    EXPECT_FALSE(is_closed(town, fresh));
    EXPECT_EQ(town.folder(1, "news"), folder);
  }
}

TEST(Shard, a_backup_takes_over_within_two_seconds_when_the_first_stops) {
  Town town(2);
  TestEncoder& primary = town.add_encoder("news", 0);
  TestEncoder& backup = town.add_encoder("news?priority=1", 1);
  town.run_for(Duration::seconds(5));
  EXPECT_FALSE(is_closed(town, backup));
  std::string folder = town.folder(0, "news");
  EXPECT_EQ(town.fetch(0, folder + "v0.m3u8").find("#EXT-X-DISCONTINUITY\n"), std::string::npos);
  primary.is_paused = true;
  Timestamp stopped = town.time.now();
  ASSERT_TRUE(town.run_until(
      [&] { return town.fetch(1, folder + "v0.m3u8").find("#EXT-X-DISCONTINUITY\n") != std::string::npos; },
      Duration::seconds(3)));
  EXPECT_LE(town.time.now() - stopped, Duration::seconds(2));
}

TEST(Shard, a_channel_ends_when_the_grace_time_is_over_and_begins_anew) {
  Town town(2);
  TestEncoder& first = town.add_encoder("news", 0);
  town.run_for(Duration::seconds(3));
  std::string folder = town.folder(1, "news");
  town.cut(first, true);
  town.run_for(Duration::seconds(20));
  EXPECT_EQ(town.fetch(1, folder + "v0.m3u8").find("#EXT-X-ENDLIST"), std::string::npos);
  EXPECT_NE(town.fetch(1, folder + "v0.m3u8").find("#EXT-X-GAP"), std::string::npos);
  town.run_for(Duration::seconds(12));
  EXPECT_NE(town.fetch(1, folder + "v0.m3u8").find("#EXT-X-ENDLIST"), std::string::npos);
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
  town.add_encoder("news", 1);
  town.run_for(Duration::seconds(3));
  EXPECT_NE(town.folder(0, "news"), folder);
  EXPECT_FALSE(town.folder(0, "news").empty());
}

TEST(Shard, a_wrong_name_is_refused_and_nothing_else_disturbed) {
  Town town(1);
  town.add_encoder("news", 0);
  town.run_for(Duration::seconds(2));
  TestEncoder& wrong = town.add_encoder("No Such Key!", 0);
  town.run_for(Duration::seconds(2));
  EXPECT_TRUE(is_closed(town, wrong));
  EXPECT_EQ(wrong.closed_because, "NetStream.Publish.BadName");
  EXPECT_EQ(town.reported.size(), 1u);
  EXPECT_EQ(town.reported["news"].tracks.size(), 2u);
}

TEST(Shard, a_stop_that_overtakes_the_start_stops_it_all_the_same) {
  Town town(2);
  ShardIndex owner = owner_of("news", 2), other = 1 - owner;
  TestEncoder& encoder = town.add_encoder("news", other);
  ASSERT_TRUE(town.run_until(
      [&] { return !town.log.empty() && town.log.back().find("publishes channel") != std::string::npos; },
      Duration::seconds(1)));
  // The owner has not heard of the encoder yet.
  town.tell_now(owner, BroadcastStopped{"news"});
  town.tell_now(other, BroadcastStopped{"news"});
  town.run_for(Duration::seconds(3));
  EXPECT_TRUE(is_closed(town, encoder));
  EXPECT_TRUE(town.folder(0, "news").empty());
}

TEST(Shard, a_stopped_broadcast_and_a_revoked_key_close_the_encoder) {
  Town town(2);
  TestEncoder& news = town.add_encoder("news", 0);
  TestEncoder& sport = town.add_encoder("sport", 1);
  town.run_for(Duration::seconds(2));
  town.tell_all(BroadcastStopped{"news"});
  town.tell_all(KeyRevoked{"sport", "dev"});
  town.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(is_closed(town, news));
  EXPECT_TRUE(is_closed(town, sport));
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
}

// Shards stop one after the other: an encoder may hear from its channel's shard before its own stops.
TEST(Shard, a_stop_is_told_as_a_stop_to_encoders_of_other_shards) {
  Town town(2);
  ShardIndex owner = owner_of("news", 2), other = 1 - owner;
  TestEncoder& encoder = town.add_encoder("news", other);
  town.run_for(Duration::seconds(2));
  town.end_channels(owner);
  town.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(is_closed(town, encoder));
  EXPECT_EQ(encoder.closed_because, "NetConnection.Connect.AppShutdown");
}

}  // namespace
}  // namespace stoa::shard
