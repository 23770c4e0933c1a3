#include "api/rest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "api/rest_routes.h"
#include "api/schema_check_test.h"
#include "control/memory_store.h"

namespace stoa::api {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr WallTime kStart = WallTime::from_seconds(1'800'000'000);
constexpr WallTime kNow = kStart + Duration::seconds(100);
const control::ApiKey kKey = {"devkey",    "secret-for-development-only-0123456789", "", {"*"}, {},
                              std::nullopt};

std::string text_of(const http::Response& response) {
  std::string text;
  for (const SharedBytes& slice : response.body.slices) text += slice.text();
  return text;
}
json::value body_of(const http::Response& response) {
  boost::system::error_code error;
  json::value value = json::parse(text_of(response), error);
  EXPECT_FALSE(error) << text_of(response);
  return value;
}
std::string code_of(const http::Response& response) {
  const json::value body = body_of(response);
  return std::string(body.at("error").at("code").as_string());
}
std::string field_of(const http::Response& response) {
  const json::value body = body_of(response);
  const json::value* field = body.at("error").as_object().if_contains("field");
  return field ? std::string(field->as_string()) : std::string();
}

std::string lower_name_of(http::Method method) {
  std::string name = http::name_of(method);
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  return name;
}

class RestTest : public ::testing::Test {
 protected:
  explicit RestTest(bool is_dev = false) : publishing_(store_, {.is_dev = is_dev}) {}

  std::string token(const std::vector<std::string>& scopes = {}) {
    return *control::make_token(kNow, kKey, {.scopes = scopes});
  }
  static http::Request request_of(http::Method method, const std::string& target) {
    http::Request request;
    request.method = method;
    std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    return request;
  }
  http::Response send(const http::Request& request) {
    RestOutcome outcome = rest_.handle(now_, request, effects_);
    EXPECT_TRUE(std::holds_alternative<http::Response>(outcome)) << request.path;
    http::Response response = std::get<http::Response>(std::move(outcome));
    expect_as_documented(request, response);
    return response;
  }
  // As an operator with every scope; `body` is sent as JSON.
  http::Response call(http::Method method, const std::string& target, const std::string& body = {}) {
    http::Request request = request_of(method, target);
    request.headers.add("authorization", "Bearer " + token());
    if (!body.empty()) request.headers.add("content-type", "application/json; charset=utf-8");
    request.body = body;
    return send(request);
  }
  http::Response get(const std::string& target) { return send(request_of(http::Method::kGet, target)); }

  // Every answer of every test goes through here: status, code and shape must be in /api/openapi.json.
  void expect_as_documented(const http::Request& request, const http::Response& response) {
    http::Method method = request.method == http::Method::kHead ? http::Method::kGet : request.method;
    for (const Route& route : route_table()) {
      if (route.method != method || !match_path(route.path, request.path)) continue;
      const json::object& operation =
          document_.at("paths").at(route.path).at(lower_name_of(method)).as_object();
      const json::value* documented =
          operation.at("responses").as_object().if_contains(std::to_string(response.status));
      ASSERT_TRUE(documented) << route.operation << " answered " << response.status << ": "
                              << text_of(response);
      const json::value* content = documented->as_object().if_contains("content");
      ASSERT_EQ(content != nullptr, response.body.size() > 0) << route.operation << " " << response.status;
      if (!content) return;
      EXPECT_EQ(response.headers.get("content-type"), "application/json");
      const json::object& schema = content->at("application/json").at("schema").as_object();
      EXPECT_THAT(check_schema(document_, body_of(response), schema), IsEmpty())
          << route.operation << text_of(response);
      return;
    }
  }

  void create(const std::string& name, const std::string& title = "") {
    ASSERT_TRUE(channels_.create(kStart, {name, title, ""}));
  }
  void go_live(const std::string& name, control::LiveState state = control::LiveState::kLive) {
    control::ChannelStatus status;
    status.channel = name;
    status.state = state;
    status.started_at = kStart;
    status.viewers = 7;
    status.tracks.push_back(
        {"v0", media::Codec::kH264, "avc1.64001f", 2'500'000, 1920, 1080, 30000.0 / 1001, 0, 0, "Main", ""});
    status.tracks.push_back(
        {"a0", media::Codec::kAac, "mp4a.40.2", 128'000, 0, 0, 0, 48'000, 2, "", "en", "codec"});
    status.sources.push_back({"192.0.2.1:5000", "rtmp", 0, true});
    status.warnings = {"keyframe_interval_too_long"};
    live_.handle_status(Timestamp(), std::move(status));
  }
  std::vector<control::Effect> take_effects() { return effects_.take(); }

  WallTime now_ = kNow;
  control::MemoryStore store_;
  control::Channels channels_{store_};
  control::StreamKeys stream_keys_{store_};
  control::ApiKeys api_keys_{store_, {.tokens = {}, .fixed = {kKey}}};
  control::Publishing publishing_;
  control::LiveDirectory live_;
  control::Transcoding transcoding_{{}};
  control::ChannelEvents events_;
  Rest rest_{{channels_, stream_keys_, api_keys_, publishing_, live_, &transcoding_, &events_},
             {"1.2.3", kStart}};
  control::Effects effects_;
  const json::value document_ = [this] {
    return json::parse(text_of(std::get<http::Response>(
        rest_.handle(kNow, request_of(http::Method::kGet, "/api/openapi.json"), effects_))));
  }();
};
class RestInDevTest : public RestTest {
 protected:
  RestInDevTest() : RestTest(true) {}
};

// Public routes.

TEST_F(RestTest, lists_what_is_live_to_everybody) {
  EXPECT_EQ(text_of(get("/api/v1/live")), R"({"channels":[]})");
  create("news", "The news");
  go_live("news");
  go_live("quiet");
  http::Response response = get("/api/v1/live");
  EXPECT_EQ(response.status, 200);
  const json::value body = body_of(response);
  ASSERT_EQ(body.at("channels").as_array().size(), 2u);
  EXPECT_EQ(json::serialize(body.at("channels").at(0)),
            json::serialize(json::parse(R"({"name":"news","title":"The news","state":"live",
              "started_at":"2027-01-15T08:00:00.000Z","uptime_s":100,"viewers":7,"hls_url":"/live/news/index.m3u8","whep_url":"/whep/news",
              "warnings":["keyframe_interval_too_long"],"tracks":[
              {"id":"v0","kind":"video","codec":"avc1.64001f","codec_name":"H.264","width":1920,"height":1080,
               "frame_rate":29.97,"bitrate":2500000,"label":"Main","language":""},
              {"id":"a0","kind":"audio","codec":"mp4a.40.2","codec_name":"AAC","sample_rate":48000,"channels":2,
               "bitrate":128000,"label":"","language":"en","realtime_obstacle":"codec"}]})")));
  EXPECT_EQ(body.at("channels").at(1).at("title"), "quiet");
  EXPECT_THAT(text_of(response), HasSubstr("\"frame_rate\":29.97,"));
}

TEST_F(RestTest, says_where_pictures_of_it_are) {
  live_.handle_status(Timestamp(), {.channel = "news", .started_at = kStart});
  EXPECT_FALSE(body_of(get("/api/v1/live/news")).as_object().contains("poster_url"));
  EXPECT_FALSE(body_of(get("/api/v1/live/news")).as_object().contains("storyboard_url"));
  live_.handle_status(Timestamp(),
                      {.channel = "news", .started_at = kStart, .poster_ms = 0, .has_storyboard = true});
  const json::value channel = body_of(get("/api/v1/live")).at("channels").at(0);
  EXPECT_EQ(channel.at("poster_url"), "/live/news/poster.jpg?at=0");
  EXPECT_EQ(channel.at("storyboard_url"), "/live/news/storyboard.vtt");
}

TEST_F(RestTest, says_what_hls_cannot_carry) {
  control::ChannelStatus status{.channel = "news", .started_at = kStart, .warnings = {"hls_codec"}};
  status.tracks.push_back(
      {.id = "rtc0", .codec_string = "vp8", .hls_obstacle = "codec", .codec_name = "VP8"});
  live_.handle_status(Timestamp(), std::move(status));
  const json::value track = body_of(get("/api/v1/live/news")).at("tracks").at(0);
  EXPECT_EQ(track.at("kind"), "video");
  EXPECT_EQ(track.at("codec"), "vp8");
  EXPECT_EQ(track.at("codec_name"), "VP8");
  EXPECT_EQ(track.at("hls_obstacle"), "codec");
}

TEST_F(RestTest, tells_of_a_ladder_to_who_may_read_channels) {
  go_live("news");
  EXPECT_FALSE(body_of(call(http::Method::kGet, "/api/v1/live/news")).as_object().contains("ladder"));
  media::Format format{.codec = media::Codec::kH264, .config = SharedBytes(Buffer{1, 77, 0, 31})};
  format.width = 854;
  format.height = 480;
  media::Format sound{.codec = media::Codec::kOpus, .sample_rate = 48'000, .channels = 2};
  control::ProgramOnAir program{.channel = "news", .broadcast = "b", .ladder = "standard"};
  program.tracks.push_back({.track = 0, .format = std::make_shared<const media::Format>(format)});
  program.tracks.push_back({.track = 1, .format = std::make_shared<const media::Format>(sound)});
  control::TranscodingOutputs out;
  transcoding_.handle_program(Timestamp(), std::move(program), out);
  transcoding_.handle_worker_seen(Timestamp(), {.worker = 1}, out);
  control::WorkerNumbers numbers{.frames_in = 9,
                                 .cpu_time = Duration::milliseconds(1'250),
                                 .memory_bytes = 77,
                                 .complexity = control::Complexity{3.5, 0.25}};
  numbers.rungs.push_back({.rung = "360p30",
                           .encoder = "libx264",
                           .frames = 8,
                           .waiting = 1,
                           .oldest_wait = Duration::milliseconds(3),
                           .encode_p95 = Duration::microseconds(2'500),
                           .speed = 6.666});
  for (int second = 0; second < 2; ++second) {
    transcoding_.handle_worker_seen(
        Timestamp() + Duration::seconds(second),
        {.worker = 1, .state = control::WorkerState::kReported, .numbers = numbers}, out);
    numbers.rungs[0].bytes += 100'000;
  }
  const json::value ladder = body_of(call(http::Method::kGet, "/api/v1/live/news")).at("ladder");
  EXPECT_EQ(ladder.at("profile"), "standard");
  EXPECT_EQ(ladder.at("revision"), 1);
  EXPECT_EQ(ladder.at("per_title"), false);
  EXPECT_EQ(json::serialize(ladder.at("left_out")), "[]");
  EXPECT_EQ(
      json::serialize(ladder.at("rungs").at(0)),
      json::serialize(json::parse(
          R"({"name":"360p30","kind":"video","codec_name":"H.264","state":"working","bitrate_max":1060000,"bitrate_usual":1060000,
                "bitrate":800000,"encoder":"libx264","frames":8,"frames_waiting":1,"oldest_wait_ms":3,"encode_p95_ms":2.5E0,
                "speed":6.67E0,"width":640,"height":360})")));
  EXPECT_EQ(ladder.at("rungs").at(2).at("name"), "aac0");
  EXPECT_EQ(ladder.at("rungs").at(2).at("state"), "awaited");
  EXPECT_EQ(json::serialize(ladder.at("worker")),
            json::serialize(json::parse(
                R"({"state":"running","restarts":0,"is_storm":false,"trouble":"","frames_in":9,
                "frames_dropped":0,"cpu_s":1.25E0,"memory_bytes":77})")));
  EXPECT_EQ(json::serialize(ladder.at("complexity")), R"({"spatial":3.5E0,"temporal":2.5E-1})");
  const json::value seen_by_all = body_of(get("/api/v1/live/news"));
  EXPECT_FALSE(seen_by_all.as_object().contains("ladder"));
  EXPECT_EQ(seen_by_all.at("warnings").as_array().size(), 1u);
  // Pictures wait for longer and longer.
  numbers.rungs[0].oldest_wait = Duration::seconds(1);
  for (int second = 2; second < 6; ++second)
    transcoding_.handle_worker_seen(
        Timestamp() + Duration::seconds(second),
        {.worker = 1, .state = control::WorkerState::kReported, .numbers = numbers}, out);
  EXPECT_EQ(body_of(get("/api/v1/live/news")).at("warnings").at(1), "ladder_reduced");
}

TEST_F(RestTest, lists_what_happened_in_a_channel) {
  const std::string path = "/api/v1/live/news/events";
  EXPECT_EQ(get(path).status, 401);
  EXPECT_EQ(code_of(call(http::Method::kGet, path)), "channel_not_found");
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/live/NO NAME/events").status, 404);
  create("news");
  EXPECT_EQ(text_of(call(http::Method::kGet, path)), R"({"events":[]})");
  events_.add(kStart, {"news", "gap", "v0"});
  events_.add(kStart + Duration::seconds(1), {"news", "gap", "v0"});
  events_.add(kStart + Duration::seconds(2), {"news", "worker_lost", "worker 1: ended with status 1"});
  const json::value events = body_of(call(http::Method::kGet, path)).at("events");
  ASSERT_EQ(events.as_array().size(), 2u);
  EXPECT_EQ(json::serialize(events.at(0)),
            R"({"kind":"gap","text":"v0","first_at":"2027-01-15T08:00:00.000Z",)"
            R"("last_at":"2027-01-15T08:00:01.000Z","count":2})");
  EXPECT_EQ(events.at(1).at("kind"), "worker_lost");
  store_.set_unavailable(true);
  EXPECT_EQ(call(http::Method::kGet, path).status, 200) << "what is known can be told";
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/live/sport/events").status, 503);
  store_.set_unavailable(false);
  // Word of its end comes when it is gone.
  EXPECT_EQ(call(http::Method::kDelete, "/api/v1/channels/news").status, 204);
  events_.add(kStart + Duration::seconds(3), {"news", "gap", "v0"});
  EXPECT_EQ(code_of(call(http::Method::kGet, path)), "channel_not_found");
  (void)take_effects();
  EXPECT_EQ(call(http::Method::kPost, "/api/v1/channels", R"({"name":"news"})").status, 201);
  EXPECT_THAT(take_effects(), ElementsAre(control::Effect(control::ChannelCreated{"news"})))
      << "and is not that of another";
}

TEST_F(RestTest, takes_a_ladder_that_is_one) {
  const std::string path = "/api/v1/channels/news";
  EXPECT_EQ(body_of(call(http::Method::kPost, "/api/v1/channels", R"({"name":"news","ladder":"standard"})"))
                .at("ladder"),
            "standard");
  EXPECT_EQ(body_of(call(http::Method::kPatch, path, R"({"ladder":"720p30:2500,360p30:600"})")).at("ladder"),
            "720p30:2500,360p30:600");
  EXPECT_EQ(body_of(call(http::Method::kPatch, path, R"({"title":"x"})")).at("ladder"),
            "720p30:2500,360p30:600");
  EXPECT_EQ(body_of(call(http::Method::kPatch, path, R"({"ladder":""})")).at("ladder"), "");
  for (const char* body : {R"({"ladder":"best"})", R"({"ladder":"720p"})"}) {
    EXPECT_EQ(call(http::Method::kPatch, path, body).status, 400);
    EXPECT_EQ(field_of(call(http::Method::kPatch, path, body)), "ladder");
  }
  EXPECT_EQ(code_of(call(http::Method::kPatch, path, R"({"ladder":1})")), "wrong_type");
}

TEST_F(RestTest, writes_the_public_list_once_a_second) {
  go_live("news");
  http::Response first = get("/api/v1/live"), second = get("/api/v1/live");
  EXPECT_EQ(first.body.slices[0].data(), second.body.slices[0].data());
  now_ = kNow + Duration::seconds(1);
  EXPECT_EQ(body_of(get("/api/v1/live")).at("channels").at(0).at("uptime_s"), 101);
  go_live("news", control::LiveState::kInterrupted);
  EXPECT_EQ(body_of(get("/api/v1/live")).at("channels").at(0).at("state"), "interrupted");
  create("news", "A title");
  EXPECT_EQ(body_of(get("/api/v1/live")).at("channels").at(0).at("title"), "A title");
}

TEST_F(RestTest, tells_of_sources_only_to_who_may_read_channels) {
  go_live("news");
  EXPECT_THAT(text_of(get("/api/v1/live")), Not(HasSubstr("192.0.2.1")));
  EXPECT_THAT(text_of(get("/api/v1/live/news")), Not(HasSubstr("192.0.2.1")));
  EXPECT_THAT(text_of(call(http::Method::kGet, "/api/v1/live")), HasSubstr("192.0.2.1"));
  EXPECT_THAT(text_of(call(http::Method::kGet, "/api/v1/live/news")), HasSubstr("192.0.2.1"));
  http::Request request = request_of(http::Method::kGet, "/api/v1/live/news");
  request.headers.add("authorization", "Bearer " + token({"channels:write"}));
  http::Response response = send(request);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(text_of(response), Not(HasSubstr("192.0.2.1")));
}

TEST_F(RestTest, keeps_private_answers_out_of_shared_caches) {
  go_live("news");
  EXPECT_EQ(get("/api/v1/live").headers.get("cache-control"), "public, max-age=1");
  EXPECT_EQ(get("/api/v1/live").headers.get("vary"), "authorization");
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/live").headers.get("cache-control"), "no-store");
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/channels").headers.get("cache-control"), "no-store");
}

TEST_F(RestTest, tells_offline_channels_from_those_that_are_not_there) {
  create("news");
  http::Response response = get("/api/v1/live/news");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(code_of(response), "channel_offline");
  response = get("/api/v1/live/sport");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(code_of(response), "channel_not_found");
  EXPECT_EQ(code_of(get("/api/v1/live/NOT A NAME")), "channel_not_found");
  store_.set_unavailable(true);
  EXPECT_EQ(get("/api/v1/live/news").status, 503);
}

TEST_F(RestInDevTest, calls_every_name_offline_that_is_not_live) {
  EXPECT_EQ(code_of(get("/api/v1/live/anything")), "channel_offline");
  EXPECT_EQ(code_of(get("/api/v1/live/NOT A NAME")), "channel_not_found");
  EXPECT_EQ(code_of(call(http::Method::kPost, "/api/v1/channels/anything/end")), "channel_offline");
  go_live("anything");
  EXPECT_EQ(get("/api/v1/live/anything").status, 200);
  EXPECT_EQ(call(http::Method::kPost, "/api/v1/channels/anything/end").status, 202);
}

TEST_F(RestTest, lists_live_channels_also_without_its_database) {
  create("news", "The news");
  go_live("news");
  store_.set_unavailable(true);
  EXPECT_EQ(body_of(get("/api/v1/live/news")).at("title"), "news");
  EXPECT_EQ(get("/api/v1/live").status, 200);
}

TEST_F(RestTest, leaves_out_what_a_publisher_wrote_that_is_no_text) {
  control::ChannelStatus status;
  status.channel = "news";
  status.started_at = kStart;
  status.tracks.push_back({"v0", media::Codec::kHevc, "hvc1", 1, 2, 3, 0, 0, 0, "\xff\xfe", "e\nn"});
  live_.handle_status(Timestamp(), std::move(status));
  const json::value track = body_of(get("/api/v1/live/news")).at("tracks").at(0);
  EXPECT_EQ(track.at("label"), "");
  EXPECT_EQ(track.at("language"), "");
  EXPECT_EQ(track.at("frame_rate").to_number<double>(), 0);
}

TEST_F(RestTest, never_counts_a_negative_uptime) {
  go_live("news");
  now_ = kStart - Duration::seconds(5);
  EXPECT_EQ(body_of(get("/api/v1/live/news")).at("uptime_s"), 0);
}

TEST_F(RestTest, tells_the_version_and_uptime) {
  EXPECT_EQ(text_of(get("/api/v1/server")),
            R"({"version":"1.2.3","started_at":"2027-01-15T08:00:00.000Z","uptime_s":100})");
}

// Channels.

TEST_F(RestTest, makes_a_channel) {
  http::Response response = call(http::Method::kPost, "/api/v1/channels",
                                 R"({"name":"news","title":"The news","description":"a\nb"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.headers.get("location"), "/api/v1/channels/news");
  EXPECT_EQ(
      text_of(response),
      R"({"name":"news","title":"The news","description":"a\nb","enabled":true,"ladder":"","state":"offline",)"
      R"("created_at":"2027-01-15T08:01:40.000Z","updated_at":"2027-01-15T08:01:40.000Z"})");
  EXPECT_TRUE(channels_.read("news"));
  EXPECT_EQ(text_of(call(http::Method::kGet, "/api/v1/channels/news")), text_of(response));
}

TEST_F(RestTest, refuses_a_channel_twice) {
  create("news", "first");
  http::Response response = call(http::Method::kPost, "/api/v1/channels", R"({"name":"news"})");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(code_of(response), "channel_exists");
  EXPECT_EQ(channels_.read("news")->title, "first");
}

struct BodyCase {
  const char* body;
  const char* code;
  const char* field;
};

TEST_F(RestTest, names_what_is_wrong_with_a_body) {
  const std::string long_title = R"({"name":"a","title":")" + std::string(201, 'x') + R"("})";
  const std::string deep = R"({"name":)" + std::string(20, '[') + std::string(20, ']') + "}";
  const std::string long_name = "{\"" + std::string(63, 'x') + "\xc3\xa9\":1}";
  const BodyCase cases[] = {
      {"", "invalid_json", ""},
      {"{", "invalid_json", ""},
      {"[]", "invalid_json", ""},
      {"\"name\"", "invalid_json", ""},
      {R"({"name":"a"} x)", "invalid_json", ""},
      {"{\"name\":\"\xff\"}", "invalid_json", ""},
      {deep.c_str(), "invalid_json", ""},
      {"{}", "missing_field", "name"},
      {R"({"title":"x"})", "missing_field", "name"},
      {R"({"name":1})", "wrong_type", "name"},
      {R"({"name":null})", "wrong_type", "name"},
      {R"({"name":"a","title":["x"]})", "wrong_type", "title"},
      {R"({"name":"a","titel":"x"})", "unknown_field", "titel"},
      {R"({"name":"a","enabled":false})", "unknown_field", "enabled"},
      {R"({"name":"Not a name"})", "invalid_value", "name"},
      {R"({"name":"a","title":"x\ny"})", "invalid_value", "title"},
      {R"({"name":"a","description":"\u0000"})", "invalid_value", "description"},
      {long_title.c_str(), "invalid_value", "title"},
  };
  for (const BodyCase& c : cases) {
    http::Response response = call(http::Method::kPost, "/api/v1/channels", c.body);
    EXPECT_EQ(response.status, 400) << c.body;
    EXPECT_EQ(code_of(response), c.code) << c.body;
    EXPECT_EQ(field_of(response), c.field) << c.body;
  }
  http::Response response = call(http::Method::kPost, "/api/v1/channels/a/keys", long_name);
  EXPECT_EQ(field_of(response), std::string(63, 'x'));
  EXPECT_EQ(*store_.count_channels(), 0u);
}

TEST_F(RestTest, takes_texts_of_just_the_documented_length) {
  const auto limit = [&](const char* schema, const char* property) {
    return document_.at("components")
        .at("schemas")
        .at(schema)
        .at("properties")
        .at(property)
        .at("maxLength")
        .to_number<std::size_t>();
  };
  EXPECT_EQ(limit("NewChannel", "title"), control::kTitleCharactersMax);
  EXPECT_EQ(document_.at_pointer("/components/schemas/LadderWish/maxLength"), control::kLadderTextBytesMax);
  EXPECT_EQ(limit("NewChannel", "description"), control::kDescriptionCharactersMax);
  EXPECT_EQ(limit("ChannelChange", "title"), control::kTitleCharactersMax);
  EXPECT_EQ(limit("ChannelChange", "description"), control::kDescriptionCharactersMax);
  EXPECT_EQ(limit("KeyWish", "label"), control::kLabelCharactersMax);
  std::string smiles;
  for (std::size_t i = 0; i < control::kDescriptionCharactersMax; ++i) smiles += R"(\ud83d\ude00)";
  http::Response response =
      call(http::Method::kPost, "/api/v1/channels", R"({"name":"a","description":")" + smiles + R"("})");
  EXPECT_EQ(response.status, 201) << text_of(response);
}

TEST_F(RestTest, refuses_bodies_that_are_too_long_or_not_json) {
  http::Response response =
      call(http::Method::kPost, "/api/v1/channels", std::string(kRestBodyBytesMax + 1, ' '));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(code_of(response), "body_too_large");
  for (const char* type : {"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"}) {
    http::Request request = request_of(http::Method::kPost, "/api/v1/channels");
    request.headers.add("authorization", "Bearer " + token());
    if (*type) request.headers.add("content-type", type);
    request.body = R"({"name":"a"})";
    response = send(request);
    EXPECT_EQ(response.status, 415) << type;
    EXPECT_EQ(code_of(response), "not_json");
  }
  EXPECT_EQ(*store_.count_channels(), 0u);
}

TEST_F(RestTest, lists_channels_in_pages) {
  for (const char* name : {"c", "a", "b"}) create(name);
  go_live("b");
  json::value page = body_of(call(http::Method::kGet, "/api/v1/channels?limit=2"));
  ASSERT_EQ(page.at("channels").as_array().size(), 2u);
  EXPECT_EQ(page.at("channels").at(1).at("name"), "b");
  EXPECT_EQ(page.at("channels").at(1).at("state"), "live");
  EXPECT_EQ(page.at("next"), "b");
  page = body_of(call(http::Method::kGet, "/api/v1/channels?limit=2&after=b"));
  ASSERT_EQ(page.at("channels").as_array().size(), 1u);
  EXPECT_TRUE(page.at("next").is_null());
  EXPECT_EQ(body_of(call(http::Method::kGet, "/api/v1/channels")).at("channels").as_array().size(), 3u);
}

TEST_F(RestTest, refuses_page_keys_out_of_range) {
  for (const char* query :
       {"limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=2x", "limit=99999999999999999999"}) {
    http::Response response = call(http::Method::kGet, std::string("/api/v1/channels?") + query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_EQ(field_of(response), "limit") << query;
  }
  EXPECT_EQ(field_of(call(http::Method::kGet, "/api/v1/channels?after=" + std::string(65, 'a'))), "after");
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/channels?limit=200").status, 200);
}

TEST_F(RestTest, changes_a_channel) {
  create("news", "old");
  http::Response response = call(http::Method::kPatch, "/api/v1/channels/news", R"({"title":"new"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(body_of(response).at("title"), "new");
  EXPECT_EQ(channels_.read("news")->title, "new");
  EXPECT_THAT(take_effects(), IsEmpty());
  EXPECT_EQ(call(http::Method::kPatch, "/api/v1/channels/news", "{}").status, 200);
  EXPECT_EQ(field_of(call(http::Method::kPatch, "/api/v1/channels/news", R"({"name":"x"})")), "name");
  EXPECT_EQ(field_of(call(http::Method::kPatch, "/api/v1/channels/news", R"({"enabled":"no"})")), "enabled");
  EXPECT_EQ(code_of(call(http::Method::kPatch, "/api/v1/channels/sport", R"({"title":"x"})")),
            "channel_not_found");
}

TEST_F(RestTest, ends_the_broadcast_of_a_channel_that_is_disabled) {
  create("news");
  EXPECT_EQ(
      body_of(call(http::Method::kPatch, "/api/v1/channels/news", R"({"enabled":false})")).at("enabled"),
      false);
  EXPECT_THAT(take_effects(), ElementsAre(control::Effect(control::EndBroadcast{"news"})));
  EXPECT_EQ(call(http::Method::kPatch, "/api/v1/channels/news", R"({"enabled":true})").status, 200);
  EXPECT_THAT(take_effects(), IsEmpty());
}

TEST_F(RestTest, deletes_a_channel) {
  create("news");
  http::Response response = call(http::Method::kDelete, "/api/v1/channels/news");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body.size(), 0u);
  EXPECT_THAT(take_effects(), ElementsAre(control::Effect(control::ChannelDeleted{"news"})));
  EXPECT_EQ(call(http::Method::kDelete, "/api/v1/channels/news").status, 404);
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/channels/news").status, 404);
  EXPECT_THAT(take_effects(), IsEmpty());
}

TEST_F(RestTest, ends_a_broadcast) {
  create("news");
  http::Response response = call(http::Method::kPost, "/api/v1/channels/news/end");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(code_of(response), "channel_offline");
  EXPECT_EQ(code_of(call(http::Method::kPost, "/api/v1/channels/sport/end")), "channel_not_found");
  EXPECT_THAT(take_effects(), IsEmpty());
  go_live("news");
  response = call(http::Method::kPost, "/api/v1/channels/news/end");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(text_of(response), R"({"name":"news","state":"ending"})");
  EXPECT_THAT(take_effects(), ElementsAre(control::Effect(control::EndBroadcast{"news"})));
}

// Stream keys.

TEST_F(RestTest, makes_a_key_that_publishes_and_tells_it_once) {
  create("news");
  http::Response response = call(http::Method::kPost, "/api/v1/channels/news/keys", R"({"label":"studio"})");
  EXPECT_EQ(response.status, 201);
  std::string key(body_of(response).at("key").as_string());
  EXPECT_EQ(publishing_.authorize_publish(kNow, "live", key)->channel, "news");
  http::Response list = call(http::Method::kGet, "/api/v1/channels/news/keys");
  EXPECT_EQ(list.status, 200);
  EXPECT_THAT(text_of(list), Not(HasSubstr(key)));
  const json::value listed = body_of(list).at("keys").at(0);
  EXPECT_EQ(listed.at("id"), body_of(response).at("id"));
  EXPECT_EQ(listed.at("label"), "studio");
  EXPECT_EQ(listed.at("last_used_at"), "2027-01-15T08:01:40.000Z");
}

TEST_F(RestTest, makes_a_key_without_a_body) {
  create("news");
  http::Response response = call(http::Method::kPost, "/api/v1/channels/news/keys");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(body_of(response).at("label"), "");
  EXPECT_TRUE(body_of(call(http::Method::kGet, "/api/v1/channels/news/keys"))
                  .at("keys")
                  .at(0)
                  .at("last_used_at")
                  .is_null());
}

TEST_F(RestTest, refuses_keys_of_no_channel_and_too_many) {
  EXPECT_EQ(code_of(call(http::Method::kPost, "/api/v1/channels/news/keys")), "channel_not_found");
  EXPECT_EQ(code_of(call(http::Method::kGet, "/api/v1/channels/news/keys")), "channel_not_found");
  EXPECT_EQ(code_of(call(http::Method::kDelete, "/api/v1/channels/news/keys/key_1")), "channel_not_found");
  create("news");
  EXPECT_EQ(code_of(call(http::Method::kDelete, "/api/v1/channels/news/keys/key_1")), "key_not_found");
  EXPECT_EQ(field_of(call(http::Method::kPost, "/api/v1/channels/news/keys", R"({"label":"\u0007"})")),
            "label");
  for (std::size_t i = 0; i < control::kStreamKeysPerChannelMax; ++i)
    ASSERT_EQ(call(http::Method::kPost, "/api/v1/channels/news/keys").status, 201);
  http::Response response = call(http::Method::kPost, "/api/v1/channels/news/keys");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(code_of(response), "too_many_keys");
}

TEST_F(RestTest, revokes_a_key) {
  create("news");
  json::value made = body_of(call(http::Method::kPost, "/api/v1/channels/news/keys"));
  std::string id(made.at("id").as_string());
  EXPECT_EQ(call(http::Method::kDelete, "/api/v1/channels/news/keys/" + id).status, 204);
  EXPECT_THAT(take_effects(), ElementsAre(control::Effect(control::KeyRevoked{"news", id})));
  EXPECT_EQ(publishing_.authorize_publish(kNow, "live", made.at("key").as_string()).error(),
            control::PublishRefusal::kRevokedKey);
  EXPECT_EQ(code_of(call(http::Method::kDelete, "/api/v1/channels/news/keys/" + id)), "key_not_found");
  EXPECT_THAT(take_effects(), IsEmpty());
}

// Who may.

TEST_F(RestTest, wants_a_token_for_what_is_not_public) {
  create("news");
  for (const Route& route : route_table()) {
    std::string path = route.path;
    if (std::size_t open = path.find("{channel}"); open != std::string::npos) path.replace(open, 9, "news");
    if (std::size_t open = path.find("{key}"); open != std::string::npos) path.replace(open, 5, "key_1");
    http::Response response = send(request_of(route.method, path));
    bool is_public = route.access == Access::kPublic || route.access == Access::kPublicOrRead;
    EXPECT_EQ(response.status == 401, !is_public) << route.operation;
    if (is_public) continue;
    EXPECT_EQ(code_of(response), "token_missing");
    EXPECT_EQ(response.headers.get("www-authenticate"),
              std::string("Bearer realm=\"stoa\", scope=\"") + scope_of(route.access) + "\"");
  }
  EXPECT_THAT(take_effects(), IsEmpty());
  EXPECT_TRUE(channels_.read("news"));
}

TEST_F(RestTest, wants_the_right_scope) {
  create("news");
  for (const Route& route : route_table()) {
    if (route.access != Access::kRead && route.access != Access::kWrite) continue;
    std::string path = route.path;
    if (std::size_t open = path.find("{channel}"); open != std::string::npos) path.replace(open, 9, "news");
    http::Request request = request_of(route.method, path);
    request.headers.add(
        "authorization",
        "bearer " + token({route.access == Access::kRead ? "channels:write" : "channels:read"}));
    http::Response response = send(request);
    EXPECT_EQ(response.status, 403) << route.operation;
    EXPECT_EQ(code_of(response), "scope_missing");
    EXPECT_EQ(response.headers.get("www-authenticate"),
              std::string("Bearer realm=\"stoa\", error=\"insufficient_scope\", scope=\"") +
                  scope_of(route.access) + "\"");
  }
  EXPECT_THAT(take_effects(), IsEmpty());
}

TEST_F(RestTest, refuses_tokens_that_are_no_good) {
  std::string good = token();
  control::ApiKey stranger = kKey;
  stranger.secret = "some other secret that is long enough too";
  const std::pair<std::string, const char*> cases[] = {
      {"Bearer", "malformed"},
      {"Bearer ", "malformed"},
      {"Bearer x.y.z", "malformed"},
      {"Basic " + good, "malformed"},
      {good, "malformed"},
      {"Bearer " + good + "A", "malformed"},
      {"Bearer " + *control::make_token(kNow, stranger, {}), "not signed"},
      {"Bearer " + *control::make_token(kNow - Duration::seconds(7200), kKey, {}), "expired"},
      {"Bearer " + *control::make_token(kNow + Duration::seconds(600), kKey, {}), "not valid yet"},
      {"Bearer " + *control::make_token(kNow, kKey, {.lifetime = Duration::seconds(90'000)},
                                        Duration::seconds(90'000)),
       "further ahead"},
  };
  for (const auto& [field, sentence] : cases) {
    for (const char* path : {"/api/v1/channels", "/api/v1/live"}) {
      http::Request request = request_of(http::Method::kGet, path);
      request.headers.add("authorization", field);
      http::Response response = send(request);
      EXPECT_EQ(response.status, 401) << field;
      EXPECT_EQ(code_of(response), "token_invalid") << field;
      EXPECT_THAT(text_of(response), HasSubstr(sentence)) << field;
      EXPECT_THAT(std::string(response.headers.get("www-authenticate")), HasSubstr("error=\"invalid_token\""))
          << field;
    }
  }
}

TEST_F(RestTest, refuses_the_token_of_a_revoked_key) {
  control::ApiKey key = *api_keys_.create(kNow, "ci", {"*"});
  http::Request request = request_of(http::Method::kGet, "/api/v1/channels");
  request.headers.add("authorization", "Bearer " + *control::make_token(kNow, key, {}));
  EXPECT_EQ(send(request).status, 200);
  ASSERT_TRUE(api_keys_.revoke(kNow, key.id));
  http::Response response = send(request);
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(text_of(response), HasSubstr("revoked"));
}

// The outer form.

TEST_F(RestTest, answers_503_when_its_database_is_away) {
  create("news");
  store_.set_unavailable(true);
  for (const Route& route : route_table()) {
    if (route.access != Access::kRead && route.access != Access::kWrite) continue;
    std::string path = route.path;
    if (std::size_t open = path.find("{channel}"); open != std::string::npos) path.replace(open, 9, "news");
    std::string body = route.body ? R"({"name":"x"})" : "";
    if (route.body && std::string_view(route.body) != "NewChannel") body = "{}";
    http::Response response = call(route.method, path, body);
    EXPECT_EQ(response.status, 503) << route.operation;
    EXPECT_EQ(code_of(response), "store_unavailable") << route.operation;
  }
  control::ApiKey unknown = kKey;
  unknown.id = "in the database";
  http::Request request = request_of(http::Method::kGet, "/api/v1/channels");
  request.headers.add("authorization", "Bearer " + *control::make_token(kNow, unknown, {}));
  EXPECT_EQ(send(request).status, 503);
}

TEST_F(RestTest, answers_404_off_its_paths) {
  for (const char* path : {"/api/", "/api/v1", "/api/v1/", "/api/v1/live/", "/api/v1/live/a/b",
                           "/api/v2/live", "/api/v1/channels/", "/api/v1/channels//keys",
                           "/api/v1/channels/a/keys/", "/api/v1/lives", "/api/openapi.json/"}) {
    http::Response response = call(http::Method::kGet, path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(code_of(response), "not_found") << path;
  }
}

TEST_F(RestTest, answers_405_with_the_methods_that_a_path_takes) {
  http::Response response = call(http::Method::kPut, "/api/v1/channels/news");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(code_of(response), "method_not_allowed");
  EXPECT_EQ(response.headers.get("allow"), "GET, HEAD, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(call(http::Method::kOther, "/api/v1/live").status, 405);
  EXPECT_EQ(call(http::Method::kGet, "/api/v1/channels/news/end").headers.get("allow"), "POST, OPTIONS");
}

TEST_F(RestTest, answers_options_and_head) {
  http::Response response = send(request_of(http::Method::kOptions, "/api/v1/channels"));
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.headers.get("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(send(request_of(http::Method::kOptions, "/api/nothing")).status, 404);
  EXPECT_EQ(text_of(send(request_of(http::Method::kHead, "/api/v1/server"))), text_of(get("/api/v1/server")));
}

TEST_F(RestTest, owns_what_is_under_api) {
  EXPECT_TRUE(Rest::owns("/api/v1/live"));
  EXPECT_TRUE(Rest::owns("/api/unknown"));
  EXPECT_FALSE(Rest::owns("/apidocs"));
  EXPECT_FALSE(Rest::owns("/live/a/index.m3u8"));
}

TEST_F(RestTest, counts_its_answers_by_class) {
  get("/api/v1/live");
  get("/api/v1/channels");
  get("/api/nothing");
  MetricSamples samples;
  rest_.append_metrics(samples);
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0].labels[0].second, "2xx");
  EXPECT_EQ(samples[0].value, 2);  // The document of this test's own is one.
  EXPECT_EQ(samples[2].value, 2);
}

}  // namespace
}  // namespace stoa::api
