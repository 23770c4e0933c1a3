#include "api/livekit/twirp.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <type_traits>

#include "api/livekit/signal.h"

namespace stoa::livekit {
namespace {

constexpr std::string_view kPrefix = "/twirp/livekit.";

// Services of the protocol that Stoa has not.
constexpr std::string_view kUnimplementedServices[] = {
    "Egress",
    "Ingress",
    "SIP",
    "AgentDispatchService",
    "CloudAgent",
    "Connector",
    "AgentSimulation",
    "PhoneNumberService",
    "ReplayService",
};

struct Method {
  std::string_view name;
  TwirpRequest empty;
};
const Method* find_method(std::string_view name) {
  static const Method kMethods[] = {
      {"CreateRoom", pb::CreateRoomRequest()},
      {"ListRooms", pb::ListRoomsRequest()},
      {"DeleteRoom", pb::DeleteRoomRequest()},
      {"ListParticipants", pb::ListParticipantsRequest()},
      {"GetParticipant", GetParticipant()},
      {"RemoveParticipant", RemoveParticipant()},
      {"MutePublishedTrack", pb::MuteRoomTrackRequest()},
      {"UpdateParticipant", pb::UpdateParticipantRequest()},
      {"UpdateSubscriptions", pb::UpdateSubscriptionsRequest()},
      {"SendData", pb::SendDataRequest()},
      {"UpdateRoomMetadata", pb::UpdateRoomMetadataRequest()},
      {"ForwardParticipant", pb::ForwardParticipantRequest()},
      {"MoveParticipant", pb::MoveParticipantRequest()},
      {"PerformRpc", pb::PerformRpcRequest()},
  };
  auto found = std::find_if(std::begin(kMethods), std::end(kMethods),
                            [&](const Method& method) { return method.name == name; });
  return found == std::end(kMethods) ? nullptr : found;
}

auto fail(TwirpCode code, std::string text) { return refuse(TwirpError{code, std::move(text)}); }

// The message inside a request, whichever it is.
template <typename Request>
auto& message_in(Request& request) {
  if constexpr (requires { request.request; })
    return request.request;
  else
    return request;
}

enum class Format : std::uint8_t { kProtobuf, kJson };
std::optional<Format> format_of(const http::Request& request) {
  std::string_view type = request.headers.get("content-type");
  type = type.substr(0, std::min(type.find(';'), type.size()));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (type == "application/protobuf") return Format::kProtobuf;
  if (type == "application/json") return Format::kJson;
  return std::nullopt;
}

// What a request says of where it belongs; empty where it says nothing.
template <typename Message>
const std::string& room_in(const Message& message) {
  static const std::string kNone;
  if constexpr (requires { message.room(); })
    return message.room();
  else if constexpr (std::is_same_v<Message, pb::CreateRoomRequest>)
    return message.name();
  else
    return kNone;
}

template <typename Message>
std::string_view missing_in(const Message& message) {
  if (!std::is_same_v<Message, pb::ListRoomsRequest> && room_in(message).empty())
    return std::is_same_v<Message, pb::CreateRoomRequest> ? "name" : "room";
  if constexpr (requires { message.identity(); })
    if (message.identity().empty()) return "identity";
  if constexpr (requires { message.destination_room(); })
    if (message.destination_room().empty()) return "destination_room";
  if constexpr (requires { message.destination_identity(); })
    if (message.destination_identity().empty()) return "destination_identity";
  if constexpr (std::is_same_v<Message, pb::MuteRoomTrackRequest>)
    if (message.track_sid().empty()) return "track_sid";
  return {};
}

Result<const Method*, TwirpError> route(const http::Request& request) {
  std::string_view rest = std::string_view(request.path).substr(kPrefix.size());
  std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view service = rest.substr(0, slash);
  std::string_view name = rest.substr(std::min(slash + 1, rest.size()));
  if (request.method != http::Method::kPost) return fail(TwirpCode::kBadRoute, "only POST is allowed");
  bool is_elsewhere = std::find(std::begin(kUnimplementedServices), std::end(kUnimplementedServices),
                                service) != std::end(kUnimplementedServices);
  if (is_elsewhere) return fail(TwirpCode::kUnimplemented, "this server has no " + std::string(service));
  const Method* method = service == "RoomService" ? find_method(name) : nullptr;
  if (!method) return fail(TwirpCode::kBadRoute, "no such method");
  return method;
}

}  // namespace

bool is_twirp_path(std::string_view path) { return path.starts_with(kPrefix); }

Result<TwirpCall, TwirpError> parse_twirp(const http::Request& request) {
  if (!is_twirp_path(request.path)) return fail(TwirpCode::kBadRoute, "no such service");
  STOA_TRY(const Method* method, route(request));
  std::optional<Format> format = format_of(request);
  if (!format)
    return fail(TwirpCode::kBadRoute, "content-type must be application/json or application/protobuf");
  if (request.body.size() > kTwirpBytesMax)
    return fail(TwirpCode::kInvalidArgument, "the request is too large");
  TwirpCall call{method->empty, *format == Format::kJson};
  bool is_read = std::visit(
      [&](auto& typed) {
        auto& message = message_in(typed);
        return call.is_json ? parse_json(request.body, message) : message.ParseFromString(request.body);
      },
      call.request);
  if (!is_read) return fail(TwirpCode::kMalformed, "the request could not be read");
  std::string_view missing =
      std::visit([](const auto& typed) { return missing_in(message_in(typed)); }, call.request);
  if (!missing.empty()) return fail(TwirpCode::kInvalidArgument, std::string(missing) + " is required");
  return call;
}

const std::string& room_of(const TwirpRequest& request) {
  return std::visit([](const auto& typed) -> const std::string& { return room_in(message_in(typed)); },
                    request);
}

Result<void, TwirpError> authorize(const TwirpCall& call, const AccessGrant& grant) {
  const VideoGrant video = grant.video.value_or(VideoGrant());
  return std::visit(
      [&](const auto& typed) -> Result<void, TwirpError> {
        const auto& message = message_in(typed);
        using Message = std::remove_cvref_t<decltype(message)>;
        if constexpr (std::is_same_v<Message, pb::CreateRoomRequest> ||
                      std::is_same_v<Message, pb::DeleteRoomRequest>) {
          if (!video.room_create) return fail(TwirpCode::kPermissionDenied, "the token lacks roomCreate");
        } else if constexpr (std::is_same_v<Message, pb::ListRoomsRequest>) {
          if (!video.room_list) return fail(TwirpCode::kPermissionDenied, "the token lacks roomList");
        } else {
          if (!may_administer(grant, room_in(message)))
            return fail(TwirpCode::kPermissionDenied, "the token lacks roomAdmin of this room");
        }
        if constexpr (requires { message.destination_room(); }) {
          if (video.destination_room != message.destination_room())
            return fail(TwirpCode::kPermissionDenied, "the token lacks this destinationRoom");
        }
        return {};
      },
      call.request);
}

http::Response write_twirp(const TwirpCall& call, const google::protobuf::Message& response) {
  http::Response answer;
  answer.headers.add("content-type", call.is_json ? "application/json" : "application/protobuf");
  answer.headers.add("cache-control", "no-store");
  answer.body = SharedBytes(call.is_json ? write_json(response) : response.SerializeAsString());
  return answer;
}

http::Response write_twirp_error(const TwirpError& error) {
  boost::json::object body;
  body["code"] = name_of(error.code);
  body["msg"] = error.text;
  http::Response answer;
  answer.status = status_of(error.code);
  answer.headers.add("content-type", "application/json");
  answer.headers.add("cache-control", "no-store");
  answer.body = SharedBytes(boost::json::serialize(body));
  return answer;
}

TwirpError error_of(room::ApiRefusal refusal) {
  switch (refusal) {
    case room::ApiRefusal::kNoParticipant: return {TwirpCode::kNotFound, "participant does not exist"};
    case room::ApiRefusal::kNoTrack: return {TwirpCode::kNotFound, "track does not exist"};
    case room::ApiRefusal::kNotAllowed:
      return {TwirpCode::kFailedPrecondition, "remote unmute is not enabled on this server"};
    case room::ApiRefusal::kBadValue: return {TwirpCode::kInvalidArgument, "a value is over its limit"};
  }
  return {};
}

}  // namespace stoa::livekit
