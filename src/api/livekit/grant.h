// What an access token grants: the claims of a LiveKit token (a JSON Web Token, HS256), beside those that
// crypto/jwt.h and control/api_keys.h have checked already.
//
// A grant that is not named is not given, but for publishing, subscribing and sending data, which a token
// that lets somebody join allows unless it says no.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/livekit/wire.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/jwt.h"
#include "room/info.h"

namespace stoa::livekit {

// Claim "video".
struct VideoGrant {
  bool room_create = false, room_list = false, room_record = false, room_admin = false, room_join = false;
  std::string room;              // That room_join and room_admin are for.
  std::string destination_room;  // Where room_admin may move or forward participants to.
  std::optional<bool> can_publish, can_subscribe, can_publish_data;
  // When not empty, tracks of these sources only, whatever can_publish says.
  std::vector<room::TrackSource> can_publish_sources;
  std::optional<bool> can_update_own_metadata, can_subscribe_metrics;
  bool ingress_admin = false, hidden = false, recorder = false, agent = false;
};

struct AccessGrant {
  std::string key_id;    // iss
  std::string identity;  // sub, or jti where there is no sub
  std::string name, metadata;
  std::map<std::string, std::string> attributes;
  room::ParticipantKind kind = room::ParticipantKind::kStandard;
  std::vector<std::uint32_t> kind_details;
  std::string sha256;  // Base64 of the digest of the body that the token goes with (webhooks).
  std::string room_preset;
  std::optional<pb::RoomConfiguration> room_config;  // For the room, should this participant open it.
  std::optional<VideoGrant> video;
  std::optional<WallTime> not_before, expires_at;
};

enum class GrantRefusal : std::uint8_t {
  kMalformed,  // Not a JSON object.
  kBadClaim,   // A claim of a wrong type or over a limit of room/limits.h.
};

// `claims`: of a token that was verified. Claims that are not known are passed over.
Result<AccessGrant, GrantRefusal> parse_grant(std::string_view claims);
// The grant's own key_id and times are not looked at.
Result<std::string, crypto::JwtRefusal> make_access_token(const AccessGrant& grant, const std::string& key_id,
                                                          std::string_view secret, WallTime now,
                                                          Duration ttl);

// What servers give a client that stays, so that it can come back when its first token is over.
inline constexpr Duration kRefreshTtl = Duration::seconds(600);
inline constexpr Duration kRefreshInterval = Duration::seconds(300);
// `grant`, as the participant is now. Lives for kRefreshTtl, or until the grant's own end if that is later.
Result<std::string, crypto::JwtRefusal> make_refresh_token(const AccessGrant& grant,
                                                           const room::ParticipantInfo& participant,
                                                           const std::string& room, const std::string& key_id,
                                                           std::string_view secret, WallTime now);

// "camera", "microphone", "screen_share", "screen_share_audio".
std::optional<room::TrackSource> parse_source(std::string_view name);

room::Permissions permissions_of(const AccessGrant& grant);
// The grant says afterwards what `permissions` does.
void set_permissions(AccessGrant& grant, const room::Permissions& permissions);

// The room that it may join, if it may join one.
std::optional<std::string> room_to_join(const AccessGrant& grant);
bool may_administer(const AccessGrant& grant, std::string_view room);

}  // namespace stoa::livekit
