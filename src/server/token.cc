#include "server/token.h"

#include <sys/stat.h>

#include <charconv>
#include <cstdio>
#include <memory>

#include "control/api_keys.h"
#include "runtime/loop.h"
#include "runtime/sqlite_store.h"

namespace stoa::server {
namespace {

int fail(const std::string& why) {
  std::fprintf(stderr, "stoa token: %s\n", why.c_str());
  return 1;
}

Result<std::unique_ptr<runtime::SqliteStore>, std::string> open_store(const TokenOptions& options) {
  return runtime::SqliteStore::open(options.data + "/stoa.db", runtime::Loop::wall());
}

Result<control::ApiKey, std::string> find_key(const TokenOptions& options) {
  if (options.is_dev) return control::development_key();
  if (options.key.empty()) return refuse(std::string("give --key, or --dev for the key of `serve --dev`"));
  if (!options.secret.empty()) {
    control::ApiKey key;
    key.id = options.key;
    key.secret = options.secret;
    key.scopes = {control::kScopeAll};
    return key;
  }
  if (options.data.empty())
    return refuse(std::string("give --secret (or STOA_TOKEN_SECRET), or --data to read it from"));
  STOA_TRY(auto store, open_store(options));
  auto found = control::ApiKeys(*store, {}).find_valid(options.key);
  if (!found) return refuse(std::string(control::name_of(found.error())));
  if (!*found) return refuse("there is no valid API key '" + options.key + "' in " + options.data);
  return std::move(**found);
}

}  // namespace

std::optional<Duration> parse_validity(std::string_view text) {
  std::int64_t unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 's': unit = 1; break;
      case 'm': unit = 60; break;
      case 'h': unit = 3'600; break;
      case 'd': unit = 86'400; break;
      default: unit = 0;
    }
    if (unit == 0) {
      unit = 1;
    } else {
      text.remove_suffix(1);
    }
  }
  constexpr std::int64_t kSecondsMax = 100ll * 366 * 86'400;
  std::int64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (count < 1 || count > kSecondsMax / unit) return std::nullopt;
  return Duration::seconds(count * unit);
}

Result<std::optional<livekit::AccessGrant>, std::string> make_grant(const RoomTokenOptions& options) {
  if (options == RoomTokenOptions()) return std::nullopt;
  if (options.room.empty() && (options.room_admin || !options.identity.empty()))
    return refuse(std::string("--identity and --room-admin need --room"));
  bool is_for_api = options.room_admin || options.room_create || options.room_list;
  if (options.identity.empty() && !is_for_api)
    return refuse(
        std::string("give --room and --identity to join with, or --room-admin, --room-create, --room-list"));
  livekit::AccessGrant grant;
  grant.identity = options.identity;
  grant.name = options.name;
  grant.metadata = options.metadata;
  if (options.is_agent) grant.kind = room::ParticipantKind::kAgent;
  for (const std::string& attribute : options.attributes) {
    std::size_t sign = attribute.find('=');
    if (sign == std::string::npos || sign == 0)
      return refuse("--attribute " + attribute + " is not name=value");
    grant.attributes[attribute.substr(0, sign)] = attribute.substr(sign + 1);
  }
  livekit::VideoGrant& video = grant.video.emplace();
  video.room = options.room;
  video.room_join = !options.room.empty() && !options.identity.empty();
  video.room_admin = options.room_admin;
  video.room_create = options.room_create;
  video.room_list = options.room_list;
  video.destination_room = options.destination_room;
  video.can_publish = options.can_publish;
  video.can_publish_data = options.can_publish_data;
  video.can_subscribe = options.can_subscribe;
  video.hidden = options.is_hidden;
  video.agent = options.is_agent;
  if (options.can_update_own_metadata) video.can_update_own_metadata = true;
  for (const std::string& name : options.sources) {
    std::optional<room::TrackSource> source = livekit::parse_source(name);
    if (!source)
      return refuse("--source " + name + " is none of camera, microphone, screen_share, screen_share_audio");
    video.can_publish_sources.push_back(*source);
  }
  return grant;
}

int create_token(const TokenOptions& options) {
  std::optional<Duration> validity = parse_validity(options.valid_for);
  if (!validity) return fail("'" + options.valid_for + "' is no time like 90s, 10m, 6h or 30d");
  auto grant = make_grant(options.rooms);
  if (!grant) return fail(grant.error());
  auto key = find_key(options);
  if (!key) return fail(key.error());
  WallTime now = runtime::Loop::wall();
  if (*grant) {
    if (!control::has_scope(key->scopes, control::kScopeRooms))
      return fail("the key has not the scope 'rooms', so its tokens open none");
    auto token = livekit::make_access_token(**grant, key->id, key->secret, now, *validity);
    if (!token) return fail(crypto::name_of(token.error()));
    std::printf("%s\n", token->c_str());
    return 0;
  }
  auto token = control::make_token(now, *key, {.scopes = options.scopes, .lifetime = *validity});
  if (!token) return fail(control::name_of(token.error()));
  std::printf("%s\n", token->c_str());
  return 0;
}

int create_api_key(const TokenOptions& options) {
  ::mkdir(options.data.c_str(), 0700);  // As the node would; what is wrong with it the database says.
  auto store = open_store(options);
  if (!store) return fail(store.error());
  control::ApiKeys keys(**store, {});
  std::vector<std::string> scopes =
      options.scopes.empty() ? std::vector<std::string>{control::kScopeAll} : options.scopes;
  auto key = keys.create(runtime::Loop::wall(), options.label, scopes);
  if (!key) return fail(control::name_of(key.error()));
  std::printf("key %s\nsecret %s\n", key->id.c_str(), key->secret.c_str());
  return 0;
}

int list_api_keys(const TokenOptions& options) {
  auto store = open_store(options);
  if (!store) return fail(store.error());
  auto keys = control::ApiKeys(**store, {}).list();
  if (!keys) return fail(control::name_of(keys.error()));
  for (const auto& key : *keys) {
    std::string scopes;
    for (const auto& scope : key.scopes) scopes += (scopes.empty() ? "" : ",") + scope;
    std::printf("%s %s %s %s\n", key.id.c_str(), key.revoked_at ? "revoked" : "valid", scopes.c_str(),
                key.label.c_str());
  }
  return 0;
}

int revoke_api_key(const TokenOptions& options) {
  auto store = open_store(options);
  if (!store) return fail(store.error());
  auto revoked = control::ApiKeys(**store, {}).revoke(runtime::Loop::wall(), options.key);
  if (!revoked && revoked.error() == control::Refusal::kKeyNotFound)
    return fail("there is no valid API key '" + options.key + "' in " + options.data);
  return revoked ? 0 : fail(control::name_of(revoked.error()));
}

}  // namespace stoa::server
