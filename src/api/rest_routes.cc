#include "api/rest_routes.h"

#include <algorithm>

#include "api/rest_call.h"
#include "base/assert.h"
#include "control/channels.h"
#include "room/limits.h"

namespace stoa::api {
namespace {

using enum ErrorCode;
using http::Method;

// In the order of ErrorCode.
constexpr ErrorFacts kErrors[] = {
    {kInvalidJson, "invalid_json", 400, "The body is not one JSON object."},
    {kUnknownField, "unknown_field", 400, "The body has a field that is not known here; `field` names it."},
    {kMissingField, "missing_field", 400, "The body lacks a field; `field` names it."},
    {kWrongType, "wrong_type", 400, "A field is of a wrong type; `field` names it."},
    {kInvalidValue, "invalid_value", 400,
     "A field or query key has a value that is not allowed; `field` names it."},
    {kTokenMissing, "token_missing", 401, "The request needs an Authorization field with a bearer token."},
    {kTokenInvalid, "token_invalid", 401,
     "The token is no good: malformed, wrongly signed, expired, of a revoked key."},
    {kScopeMissing, "scope_missing", 403, "The token lacks the scope that this needs."},
    {kNotFound, "not_found", 404, "There is nothing at this path."},
    {kChannelNotFound, "channel_not_found", 404, "There is no channel of this name."},
    {kChannelOffline, "channel_offline", 404, "The channel is not live."},
    {kKeyNotFound, "key_not_found", 404, "The channel has no stream key of this id, or it is revoked."},
    {kRoomNotFound, "room_not_found", 404, "There is no room of this name."},
    {kParticipantNotFound, "participant_not_found", 404,
     "Nobody of this identity or sid is in the room, or their connection is not here."},
    {kMethodNotAllowed, "method_not_allowed", 405,
     "The path does not take this method; Allow lists those it takes."},
    {kChannelExists, "channel_exists", 409, "There is a channel of this name."},
    {kTooManyChannels, "too_many_channels", 409, "This server holds as many channels as it may."},
    {kTooManyKeys, "too_many_keys", 409, "The channel has as many stream keys as it may; revoke one first."},
    {kBodyTooLarge, "body_too_large", 413, "The body is longer than a body may be."},
    {kNotJson, "not_json", 415, "The body's Content-Type is not application/json."},
    {kStoreUnavailable, "store_unavailable", 503, "The database does not answer; try again."},
    {kOverloaded, "overloaded", 503, "Too much is being asked at once; try again (Retry-After)."},
    {kTimedOut, "timed_out", 504, "A part of the server did not answer in time; try again."},
};

constexpr QueryKey kPageKeys[] = {
    {"limit", "integer", 1, control::kChannelsPerPageMax, "How many to list at most; 50 when absent."},
    {"after", "string", 0, 64, "List those whose names come after this one: the `next` of the page before."},
};

static_assert(kRoomItemsPerPageMax == control::kChannelsPerPageMax);
constexpr QueryKey kRoomPageKeys[] = {
    kPageKeys[0],
    {"after", "string", 0, room::kNameCharactersMax,
     "List those whose names come after this one: the `next` of the page before."},
};
constexpr QueryKey kParticipantPageKeys[] = {
    kPageKeys[0],
    {"after", "string", 0, room::kIdentityBytesMax,
     "List those whose identities come after this one: the `next` of the page before."},
};

constexpr ErrorCode kRoomsErrors[] = {kInvalidValue, kOverloaded, kTimedOut};
constexpr ErrorCode kRoomErrors[] = {kRoomNotFound, kOverloaded, kTimedOut};
constexpr ErrorCode kParticipantsErrors[] = {kInvalidValue, kRoomNotFound, kOverloaded, kTimedOut};
constexpr ErrorCode kStatisticsErrors[] = {kRoomNotFound, kParticipantNotFound, kOverloaded, kTimedOut};
constexpr ErrorCode kLiveErrors[] = {kChannelNotFound, kChannelOffline, kStoreUnavailable};
constexpr ErrorCode kPageErrors[] = {kInvalidValue};
constexpr ErrorCode kCreateErrors[] = {kMissingField, kChannelExists, kTooManyChannels};
constexpr ErrorCode kChannelErrors[] = {kChannelNotFound};
constexpr ErrorCode kEndErrors[] = {kChannelNotFound, kChannelOffline};
constexpr ErrorCode kCreateKeyErrors[] = {kChannelNotFound, kTooManyKeys};
constexpr ErrorCode kRevokeErrors[] = {kChannelNotFound, kKeyNotFound};

constexpr const char* kChannels = "/api/v1/channels";
constexpr const char* kChannel = "/api/v1/channels/{channel}";
constexpr const char* kKeys = "/api/v1/channels/{channel}/keys";

constexpr Route kRoutes[] = {
    {Method::kGet,
     "/api/v1/live",
     "listLive",
     "List the channels that are live",
     Access::kPublicOrRead,
     list_live,
     200,
     "LiveList",
     nullptr,
     false,
     {},
     {}},
    {Method::kGet,
     "/api/v1/live/{channel}",
     "readLive",
     "Tell about one live channel",
     Access::kPublicOrRead,
     read_live,
     200,
     "LiveChannel",
     nullptr,
     false,
     {},
     kLiveErrors},
    {Method::kGet,
     "/api/v1/live/{channel}/events",
     "listEvents",
     "List what happened in a channel lately",
     Access::kRead,
     list_events,
     200,
     "EventList",
     nullptr,
     false,
     {},
     kChannelErrors},
    {Method::kGet, kChannels, "listChannels", "List channels by name, in pages", Access::kRead, list_channels,
     200, "ChannelPage", nullptr, false, kPageKeys, kPageErrors},
    {Method::kPost,
     kChannels,
     "createChannel",
     "Make a channel",
     Access::kWrite,
     create_channel,
     201,
     "Channel",
     "NewChannel",
     false,
     {},
     kCreateErrors},
    {Method::kGet,
     kChannel,
     "readChannel",
     "Tell about one channel",
     Access::kRead,
     read_channel,
     200,
     "Channel",
     nullptr,
     false,
     {},
     kChannelErrors},
    {Method::kPatch,
     kChannel,
     "updateChannel",
     "Change a channel; what is not named stays",
     Access::kWrite,
     update_channel,
     200,
     "Channel",
     "ChannelChange",
     false,
     {},
     kChannelErrors},
    {Method::kDelete,
     kChannel,
     "deleteChannel",
     "Delete a channel with its keys and end its broadcast",
     Access::kWrite,
     delete_channel,
     204,
     nullptr,
     nullptr,
     false,
     {},
     kChannelErrors},
    {Method::kPost,
     "/api/v1/channels/{channel}/end",
     "endBroadcast",
     "End the channel's broadcast",
     Access::kWrite,
     end_broadcast,
     202,
     "Ending",
     nullptr,
     false,
     {},
     kEndErrors},
    {Method::kGet,
     kKeys,
     "listKeys",
     "List the stream keys in force, without the keys themselves",
     Access::kRead,
     list_keys,
     200,
     "KeyList",
     nullptr,
     false,
     {},
     kChannelErrors},
    {Method::kPost,
     kKeys,
     "createKey",
     "Make a stream key; the answer is the only place where it is told",
     Access::kWrite,
     create_key,
     201,
     "NewKey",
     "KeyWish",
     true,
     {},
     kCreateKeyErrors},
    {Method::kDelete,
     "/api/v1/channels/{channel}/keys/{key}",
     "revokeKey",
     "Revoke a stream key and disconnect who publishes with it",
     Access::kWrite,
     revoke_key,
     204,
     nullptr,
     nullptr,
     false,
     {},
     kRevokeErrors},
    {Method::kGet, "/api/v1/rooms", "listRooms", "List rooms by name, in pages", Access::kReadRooms,
     list_rooms, 200, "RoomPage", nullptr, false, kRoomPageKeys, kRoomsErrors},
    {Method::kGet,
     "/api/v1/rooms/{room}",
     "readRoom",
     "Tell about one room",
     Access::kReadRooms,
     read_room,
     200,
     "Room",
     nullptr,
     false,
     {},
     kRoomErrors},
    {Method::kGet, "/api/v1/rooms/{room}/participants", "listParticipants",
     "List who is in a room by identity, in pages", Access::kReadRooms, list_participants, 200,
     "ParticipantPage", nullptr, false, kParticipantPageKeys, kParticipantsErrors},
    {Method::kGet,
     "/api/v1/rooms/{room}/participants/{identity}/statistics",
     "readStatistics",
     "Tell how the media of one participant flows; `identity` may be its sid",
     Access::kReadRooms,
     read_statistics,
     200,
     "ParticipantStatistics",
     nullptr,
     false,
     {},
     kStatisticsErrors},
    {Method::kGet,
     "/api/v1/server",
     "readServer",
     "Tell the server's version and uptime",
     Access::kPublic,
     read_server,
     200,
     "Server",
     nullptr,
     false,
     {},
     {}},
    {Method::kGet,
     "/api/openapi.json",
     "readOpenapi",
     "This document",
     Access::kPublic,
     read_openapi,
     200,
     "OpenApi",
     nullptr,
     false,
     {},
     {}},
};

std::string_view take_segment(std::string_view& path) {
  std::size_t slash = path.find('/');
  std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

}  // namespace

std::span<const ErrorFacts> error_table() { return kErrors; }

const ErrorFacts& facts_of(ErrorCode code) {
  const ErrorFacts& facts = kErrors[static_cast<std::size_t>(code)];
  STOA_DCHECK(facts.code == code);
  return facts;
}

ApiError error_of(control::Refusal refusal) {
  switch (refusal) {
    case control::Refusal::kBadChannelName:
      return {kInvalidValue, "A name is 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit.",
              "name"};
    case control::Refusal::kBadTitle:
      return {kInvalidValue, "A title is at most 200 characters, without control characters.", "title"};
    case control::Refusal::kBadDescription:
      return {
          kInvalidValue,
          "A description is at most 4000 characters; of control characters it may have line feeds and tabs.",
          "description"};
    case control::Refusal::kBadLabel:
      return {kInvalidValue, "A label is at most 100 characters, without control characters.", "label"};
    case control::Refusal::kBadLadder:
      return {kInvalidValue,
              "A ladder is off, one, standard, mobile, or rungs such as 720p30:2500,360p30:av1 (size and "
              "pictures a second, then kbit/s and codec where wanted), and ,per-title=on or ,per-title=off "
              "behind "
              "it where wanted; or nothing, for the server's own.",
              "ladder"};
    case control::Refusal::kChannelExists: return {kChannelExists, facts_of(kChannelExists).meaning, ""};
    case control::Refusal::kChannelNotFound:
      return {kChannelNotFound, facts_of(kChannelNotFound).meaning, ""};
    case control::Refusal::kTooManyChannels:
      return {kTooManyChannels, facts_of(kTooManyChannels).meaning, ""};
    case control::Refusal::kKeyNotFound: return {kKeyNotFound, facts_of(kKeyNotFound).meaning, ""};
    case control::Refusal::kTooManyKeys: return {kTooManyKeys, facts_of(kTooManyKeys).meaning, ""};
    // Tokens are not made over this API.
    case control::Refusal::kBadScope:
    case control::Refusal::kBadLifetime:
    case control::Refusal::kStoreUnavailable: break;
  }
  return {kStoreUnavailable, facts_of(kStoreUnavailable).meaning, ""};
}

const char* scope_of(Access access) {
  switch (access) {
    case Access::kPublic: return nullptr;
    case Access::kPublicOrRead:
    case Access::kRead: return control::kScopeChannelsRead;
    case Access::kWrite: return control::kScopeChannelsWrite;
    case Access::kReadRooms: return control::kScopeRoomsRead;
  }
  return nullptr;
}

std::span<const Route> route_table() { return kRoutes; }

std::vector<ErrorCode> errors_of(const Route& route) {
  std::vector<ErrorCode> errors(route.errors.begin(), route.errors.end());
  const auto add = [&](std::initializer_list<ErrorCode> more) { errors.insert(errors.end(), more); };
  add({kBodyTooLarge});
  if (route.body) add({kInvalidJson, kUnknownField, kWrongType, kInvalidValue, kNotJson});
  if (route.access == Access::kPublicOrRead) add({kTokenInvalid, kStoreUnavailable});
  if (route.access == Access::kRead || route.access == Access::kWrite || route.access == Access::kReadRooms)
    add({kTokenMissing, kTokenInvalid, kScopeMissing, kStoreUnavailable});
  std::sort(errors.begin(), errors.end());
  errors.erase(std::unique(errors.begin(), errors.end()), errors.end());
  return errors;
}

std::optional<std::vector<std::string_view>> match_path(std::string_view pattern, std::string_view path) {
  std::vector<std::string_view> values;
  while (!pattern.empty() || !path.empty()) {
    if (pattern.empty() || path.empty()) return std::nullopt;
    bool is_last = pattern.find('/') == std::string_view::npos;
    if (is_last != (path.find('/') == std::string_view::npos)) return std::nullopt;
    std::string_view expected = take_segment(pattern), given = take_segment(path);
    if (!expected.starts_with('{')) {
      if (expected != given) return std::nullopt;
    } else if (given.empty()) {
      return std::nullopt;
    } else {
      values.push_back(given);
    }
  }
  return values;
}

}  // namespace stoa::api
