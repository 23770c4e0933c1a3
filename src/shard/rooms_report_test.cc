// What the REST API is told of rooms and of those in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "proto/rtcp/writer.h"
#include "shard/test_rooms_town.h"

namespace stoa::shard {
namespace {

using sdp::MediaKind;
using ::testing::ElementsAre;
using Kind = api::RoomsQuery::Kind;

ShardConfig spread() {
  ShardConfig config;
  config.rooms.limits.seats_per_shard = 1;
  return config;
}

template <typename Track>
const Track* find_kind(const std::vector<Track>& tracks, room::TrackKind kind) {
  for (const Track& track : tracks)
    if (track.kind == kind) return &track;
  return nullptr;
}

struct Case {
  ShardIndex shards;
  bool is_single;
};
class RoomReports : public testing::TestWithParam<Case> {
 protected:
  // Nothing is under way any more, and nothing new is said of it.
  static void fall_silent(RoomsTown& town, Person& person) {
    for (auto& sending : person.sending->sendings) sending.is_on = false;
    town.run_for(Duration::milliseconds(300));
  }
  static room::SeatReport statistics(RoomsTown& town, const std::string& name) {
    town.ask_about({.kind = Kind::kStatistics, .room = "meeting", .participant = name});
    if (town.seats.size() != 1 || town.seats[0].seats.size() != 1) {
      ADD_FAILURE() << "no statistics of " << name;
      return {};
    }
    return town.seats[0].seats[0];
  }
};

TEST_P(RoomReports, tell_what_a_participant_publishes) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kVideo, 1);
  town.publish(anna, MediaKind::kAudio, 2);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single);
  ASSERT_TRUE(
      town.run_until([&] { return ben.receiver().of(1).size() > 10 && ben.receiver().of(2).size() > 10; }));
  town.run_for(Duration::seconds(5));
  anna.sending->sending(1).sequence += 5;  // Lost on the way.
  town.run_for(Duration::seconds(1));

  const room::SeatReport flowing = statistics(town, "anna");
  const auto* video = find_kind(flowing.published, room::TrackKind::kVideo);
  ASSERT_TRUE(video && video->layers.size() == 1 && video->layers[0].rates);
  // One packet, and picture, every 20 ms.
  EXPECT_NEAR(video->layers[0].rates->frames_per_second, 50, 1);
  const double seconds = video->layers[0].rates->interval.as_seconds();
  EXPECT_GE(seconds, SeatConfig().report_interval.as_seconds());
  EXPECT_LE(seconds, 2 * SeatConfig().report_interval.as_seconds());
  EXPECT_NEAR(video->layers[0].rates->loss, 5 / (50 * seconds + 5), 0.002);
  EXPECT_TRUE(video->layers[0].is_active);
  const auto* sound = find_kind(flowing.published, room::TrackKind::kAudio);
  ASSERT_TRUE(sound && sound->layers.size() == 1 && sound->layers[0].rates);
  EXPECT_EQ(sound->layers[0].rates->loss, 0);
  EXPECT_GT(sound->layers[0].rates->bits_per_second, 50u * 8 * 20);
  EXPECT_LT(sound->layers[0].rates->bits_per_second, 50u * 8 * 60);

  fall_silent(town, anna);
  const room::SeatReport report = statistics(town, "anna");
  video = find_kind(report.published, room::TrackKind::kVideo);
  sound = find_kind(report.published, room::TrackKind::kAudio);
  ASSERT_TRUE(video && sound);
  const room::LayerReport& layer = video->layers[0];
  EXPECT_EQ(layer.packets, anna.sending->sending(1).number);
  EXPECT_EQ(layer.frames, anna.sending->sending(1).number);
  EXPECT_EQ(layer.lost, 5);
  EXPECT_GE(layer.nacks, 5u);
  EXPECT_GE(layer.plis, 1u);
  EXPECT_EQ(sound->layers[0].packets, anna.sending->sending(2).number);
  EXPECT_EQ(sound->layers[0].lost, 0);
  EXPECT_EQ(sound->layers[0].nacks, 0u);
  EXPECT_EQ(std::string(video->codec) + ' ' + sound->codec, "VP8 opus");
  EXPECT_EQ(video->source, room::TrackSource::kCamera);
  EXPECT_EQ(sound->source, room::TrackSource::kMicrophone);
  EXPECT_EQ(video->sid.substr(0, 3), "TR_");
  EXPECT_TRUE(video->measured && video->measured->is_video && sound->measured);
  EXPECT_TRUE(report.sent.empty());
}

TEST_P(RoomReports, tell_what_a_participant_is_sent_and_says_of_it) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kVideo, 1);
  Person& ben = town.join("meeting", "ben", GetParam().shards - 1, GetParam().is_single);
  ASSERT_TRUE(town.run_until([&] { return ben.receiver().of(1).size() > 10; }));
  town.run_for(Duration::seconds(5));
  const room::SeatReport flowing = statistics(town, "ben");
  ASSERT_EQ(flowing.sent.size(), 1u);
  EXPECT_TRUE(flowing.sent[0].is_flowing);
  ASSERT_TRUE(flowing.sent[0].rates);
  EXPECT_NEAR(static_cast<double>(flowing.sent[0].rates->bits_per_second), 50 * 8 * 12, 50 * 8);
  ASSERT_TRUE(flowing.score);
  EXPECT_EQ(flowing.score->quality, room::ConnectionQuality::kExcellent);

  const std::uint32_t ssrc = ben.receiver().of(1).back().ssrc;
  rtcp::Writer writer(1200);
  const rtcp::ReportBlock block{.ssrc = ssrc, .fraction_lost = 64, .jitter = 900};
  ASSERT_TRUE(writer.write_receiver_report(7, std::span(&block, 1)));
  ASSERT_TRUE(writer.write_pli(7, ssrc));
  ben.receiver().send_rtcp(writer.take());
  town.run_for(SeatConfig().report_interval + Duration::milliseconds(100));
  fall_silent(town, anna);

  const room::SeatReport report = statistics(town, "ben");
  ASSERT_EQ(report.sent.size(), 1u);
  const room::SentReport& sent = report.sent[0];
  EXPECT_EQ(sent.publisher_identity, "anna");
  EXPECT_EQ(sent.publisher_sid, anna.sid);
  EXPECT_EQ(sent.sid, ben.find("anna")->tracks(0).sid());
  EXPECT_EQ(sent.codec, "VP8");
  EXPECT_EQ(sent.layer, 0);
  EXPECT_EQ(sent.packets, ben.receiver().of(1).size());
  EXPECT_EQ(sent.retransmitted, 0u);
  EXPECT_DOUBLE_EQ(sent.loss, 0.25);
  EXPECT_EQ(sent.jitter, Duration::milliseconds(10));
  EXPECT_EQ(sent.plis, 1u);
  EXPECT_EQ(sent.remb_bps, 0u);
  ASSERT_TRUE(sent.measured && report.score);
  EXPECT_DOUBLE_EQ(sent.measured->loss, 0.25);
  EXPECT_EQ(report.score->quality, room::ConnectionQuality::kPoor);
  EXPECT_DOUBLE_EQ(report.score->mos, room::mos_of(*sent.measured));
  EXPECT_EQ(town.metric("stoa_room_connections"), 2);
  EXPECT_TRUE(report.published.empty());
}

TEST_P(RoomReports, tell_how_a_participant_is_connected) {
  RoomsTown town(GetParam().shards, spread());
  Person& anna = town.join("meeting", "anna", 0, GetParam().is_single);
  town.publish(anna, MediaKind::kAudio, 1);
  ASSERT_TRUE(town.run_until([&] { return anna.sending->is_connected(); }));
  const room::SeatReport report = statistics(town, anna.sid);
  EXPECT_EQ(report.client.sdk, "js");
  EXPECT_EQ(report.client.version, "2.9.1");
  ASSERT_EQ(report.connections.size(), GetParam().is_single ? 1u : 2u);
  // First the one without which it is not there.
  EXPECT_TRUE(report.connections[0].is_sending);
  EXPECT_EQ(report.connections[0].address, "198.51.100.7:" + std::to_string(anna.receiver().address.port));
  EXPECT_EQ(report.connections[0].is_receiving, GetParam().is_single);
  for (const auto& connection : report.connections) EXPECT_FALSE(connection.is_tcp);
}

INSTANTIATE_TEST_SUITE_P(Rooms, RoomReports,
                         testing::Values(Case{1, false}, Case{2, false}, Case{1, true}, Case{2, true}),
                         [](const auto& one) {
                           return std::to_string(one.param.shards) +
                                  (one.param.is_single ? "Single" : "Double");
                         });

std::vector<std::string> identities(const RoomsTown& town) {
  std::vector<std::string> all;
  for (const auto& [id, info] : town.found->participants) all.push_back(info->identity);
  return all;
}

TEST(RoomsQueries, list_participants_by_identity_and_no_hidden_ones_to_everybody) {
  RoomsTown town(2, spread());
  for (const char* identity : {"cleo", "anna", "ghost", "ben"}) town.join("meeting", identity, 0);
  api::RoomsQuery query{.kind = Kind::kParticipants, .room = "meeting", .limit = 10};
  town.ask_about(query);
  EXPECT_THAT(identities(town), ElementsAre("anna", "ben", "cleo"));
  std::size_t seats = 0;
  for (const SeatsFound& found : town.seats) seats += found.seats.size();
  EXPECT_EQ(seats, 3u);
  EXPECT_EQ(town.found->seat_answers, 2u);
  query.sees_hidden = true;
  town.ask_about(query);
  EXPECT_THAT(identities(town), ElementsAre("anna", "ben", "cleo", "ghost"));
  // One more says that there is another page; its seat is not asked for.
  query.limit = 1;
  query.after = "anna";
  town.ask_about(query);
  EXPECT_THAT(identities(town), ElementsAre("ben", "cleo"));
  ASSERT_EQ(town.seats.size(), 1u);
  ASSERT_EQ(town.seats[0].seats.size(), 1u);
  EXPECT_EQ(town.seats[0].seats[0].participant, town.found->participants[0].first);
  EXPECT_TRUE(town.seats[0].seats[0].published.empty());
}

TEST(RoomsQueries, say_what_is_not_there) {
  RoomsTown town(2, spread());
  town.join("meeting", "ghost", 0);
  auto why_not = [&](Kind kind, const char* room, const char* participant, bool sees_hidden) {
    town.ask_about({.kind = kind, .room = room, .participant = participant, .sees_hidden = sees_hidden});
    EXPECT_TRUE(town.seats.empty() || !town.found->why_not);
    return town.found->why_not;
  };
  EXPECT_EQ(why_not(Kind::kRoom, "absent", "", true), api::RoomsRefusal::kNoRoom);
  EXPECT_EQ(why_not(Kind::kParticipants, "absent", "", true), api::RoomsRefusal::kNoRoom);
  EXPECT_EQ(why_not(Kind::kStatistics, "absent", "ghost", true), api::RoomsRefusal::kNoRoom);
  EXPECT_EQ(why_not(Kind::kStatistics, "meeting", "nobody", true), api::RoomsRefusal::kNoParticipant);
  EXPECT_EQ(why_not(Kind::kStatistics, "meeting", "ghost", false), api::RoomsRefusal::kNoParticipant);
  EXPECT_EQ(why_not(Kind::kStatistics, "meeting", "ghost", true), std::nullopt);
}

TEST(RoomsQueries, list_rooms_by_name) {
  RoomsTown town(1);
  for (const char* room : {"c", "a", "b"}) town.join(room, "anna", 0);
  auto names = [&](const std::string& after, std::size_t limit) {
    town.ask_about({.kind = Kind::kRooms, .limit = limit, .after = after});
    std::string all;
    for (const room::RoomInfo& room : town.found->rooms) all += room.name + std::to_string(room.participants);
    return all;
  };
  EXPECT_EQ(names("", 10), "a1b1c1");
  EXPECT_EQ(names("", 1), "a1b1");
  EXPECT_EQ(names("a", 10), "b1c1");
  EXPECT_EQ(names("c", 10), "");
}

}  // namespace
}  // namespace stoa::shard
