// How a client asks to come in: GET /rtc (two peer connections, query parameters) or GET /rtc/v1 (one peer
// connection, everything in `join_request`), each with /validate to ask what would come of it.
//
// `join_request` is base64url (padded or not) of a WrappedJoinRequest, whose JoinRequest may be gzipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/livekit/traits.h"
#include "api/livekit/wire.h"
#include "base/result.h"
#include "proto/http/message.h"

namespace stoa::livekit {

inline constexpr std::size_t kJoinQueryBytesMax = 256u << 10;  // As sent.
// After decompression. What is read of it takes up to a hundred times as much for a moment, and comes from
// anybody.
inline constexpr std::size_t kJoinRequestBytesMax = 512u << 10;
inline constexpr std::size_t kAddTrackRequestsMax = 16;  // room::kTracksMax would refuse more anyway.
inline constexpr std::size_t kClientTextBytesMax =
    256;  // Each of version, os, browser …; longer ones are left out.
inline constexpr std::size_t kCapabilitiesMax = 16;

struct JoinParams {
  bool is_validate = false;
  bool is_single_connection = false;  // Its peer connection carries both directions.
  std::string token;                  // Not believed yet; empty: none.
  bool auto_subscribe = true;
  bool auto_subscribe_data_tracks = true;
  bool adaptive_stream = false;
  std::optional<bool> subscriber_allow_pause;  // Its downlink may be paused on congestion.
  bool disable_ice_lite = false;
  // It was here before and wants to go on.
  bool is_reconnect = false;
  pb::ReconnectReason reconnect_reason = pb::RR_UNKNOWN;
  std::string participant_sid;
  pb::ClientInfo client;  // Its protocol, too.
  // Instead of the token's, if the token lets it; attributes are added to the token's.
  std::string metadata;
  std::map<std::string, std::string> attributes;
  std::string publish;  // Legacy: a second connection that only publishes, under "<identity>#<publish>".
  // Of a single connection.
  std::optional<pb::SessionDescription> publisher_offer;
  std::vector<pb::AddTrackRequest> add_track_requests;
  std::optional<pb::SyncState> sync_state;

  ClientTraits traits() const { return {client.protocol()}; }
};

// What to answer instead of going on.
struct HttpRefusal {
  int status = 400;
  std::string text;  // The whole body; clients look into it.
};

// True for the four paths above, also with a leading "//". All else is not for parse_join().
bool is_join_path(std::string_view path);
// Whether it is a WebSocket handshake is the caller's to look at: but for /validate it must be one.
Result<JoinParams, HttpRefusal> parse_join(const http::Request& request);

// The token of any request: "Authorization: Bearer …", else access_token of the query. Empty: none.
std::string token_of(const http::Request& request);

}  // namespace stoa::livekit
