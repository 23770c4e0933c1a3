#include "control/api_keys.h"

#include <algorithm>

#include "control/stream_keys.h"
#include "control/text.h"

namespace stoa::control {
namespace {

constexpr std::size_t kIdCharacters = 12;
constexpr std::size_t kSecretCharacters = 43;  // 256 bits.

AuthRefusal refusal_of(crypto::JwtRefusal refusal) {
  switch (refusal) {
    case crypto::JwtRefusal::kExpired: return AuthRefusal::kExpired;
    case crypto::JwtRefusal::kNotYetValid: return AuthRefusal::kNotYetValid;
    case crypto::JwtRefusal::kNoExpiry:
    case crypto::JwtRefusal::kLivesTooLong: return AuthRefusal::kLivesTooLong;
    default: return AuthRefusal::kBadToken;
  }
}

}  // namespace

bool is_scope(std::string_view text) {
  return text == kScopeAll || text == kScopeChannelsRead || text == kScopeChannelsWrite ||
         text == kScopeRooms || text == kScopeRoomsRead;
}

bool has_scope(const std::vector<std::string>& granted, std::string_view scope) {
  return std::any_of(granted.begin(), granted.end(), [&](const std::string& held) {
    return held == scope || held == kScopeAll || (held == kScopeRooms && scope == kScopeRoomsRead);
  });
}

const char* name_of(AuthRefusal refusal) {
  switch (refusal) {
    case AuthRefusal::kBadToken: return "bad_token";
    case AuthRefusal::kExpired: return "expired";
    case AuthRefusal::kNotYetValid: return "not_yet_valid";
    case AuthRefusal::kLivesTooLong: return "lives_too_long";
    case AuthRefusal::kRevokedKey: return "revoked_key";
    case AuthRefusal::kKeyWithoutRooms: return "key_without_rooms";
    case AuthRefusal::kStoreUnavailable: return "store_unavailable";
  }
  return "unknown";
}

ApiKey development_key() {
  ApiKey key;
  key.id = "devkey";
  key.secret = "secret-for-development-only-0123456789";
  key.label = "development";
  key.scopes = {kScopeAll};
  return key;
}

Result<ApiKey, Refusal> ApiKeys::create(WallTime now, std::string_view label,
                                        const std::vector<std::string>& scopes) {
  if (!is_plain_text(label, kLabelCharactersMax, LineBreaks::kRefused)) return refuse(Refusal::kBadLabel);
  if (scopes.empty() || scopes.size() > crypto::kJwtScopesMax) return refuse(Refusal::kBadScope);
  if (!std::all_of(scopes.begin(), scopes.end(), [](const std::string& scope) { return is_scope(scope); }))
    return refuse(Refusal::kBadScope);
  STOA_TRY(std::vector<ApiKey> keys, list());
  auto in_force = std::count_if(keys.begin(), keys.end(), [](const ApiKey& key) { return !key.revoked_at; });
  if (static_cast<std::size_t>(in_force) >= kApiKeysMax) return refuse(Refusal::kTooManyKeys);
  ApiKey key;
  key.id = "ak_" + crypto::make_base62(kIdCharacters, fill_);
  key.secret = crypto::make_base62(kSecretCharacters, fill_);
  key.label = label;
  key.scopes = scopes;
  key.created_at = now;
  if (auto stored = store_.create_api_key(key); !stored) return refuse(Refusal::kStoreUnavailable);
  return key;
}

Result<std::optional<ApiKey>, Refusal> ApiKeys::find(std::string_view id) {
  for (const ApiKey& key : options_.fixed)
    if (key.id == id) return key;
  auto found = store_.find_api_key(id);
  if (!found) return refuse(Refusal::kStoreUnavailable);
  return std::move(*found);
}

Result<std::vector<ApiKey>, Refusal> ApiKeys::list() {
  auto listed = store_.list_api_keys();
  if (!listed) return refuse(Refusal::kStoreUnavailable);
  return std::move(*listed);
}

Result<void, Refusal> ApiKeys::revoke(WallTime now, std::string_view id) {
  auto revoked = store_.revoke_api_key(id, now);
  if (revoked) return {};
  return refuse(revoked.error() == StoreRefusal::kNotFound ? Refusal::kKeyNotFound
                                                           : Refusal::kStoreUnavailable);
}

Result<std::optional<ApiKey>, Refusal> ApiKeys::find_valid(std::string_view id) {
  STOA_TRY(std::optional<ApiKey> key, find(id));
  if (key && key->revoked_at) key.reset();
  return key;
}

Result<crypto::Claims, AuthRefusal> ApiKeys::verify(WallTime now, std::string_view token,
                                                    std::size_t bytes_max, const crypto::JwtPolicy& policy,
                                                    ApiKey& key) {
  auto parsed = crypto::parse_jwt(token, bytes_max);
  if (!parsed) return refuse(refusal_of(parsed.error()));
  auto found = find(parsed->issuer());
  if (!found) return refuse(AuthRefusal::kStoreUnavailable);
  if (!*found) return refuse(AuthRefusal::kBadToken);
  key = std::move(**found);
  auto claims = crypto::verify_jwt(*parsed, as_bytes(key.secret), now, policy);
  if (!claims) return refuse(refusal_of(claims.error()));
  if (key.revoked_at) return refuse(AuthRefusal::kRevokedKey);
  return std::move(*claims);
}

Result<RoomToken, AuthRefusal> ApiKeys::authenticate_claims(WallTime now, std::string_view token) {
  crypto::JwtPolicy policy;
  policy.leeway = kRoomTokenLeeway;
  policy.lifetime_max = Duration::infinite();
  policy.audience.clear();
  ApiKey key;
  STOA_TRY(crypto::Claims claims, verify(now, token, crypto::kWideJwtBytesMax, policy, key));
  if (!has_scope(key.scopes, kScopeRooms)) return refuse(AuthRefusal::kKeyWithoutRooms);
  return RoomToken{std::move(claims.issuer), std::move(claims.payload)};
}

Result<Principal, AuthRefusal> ApiKeys::authenticate(WallTime now, std::string_view token) {
  ApiKey key;
  STOA_TRY(crypto::Claims claims, verify(now, token, crypto::kJwtBytesMax, options_.tokens, key));
  Principal principal{claims.issuer, claims.subject, {}};
  for (const std::string& scope : claims.scopes)
    if (has_scope(key.scopes, scope)) principal.scopes.push_back(scope);
  // "*" of a token means whatever its key has.
  if (has_scope(claims.scopes, kScopeAll)) principal.scopes = key.scopes;
  return principal;
}

Result<std::string, Refusal> make_token(WallTime now, const ApiKey& key, const TokenWish& wish,
                                        Duration lifetime_max) {
  if (wish.lifetime < Duration::seconds(1) || wish.lifetime > lifetime_max)
    return refuse(Refusal::kBadLifetime);
  for (const std::string& scope : wish.scopes)
    if (!is_scope(scope) || !has_scope(key.scopes, scope)) return refuse(Refusal::kBadScope);
  crypto::Claims claims;
  claims.issuer = key.id;
  claims.subject = wish.subject;
  claims.scopes = wish.scopes.empty() ? key.scopes : wish.scopes;
  claims.issued_at = now;
  claims.expires_at = now + wish.lifetime;
  auto token = crypto::sign_jwt(claims, as_bytes(key.secret));
  if (token) return std::move(*token);
  return refuse(token.error() == crypto::JwtRefusal::kBadClaims ? Refusal::kBadLabel : Refusal::kBadScope);
}

}  // namespace stoa::control
