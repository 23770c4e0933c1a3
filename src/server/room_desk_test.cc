// Rooms as control sees them: who may join, what outlives a restart, what is told.
#include "server/room_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "control/memory_store.h"

namespace stoa::server {
namespace {

using room::Happening;
using ::testing::ElementsAre;

class RoomDeskTest : public ::testing::Test {
 protected:
  static control::ApiKeys::Options keys() {
    control::ApiKeys::Options options;
    options.fixed.push_back(control::development_key());
    return options;
  }
  static Config config_of(std::string_view yaml) {
    auto config = make_config(*parse_config_file(yaml, "stoa.yaml"));
    EXPECT_TRUE(config) << config.error();
    return *config;
  }
  // As the process does that comes after this one. The loop never runs: what is told stays in the store.
  RoomDesk& restart() {
    desk_ = std::make_unique<RoomDesk>(config_, loop_, log_, store_, api_keys_);
    EXPECT_TRUE(desk_->load());
    desk_->start();
    return *desk_;
  }
  std::string token(const std::string& room, const char* room_config = nullptr) {
    livekit::AccessGrant grant;
    grant.identity = "ada";
    grant.video = livekit::VideoGrant{.room_join = true, .room = room};
    if (room_config) {
      grant.room_config.emplace();
      grant.room_config->set_metadata(room_config);
    }
    const control::ApiKey key = control::development_key();
    return *livekit::make_access_token(grant, key.id, key.secret, loop_.wall(), Duration::seconds(60));
  }
  room::RoomInfo join(const std::string& room, const char* room_config = nullptr) {
    auto grant = desk_->grant_join(token(room, room_config));
    EXPECT_TRUE(grant) << grant.error().text;
    return grant ? (*grant)->room : room::RoomInfo();
  }
  room::RoomInfo open(const std::string& name) {
    room::RoomInfo room = join(name);
    if (room.sid.empty()) room.sid = "RM_" + name;
    happen(Happening::kRoomStarted, room);
    return room;
  }
  void happen(Happening what, const room::RoomInfo& room) {
    desk_->handle_happened({.what = what, .room = room});
  }
  // "room_started", in order, as they are kept for the web server.
  std::vector<std::string> told() {
    desk_->finish();
    std::vector<std::string> events;
    auto listed = store_.list_webhooks(config_.webhook_urls.at(0), 0, 100);
    for (const auto& delivery : *listed) {
      const std::string key = "\"event\":\"";
      const std::size_t at = delivery.body.find(key) + key.size();
      events.push_back(delivery.body.substr(at, delivery.body.find('"', at) - at));
    }
    return events;
  }

  Config config_ = config_of("dev: true\nwebhooks.urls: http://127.0.0.1:1/\nrooms.max_participants: 9\n");
  control::MemoryStore store_;
  control::ApiKeys api_keys_{store_, keys()};
  runtime::Log log_{LogLevel::kError, runtime::LogFormat::kText};
  runtime::Loop loop_;
  std::unique_ptr<RoomDesk> desk_;
};

TEST_F(RoomDeskTest, grants_what_is_kept_then_what_the_token_wants_then_what_the_configuration_says) {
  restart();
  EXPECT_EQ(join("meeting").participants_max, 9u);
  EXPECT_EQ(join("meeting").metadata, "");
  EXPECT_EQ(join("meeting", "of the token").metadata, "of the token");
  EXPECT_EQ(join("meeting", "of the token").participants_max, 9u);
  room::RoomInfo wish = desk_->records().defaults(loop_.wall(), "meeting");
  wish.metadata = "kept";
  auto made = desk_->records().create(loop_.now(), loop_.wall(), wish);
  EXPECT_EQ(join("meeting", "of the token"), made->room);
}

TEST_F(RoomDeskTest, says_the_sentence_that_clients_know_of_a_room_that_is_not_there) {
  config_ = config_of("dev: true\nwebhooks.urls: http://127.0.0.1:1/\nrooms.auto_create: false\n");
  restart();
  auto refused = desk_->grant_join(token("meeting"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 404);
  EXPECT_NE(refused.error().text.find("requested room does not exist"), std::string::npos);
  room::RoomInfo wish = desk_->records().defaults(loop_.wall(), "meeting");
  ASSERT_TRUE(desk_->records().create(loop_.now(), loop_.wall(), wish));
  EXPECT_TRUE(desk_->grant_join(token("meeting")));
}

TEST_F(RoomDeskTest, refuses_tokens_and_names_that_are_not_good) {
  restart();
  EXPECT_EQ(desk_->grant_join("").error().status, 401);
  EXPECT_EQ(desk_->grant_join("a.b.c").error().status, 401);
  EXPECT_EQ(desk_->grant_join(token("a/b")).error().status, 400);
  store_.set_unavailable(true);
  EXPECT_EQ(desk_->grant_join(token("meeting")).error().status, 503);
}

TEST_F(RoomDeskTest, gives_the_same_room_after_a_crash_and_tells_its_beginning_once) {
  restart();
  const room::RoomInfo room = open("meeting");
  happen(Happening::kParticipantJoined, room);
  EXPECT_THAT(told(), ElementsAre("room_started", "participant_joined"));
  restart();
  EXPECT_EQ(open("meeting"), room);
  EXPECT_THAT(told(), ElementsAre("room_started", "participant_joined"));
  happen(Happening::kRoomFinished, room);
  EXPECT_THAT(told(), ElementsAre("room_started", "participant_joined", "room_finished"));
  EXPECT_EQ(join("meeting").sid, "") << "the next one is another room";
}

TEST_F(RoomDeskTest, keeps_rooms_that_end_because_the_node_stops) {
  restart();
  const room::RoomInfo room = open("meeting");
  desk_->begin_stop();
  happen(Happening::kParticipantLeft, room);
  happen(Happening::kRoomFinished, room);
  EXPECT_THAT(told(), ElementsAre("room_started", "participant_left"));
  restart();
  EXPECT_EQ(join("meeting"), room);
}

TEST_F(RoomDeskTest, keeps_a_room_that_was_made_over_the_api_and_tells_its_beginning_once) {
  restart();
  livekit::pb::CreateRoomRequest request;
  request.set_name("meeting");
  request.set_metadata("topic");
  auto made = desk_->make_room(request);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->metadata, "topic");
  EXPECT_EQ(made->participants_max, 9u);
  restart();
  desk_->keep_metadata("meeting", "another");
  made->metadata = "another";
  EXPECT_EQ(open("meeting"), *made);
  request.set_metadata("late");
  EXPECT_EQ(*desk_->make_room(request), *made);
  EXPECT_THAT(told(), ElementsAre("room_started"));
  EXPECT_EQ(desk_->find_room("meeting"), *made);
  EXPECT_EQ(desk_->find_room("other").sid, "");
  request.set_name("a/b");
  EXPECT_EQ(desk_->make_room(request).error().code, livekit::TwirpCode::kInvalidArgument);
  request.set_name("");
  EXPECT_EQ(desk_->make_room(request).error().code, livekit::TwirpCode::kInvalidArgument);
}

TEST_F(RoomDeskTest, ends_a_room_that_is_kept_and_not_open) {
  restart();
  open("meeting");
  restart();
  EXPECT_TRUE(desk_->end_room("meeting"));
  EXPECT_FALSE(desk_->end_room("meeting"));
  EXPECT_THAT(told(), ElementsAre("room_started", "room_finished"));
}

TEST_F(RoomDeskTest, tells_the_end_of_a_room_to_which_nobody_came_back) {
  restart();
  ASSERT_TRUE(store_.keep_room(
      {.sid = "RM_1", .name = "meeting", .empty_timeout = Duration(), .departure_timeout = Duration()}));
  restart();
  desk_->handle_tick();
  EXPECT_THAT(told(), ElementsAre("room_finished"));
  EXPECT_EQ(desk_->records().size(), 0u);
}

}  // namespace
}  // namespace stoa::server
