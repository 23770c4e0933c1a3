// The tables that the REST API is made of: its routes and its error codes. The dispatcher and the OpenAPI
// document are both read off them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/refusal.h"
#include "proto/http/message.h"

namespace stoa::api {

struct RestCall;

enum class ErrorCode : std::uint8_t {
  kInvalidJson,
  kUnknownField,
  kMissingField,
  kWrongType,
  kInvalidValue,
  kTokenMissing,
  kTokenInvalid,
  kScopeMissing,
  kNotFound,
  kChannelNotFound,
  kChannelOffline,
  kKeyNotFound,
  kRoomNotFound,
  kParticipantNotFound,
  kMethodNotAllowed,
  kChannelExists,
  kTooManyChannels,
  kTooManyKeys,
  kBodyTooLarge,
  kNotJson,
  kStoreUnavailable,
  kOverloaded,
  kTimedOut,
};

// What the API promises about an error: the code and its status never change.
struct ErrorFacts {
  ErrorCode code;
  const char* name;
  int status;
  const char* meaning;
};
std::span<const ErrorFacts> error_table();
const ErrorFacts& facts_of(ErrorCode code);

struct ApiError {
  ErrorCode code;
  std::string message;  // A sentence for people.
  std::string field;    // Which field or query key is wrong; empty when none.
};
// What a service refused, as the outside sees it.
ApiError error_of(control::Refusal refusal);

enum class Access : std::uint8_t {
  kPublic,        // No token is looked at.
  kPublicOrRead,  // Without a token the public part; with one, what channels:read may see.
  kRead,          // channels:read
  kWrite,         // channels:write
  kReadRooms,     // rooms:read
};
// The scope to be shown, nullptr for kPublic.
const char* scope_of(Access access);

struct QueryKey {
  const char* name;
  const char* type;      // JSON Schema: "integer", "string".
  std::int64_t minimum;  // Of the value of an integer, of the length of a string.
  std::int64_t maximum;
  const char* about;
};

struct Route {
  http::Method method;
  const char* path;       // With {names} for segments.
  const char* operation;  // operationId.
  const char* summary;
  Access access;
  http::Response (*handle)(RestCall& call);
  int status;          // When all is well.
  const char* answer;  // Schema of the answer; nullptr when it has no body.
  const char* body;    // Schema of the request's body; nullptr when none is read.
  bool may_omit_body;
  std::span<const QueryKey> query;
  std::span<const ErrorCode> errors;  // Its own, beside those that its access and body bring with them.
};
std::span<const Route> route_table();

// Every error that a route may give.
std::vector<ErrorCode> errors_of(const Route& route);

// The values of the {names} when `path` is an instance of `pattern`, in order. A value is never empty.
std::optional<std::vector<std::string_view>> match_path(std::string_view pattern, std::string_view path);

}  // namespace stoa::api
