#include "server/room_queries.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "control/memory_store.h"

namespace stoa::server {
namespace {

namespace json = boost::json;
using Kind = api::RoomsQuery::Kind;

constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);

class RoomQueriesTest : public ::testing::Test {
 protected:
  RoomQueriesTest() { EXPECT_TRUE(desk_.load()); }

  static Config config_of() {
    auto config = make_config(*parse_config_file("dev: true\n", "stoa.yaml"));
    EXPECT_TRUE(config) << config.error();
    return *config;
  }
  void ask(api::RoomsQuery query, std::uint32_t shard = 1) {
    queries_.ask(now_, kWall, {.shard = shard, .request = {}, .message = {}}, std::move(query));
  }
  std::uint64_t number() const { return number_; }
  // What was answered last.
  int status() const { return answers_.empty() ? 0 : answers_.back().status; }
  json::value body() const {
    std::string text;
    for (const SharedBytes& slice : answers_.back().body.slices) text += slice.text();
    return json::parse(text);
  }
  std::string code() const { return std::string(body().at_pointer("/error/code").as_string()); }
  void find(shard::RoomsFound found) {
    found.question = number_;
    queries_.handle_found(kWall, found);
  }
  void find_seats(std::vector<room::SeatReport> seats) {
    shard::SeatsFound found{number_, std::move(seats)};
    queries_.handle_seats(kWall, found);
  }
  static room::RoomInfo room_of(const std::string& name) { return {.sid = "RM_" + name, .name = name}; }
  static std::pair<room::ParticipantId, room::SharedParticipant> participant(std::uint64_t id,
                                                                             const std::string& identity) {
    return {room::ParticipantId::from_value(id),
            std::make_shared<const room::ParticipantInfo>(room::ParticipantInfo{.identity = identity})};
  }
  static room::SeatReport seat(std::uint64_t id, const std::string& sdk) {
    return {.participant = room::ParticipantId::from_value(id), .client = {.sdk = sdk}};
  }
  double metric(std::string_view name) const {
    MetricSamples samples;
    queries_.append_metrics(samples);
    for (const MetricSample& sample : samples)
      if (name == sample.name) return sample.value;
    return -1;
  }

  Config config_ = config_of();
  control::MemoryStore store_;
  control::ApiKeys api_keys_{store_, {.tokens = {}, .fixed = {control::development_key()}}};
  control::Channels channels_{store_};
  control::StreamKeys stream_keys_{store_};
  control::Publishing publishing_{store_, {}};
  control::LiveDirectory live_;
  api::Rest rest_{{channels_, stream_keys_, api_keys_, publishing_, live_}, {"1.2.3", kWall}};
  runtime::Log log_{LogLevel::kError, runtime::LogFormat::kText};
  runtime::Loop loop_;
  RoomDesk desk_{config_, loop_, log_, store_, api_keys_};
  Timestamp now_;
  std::uint64_t number_ = 0;
  std::vector<shard::ShardIndex> asked_;  // Shards, since the last answer.
  std::vector<http::Response> answers_;
  std::vector<shard::ShardIndex> answered_;
  RoomQueries queries_{rest_, desk_, 3, [this](shard::ShardIndex to, ToShard&& message) {
                         if (auto* answer = std::get_if<HttpAnswered>(&message)) {
                           answered_.push_back(to);
                           answers_.push_back(std::move(answer->response));
                           return;
                         }
                         number_ = std::get<shard::RoomsQueried>(std::get<shard::Mail>(message)).question;
                         asked_.push_back(to);
                       }};
};

TEST_F(RoomQueriesTest, lists_the_rooms_of_all_shards_and_those_that_are_kept) {
  ASSERT_TRUE(desk_.records().create(now_, kWall, room_of("kept")));
  ASSERT_TRUE(desk_.records().create(now_, kWall, room_of("open")));
  ask({.kind = Kind::kRooms, .limit = 3});
  EXPECT_EQ(asked_.size(), 3u);
  room::RoomInfo open = room_of("open");
  open.participants = 2;
  find({.rooms = {open}});
  find({.rooms = {room_of("a"), room_of("z")}});
  EXPECT_EQ(status(), 0);
  find({});
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(answered_.back(), 1u);
  const json::value page = body();
  ASSERT_EQ(page.at("rooms").as_array().size(), 3u);
  EXPECT_EQ(page.at_pointer("/rooms/0/name"), "a");
  EXPECT_EQ(page.at_pointer("/rooms/1/name"), "kept");
  EXPECT_EQ(page.at_pointer("/rooms/2/name"), "open");
  EXPECT_EQ(page.at_pointer("/rooms/2/participants"), 2);
  EXPECT_EQ(page.at("next"), "open");
}

TEST_F(RoomQueriesTest, knows_a_room_that_is_kept_and_open_nowhere) {
  ASSERT_TRUE(desk_.records().create(now_, kWall, room_of("kept")));
  ask({.kind = Kind::kRoom, .room = "kept"});
  EXPECT_EQ(asked_, std::vector{shard::owner_of("kept", 3)});
  find({.why_not = api::RoomsRefusal::kNoRoom});
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(body().at("participants"), 0);
  ask({.kind = Kind::kParticipants, .room = "kept", .limit = 10});
  find({.why_not = api::RoomsRefusal::kNoRoom});
  EXPECT_EQ(status(), 200);
  EXPECT_TRUE(body().at("participants").as_array().empty());
  ask({.kind = Kind::kStatistics, .room = "kept", .participant = "anna"});
  find({.why_not = api::RoomsRefusal::kNoRoom});
  EXPECT_EQ(code(), "participant_not_found");
  ask({.kind = Kind::kRoom, .room = "absent"});
  find({.why_not = api::RoomsRefusal::kNoRoom});
  EXPECT_EQ(code(), "room_not_found");
}

TEST_F(RoomQueriesTest, joins_what_shards_say_in_any_order) {
  ask({.kind = Kind::kParticipants, .room = "hall", .limit = 10});
  find_seats({seat(2, "swift")});
  EXPECT_EQ(status(), 0);
  find({.participants = {participant(1, "anna"), participant(2, "ben"), participant(3, "cleo")},
        .seat_answers = 2});
  EXPECT_EQ(status(), 0);
  find_seats({seat(1, "js")});
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(body().at_pointer("/participants/0/client/sdk"), "js");
  EXPECT_EQ(body().at_pointer("/participants/1/client/sdk"), "swift");
  EXPECT_TRUE(body().at_pointer("/participants/2/client").is_null());
  EXPECT_EQ(metric("stoa_room_queries_waiting"), 0);
}

TEST_F(RoomQueriesTest, says_that_somebody_is_not_there_who_left_meanwhile) {
  ask({.kind = Kind::kStatistics, .room = "hall", .participant = "anna"});
  find({.participants = {participant(1, "anna")}, .seat_answers = 1});
  find_seats({});
  EXPECT_EQ(status(), 404);
  EXPECT_EQ(code(), "participant_not_found");
}

TEST_F(RoomQueriesTest, gives_up_a_shard_that_does_not_answer) {
  ask({.kind = Kind::kStatistics, .room = "hall", .participant = "anna"});
  find({.participants = {participant(1, "anna")}, .seat_answers = 1});
  queries_.handle_tick(now_ + RoomQueries::kPatience - Duration::milliseconds(1), kWall);
  EXPECT_EQ(status(), 0);
  queries_.handle_tick(now_ + RoomQueries::kPatience, kWall);
  EXPECT_EQ(status(), 504);
  EXPECT_EQ(code(), "timed_out");
  EXPECT_EQ(metric("stoa_room_queries_timed_out_total"), 1);
  // What comes after all is passed over.
  find_seats({seat(1, "js")});
  find({});
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(RoomQueriesTest, refuses_more_than_it_waits_for) {
  for (std::size_t i = 0; i < RoomQueries::kQueriesMax; ++i) ask({.kind = Kind::kRoom, .room = "hall"});
  EXPECT_TRUE(answers_.empty());
  ask({.kind = Kind::kRoom, .room = "hall"}, 2);
  EXPECT_EQ(code(), "overloaded");
  EXPECT_EQ(answers_.back().headers.get("retry-after"), "1");
  EXPECT_EQ(answered_.back(), 2u);
  EXPECT_EQ(metric("stoa_room_queries_refused_total"), 1);
  find({.rooms = {room_of("hall")}});
  EXPECT_EQ(status(), 200);
  ask({.kind = Kind::kRoom, .room = "hall"});
  EXPECT_EQ(metric("stoa_room_queries_refused_total"), 1);
}

}  // namespace
}  // namespace stoa::server
