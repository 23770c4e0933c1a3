// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) on HTTP: requests become calls, what came of them becomes
// responses. Publishing and watching are alike but for who may do it.
//
//   OPTIONS /whip/{channel}                 what may be posted
//   POST    /whip/{channel}                 offer -> 201, answer, Location, ETag, Link (ICE servers)
//   PATCH   /whip/{channel}/{session}       application/trickle-ice-sdpfrag: candidates 204, restart 200
//   DELETE  /whip/{channel}/{session}       200
//   the same under /whep
//
// Errors have the JSON body of every error here: {"error":{"code":"…","message":"…"}}.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "proto/http/message.h"

namespace stoa::api {

inline constexpr std::size_t kSessionDescriptionBytesMax = 64u << 10;  // Also of a fragment.
inline constexpr std::size_t kRtcSessionCharactersMax = 64;
inline constexpr std::size_t kBearerBytesMax = 4096;
inline constexpr std::size_t kIfMatchBytesMax = 1024;
// How long peers are asked to wait where it makes sense to come back.
inline constexpr int kNotLiveRetryAfterS = 2, kOverloadedRetryAfterS = 5;

enum class RtcRole : std::uint8_t { kPublisher, kViewer };

struct RtcOffered {  // POST
  RtcRole role;
  std::string channel;
  std::string bearer;  // Stream key or token; empty when none was sent.
  std::string offer;
};
struct RtcPatched {
  RtcRole role;
  std::string channel, session;
  std::string bearer;
  std::optional<std::string> if_match;  // As sent: well formed; matches_if_match() reads it.
  std::string fragment;
};
struct RtcDeleted {
  RtcRole role;
  std::string channel, session;
  std::string bearer;
};
using RtcCall = std::variant<RtcOffered, RtcPatched, RtcDeleted>;

// Letters, digits, '-' and '_', 1 to 64 of them: what a session may be called in a path.
bool is_session_name(std::string_view text);

// True for the paths that are answered here.
bool owns_rtc_path(std::string_view path);

// A call, or the response that it gets at once: OPTIONS, 404 for other paths, 405, 413, 415, 406 (Accept
// without application/sdp), 400 (no body, a bearer or If-Match that cannot be read). Authentication of
// another scheme than Bearer counts as none.
Result<RtcCall, http::Response> parse_rtc_request(const http::Request& request);

// Whether an If-Match names `etag` (without quotes) or is "*" (RFC 9110 §13.1.1). Weak tags never match:
// which ICE generation is meant must be certain.
bool matches_if_match(std::string_view if_match, std::string_view etag);

// An ICE server that peers are told of (RFC 9725 §4.6).
struct IceServer {
  std::string url;  // "stun:host:3478", "turn:host:3478?transport=udp".
  std::string username, credential;
};

struct RtcAnswered {
  std::string answer;
  std::string session;
  std::string etag;  // Of the ICE generation, without quotes.
};
// Location is the path of the session, without host. Servers whose words no header can hold (control
// characters) are left out. Requires: answered.session is a session name, answered.etag has neither quotes
// nor spaces.
http::Response make_created_response(const RtcOffered& call, const RtcAnswered& answered,
                                     const std::vector<IceServer>& servers);
http::Response make_restarted_response(std::string_view fragment, std::string_view etag);  // 200
http::Response make_patched_response();                                                    // 204
http::Response make_deleted_response();                                                    // 200

// Why a call failed, as an HTTP status and a stable code.
enum class RtcRefusal : std::uint8_t {
  kBadOffer,              // 400 bad_offer
  kBadFragment,           // 400 bad_fragment
  kUnauthorized,          // 401, WWW-Authenticate: Bearer
  kForbidden,             // 403: the key is of another channel
  kNoChannel,             // 404 not_live: nobody publishes it (Retry-After), or there is no such channel
  kNoSession,             // 404 no_session
  kTakenOver,             // 410 taken_over: the session gave way to a newer one of its channel
  kBroadcastStopped,      // 410 broadcast_stopped: the session went with its broadcast
  kKeyRevoked,            // 410 key_revoked
  kTooManySources,        // 410 too_many_sources: the channel or the server took no more when it came
  kConflict,              // 409: the channel has all the encoders it takes, none of them to be taken over
  kPreconditionFailed,    // 412: If-Match names another ICE generation
  kNotAcceptable,         // 406 no_common_codec
  kUnprocessable,         // 422: understood, but not to be had (not bundled, wrong direction)
  kPreconditionRequired,  // 428: an ICE restart without If-Match
  kTooManySessions,       // 429: of one client that did not connect yet, or watch; Retry-After
  kOverloaded,            // 503 overloaded, Retry-After
  kNotOffered,            // 501: this server has no WebRTC
};
inline constexpr int kRtcRefusals = 18;
// What is promised about a refusal: its status and code never change.
struct RtcRefusalFacts {
  RtcRefusal refusal;
  int status;
  const char* code;
  const char* meaning;  // A sentence for people who read the documentation.
};
std::span<const RtcRefusalFacts> rtc_refusal_table();
http::Response make_refusal_response(RtcRefusal refusal, std::string_view message);

}  // namespace stoa::api
