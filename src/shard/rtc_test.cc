// WHIP and WHEP over whole shards: who may call, where sessions live, what viewers on which shard get, and
// how everything ends.
#include "shard/rtc.h"

#include <gtest/gtest.h>

#include "shard/test_rtc_town.h"

namespace stoa::shard {
namespace {

namespace v = media::vectors;

TestClientOptions real_pictures() { return {.has_real_pictures = true, .checks_pictures = false}; }

bool ends_with(const Buffer& frame, std::string_view hex) {
  Buffer tail = v::from_hex(hex);
  return frame.size() >= tail.size() &&
         std::equal(tail.begin(), tail.end(), frame.end() - static_cast<std::ptrdiff_t>(tail.size()));
}
std::string fragment_of(const ice::Credentials& ice) {
  return "a=ice-ufrag:" + ice.ufrag + "\r\na=ice-pwd:" + ice.password +
         "\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:v\r\n";
}
std::string value_of(const std::string& text, const std::string& key) {
  std::size_t at = text.find(key);
  return at == std::string::npos ? "" : text.substr(at + key.size(), text.find("\r\n", at) - at - key.size());
}

TEST(Rtc, a_publisher_lands_at_the_owner_wherever_it_calls) {
  for (ShardIndex at = 0; at < 3; ++at) {
    RtcTown town(3);
    RtcParty& publisher = town.publish("news", at);
    EXPECT_EQ(publisher.status, 201);
    EXPECT_EQ(publisher.home, town.owner("news"));
    EXPECT_FALSE(publisher.etag.empty());
    EXPECT_TRUE(town.has_logged("publishes channel news"));
    EXPECT_EQ(town.metric("stoa_whip_publishers"), 1);
  }
}

TEST(Rtc, refuses_who_asks_for_sessions_and_does_not_connect) {
  RtcTown town(1);
  town.publish("news", 0);
  TestClient silent(town.time, town.transform(), {});
  const std::string offer(silent.dialer->offer());
  auto ask = [&] {
    return town.status(town.request(0, http::Method::kPost, "/whep/news", "application/sdp", offer));
  };
  const std::size_t most = webrtc::UnconnectedLimits().per_address_max;
  for (std::size_t i = 0; i < most; ++i) ASSERT_EQ(ask(), 201) << i;
  EXPECT_EQ(ask(), 429);
  EXPECT_EQ(town.metric("stoa_webrtc_offers_refused_total"), 1);
  town.run_for(Duration::milliseconds(10'100));  // They have had their time.
  EXPECT_EQ(ask(), 201);
}

TEST(Rtc, viewers_of_any_shard_get_all_of_it) {
  RtcTown town(3);
  RtcParty& publisher = town.publish("news", 0);
  std::vector<RtcParty*> viewers;
  for (ShardIndex at = 0; at < 3; ++at) {
    viewers.push_back(&town.watch("news", at));
    EXPECT_EQ(viewers.back()->home, at);
  }
  town.run_for(Duration::seconds(5));
  for (RtcParty* viewer : viewers) {
    EXPECT_GE(viewer->client->pictures.size(), 110u);
    EXPECT_GE(viewer->client->sounds.size(), 240u);
    EXPECT_TRUE(TestClient::is_gapless(viewer->client->pictures));
    EXPECT_TRUE(TestClient::is_gapless(viewer->client->sounds));
    EXPECT_EQ(viewer->client->damaged, 0u);
    ASSERT_FALSE(viewer->client->pictures.empty());
    EXPECT_EQ(viewer->client->pictures[0].publisher, publisher.client->options.seed);
  }
  town.run_for(Duration::seconds(1));
  for (ShardIndex at = 0; at < 3; ++at) EXPECT_EQ((town.receivers[{at, "news"}]), 1u) << at;
}

TEST(Rtc, a_packet_goes_to_a_shard_once_however_many_watch_there) {
  RtcTown town(2);
  town.publish("news", 0);
  ShardIndex other = town.other("news");
  std::vector<RtcParty*> viewers;
  for (int i = 0; i < 4; ++i) viewers.push_back(&town.watch("news", other));
  town.run_for(Duration::seconds(4));
  EXPECT_EQ(town.subscriptions, 1u);
  EXPECT_GT(town.relayed.packets, 400u);
  EXPECT_EQ(town.relayed.packets, town.relayed.different.size());
  for (RtcParty* viewer : viewers) EXPECT_TRUE(TestClient::is_gapless(viewer->client->pictures));
}

TEST(Rtc, nothing_is_mailed_when_the_last_viewer_of_a_shard_has_left) {
  RtcTown town(2);
  town.publish("news", 0);
  RtcParty& viewer = town.watch("news", town.other("news"));
  town.run_for(Duration::seconds(2));
  viewer.client->close();
  town.run_for(Duration::seconds(12));
  EXPECT_EQ(town.unsubscriptions, 1u);
  std::size_t before = town.relayed.packets;
  town.run_for(Duration::seconds(3));
  EXPECT_EQ(town.relayed.packets, before);
  EXPECT_EQ(town.metric("stoa_webrtc_streams"), 0);
  EXPECT_EQ(town.metric("stoa_whep_viewers"), 0);
  // And again when one comes.
  RtcParty& next = town.watch("news", town.other("news"));
  town.run_for(Duration::seconds(2));
  EXPECT_GE(next.client->pictures.size(), 40u);
}

TEST(Rtc, viewers_get_the_pictures_of_an_rtmp_encoder) {
  RtcTown town(2);
  for (ShardIndex ingest = 0; ingest < 2; ++ingest) {
    std::string channel = ingest == 0 ? "news" : "sport";
    town.add_encoder(channel, ingest);
    town.run_for(Duration::seconds(3));
    for (ShardIndex at = 0; at < 2; ++at) {
      RtcParty& viewer = town.watch(channel, at, {.checks_pictures = false});
      town.run_for(Duration::seconds(3));
      ASSERT_GE(viewer.client->real_pictures.size(), 60u);
      EXPECT_TRUE(viewer.client->pictures[0].is_keyframe);
      EXPECT_TRUE(ends_with(viewer.client->real_pictures[0], v::kH264HighFirst));
      for (std::size_t i = 1; i < viewer.client->real_pictures.size(); ++i)
        EXPECT_TRUE(ends_with(viewer.client->real_pictures[i], viewer.client->pictures[i].is_keyframe
                                                                   ? v::kH264HighFirst
                                                                   : v::kH264HighSecond));
      EXPECT_TRUE(viewer.client->sounds.empty());
    }
    // Its sound is AAC.
    const auto& warnings = town.reported[channel].warnings;
    EXPECT_NE(std::ranges::find(warnings, "webrtc_codec"), warnings.end());
  }
}

TEST(Rtc, a_group_that_was_lost_on_its_way_to_a_shard_is_sent_again) {
  RtcTown town(2);
  town.add_encoder("news", 0).pictures_per_group = 500;
  town.run_for(Duration::seconds(3));
  RtcParty& here = town.watch("news", town.owner("news"), {.checks_pictures = false});
  town.groups_to_lose = 1;
  RtcParty& there = town.watch("news", town.other("news"), {.checks_pictures = false});
  town.run_for(Duration::seconds(4));
  for (RtcParty* viewer : {&here, &there}) {
    const auto& pictures = viewer->client->real_pictures;
    ASSERT_GE(pictures.size(), 150u) << "all since the beginning";
    EXPECT_TRUE(ends_with(pictures[0], v::kH264HighFirst));
    for (std::size_t i = 1; i < pictures.size(); ++i)
      EXPECT_TRUE(ends_with(pictures[i], v::kH264HighSecond)) << i << ": the group came twice";
  }
  EXPECT_EQ(town.relayed.groups, 2u) << "and not more often";
}

TEST(Rtc, what_is_published_reaches_hls_as_well) {
  RtcTown town(2);
  town.publish("news", 1, real_pictures());
  RtcParty& viewer = town.watch("news", town.other("news"), {.checks_pictures = false});
  town.run_for(Duration::seconds(6));
  for (ShardIndex at = 0; at < 2; ++at) {
    std::string folder = town.folder(at, "news");
    ASSERT_FALSE(folder.empty());
    std::string playlist = town.fetch(at, folder + "v0.m3u8");
    EXPECT_NE(playlist.find("#EXT-X-PART:"), std::string::npos);
    EXPECT_FALSE(town.fetch(at, folder + "v0/p0.m4s").empty());
  }
  EXPECT_GE(viewer.client->real_pictures.size(), 140u);
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kLive);
  ASSERT_EQ(town.reported["news"].sources.size(), 1u);
  EXPECT_EQ(town.reported["news"].sources[0].protocol, "whip");
  EXPECT_TRUE(town.reported["news"].warnings.empty());
}

TEST(Rtc, viewers_go_on_with_a_second_publisher_as_if_it_were_the_first) {
  RtcTown town(2);
  RtcParty& first = town.publish("news", 0, real_pictures());
  TestClientOptions options{.has_receiver = false, .checks_pictures = false};
  std::vector<RtcParty*> viewers;
  for (ShardIndex at = 0; at < 2; ++at) viewers.push_back(&town.watch("news", at, options));
  town.run_for(Duration::seconds(3));
  TestClientOptions again = real_pictures();
  again.first_sequence = 30'000;
  again.first_timestamp = 77'000'000;
  RtcParty& second = town.publish("news", 1, again);
  ASSERT_TRUE(town.run_until([&] { return first.client->is_closed(); }, Duration::seconds(5)));
  town.run_for(Duration::seconds(4));
  EXPECT_FALSE(second.client->is_closed());
  for (RtcParty* viewer : viewers) {
    EXPECT_FALSE(viewer->client->is_closed());
    std::map<std::uint32_t, webrtc::Came> last;
    std::size_t count = 0;
    for (const webrtc::Came& came : viewer->client->came) {
      auto [before, is_first] = last.try_emplace(came.ssrc, came);
      if (!is_first) {
        EXPECT_EQ(came.index, before->second.index + 1);
        // Forward, and by no more than the time that passed.
        auto ahead = static_cast<std::int32_t>(came.timestamp - before->second.timestamp);
        EXPECT_GE(ahead, 0);
        EXPECT_LT(ahead, 4 * 90'000);
        before->second = came;
      }
      ++count;
    }
    EXPECT_EQ(last.size(), 2u);  // One of pictures, one of sound.
    EXPECT_GE(count, 400u);
    EXPECT_GE(viewer->client->real_pictures.size(), 150u);
    EXPECT_LT(town.time.now() - viewer->client->pictures.back().at, Duration::milliseconds(100));
  }
  EXPECT_EQ(town.metric("stoa_whip_publishers"), 1);
}

TEST(Rtc, viewers_stay_while_their_publisher_is_away_for_a_while) {
  RtcTown town(2);
  RtcParty& first = town.publish("news", 0, real_pictures());
  RtcParty& viewer = town.watch("news", town.other("news"), {.checks_pictures = false});
  town.run_for(Duration::seconds(2));
  first.client->close();
  town.run_for(Duration::seconds(10));
  EXPECT_FALSE(viewer.client->is_closed());
  std::size_t seen = viewer.client->real_pictures.size();
  town.publish("news", 1, real_pictures());
  town.run_for(Duration::seconds(3));
  EXPECT_GE(viewer.client->real_pictures.size(), seen + 70);
  EXPECT_FALSE(viewer.client->is_closed());
}

TEST(Rtc, viewers_are_let_go_when_the_broadcast_is_over) {
  RtcTown town(2);
  RtcParty& publisher = town.publish("news", 0, real_pictures());
  RtcParty& here = town.watch("news", town.owner("news"), {.checks_pictures = false});
  RtcParty& there = town.watch("news", town.other("news"), {.checks_pictures = false});
  town.run_for(Duration::seconds(2));
  publisher.client->close();
  town.run_for(Duration::seconds(25));
  EXPECT_FALSE(here.client->is_closed());
  town.run_for(Duration::seconds(8));
  EXPECT_TRUE(here.client->is_closed());
  EXPECT_TRUE(there.client->is_closed());
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
  EXPECT_EQ(town.metric("stoa_webrtc_streams"), 0);
  EXPECT_EQ(town.metric("stoa_whep_viewers"), 0);
  EXPECT_EQ(town.status(town.call("whep", "news", town.owner("news")).call), 404);
}

TEST(Rtc, a_stopped_broadcast_and_a_revoked_key_close_sessions) {
  RtcTown town(2);
  RtcParty& news = town.publish("news", 0, real_pictures());
  RtcParty& sport = town.publish("sport", 1, real_pictures());
  RtcParty& viewer = town.watch("news", town.other("news"), {.checks_pictures = false});
  RtcParty& fan = town.watch("sport", town.other("sport"), {.checks_pictures = false});
  town.run_for(Duration::seconds(2));
  town.tell_all(BroadcastStopped{"news"});
  town.tell_all(KeyRevoked{"sport", "dev"});
  town.run_for(Duration::milliseconds(200));
  EXPECT_TRUE(news.client->is_closed());
  EXPECT_TRUE(sport.client->is_closed());
  EXPECT_TRUE(viewer.client->is_closed());
  EXPECT_FALSE(fan.client->is_closed());  // Another key may go on.
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
  EXPECT_EQ(town.metric("stoa_whip_publishers"), 0);
}

// The owner hears of it before the call comes, the shard that took the call when that has gone on.
TEST(Rtc, a_key_that_is_revoked_while_its_call_is_under_way_opens_nothing) {
  RtcTown town(2);
  ShardIndex other = town.other("news");
  RtcParty& publisher = town.call("whip", "news", other);
  town.tell_now(town.owner("news"), KeyRevoked{"news", "dev"});
  town.run_for(Duration::milliseconds(1));  // Decided, and mailed on.
  town.tell_now(other, KeyRevoked{"news", "dev"});
  town.run_for(Duration::seconds(3));
  EXPECT_FALSE(publisher.client->is_connected());
  EXPECT_EQ(town.metric("stoa_whip_publishers"), 0);
}

TEST(Rtc, a_broadcast_that_is_stopped_while_a_call_is_under_way_is_not_begun_by_it) {
  RtcTown town(2);
  ShardIndex other = town.other("news");
  RtcParty& publisher = town.call("whip", "news", other);
  town.tell_now(town.owner("news"), BroadcastStopped{"news"});
  town.run_for(Duration::milliseconds(1));  // Decided, and mailed on.
  town.tell_now(other, BroadcastStopped{"news"});
  town.run_for(Duration::seconds(3));
  EXPECT_EQ(publisher.status, 201);
  EXPECT_TRUE(publisher.client->is_closed() || !publisher.client->is_connected());
  EXPECT_EQ(town.metric("stoa_whip_publishers"), 0);
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
  // Who comes after it is another broadcast's.
  RtcParty& next = town.publish("news", other);
  town.tell_now(town.owner("news"), BroadcastStopped{"news", town.owner("news")});
  town.run_for(Duration::milliseconds(100));
  EXPECT_FALSE(next.client->is_closed());
}

TEST(Rtc, a_channel_that_is_not_live_is_not_found_at_once) {
  RtcTown town(2);
  for (ShardIndex at = 0; at < 2; ++at) {
    RtcParty& viewer = town.call("whep", "news", at);
    town.run_for(Duration::milliseconds(5));
    EXPECT_EQ(town.status(viewer.call), 404);
    EXPECT_NE(town.body(viewer.call).find("not_live"), std::string::npos);
    EXPECT_TRUE(town.answers.at(viewer.call).headers.has("retry-after"));
  }
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
  // Those who were told so are served once it is live.
  town.publish("news", 0);
  for (ShardIndex at = 0; at < 2; ++at) town.watch("news", at);
}

TEST(Rtc, calls_that_wait_too_long_are_told_to_come_again) {
  RtcTown town(2);
  town.publish("news", 0);
  town.holds_mail = true;
  RtcParty& viewer = town.call("whep", "news", town.other("news"));
  town.run_for(Duration::milliseconds(2900));
  EXPECT_EQ(town.status(viewer.call), 0);
  town.run_for(Duration::milliseconds(200));
  EXPECT_EQ(town.status(viewer.call), 503);
  EXPECT_TRUE(town.answers.at(viewer.call).headers.has("retry-after"));
  town.holds_decisions = true;
  RtcParty& publisher = town.call("whip", "sport", 0);
  town.run_for(Duration::milliseconds(3100));
  EXPECT_EQ(town.status(publisher.call), 503);
}

TEST(Rtc, only_the_key_of_a_channel_publishes_to_it) {
  RtcTown town(2);
  RtcParty& wrong = town.call("whip", "news", 0, {}, "No~Such~Key");
  RtcParty& anothers = town.call("whip", "news", 1, {}, "sport");
  RtcParty& right = town.call("whip", "news", 1, {}, "news");
  town.run_for(Duration::milliseconds(20));
  EXPECT_EQ(town.status(wrong.call), 401);
  EXPECT_TRUE(town.answers.at(wrong.call).headers.has("www-authenticate"));
  EXPECT_EQ(town.status(anothers.call), 403);
  EXPECT_EQ(town.status(right.call), 201);
}

TEST(Rtc, a_session_is_patched_and_deleted_from_any_shard) {
  RtcTown town(3);
  RtcParty& publisher = town.publish("news", 0, real_pictures());
  RtcParty& viewer = town.watch("news", 1, {.checks_pictures = false});
  town.run_for(Duration::seconds(1));
  const std::string type = "application/trickle-ice-sdpfrag";
  ice::Credentials ours = webrtc::test_credentials(9001);
  auto patch = [&](ShardIndex at, const std::string& path, const std::string& if_match) {
    api::RequestKey key = town.request(at, http::Method::kPatch, path, type, fragment_of(ours), "", if_match);
    town.run_for(Duration::milliseconds(5));
    return key;
  };
  EXPECT_EQ(town.status(patch(2, viewer.location, "")), 428);
  EXPECT_EQ(town.status(patch(2, viewer.location, "\"other\"")), 412);
  api::RequestKey restart = patch(2, viewer.location, viewer.etag);
  ASSERT_EQ(town.status(restart), 200);
  std::string theirs = town.body(restart);
  EXPECT_NE(town.answers.at(restart).headers.get("etag"), viewer.etag);
  viewer.client->restart_ice(ours, {value_of(theirs, "a=ice-ufrag:"), value_of(theirs, "a=ice-pwd:")});
  town.run_for(Duration::seconds(35));
  EXPECT_FALSE(viewer.client->is_closed());

  // By another name, of another channel, in another role: nobody there.
  std::string stranger = viewer.location, role = viewer.location, channel = viewer.location;
  stranger.back() = stranger.back() == 'a' ? 'b' : 'a';
  role.replace(role.find("whep"), 4, "whip");
  channel.replace(channel.find("news"), 4, "olds");
  for (const std::string& path : {stranger, role, channel}) {
    api::RequestKey gone = town.request(0, http::Method::kDelete, path);
    town.run_for(Duration::milliseconds(5));
    EXPECT_EQ(town.status(gone), 404) << path;
  }
  for (RtcParty* party : {&viewer, &publisher}) {
    api::RequestKey left = town.request((party->home + 1) % 3, http::Method::kDelete, party->location);
    town.run_for(Duration::milliseconds(100));
    EXPECT_EQ(town.status(left), 200);
    EXPECT_TRUE(party->client->is_closed());
    api::RequestKey again = town.request(0, http::Method::kDelete, party->location);
    town.run_for(Duration::milliseconds(5));
    EXPECT_EQ(town.status(again), 404);
  }
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
}

TEST(Rtc, pictures_that_hls_does_not_know_reach_viewers) {
  RtcTown town(2);
  TestClientOptions vp8{.has_audio = false, .video = payload::Encoding::kVp8};
  RtcParty& publisher = town.publish("news", 0, vp8);
  std::vector<RtcParty*> viewers;
  for (ShardIndex at = 0; at < 2; ++at) viewers.push_back(&town.watch("news", at, vp8));
  town.run_for(Duration::seconds(45));  // Longer than a channel waits for one who is away.
  EXPECT_FALSE(publisher.client->is_closed());
  for (RtcParty* viewer : viewers) {
    EXPECT_FALSE(viewer->client->is_closed());
    EXPECT_GE(viewer->client->pictures.size(), 1000u);
    EXPECT_TRUE(TestClient::is_gapless(viewer->client->pictures));
  }
  EXPECT_TRUE(town.has_logged("does not go into HLS"));
  publisher.client->close();
  town.run_for(Duration::seconds(45));
  for (RtcParty* viewer : viewers) EXPECT_TRUE(viewer->client->is_closed());
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
}

TEST(Rtc, a_channel_that_hls_has_nothing_of_is_listed_and_lives_as_long_as_its_publisher) {
  RtcTown town(2);
  TestClientOptions vp8{.has_audio = false, .video = payload::Encoding::kVp8};
  RtcParty& publisher = town.publish("news", 0, vp8);
  town.run_for(Duration::seconds(2));
  ASSERT_TRUE(town.reported.contains("news"));
  control::ChannelStatus status = town.reported["news"];
  EXPECT_EQ(status.state, control::LiveState::kLive);
  ASSERT_EQ(status.tracks.size(), 1u);
  EXPECT_EQ(status.tracks[0].codec_string, "vp8");
  EXPECT_EQ(status.tracks[0].codec_name, "VP8");
  EXPECT_EQ(status.tracks[0].hls_obstacle, "codec");
  EXPECT_EQ(status.warnings, std::vector<std::string>{"hls_codec"});
  EXPECT_GT(status.started_at.us(), 0);
  publisher.client->close();
  town.run_for(Duration::seconds(40));
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
}

TEST(Rtc, a_publisher_that_hls_has_nothing_of_outlives_the_grace_of_the_one_before) {
  RtcTown town(2);
  RtcParty& first = town.publish("news", 0, real_pictures());
  town.run_for(Duration::seconds(3));
  first.client->close();
  town.run_for(Duration::seconds(5));
  TestClientOptions vp8{.has_audio = false, .video = payload::Encoding::kVp8};
  RtcParty& second = town.publish("news", 0, vp8);
  RtcParty& viewer = town.watch("news", 1, vp8);
  town.run_for(Duration::seconds(60));  // The grace is 30 s.
  EXPECT_FALSE(second.client->is_closed());
  EXPECT_FALSE(viewer.client->is_closed());
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kLive);
  second.client->close();
  town.run_for(Duration::seconds(25));
  EXPECT_FALSE(viewer.client->is_closed()) << "its own grace begins when it goes";
  town.run_for(Duration::seconds(10));
  EXPECT_TRUE(viewer.client->is_closed());
}

TEST(Rtc, a_broadcast_without_any_codec_of_webrtc_is_not_acceptable) {
  RtcTown town(2);
  TestEncoder& encoder = town.add_encoder("news", 0);
  encoder.has_video = false;  // AAC alone.
  town.run_for(Duration::seconds(8));
  for (ShardIndex at = 0; at < 2; ++at) {
    RtcParty& viewer = town.call("whep", "news", at);
    town.run_for(Duration::milliseconds(10));
    EXPECT_EQ(town.status(viewer.call), 406);
    EXPECT_NE(town.body(viewer.call).find("no codec that WebRTC can carry"), std::string::npos);
  }
}

TEST(Rtc, a_viewer_of_sound_alone_is_let_go_when_pictures_come) {
  RtcTown town(2);
  RtcParty& publisher = town.publish("news", 0, {.has_video = false});
  RtcParty& viewer = town.watch("news", town.other("news"));
  RtcParty& listener = town.watch("news", town.other("news"), {.has_video = false});
  town.run_for(Duration::seconds(1));
  EXPECT_FALSE(viewer.client->is_closed());
  // The same broadcast, with pictures.
  town.publish("news", 0);
  EXPECT_TRUE(publisher.client->is_closed());
  EXPECT_TRUE(viewer.client->is_closed()) << "a new session gets both";
  EXPECT_FALSE(listener.client->is_closed()) << "it asked for no pictures";
  RtcParty& again = town.watch("news", town.other("news"));
  town.run_for(Duration::seconds(1));
  EXPECT_GE(again.client->pictures.size(), 10u);
  EXPECT_FALSE(again.client->is_closed());
}

TEST(Rtc, a_viewer_whose_picture_became_another_codec_is_let_go_though_it_has_sound) {
  RtcTown town(2);
  town.publish("news", 0, {.video = payload::Encoding::kVp8});
  RtcParty& viewer = town.watch("news", town.other("news"));
  town.run_for(Duration::seconds(1));
  town.publish("news", 0);  // H.264.
  EXPECT_TRUE(viewer.client->is_closed());
}

TEST(Rtc, a_channel_full_of_encoders_is_a_conflict_and_the_primary_is_taken_over) {
  RtcTown town(2);
  for (int i = 1; i <= live::kSourcesMax; ++i) town.add_encoder("news?priority=" + std::to_string(i), 0);
  town.run_for(Duration::seconds(2));
  RtcParty& refused = town.call("whip", "news", 1);
  town.run_for(Duration::milliseconds(10));
  EXPECT_EQ(town.status(refused.call), 409);
  EXPECT_NE(town.body(refused.call).find("\"conflict\""), std::string::npos);
  TestEncoder& primary = town.add_encoder("sport", 0);
  town.run_for(Duration::seconds(2));
  town.publish("sport", 1, real_pictures());
  EXPECT_FALSE(primary.closed_because.empty());
}

TEST(Rtc, a_server_without_webrtc_says_so) {
  Shard shard({}, WallTime::from_seconds(1'800'000'000), Rng(1));
  Outputs out;
  Timestamp now = Timestamp() + Duration::seconds(1);
  int answered = 0;
  for (const char* path : {"/whip/news", "/whep/news"}) {
    http::Request request{
        .method = http::Method::kPost, .path = path, .body = "v=0\r\n", .peer_address = "x"};
    request.headers.add("content-type", "application/sdp");
    shard.handle_request(now, WallTime::from_seconds(1'800'000'000), 1, request, out);
    for (auto& output : out.take())
      if (auto* answer = std::get_if<api::Answer>(&output)) {
        ++answered;
        EXPECT_EQ(answer->response.status, 501);
        EXPECT_FALSE(answer->response.headers.has("retry-after"));
      }
  }
  EXPECT_EQ(answered, 2);
}

TEST(Rtc, a_viewer_without_the_codec_is_told_so) {
  RtcTown town(1);
  town.publish("news", 0, {.has_audio = false, .video = payload::Encoding::kVp8});
  RtcParty& viewer = town.call("whep", "news", 0, {.has_audio = false, .has_one_encoding = true});
  town.run_for(Duration::milliseconds(50));
  EXPECT_EQ(town.status(viewer.call), 406);
  RtcParty& nonsense = town.call("whep", "news", 0);
  api::RequestKey bad = town.request(0, http::Method::kPost, "/whep/news", "application/sdp", "v=0\r\n");
  town.run_for(Duration::milliseconds(50));
  EXPECT_EQ(town.status(bad), 400);
  EXPECT_EQ(town.status(nonsense.call), 201);
}

TEST(Rtc, what_nobody_watches_is_not_asked_for) {
  RtcTown town(2);
  town.publish("news", 0);
  ShardIndex other = town.other("news");
  town.tell_now(other, relay::ToSubscriber(relay::TracksChanged{.publication = "news", .generation = 9}));
  town.run_for(Duration::milliseconds(5));
  EXPECT_EQ(town.unsubscriptions, 1u);
  town.tell_now(other, relay::ToSubscriber(relay::TracksChanged{.publication = "olds", .has_ended = true}));
  EXPECT_EQ(town.unsubscriptions, 1u);
}

TEST(Rtc, data_comes_back_to_a_viewer) {
  RtcTown town(2);
  town.publish("news", 0);
  RtcParty& viewer = town.watch("news", town.other("news"), {.has_data = true});
  viewer.client->say("anybody there?");
  EXPECT_TRUE(town.run_until([&] { return !viewer.client->texts.empty(); }, Duration::seconds(2)));
  EXPECT_EQ(viewer.client->texts, std::vector<std::string>{"anybody there?"});
}

TEST(Rtc, a_channel_too_many_is_refused_and_forgotten) {
  RtcTown town(1, {.channels_max = 1});
  // Both are answered before one is live.
  RtcParty& first = town.call("whip", "news", 0);
  RtcParty& second = town.call("whip", "sport", 0);
  ASSERT_TRUE(town.run_until([&] { return first.client->is_closed() || second.client->is_closed(); },
                             Duration::seconds(5)));
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(second.status, 201);
  EXPECT_EQ(town.metric("stoa_whip_publishers"), 1);
  EXPECT_EQ(town.metric("stoa_webrtc_publications"), 1);
  // Now it is known when the call comes.
  RtcParty& third = town.call("whip", "weather", 0);
  town.run_for(Duration::milliseconds(10));
  EXPECT_EQ(third.status, 503);
  EXPECT_EQ(town.metric("stoa_webrtc_publications"), 1);
  EXPECT_EQ(town.status(town.call("whep", "sport", 0).call), 404);
  EXPECT_EQ(town.metric("stoa_webrtc_publications"), 1);
}

TEST(Rtc, a_stop_answers_everything_and_closes_every_session) {
  RtcTown town(2);
  RtcParty& publisher = town.publish("news", 0, real_pictures());
  RtcParty& here = town.watch("news", town.owner("news"), {.checks_pictures = false});
  RtcParty& there = town.watch("news", town.other("news"), {.checks_pictures = false});
  town.run_for(Duration::seconds(1));
  town.holds_mail = town.holds_decisions = true;
  RtcParty& waiting = town.call("whep", "sport", town.other("sport"));
  RtcParty& undecided = town.call("whip", "weather", 0);
  town.holds_mail = false;
  for (ShardIndex at = 0; at < 2; ++at) town.end_channels(at);
  // A studio that asks whether its session is gone is not told so: it may come back.
  api::RequestKey probe = town.request(0, http::Method::kPatch, publisher.location,
                                       "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n");
  EXPECT_EQ(town.status(probe), 503);
  town.run_for(Duration::milliseconds(5));
  for (ShardIndex at = 0; at < 2; ++at) town.drain(at);
  EXPECT_EQ(town.status(waiting.call), 503);
  EXPECT_EQ(town.status(undecided.call), 503);
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
  // Who calls now is sent away, and what was under way opens nothing.
  RtcParty& late = town.call("whep", "news", 0);
  EXPECT_EQ(town.status(late.call), 503);
  town.run_for(Duration::milliseconds(100));
  for (RtcParty* party : {&publisher, &here, &there}) EXPECT_TRUE(party->client->is_closed());
  EXPECT_EQ(town.metric("stoa_webrtc_sessions"), 0);
}

// An end that is told to a client is told once, and may be lost.
TEST(Rtc, a_publisher_that_was_let_go_is_told_why_when_it_asks_for_its_session) {
  RtcTown town(2);
  auto probe = [&](const RtcParty& party) {
    api::RequestKey key = town.request(town.other(party.channel), http::Method::kPatch, party.location,
                                       "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n");
    town.run_for(Duration::milliseconds(5));
    std::string body = town.body(key);
    std::size_t code = body.find("\"code\":\"");
    return std::to_string(town.status(key)) +
           (code == body.npos ? "" : ' ' + body.substr(code + 8, body.find('"', code + 8) - code - 8));
  };
  RtcParty& first = town.publish("news", 0, real_pictures());
  RtcParty& second = town.publish("news", 1, real_pictures());
  EXPECT_EQ(probe(first), "410 taken_over");
  EXPECT_EQ(probe(second), "204");
  RtcParty& sport = town.publish("sport", 0, real_pictures());
  town.tell_all(BroadcastStopped{"news"});
  town.tell_all(KeyRevoked{"sport", "dev"});
  town.run_for(Duration::milliseconds(100));
  EXPECT_EQ(probe(second), "410 broadcast_stopped");
  EXPECT_EQ(probe(sport), "410 key_revoked");
  api::RequestKey again = town.request(0, http::Method::kDelete, sport.location);
  town.run_for(Duration::milliseconds(5));
  EXPECT_EQ(town.status(again), 410);
  // Of another channel it is nothing, and one that left by itself may come back.
  RtcParty stranger;
  stranger.channel = "olds";
  stranger.location = first.location;
  stranger.location.replace(stranger.location.find("news"), 4, "olds");
  EXPECT_EQ(probe(stranger), "404 no_session");
  RtcParty& third = town.publish("news", 0);
  third.client->close();
  town.run_for(Duration::milliseconds(100));
  EXPECT_EQ(probe(third), "404 no_session");
  town.run_for(Rtc::kDroppedKept);
  EXPECT_EQ(probe(first), "404 no_session");
}

TEST(Rtc, a_publisher_whose_pictures_hls_does_not_know_is_given_up_when_it_falls_silent) {
  RtcTown town(2);
  TestClientOptions vp8{.has_audio = false, .video = payload::Encoding::kVp8};
  RtcParty& publisher = town.publish("news", 0, vp8);
  town.run_for(Duration::seconds(40));
  publisher.client->is_paused = true;
  town.run_for(Duration::seconds(20));
  EXPECT_FALSE(publisher.client->is_closed());
  publisher.client->is_paused = false;
  town.run_for(Duration::seconds(20));
  EXPECT_FALSE(publisher.client->is_closed()) << "it came back in time";
  publisher.client->is_paused = true;
  town.run_for(Duration::seconds(30));
  EXPECT_FALSE(publisher.client->is_closed()) << "the grace begins with the silence";
  town.run_for(Duration::seconds(5));
  EXPECT_TRUE(publisher.client->is_closed());
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
  // Nobody stopped it: it may begin anew.
  api::RequestKey probe = town.request(town.owner("news"), http::Method::kPatch, publisher.location,
                                       "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n");
  EXPECT_EQ(town.status(probe), 404);
}

TEST(Rtc, viewers_stay_when_sound_that_hls_knows_follows_pictures_that_it_does_not_know) {
  RtcTown town(2);
  RtcParty& publisher = town.publish("news", 0, {.video = payload::Encoding::kVp8});
  RtcParty& viewer = town.watch("news", town.other("news"));
  town.run_for(Duration::seconds(10));
  EXPECT_FALSE(publisher.client->is_closed());
  EXPECT_FALSE(viewer.client->is_closed());
  EXPECT_GE(viewer.client->pictures.size(), 200u);
  EXPECT_TRUE(TestClient::is_gapless(viewer.client->pictures));
}

TEST(Rtc, a_viewer_without_the_codec_is_let_go_when_another_one_comes) {
  RtcTown town(2);
  town.publish("news", 0, {.video = payload::Encoding::kVp8});
  TestClientOptions h264{.has_one_encoding = true};
  RtcParty& viewer = town.watch("news", town.other("news"), h264);
  town.run_for(Duration::seconds(1));
  EXPECT_FALSE(viewer.client->sounds.empty());
  EXPECT_TRUE(viewer.client->pictures.empty());
  town.publish("news", 0, {.video = payload::Encoding::kVp8});
  town.run_for(Duration::seconds(1));
  EXPECT_FALSE(viewer.client->is_closed()) << "a new session would get no more";
  town.publish("news", 0);  // H.264.
  EXPECT_TRUE(viewer.client->is_closed());
  RtcParty& again = town.watch("news", town.other("news"), h264);
  town.run_for(Duration::seconds(1));
  EXPECT_FALSE(again.client->is_closed());
  EXPECT_GE(again.client->pictures.size(), 10u);
}

TEST(Rtc, an_owner_that_stops_says_so_of_sessions_that_others_ask_for) {
  RtcTown town(2);
  RtcParty& publisher = town.publish("news", 0, real_pictures());
  town.end_channels(town.owner("news"));
  api::RequestKey probe = town.request(town.other("news"), http::Method::kPatch, publisher.location,
                                       "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n");
  town.run_for(Duration::milliseconds(5));
  EXPECT_EQ(town.status(probe), 503);
}

TEST(Rtc, a_call_that_is_decided_while_its_shard_stops_is_not_sent_on) {
  RtcTown town(2);
  ShardIndex other = town.other("news");
  RtcParty& publisher = town.call("whip", "news", other);
  town.end_channels(other);
  town.holds_mail = true;  // The owner has left its loop.
  town.run_for(Duration::milliseconds(5));
  EXPECT_EQ(town.status(publisher.call), 503);
}

}  // namespace
}  // namespace stoa::shard
