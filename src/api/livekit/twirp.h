// The server's API as server SDKs call it (Twirp): POST /twirp/livekit.{Service}/{Method}, the request as
// protobuf or JSON by its content type, the answer in the same. Errors are always JSON.
//
// RoomService is answered by rooms. Services of the protocol that Stoa has not are `unimplemented`, all else
// is `bad_route`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "api/livekit/grant.h"
#include "api/livekit/wire.h"
#include "base/result.h"
#include "proto/http/message.h"
#include "room/room.h"

namespace stoa::livekit {

inline constexpr std::size_t kTwirpBytesMax = 512u << 10;

// The error codes of Twirp's specification (v7), as far as we give them.
enum class TwirpCode : std::uint8_t {
  kInvalidArgument,
  kMalformed,
  kNotFound,
  kBadRoute,
  kAlreadyExists,
  kPermissionDenied,
  kUnauthenticated,
  kResourceExhausted,
  kFailedPrecondition,
  kAborted,
  kDeadlineExceeded,
  kCanceled,
  kUnimplemented,
  kInternal,
  kUnavailable,
};
const char* name_of(TwirpCode code);  // "invalid_argument"
int status_of(TwirpCode code);

struct TwirpError {
  TwirpCode code = TwirpCode::kInternal;
  std::string text;
};

// Two methods have the same request.
struct GetParticipant {
  pb::RoomParticipantIdentity request;
};
struct RemoveParticipant {
  pb::RoomParticipantIdentity request;
};
using TwirpRequest =
    std::variant<pb::CreateRoomRequest, pb::ListRoomsRequest, pb::DeleteRoomRequest,
                 pb::ListParticipantsRequest, GetParticipant, RemoveParticipant, pb::MuteRoomTrackRequest,
                 pb::UpdateParticipantRequest, pb::UpdateSubscriptionsRequest, pb::SendDataRequest,
                 pb::UpdateRoomMetadataRequest, pb::ForwardParticipantRequest, pb::MoveParticipantRequest,
                 pb::PerformRpcRequest>;
struct TwirpCall {
  TwirpRequest request;
  bool is_json = false;
};

bool is_twirp_path(std::string_view path);
Result<TwirpCall, TwirpError> parse_twirp(const http::Request& request);
// Whether the token lets its holder make this call. Creating, deleting: room_create; listing: room_list;
// all else: room_admin of that room; moving and forwarding: destination_room, too.
Result<void, TwirpError> authorize(const TwirpCall& call, const AccessGrant& grant);
// The room that it is about; empty for ListRooms.
const std::string& room_of(const TwirpRequest& request);

// 200 with the response of the method.
http::Response write_twirp(const TwirpCall& call, const google::protobuf::Message& response);
http::Response write_twirp_error(const TwirpError& error);
// What a room refuses, as its API says it.
TwirpError error_of(room::ApiRefusal refusal);

}  // namespace stoa::livekit
