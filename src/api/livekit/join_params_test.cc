#include "api/livekit/join_params.h"

#include <gtest/gtest.h>

#include "api/livekit/test_vectors.h"
#include "crypto/text.h"

namespace stoa::livekit {
namespace {

http::Request get(std::string path, std::string query = {}) {
  http::Request request;
  request.path = std::move(path);
  request.query = std::move(query);
  request.peer_address = "192.0.2.1";
  return request;
}

TEST(JoinParams, are_asked_for_on_four_paths) {
  struct Row {
    const char* path;
    bool is_validate;
  };
  for (const Row& row : {Row{"/rtc", false}, Row{"/rtc/validate", true}, Row{"//rtc", false},
                         Row{"/rtc/v1", false}, Row{"//rtc/v1/validate", true}}) {
    EXPECT_TRUE(is_join_path(row.path)) << row.path;
    auto params = parse_join(get(row.path, std::string("join_request=") + vectors::kJoinPlain));
    ASSERT_TRUE(params) << row.path;
    EXPECT_EQ(params->is_validate, row.is_validate) << row.path;
  }
  for (const char* path : {"/", "/rtc/", "/rtc/v2", "/rtc/v1/", "/xrtc", "rtc", ""}) {
    EXPECT_FALSE(is_join_path(path)) << path;
    EXPECT_EQ(parse_join(get(path)).error().status, 404) << path;
  }
}

TEST(JoinParams, read_every_query_parameter) {
  auto params = parse_join(get(
      "/rtc",
      "access_token=a.b.c&auto_subscribe=0&adaptive_stream=1&reconnect=1&sid=PA_me&reconnect_reason=2"
      "&protocol=16&client_protocol=1&sdk=swift&version=2.1&os=iOS&os_version=18&browser=b&browser_version=9"
      "&device_model=iPhone%2015&network=wifi&capabilities=CAP_PACKET_TRAILER,CAP_OF_LATER"
      "&attributes=eyJtb29kIjoiZmluZSJ9&publish=screen&disable_ice_lite=true&subscriber_allow_pause=0"
      "&auto_subscribe_data_track=false"));
  ASSERT_TRUE(params);
  EXPECT_FALSE(params->is_single_connection);
  EXPECT_EQ(params->token, "a.b.c");
  EXPECT_FALSE(params->auto_subscribe);
  EXPECT_FALSE(params->auto_subscribe_data_tracks);
  EXPECT_TRUE(params->adaptive_stream);
  EXPECT_EQ(params->subscriber_allow_pause, false);
  EXPECT_TRUE(params->disable_ice_lite);
  EXPECT_TRUE(params->is_reconnect);
  EXPECT_EQ(params->reconnect_reason, pb::RR_PUBLISHER_FAILED);
  EXPECT_EQ(params->participant_sid, "PA_me");
  EXPECT_EQ(params->publish, "screen");
  EXPECT_EQ(params->attributes, (std::map<std::string, std::string>{{"mood", "fine"}}));
  EXPECT_EQ(params->traits().protocol, 16);
  const pb::ClientInfo& client = params->client;
  EXPECT_EQ(client.sdk(), pb::ClientInfo::SWIFT);
  EXPECT_EQ(client.version(), "2.1");
  EXPECT_EQ(client.client_protocol(), 1);
  EXPECT_EQ(client.os() + client.os_version() + client.browser() + client.browser_version(), "iOS18b9");
  EXPECT_EQ(client.device_model(), "iPhone 15");
  EXPECT_EQ(client.network(), "wifi");
  EXPECT_EQ(client.address(), "192.0.2.1");
  ASSERT_EQ(client.capabilities_size(), 1);
  EXPECT_EQ(client.capabilities(0), pb::ClientInfo::CAP_PACKET_TRAILER);
}

TEST(JoinParams, subscribe_to_everything_unless_told_otherwise) {
  auto params = parse_join(get("/rtc", "protocol=nine&reconnect_reason=77&auto_subscribe="));
  ASSERT_TRUE(params);
  EXPECT_TRUE(params->auto_subscribe);
  EXPECT_TRUE(params->auto_subscribe_data_tracks);
  EXPECT_EQ(params->subscriber_allow_pause, std::nullopt);
  EXPECT_FALSE(params->is_reconnect);
  EXPECT_EQ(params->reconnect_reason, pb::RR_UNKNOWN);
  EXPECT_EQ(params->client.protocol(), 0);
  EXPECT_EQ(params->token, "");
}

TEST(JoinParams, leave_out_texts_of_clients_that_are_too_long_or_no_text) {
  auto params =
      parse_join(get("/rtc", "os=" + std::string(kClientTextBytesMax + 1, 'o') + "&browser=%ff&version=1"));
  ASSERT_TRUE(params);
  EXPECT_EQ(params->client.os(), "");
  EXPECT_EQ(params->client.browser(), "");
  EXPECT_EQ(params->client.version(), "1");
}

TEST(JoinParams, know_firefox_by_what_it_says_itself) {
  http::Request request = get("/rtc");
  request.headers.set("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
  EXPECT_EQ(parse_join(request)->client.browser(), "Firefox");
  request.query = "browser=b";
  EXPECT_EQ(parse_join(request)->client.browser(), "b");
  request.query = "";
  request.headers.set("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36");
  EXPECT_EQ(parse_join(request)->client.browser(), "");
}

TEST(JoinParams, read_a_join_request_gzipped_or_not_on_either_path) {
  for (const char* path : {"/rtc/v1", "/rtc"}) {
    for (std::string coded : {std::string(vectors::kJoinGzip), std::string(vectors::kJoinPlain)}) {
      for (bool is_padded : {true, false}) {
        if (!is_padded)
          while (coded.ends_with('=')) coded.pop_back();
        auto params = parse_join(get(path, "auto_subscribe=0&join_request=" + coded));
        ASSERT_TRUE(params) << params.error().text;
        EXPECT_TRUE(params->is_single_connection);
        EXPECT_TRUE(params->auto_subscribe);
        EXPECT_TRUE(params->adaptive_stream);
        EXPECT_EQ(params->client.sdk(), pb::ClientInfo::JS);
        EXPECT_EQ(params->client.capabilities_size(), 1);
        EXPECT_EQ(params->traits().protocol, 17);
        EXPECT_EQ(params->metadata, "hello");
        EXPECT_EQ(params->attributes, (std::map<std::string, std::string>{{"mood", "fine"}}));
        ASSERT_EQ(params->add_track_requests.size(), 1u);
        EXPECT_EQ(params->add_track_requests[0].cid(), "c1");
        ASSERT_TRUE(params->publisher_offer);
        EXPECT_EQ(params->publisher_offer->sdp(), "v=0\r\n");
        EXPECT_EQ(params->publisher_offer->id(), 3u);
        EXPECT_FALSE(params->sync_state);
      }
    }
  }
}

TEST(JoinParams, read_a_join_request_that_reconnects) {
  auto params = parse_join(get("/rtc/v1", std::string("join_request=") + vectors::kJoinReconnect));
  ASSERT_TRUE(params);
  EXPECT_TRUE(params->is_reconnect);
  EXPECT_EQ(params->reconnect_reason, pb::RR_PUBLISHER_FAILED);
  EXPECT_EQ(params->participant_sid, "PA_me");
  EXPECT_FALSE(params->auto_subscribe);
  EXPECT_FALSE(params->auto_subscribe_data_tracks);
  EXPECT_EQ(params->subscriber_allow_pause, true);
  ASSERT_TRUE(params->sync_state);
  EXPECT_EQ(params->sync_state->track_sids_disabled(0), "TR_z");
  EXPECT_FALSE(params->publisher_offer);
}

std::string wrapped(const pb::JoinRequest& join, int compression = 0) {
  pb::WrappedJoinRequest message;
  message.set_compression(static_cast<pb::WrappedJoinRequest::Compression>(compression));
  message.set_join_request(join.SerializeAsString());
  return crypto::write_base64url(as_bytes(message.SerializeAsString()));
}

TEST(JoinParams, refuse_join_requests_that_are_broken) {
  EXPECT_EQ(parse_join(get("/rtc/v1")).error().status, 400);
  EXPECT_EQ(parse_join(get("/rtc/v1/validate", "join_request=")).error().status, 400);
  pb::JoinRequest many;
  for (std::size_t i = 0; i <= kAddTrackRequestsMax; ++i) many.add_add_track_requests();
  pb::JoinRequest large;
  large.set_metadata(std::string(kJoinRequestBytesMax, 'm'));
  for (const std::string& coded :
       {std::string("!"), std::string("AAAA"), std::string(vectors::kJoinGzip).substr(0, 80), wrapped({}, 1),
        wrapped({}, 2), wrapped(many), std::string(vectors::kBomb)}) {
    auto params = parse_join(get("/rtc/v1", "join_request=" + coded));
    ASSERT_FALSE(params) << coded;
    EXPECT_EQ(params.error().status, 400) << coded;
    EXPECT_FALSE(params.error().text.empty());
  }
  EXPECT_EQ(parse_join(get("/rtc/v1", "join_request=" + wrapped(large))).error().status, 414);
  EXPECT_EQ(parse_join(get("/rtc", "attributes=W10")).error().status, 400);
  EXPECT_EQ(parse_join(get("/rtc", "attributes=%21")).error().status, 400);
}

TEST(JoinParams, take_the_token_from_the_header_before_the_query) {
  http::Request request = get("/rtc", "access_token=of-query");
  EXPECT_EQ(token_of(request), "of-query");
  request.headers.add("authorization", "Basic abc");
  EXPECT_EQ(token_of(request), "of-query");
  request.headers.set("authorization", "bearer  of-header");
  EXPECT_EQ(token_of(request), "of-header");
  EXPECT_EQ(parse_join(request)->token, "of-header");
  EXPECT_EQ(token_of(get("/rtc")), "");
}

}  // namespace
}  // namespace stoa::livekit
