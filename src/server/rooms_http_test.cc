// A node with rooms, asked over HTTP.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>

#include "api/livekit/grant.h"
#include "control/api_keys.h"
#include "runtime/http_client.h"
#include "runtime/loop.h"
#include "server/node.h"

namespace stoa::server {
namespace {

namespace json = boost::json;

class RoomsOverHttp : public ::testing::Test {
 protected:
  RoomsOverHttp() {
    std::string folder = (std::filesystem::temp_directory_path() / "stoa-rooms-XXXXXX").string();
    folder_ = mkdtemp(folder.data());
    auto config =
        make_config(*parse_config_file("dev: true\nhttp: 127.0.0.1:0\nrtmp: off\nhttps: off\nrtmps: off\n"
                                       "rtc: 127.0.0.1:0\nshards: 2\ndata: " +
                                           folder_ + "\n",
                                       "stoa.yaml"));
    EXPECT_TRUE(config) << config.error();
    auto node = Node::start(*config, log_);
    EXPECT_TRUE(node) << node.error();
    if (node) node_ = std::move(*node);
  }
  ~RoomsOverHttp() override {
    if (node_) node_->stop();
    node_.reset();
    std::filesystem::remove_all(folder_);
  }
  struct Answer {
    int status = 0;
    json::value body;
  };
  Answer call(const std::string& method, const std::string& path, const std::string& token,
              const std::string& body = {}) {
    runtime::ClientRequest request{.method = method,
                                   .url = "http://127.0.0.1:" + std::to_string(node_->ports().http) + path};
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    if (!body.empty()) request.headers.emplace_back("content-type", "application/json");
    request.body = body;
    EXPECT_TRUE(client_.start(request));
    const auto responses = client_.wait(Duration::seconds(20));
    if (responses.empty()) return {};
    EXPECT_EQ(responses[0].failure, "");
    return {responses[0].status, json::parse(as_text(responses[0].body))};
  }
  Answer get(const std::string& path) { return call("GET", "/api/v1" + path, token_of({"rooms:read"})); }
  static std::string token_of(const std::vector<std::string>& scopes) {
    return *control::make_token(runtime::Loop::wall(), control::development_key(), {.scopes = scopes});
  }
  void create(const std::string& room) {
    livekit::AccessGrant grant;
    grant.video.emplace();
    grant.video->room_create = true;
    const control::ApiKey key = control::development_key();
    auto token =
        livekit::make_access_token(grant, key.id, key.secret, runtime::Loop::wall(), Duration::seconds(60));
    EXPECT_EQ(
        call("POST", "/twirp/livekit.RoomService/CreateRoom", *token, R"({"name":")" + room + "\"}").status,
        200);
  }

  std::string folder_;
  runtime::Log log_{LogLevel::kError, runtime::LogFormat::kText};
  std::unique_ptr<Node> node_;
  runtime::HttpClient client_{{}};
};

TEST_F(RoomsOverHttp, are_listed_in_pages_whichever_shard_owns_them) {
  EXPECT_EQ(get("/rooms").body, json::parse(R"({"rooms":[],"next":null})"));
  for (const char* name : {"delta", "alpha", "charlie", "bravo"}) create(name);
  const Answer first = get("/rooms?limit=3");
  ASSERT_EQ(first.status, 200);
  ASSERT_EQ(first.body.at("rooms").as_array().size(), 3u);
  EXPECT_EQ(first.body.at_pointer("/rooms/0/name"), "alpha");
  EXPECT_EQ(first.body.at_pointer("/rooms/2/name"), "charlie");
  EXPECT_EQ(first.body.at("next"), "charlie");
  const Answer last = get("/rooms?limit=3&after=charlie");
  ASSERT_EQ(last.body.at("rooms").as_array().size(), 1u);
  EXPECT_EQ(last.body.at_pointer("/rooms/0/name"), "delta");
  EXPECT_TRUE(last.body.at("next").is_null());
}

TEST_F(RoomsOverHttp, are_told_of_one_by_one) {
  create("my hall");
  const Answer room = get("/rooms/my%20hall");
  EXPECT_EQ(room.status, 200);
  EXPECT_EQ(room.body.at("name"), "my hall");
  EXPECT_TRUE(room.body.at("sid").as_string().starts_with("RM_"));
  EXPECT_EQ(room.body.at("participants"), 0);
  EXPECT_EQ(get("/rooms/my%20hall/participants").body, json::parse(R"({"participants":[],"next":null})"));
  const Answer nobody = get("/rooms/my%20hall/participants/anna/statistics");
  EXPECT_EQ(nobody.status, 404);
  EXPECT_EQ(nobody.body.at_pointer("/error/code"), "participant_not_found");
  const Answer absent = get("/rooms/absent/participants/anna/statistics");
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(absent.body.at_pointer("/error/code"), "room_not_found");
}

TEST_F(RoomsOverHttp, are_for_those_with_a_token_for_them) {
  EXPECT_EQ(call("GET", "/api/v1/rooms", "").status, 401);
  EXPECT_EQ(call("GET", "/api/v1/rooms", token_of({"channels:read"})).status, 403);
  EXPECT_EQ(call("GET", "/api/v1/rooms", token_of({"rooms"})).status, 200);
  EXPECT_EQ(call("DELETE", "/api/v1/rooms/hall", token_of({"*"})).status, 405);
}

}  // namespace
}  // namespace stoa::server
