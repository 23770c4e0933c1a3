#include "api/livekit/grant.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <iterator>

#include "api/livekit/signal.h"
#include "base/letters.h"
#include "room/limits.h"

namespace stoa::livekit {
namespace {

namespace json = boost::json;

constexpr std::size_t kJsonDepthMax = 8;
constexpr std::size_t kListMax = 64;  // Of sources, of kind details.

// By room::ParticipantKind and room::TrackSource.
constexpr const char* kKinds[] = {"standard", "ingress", "egress", "sip", "agent", "connector"};
constexpr const char* kSources[] = {"unknown", "camera", "microphone", "screen_share", "screen_share_audio"};

// Reads claims of one object; the first of a wrong type makes it not ok() for good. null is as if not there.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}
  bool ok() const { return ok_; }

  const json::value* find(std::string_view name) const {
    const json::value* value = object_.if_contains(name);
    return value && !value->is_null() ? value : nullptr;
  }
  void text(std::string_view name, std::string& text, std::size_t bytes_max) {
    const json::value* value = find(name);
    if (!value) return;
    if (!value->is_string() || value->get_string().size() > bytes_max) return fail();
    text = value->get_string();
  }
  void flag(std::string_view name, bool& flag) {
    std::optional<bool> found;
    this->flag(name, found);
    flag = found.value_or(flag);
  }
  void flag(std::string_view name, std::optional<bool>& flag) {
    const json::value* value = find(name);
    if (!value) return;
    if (!value->is_bool()) return fail();
    flag = value->get_bool();
  }
  std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> texts;
    const json::value* value = find(name);
    if (!value) return texts;
    if (!value->is_array() || value->get_array().size() > kListMax) return fail(), texts;
    for (const json::value& item : value->get_array()) {
      if (!item.is_string()) return fail(), texts;
      texts.emplace_back(item.get_string());
    }
    return texts;
  }
  // NumericDate: seconds since 1970, maybe with a fraction. Its range was looked at by verify_jwt().
  void date(std::string_view name, std::optional<WallTime>& time) {
    const json::value* value = find(name);
    if (!value) return;
    boost::system::error_code error;
    double seconds = value->to_number<double>(error);
    constexpr double kEnd = 253'402'300'800;  // Of the year 9999.
    if (error || !(seconds >= 0 && seconds < kEnd)) return fail();
    time = WallTime::from_seconds(static_cast<std::int64_t>(std::floor(seconds)));
  }
  void fail() { ok_ = false; }

 private:
  const json::object& object_;
  bool ok_ = true;
};

void read_kind(Reader& claims, AccessGrant& grant) {
  std::string kind;
  claims.text("kind", kind, room::kIdentityBytesMax);
  auto found = std::find(std::begin(kKinds), std::end(kKinds), kind);
  if (found != std::end(kKinds))
    grant.kind = static_cast<room::ParticipantKind>(std::distance(std::begin(kKinds), found));
  for (std::string& detail : claims.texts("kindDetails")) {
    std::transform(detail.begin(), detail.end(), detail.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    pb::ParticipantInfo::KindDetail number;
    if (pb::ParticipantInfo::KindDetail_Parse(detail, &number))
      grant.kind_details.push_back(static_cast<std::uint32_t>(number));
  }
}

void read_attributes(Reader& claims, std::map<std::string, std::string>& attributes) {
  const json::value* value = claims.find("attributes");
  if (!value) return;
  if (!value->is_object() || value->get_object().size() > room::kAttributesMax) return claims.fail();
  std::size_t bytes = 0;
  for (const auto& [key, text] : value->get_object()) {
    if (!text.is_string()) return claims.fail();
    bytes += key.size() + text.get_string().size();
    attributes.emplace(key, text.get_string());
  }
  if (bytes > room::kAttributesBytesMax) claims.fail();
}

void read_sources(Reader& claims, VideoGrant& video) {
  std::vector<std::string> names = claims.texts("canPublishSources");
  for (const std::string& name : names)
    if (auto source = parse_source(name)) video.can_publish_sources.push_back(*source);
  // Sources that we do not know, and no others: nothing of what we know may be published.
  if (!names.empty() && video.can_publish_sources.empty()) video.can_publish = false;
}

bool read_video(const json::value& value, VideoGrant& video) {
  if (!value.is_object()) return false;
  Reader claims(value.get_object());
  claims.flag("roomCreate", video.room_create);
  claims.flag("roomList", video.room_list);
  claims.flag("roomRecord", video.room_record);
  claims.flag("roomAdmin", video.room_admin);
  claims.flag("roomJoin", video.room_join);
  // A character of a name has four bytes at most.
  claims.text("room", video.room, 4 * room::kNameCharactersMax);
  claims.text("destinationRoom", video.destination_room, 4 * room::kNameCharactersMax);
  claims.flag("canPublish", video.can_publish);
  claims.flag("canSubscribe", video.can_subscribe);
  claims.flag("canPublishData", video.can_publish_data);
  read_sources(claims, video);
  claims.flag("canUpdateOwnMetadata", video.can_update_own_metadata);
  claims.flag("canSubscribeMetrics", video.can_subscribe_metrics);
  claims.flag("ingressAdmin", video.ingress_admin);
  claims.flag("hidden", video.hidden);
  claims.flag("recorder", video.recorder);
  claims.flag("agent", video.agent);
  return claims.ok();
}

void read_room_config(Reader& claims, AccessGrant& grant) {
  const json::value* value = claims.find("roomConfig");
  if (!value) return;
  pb::RoomConfiguration config;
  if (!value->is_object() || !parse_json(json::serialize(*value), config)) return claims.fail();
  if (config.metadata().size() > room::kMetadataBytesMax) return claims.fail();
  grant.room_config = std::move(config);
}

void write_flag(json::object& object, std::string_view name, bool flag) {
  if (flag) object[name] = true;
}
void write_flag(json::object& object, std::string_view name, const std::optional<bool>& flag) {
  if (flag) object[name] = *flag;
}
void write_text(json::object& object, std::string_view name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

json::object write_video(const VideoGrant& video) {
  json::object object;
  write_flag(object, "roomCreate", video.room_create);
  write_flag(object, "roomList", video.room_list);
  write_flag(object, "roomRecord", video.room_record);
  write_flag(object, "roomAdmin", video.room_admin);
  write_flag(object, "roomJoin", video.room_join);
  write_text(object, "room", video.room);
  write_text(object, "destinationRoom", video.destination_room);
  write_flag(object, "canPublish", video.can_publish);
  write_flag(object, "canSubscribe", video.can_subscribe);
  write_flag(object, "canPublishData", video.can_publish_data);
  if (!video.can_publish_sources.empty()) {
    json::array sources;
    for (room::TrackSource source : video.can_publish_sources)
      sources.emplace_back(kSources[static_cast<std::size_t>(source)]);
    object["canPublishSources"] = std::move(sources);
  }
  write_flag(object, "canUpdateOwnMetadata", video.can_update_own_metadata);
  write_flag(object, "canSubscribeMetrics", video.can_subscribe_metrics);
  write_flag(object, "ingressAdmin", video.ingress_admin);
  write_flag(object, "hidden", video.hidden);
  write_flag(object, "recorder", video.recorder);
  write_flag(object, "agent", video.agent);
  return object;
}

json::array write_kind_details(const std::vector<std::uint32_t>& details) {
  json::array array;
  for (std::uint32_t detail : details) {
    std::string name =
        lower(pb::ParticipantInfo::KindDetail_Name(static_cast<pb::ParticipantInfo::KindDetail>(detail)));
    if (!name.empty()) array.emplace_back(name);
  }
  return array;
}

std::string write_claims(const AccessGrant& grant, const std::string& key_id, WallTime now, WallTime end) {
  json::object claims;
  claims["iss"] = key_id;
  write_text(claims, "sub", grant.identity);
  claims["nbf"] = now.seconds();
  claims["exp"] = end.seconds();
  write_text(claims, "name", grant.name);
  write_text(claims, "metadata", grant.metadata);
  if (!grant.attributes.empty()) {
    json::object& attributes = claims["attributes"].emplace_object();
    for (const auto& [key, text] : grant.attributes) attributes[key] = text;
  }
  if (grant.kind != room::ParticipantKind::kStandard)
    claims["kind"] = kKinds[static_cast<std::size_t>(grant.kind)];
  if (!grant.kind_details.empty()) claims["kindDetails"] = write_kind_details(grant.kind_details);
  write_text(claims, "sha256", grant.sha256);
  write_text(claims, "roomPreset", grant.room_preset);
  if (grant.room_config) {
    boost::system::error_code error;
    claims["roomConfig"] = json::parse(write_json(*grant.room_config), error);
  }
  if (grant.video) claims["video"] = write_video(*grant.video);
  return json::serialize(claims);
}

}  // namespace

Result<AccessGrant, GrantRefusal> parse_grant(std::string_view text) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error || !value.is_object()) return refuse(GrantRefusal::kMalformed);
  Reader claims(value.get_object());
  AccessGrant grant;
  claims.text("iss", grant.key_id, crypto::kJwtTextClaimBytesMax);
  claims.text("sub", grant.identity, room::kIdentityBytesMax);
  if (grant.identity.empty()) claims.text("jti", grant.identity, room::kIdentityBytesMax);
  claims.text("name", grant.name, room::kDisplayNameBytesMax);
  claims.text("metadata", grant.metadata, room::kMetadataBytesMax);
  read_attributes(claims, grant.attributes);
  read_kind(claims, grant);
  claims.text("sha256", grant.sha256, crypto::kJwtTextClaimBytesMax);
  claims.text("roomPreset", grant.room_preset, crypto::kJwtTextClaimBytesMax);
  read_room_config(claims, grant);
  claims.date("nbf", grant.not_before);
  claims.date("exp", grant.expires_at);
  if (const json::value* video = claims.find("video"); video && !read_video(*video, grant.video.emplace()))
    claims.fail();
  if (!claims.ok()) return refuse(GrantRefusal::kBadClaim);
  return grant;
}

Result<std::string, crypto::JwtRefusal> make_access_token(const AccessGrant& grant, const std::string& key_id,
                                                          std::string_view secret, WallTime now,
                                                          Duration ttl) {
  return crypto::sign_jwt_payload(write_claims(grant, key_id, now, now + ttl), as_bytes(secret));
}

Result<std::string, crypto::JwtRefusal> make_refresh_token(const AccessGrant& grant,
                                                           const room::ParticipantInfo& participant,
                                                           const std::string& room, const std::string& key_id,
                                                           std::string_view secret, WallTime now) {
  AccessGrant fresh = grant;
  fresh.identity = participant.identity;
  fresh.name = participant.name;
  fresh.metadata = participant.metadata;
  fresh.attributes = participant.attributes;
  set_permissions(fresh, participant.permissions);
  fresh.video->room_join = true;
  fresh.video->room = room;
  // Who comes back opens no room.
  fresh.room_config.reset();
  fresh.room_preset.clear();
  WallTime end = std::max(now + kRefreshTtl, grant.expires_at.value_or(now));
  return crypto::sign_jwt_payload(write_claims(fresh, key_id, now, end), as_bytes(secret));
}

std::optional<room::TrackSource> parse_source(std::string_view name) {
  for (std::size_t i = 1; i < std::size(kSources); ++i)
    if (kSources[i] == name) return static_cast<room::TrackSource>(i);
  return std::nullopt;
}

room::Permissions permissions_of(const AccessGrant& grant) {
  const VideoGrant video = grant.video.value_or(VideoGrant());
  room::Permissions permissions;
  permissions.can_subscribe = video.can_subscribe.value_or(true);
  permissions.can_publish = video.can_publish.value_or(true);
  permissions.can_publish_data = video.can_publish_data.value_or(true);
  permissions.sources = video.can_publish_sources;
  permissions.can_update_metadata = video.can_update_own_metadata.value_or(false);
  permissions.is_hidden = video.hidden;
  permissions.is_recorder = video.recorder;
  permissions.is_agent = video.agent;
  permissions.can_subscribe_metrics = video.can_subscribe_metrics.value_or(false);
  return permissions;
}

void set_permissions(AccessGrant& grant, const room::Permissions& permissions) {
  if (!grant.video) grant.video.emplace();
  grant.video->can_subscribe = permissions.can_subscribe;
  grant.video->can_publish = permissions.can_publish;
  grant.video->can_publish_data = permissions.can_publish_data;
  grant.video->can_publish_sources = permissions.sources;
  grant.video->can_update_own_metadata = permissions.can_update_metadata;
  grant.video->hidden = permissions.is_hidden;
  grant.video->recorder = permissions.is_recorder;
  grant.video->agent = permissions.is_agent;
  grant.video->can_subscribe_metrics = permissions.can_subscribe_metrics;
}

std::optional<std::string> room_to_join(const AccessGrant& grant) {
  if (!grant.video || !grant.video->room_join || grant.video->room.empty()) return std::nullopt;
  return grant.video->room;
}

bool may_administer(const AccessGrant& grant, std::string_view room) {
  return grant.video && grant.video->room_admin && !room.empty() && grant.video->room == room;
}

}  // namespace stoa::livekit
