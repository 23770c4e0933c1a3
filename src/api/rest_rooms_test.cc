// Rooms over the REST API: which query a request becomes, and how what was found is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "api/openapi.h"
#include "api/rest.h"
#include "api/rest_routes.h"
#include "api/schema_check_test.h"
#include "control/memory_store.h"

namespace stoa::api {
namespace {

namespace json = boost::json;
using ::testing::IsEmpty;
using Kind = RoomsQuery::Kind;

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
constexpr const char* kStatistics = "/api/v1/rooms/{room}/participants/{identity}/statistics";

class RestRoomsTest : public ::testing::Test {
 protected:
  RestOutcome ask(const std::string& target, const std::vector<std::string>& scopes = {"rooms:read"}) {
    http::Request request;
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    const auto token = control::make_token(kNow, control::development_key(), {.scopes = scopes});
    request.headers.add("authorization", "Bearer " + *token);
    return rest_.handle(kNow, request, effects_);
  }
  RoomsQuery query_of(const std::string& target, const std::vector<std::string>& scopes = {"rooms:read"}) {
    RestOutcome outcome = ask(target, scopes);
    EXPECT_TRUE(std::holds_alternative<RoomsQuery>(outcome)) << target;
    auto* query = std::get_if<RoomsQuery>(&outcome);
    return query ? *query : RoomsQuery();
  }
  // Every answer must be as /api/openapi.json says.
  json::value finish(const char* route, const RoomsQuery& query, Result<RoomsReply, RoomsRefusal> reply,
                     int status = 200) {
    const http::Response response = rest_.finish(kNow, query, std::move(reply));
    EXPECT_EQ(response.status, status);
    std::string text;
    for (const SharedBytes& slice : response.body.slices) text += slice.text();
    json::value body = json::parse(text);
    const json::object& schema = document_.at("paths")
                                     .at(route)
                                     .at("get")
                                     .at("responses")
                                     .at(std::to_string(response.status))
                                     .at("content")
                                     .at("application/json")
                                     .at("schema")
                                     .as_object();
    EXPECT_THAT(check_schema(document_, body, schema), IsEmpty()) << text;
    return body;
  }
  static room::RoomInfo room_of(const std::string& name) {
    return {.sid = "RM_" + name, .name = name, .created_at = kNow, .participants = 3, .publishers = 2};
  }
  static FoundParticipant participant_of(const std::string& identity) {
    room::ParticipantInfo info{.sid = "PA_" + identity,
                               .identity = identity,
                               .name = "Name",
                               .state = room::ParticipantState::kActive,
                               .kind = room::ParticipantKind::kAgent,
                               .joined_at = kNow};
    info.tracks.resize(2);
    return {.info = std::make_shared<const room::ParticipantInfo>(std::move(info)), .seat = {}};
  }
  static room::SeatReport seat() {
    room::SeatReport seat;
    seat.client = {.sdk = "js", .version = "2.15.1", .os = "linux", .browser = "bad\ntext"};
    seat.connections = {
        {.is_sending = true, .is_tcp = true, .address = "192.0.2.1:5000"},
        {.is_receiving = true, .address = "192.0.2.1:5001", .round_trip = Duration::microseconds(12'345)}};
    seat.round_trip = Duration::milliseconds(7);
    seat.score = room::ConnectionScore{room::ConnectionQuality::kGood, 3.456};
    return seat;
  }
  json::value statistics_of(room::SeatReport seat) {
    FoundParticipant found = participant_of("anna");
    found.seat = std::move(seat);
    return finish(kStatistics, {.kind = Kind::kStatistics, .room = "hall"},
                  RoomsReply{{}, {std::move(found)}});
  }

  control::MemoryStore store_;
  control::Channels channels_{store_};
  control::StreamKeys stream_keys_{store_};
  control::ApiKeys api_keys_{store_, {.tokens = {}, .fixed = {control::development_key()}}};
  control::Publishing publishing_{store_, {}};
  control::LiveDirectory live_;
  Rest rest_{{channels_, stream_keys_, api_keys_, publishing_, live_}, {"1.2.3", kNow}};
  control::Effects effects_;
  const json::value document_ = json::parse(write_openapi(route_table(), "1"));
};

TEST_F(RestRoomsTest, makes_queries_of_requests) {
  EXPECT_EQ(query_of("/api/v1/rooms").kind, Kind::kRooms);
  EXPECT_EQ(query_of("/api/v1/rooms").limit, 50u);
  const RoomsQuery page = query_of("/api/v1/rooms?limit=200&after=a%20b");
  EXPECT_EQ(page.limit, 200u);
  EXPECT_EQ(page.after, "a b");
  EXPECT_EQ(query_of("/api/v1/rooms/my hall").kind, Kind::kRoom);
  EXPECT_EQ(query_of("/api/v1/rooms/my hall").room, "my hall");
  EXPECT_EQ(query_of("/api/v1/rooms/hall/participants?after=ben").kind, Kind::kParticipants);
  EXPECT_EQ(query_of("/api/v1/rooms/hall/participants?after=ben").after, "ben");
  const RoomsQuery one = query_of("/api/v1/rooms/hall/participants/anna@a.example/statistics");
  EXPECT_EQ(one.kind, Kind::kStatistics);
  EXPECT_EQ(one.room, "hall");
  EXPECT_EQ(one.participant, "anna@a.example");
}

TEST_F(RestRoomsTest, shows_hidden_participants_to_who_may_moderate) {
  EXPECT_FALSE(query_of("/api/v1/rooms/hall/participants").sees_hidden);
  EXPECT_TRUE(query_of("/api/v1/rooms/hall/participants", {"rooms"}).sees_hidden);
  EXPECT_TRUE(query_of("/api/v1/rooms/hall/participants", {"*"}).sees_hidden);
}

TEST_F(RestRoomsTest, refuses_other_scopes_and_pages_that_are_none) {
  auto status_of = [&](const std::string& target, const std::vector<std::string>& scopes) {
    RestOutcome outcome = ask(target, scopes);
    auto* response = std::get_if<http::Response>(&outcome);
    return response ? response->status : 0;
  };
  EXPECT_EQ(status_of("/api/v1/rooms", {"channels:read", "channels:write"}), 403);
  for (const char* target : {"/api/v1/rooms?limit=0", "/api/v1/rooms?limit=201", "/api/v1/rooms?limit=x"})
    EXPECT_EQ(status_of(target, {"rooms:read"}), 400) << target;
  EXPECT_EQ(status_of("/api/v1/rooms?after=" + std::string(513, 'a'), {"rooms:read"}), 400);
  EXPECT_EQ(status_of("/api/v1/rooms/a/participants?after=" + std::string(257, 'a'), {"rooms:read"}), 400);
  EXPECT_EQ(status_of("/api/v1/rooms/a/participants/b", {"rooms:read"}), 404);
}

TEST_F(RestRoomsTest, tells_of_rooms_in_pages) {
  const json::value page = finish("/api/v1/rooms", {.kind = Kind::kRooms, .limit = 2},
                                  RoomsReply{{room_of("a"), room_of("b"), room_of("c")}, {}});
  ASSERT_EQ(page.at("rooms").as_array().size(), 2u);
  EXPECT_EQ(page.at("next"), "b");
  EXPECT_EQ(page.at_pointer("/rooms/0"),
            json::parse(R"({"name":"a","sid":"RM_a","created_at":"2027-01-15T08:00:00.000Z",
                            "participants":3,"publishers":2,"recording":false})"));
  const json::value last =
      finish("/api/v1/rooms", {.kind = Kind::kRooms, .limit = 1}, RoomsReply{{room_of("c")}, {}});
  EXPECT_TRUE(last.at("next").is_null());
  EXPECT_EQ(finish("/api/v1/rooms/{room}", {.kind = Kind::kRoom}, RoomsReply{{room_of("c")}, {}}).at("name"),
            "c");
}

TEST_F(RestRoomsTest, tells_of_participants_in_pages) {
  FoundParticipant anna = participant_of("anna");
  anna.seat = seat();
  const json::value page =
      finish("/api/v1/rooms/{room}/participants", {.kind = Kind::kParticipants, .limit = 2},
             RoomsReply{{}, {anna, participant_of("ben"), participant_of("cleo")}});
  EXPECT_EQ(page.at("next"), "ben");
  ASSERT_EQ(page.at("participants").as_array().size(), 2u);
  EXPECT_EQ(page.at_pointer("/participants/0"),
            json::parse(R"({"identity":"anna","sid":"PA_anna","name":"Name","state":"active","kind":"agent",
                            "joined_at":"2027-01-15T08:00:00.000Z","hidden":false,"published":2,
                            "quality":"good","mos":3.46,"transport":"tcp",
                            "client":{"sdk":"js","version":"2.15.1","os":"linux","browser":null}})"));
  // Whose connection is elsewhere.
  EXPECT_TRUE(page.at_pointer("/participants/1/client").is_null());
  EXPECT_TRUE(page.at_pointer("/participants/1/transport").is_null());
  EXPECT_TRUE(page.at_pointer("/participants/1/mos").is_null());
}

TEST_F(RestRoomsTest, tells_how_a_participant_is_connected) {
  const json::value body = statistics_of(seat());
  EXPECT_EQ(body.at("room"), "hall");
  EXPECT_EQ(body.at("at"), "2027-01-15T08:00:00.000Z");
  EXPECT_EQ(body.at("connection"), json::parse(R"({"quality":"good","mos":3.46,"transport":"tcp",
      "round_trip_ms":7,"paths":[
        {"carries":"sent","transport":"tcp","address":"192.0.2.1:5000","round_trip_ms":null},
        {"carries":"published","transport":"udp","address":"192.0.2.1:5001","round_trip_ms":12.35}]})"));
  EXPECT_TRUE(body.at("published").as_array().empty() && body.at("sent").as_array().empty());
}

TEST_F(RestRoomsTest, tells_each_layer_that_a_participant_publishes) {
  room::SeatReport report = seat();
  room::PublishedReport& video = report.published.emplace_back();
  video = {.sid = "TR_v",
           .codec = "VP8",
           .kind = room::TrackKind::kVideo,
           .source = room::TrackSource::kCamera,
           .is_muted = true};
  video.measured = room::StreamQuality{.is_video = true, .loss = 0.02, .jitter = Duration::milliseconds(3)};
  video.layers.push_back(
      {.announced = room::VideoLayer{.quality = room::Quality::kLow, .width = 320, .height = 180},
       .is_active = true,
       .packets = 100,
       .bytes = 120'000,
       .frames = 60,
       .lost = 4,
       .nacks = 6,
       .plis = 2,
       .jitter = Duration::microseconds(1'500),
       .rates = room::Rates{.interval = Duration::milliseconds(3'250),
                            .bits_per_second = 250'000,
                            .frames_per_second = 29.97,
                            .loss = 0.0123}});
  room::PublishedReport& sound = report.published.emplace_back();
  sound = {.sid = "TR_a", .codec = "opus"};
  sound.layers.push_back({.packets = 10, .frames = 10, .lost = -1});
  const json::value body = statistics_of(std::move(report));
  EXPECT_EQ(body.at_pointer("/published/0/layers/0"),
            json::parse(R"({"quality":"low","width":320,"height":180,"active":true,"interval_ms":3250,
                "bitrate_bps":250000,"frame_rate":29.97,"loss":0.0123,"packets":100,"bytes":120000,"frames":60,
                "packets_lost":4,"jitter_ms":1.5,"nacks":6,"plis":2})"));
  json::object video_alone = body.at_pointer("/published/0").as_object();
  video_alone.erase("layers");
  EXPECT_EQ(json::value(video_alone),
            json::parse(R"({"track":"TR_v","kind":"video","source":"camera","codec":"VP8","muted":true,
      "score":{"mos":4.31,"delay_impairment":0,"loss_impairment":7.87,"loss":0.02,"redundant":false,"jitter_ms":3,
               "round_trip_ms":0}})"));
  EXPECT_EQ(body.at_pointer("/published/1/layers/0"),
            json::parse(R"({"quality":null,"width":null,"height":null,"active":false,"interval_ms":null,
                "bitrate_bps":null,"frame_rate":null,"loss":null,"packets":10,"bytes":0,"frames":null,
                "packets_lost":0,"jitter_ms":0,"nacks":0,"plis":0})"));
  EXPECT_TRUE(body.at_pointer("/published/1/score").is_null());
}

TEST_F(RestRoomsTest, tells_each_track_that_a_participant_is_sent) {
  room::SeatReport report = seat();
  report.sent.push_back(
      {.sid = "TR_v",
       .publisher_sid = "PA_ben",
       .publisher_identity = "ben",
       .codec = "H264",
       .kind = room::TrackKind::kVideo,
       .source = room::TrackSource::kScreenShare,
       .is_flowing = true,
       .is_paused = true,
       .layer = 2,
       .announced = room::VideoLayer{.quality = room::Quality::kHigh, .width = 1280, .height = 720},
       .packets = 900,
       .bytes = 1'000'000,
       .retransmitted = 7,
       .nacked = 9,
       .plis = 1,
       .loss = 0.25,
       .jitter = Duration::milliseconds(10),
       .round_trip = Duration::microseconds(20'500),
       .remb_bps = 3'000'000,
       .rates = room::Rates{.interval = Duration::seconds(2), .bits_per_second = 1'500'000}});
  report.sent.push_back({.sid = "TR_a", .publisher_sid = "PA_ben", .publisher_identity = "ben"});
  const json::value body = statistics_of(std::move(report));
  EXPECT_EQ(body.at_pointer("/sent/0"),
            json::parse(R"({"track":"TR_v","publisher":"ben","publisher_sid":"PA_ben","kind":"video",
                "source":"screen_share","codec":"H264","flowing":true,"paused":true,"layer":2,"quality":"high","width":1280,
                "height":720,"interval_ms":2000,"bitrate_bps":1500000,"packets":900,"bytes":1000000,
                "packets_retransmitted":7,"packets_nacked":9,"plis":1,"loss":0.25,"jitter_ms":10,
                "round_trip_ms":20.5,"estimate_bps":3000000,"score":null})"));
  const json::value& other = body.at_pointer("/sent/1");
  for (const char* absent :
       {"codec", "layer", "quality", "bitrate_bps", "round_trip_ms", "estimate_bps", "score"})
    EXPECT_TRUE(other.at(absent).is_null()) << absent;
  EXPECT_EQ(other.at("flowing"), false);
}

TEST_F(RestRoomsTest, says_why_there_is_no_answer) {
  auto code_of = [&](const char* route, RoomsQuery query, Result<RoomsReply, RoomsRefusal> reply,
                     int status) {
    const json::value body = finish(route, query, std::move(reply), status);
    return std::string(body.at_pointer("/error/code").as_string());
  };
  const RoomsQuery query{.kind = Kind::kStatistics};
  EXPECT_EQ(code_of(kStatistics, query, refuse(RoomsRefusal::kNoRoom), 404), "room_not_found");
  EXPECT_EQ(code_of(kStatistics, query, refuse(RoomsRefusal::kNoParticipant), 404), "participant_not_found");
  EXPECT_EQ(code_of(kStatistics, query, refuse(RoomsRefusal::kTooManyQueries), 503), "overloaded");
  EXPECT_EQ(code_of(kStatistics, query, refuse(RoomsRefusal::kTimedOut), 504), "timed_out");
  EXPECT_EQ(code_of(kStatistics, query, refuse(RoomsRefusal::kStoreUnavailable), 503), "store_unavailable");
  // It left while it was looked for.
  EXPECT_EQ(code_of(kStatistics, query, RoomsReply{{}, {participant_of("anna")}}, 404),
            "participant_not_found");
  MetricSamples samples;
  rest_.append_metrics(samples);
  double refused = 0;
  for (const MetricSample& sample : samples)
    if (!sample.labels.empty() && sample.labels[0].second != "2xx") refused += sample.value;
  EXPECT_EQ(refused, 6);
}

}  // namespace
}  // namespace stoa::api
