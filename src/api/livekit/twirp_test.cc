#include "api/livekit/twirp.h"

#include <gtest/gtest.h>

#include <set>

namespace stoa::livekit {
namespace {

http::Request post(std::string method, std::string body, std::string type = "application/json") {
  http::Request request;
  request.method = http::Method::kPost;
  request.path = "/twirp/livekit." + std::move(method);
  request.headers.add("content-type", type);
  request.body = std::move(body);
  return request;
}
template <typename Typed>
Typed parse(std::string method, std::string body, std::string type = "application/json") {
  auto call = parse_twirp(post("RoomService/" + std::move(method), std::move(body), std::move(type)));
  EXPECT_TRUE(call) << call.error().text;
  return std::get<Typed>(call->request);
}
TwirpError error_of_post(const http::Request& request) {
  auto call = parse_twirp(request);
  EXPECT_FALSE(call);
  return call ? TwirpError{} : call.error();
}
std::string text_of(const http::Response& response) {
  std::string text;
  for (const SharedBytes& slice : response.body.slices) text += slice.text();
  return text;
}

// Bodies and content types as livekit-server-sdk 2.19.2 sends them.
TEST(Twirp, reads_what_the_server_sdk_sends) {
  const char* type = "application/json;charset=UTF-8";
  auto create = parse<pb::CreateRoomRequest>(
      "CreateRoom", R"({"name":"hall","emptyTimeout":60,"maxParticipants":9,"metadata":"md"})", type);
  EXPECT_EQ(create.name(), "hall");
  EXPECT_EQ(create.empty_timeout(), 60u);
  EXPECT_EQ(parse<pb::ListRoomsRequest>("ListRooms", R"({"names":["hall"]})", type).names(0), "hall");
  auto remove = parse<RemoveParticipant>("RemoveParticipant", R"({"room":"hall","identity":"anna"})", type);
  EXPECT_EQ(remove.request.identity(), "anna");
  auto mute = parse<pb::MuteRoomTrackRequest>(
      "MutePublishedTrack", R"({"room":"hall","identity":"anna","trackSid":"TR_1","muted":true})", type);
  EXPECT_EQ(mute.track_sid(), "TR_1");
  auto update = parse<pb::UpdateParticipantRequest>(
      "UpdateParticipant",
      R"({"room":"hall","identity":"anna","metadata":"m","permission":{"canSubscribe":true,"canPublish":true,)"
      R"("canPublishSources":["CAMERA"]},"attributes":{"a":"1"}})",
      type);
  EXPECT_EQ(update.permission().can_publish_sources(0), pb::CAMERA);
  auto data = parse<pb::SendDataRequest>(
      "SendData",
      R"({"room":"hall","data":"aGVsbG8=","topic":"t","destinationIdentities":["bo"],"nonce":"w+4ncvg+Wp32rH42AoNA/Q=="})",
      type);
  EXPECT_EQ(data.data(), "hello");
  EXPECT_EQ(data.nonce().size(), 16u);
  auto move = parse<pb::MoveParticipantRequest>(
      "MoveParticipant", R"({"room":"hall","identity":"anna","destinationRoom":"garden"})", type);
  EXPECT_EQ(move.destination_room(), "garden");
}

TEST(Twirp, knows_every_method_of_rooms) {
  const std::string participant =
      R"({"room":"hall","identity":"anna","track_sid":"TR_1","destination_room":"g",)"
      R"("name":"hall","destination_identity":"anna"})";
  for (const char* method :
       {"CreateRoom", "ListRooms", "DeleteRoom", "ListParticipants", "GetParticipant", "RemoveParticipant",
        "MutePublishedTrack", "UpdateParticipant", "UpdateSubscriptions", "SendData", "UpdateRoomMetadata",
        "ForwardParticipant", "MoveParticipant", "PerformRpc"}) {
    auto call = parse_twirp(post(std::string("RoomService/") + method, participant));
    ASSERT_TRUE(call) << method << ": " << call.error().text;
    EXPECT_EQ(room_of(call->request), std::string(method) == "ListRooms" ? "" : "hall") << method;
  }
}

TEST(Twirp, reads_and_writes_protobuf_where_asked_so) {
  pb::ListParticipantsRequest request;
  request.set_room("hall");
  auto call =
      parse_twirp(post("RoomService/ListParticipants", request.SerializeAsString(), "application/protobuf"));
  ASSERT_TRUE(call);
  EXPECT_FALSE(call->is_json);
  pb::ListParticipantsResponse response;
  response.add_participants()->set_identity("anna");
  http::Response answer = write_twirp(*call, response);
  EXPECT_EQ(answer.headers.get("content-type"), "application/protobuf");
  EXPECT_EQ(text_of(answer), response.SerializeAsString());
  EXPECT_TRUE(parse_twirp(post("RoomService/ListRooms", "", "application/protobuf")));
}

TEST(Twirp, writes_json_where_asked_so) {
  auto call = parse_twirp(post("RoomService/ListRooms", "{}"));
  ASSERT_TRUE(call);
  pb::ListRoomsResponse response;
  response.add_rooms()->set_num_participants(2);
  http::Response answer = write_twirp(*call, response);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("content-type"), "application/json");
  EXPECT_EQ(text_of(answer), R"({"rooms":[{"numParticipants":2}]})");
}

TEST(Twirp, refuses_services_that_are_not_here_and_routes_that_are_nowhere) {
  for (const char* method : {"Egress/ListEgress", "Ingress/CreateIngress", "SIP/ListSIPTrunk",
                             "AgentDispatchService/CreateDispatch"}) {
    TwirpError error = error_of_post(post(method, "{}"));
    EXPECT_EQ(error.code, TwirpCode::kUnimplemented) << method;
  }
  for (const char* method : {"RoomService/FlyToTheMoon", "RoomService", "RoomService/", "", "/", "Nothing/At",
                             "RoomService/CreateRoom/"}) {
    EXPECT_EQ(error_of_post(post(method, "{}")).code, TwirpCode::kBadRoute) << method;
  }
  http::Request get = post("RoomService/ListRooms", "{}");
  get.method = http::Method::kGet;
  EXPECT_EQ(error_of_post(get).code, TwirpCode::kBadRoute);
  EXPECT_EQ(error_of_post(post("RoomService/ListRooms", "{}", "text/plain")).code, TwirpCode::kBadRoute);
  http::Request other;
  EXPECT_FALSE(is_twirp_path(other.path));
  EXPECT_EQ(error_of_post(other).code, TwirpCode::kBadRoute);
}

TEST(Twirp, refuses_bodies_that_are_broken_or_too_large) {
  EXPECT_EQ(error_of_post(post("RoomService/ListRooms", "{")).code, TwirpCode::kMalformed);
  EXPECT_EQ(error_of_post(post("RoomService/ListRooms", "\xff\xff", "application/protobuf")).code,
            TwirpCode::kMalformed);
  EXPECT_EQ(error_of_post(post("RoomService/ListRooms", std::string(kTwirpBytesMax + 1, ' '))).code,
            TwirpCode::kInvalidArgument);
}

TEST(Twirp, names_what_is_missing) {
  EXPECT_EQ(error_of_post(post("RoomService/CreateRoom", "{}")).text, "name is required");
  EXPECT_EQ(error_of_post(post("RoomService/DeleteRoom", "{}")).text, "room is required");
  EXPECT_EQ(error_of_post(post("RoomService/GetParticipant", R"({"room":"a"})")).text,
            "identity is required");
  EXPECT_EQ(error_of_post(post("RoomService/MutePublishedTrack", R"({"room":"a","identity":"b"})")).text,
            "track_sid is required");
  EXPECT_EQ(error_of_post(post("RoomService/MoveParticipant", R"({"room":"a","identity":"b"})")).text,
            "destination_room is required");
  EXPECT_EQ(error_of_post(post("RoomService/PerformRpc", R"({"room":"a"})")).text,
            "destination_identity is required");
}

TEST(Twirp, is_for_those_whose_token_says_so) {
  struct Row {
    const char* method;
    const char* body;
    VideoGrant needs;
  };
  const VideoGrant create{.room_create = true}, list{.room_list = true};
  const VideoGrant admin{.room_admin = true, .room = "a"};
  const VideoGrant move{.room_admin = true, .room = "a", .destination_room = "b"};
  const char* participant = R"({"room":"a","identity":"x","destinationRoom":"b"})";
  const Row rows[] = {
      {"CreateRoom", R"({"name":"a"})", create},
      {"DeleteRoom", R"({"room":"a"})", create},
      {"ListRooms", "{}", list},
      {"ListParticipants", R"({"room":"a"})", admin},
      {"GetParticipant", participant, admin},
      {"SendData", R"({"room":"a"})", admin},
      {"UpdateRoomMetadata", R"({"room":"a"})", admin},
      {"MoveParticipant", participant, move},
      {"ForwardParticipant", participant, move},
  };
  for (const Row& row : rows) {
    auto call = parse_twirp(post(std::string("RoomService/") + row.method, row.body));
    ASSERT_TRUE(call) << row.method;
    AccessGrant grant;
    EXPECT_EQ(authorize(*call, grant).error().code, TwirpCode::kPermissionDenied) << row.method;
    grant.video = row.needs;
    EXPECT_TRUE(authorize(*call, grant)) << row.method;
    grant.video->room_create = grant.video->room_list = grant.video->room_admin = false;
    EXPECT_FALSE(authorize(*call, grant)) << row.method;
    grant.video = VideoGrant{.room_join = true, .room = "a"};
    EXPECT_FALSE(authorize(*call, grant)) << row.method;
  }
  auto call = parse_twirp(post("RoomService/SendData", R"({"room":"other"})"));
  EXPECT_FALSE(authorize(*call, AccessGrant{.video = admin}));
  call = parse_twirp(post("RoomService/MoveParticipant", participant));
  EXPECT_FALSE(authorize(*call, AccessGrant{.video = admin}));
}

TEST(Twirp, answers_errors_in_json_with_their_status) {
  http::Response answer = write_twirp_error({TwirpCode::kNotFound, "no \"room\""});
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(text_of(answer), R"({"code":"not_found","msg":"no \"room\""})");
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(TwirpCode::kUnavailable); ++i) {
    names.insert(name_of(static_cast<TwirpCode>(i)));
    EXPECT_GE(status_of(static_cast<TwirpCode>(i)), 400);
  }
  EXPECT_EQ(names.size(), 15u);
  EXPECT_EQ(status_of(TwirpCode::kUnauthenticated), 401);
  EXPECT_EQ(status_of(TwirpCode::kPermissionDenied), 403);
  EXPECT_EQ(status_of(TwirpCode::kResourceExhausted), 429);
  EXPECT_EQ(error_of(room::ApiRefusal::kNoTrack).code, TwirpCode::kNotFound);
}

}  // namespace
}  // namespace stoa::livekit
