// API keys and their tokens: how a program shows that it may use the REST API.
//
// An API key is an id and a secret. Whoever has both makes tokens (HS256 JSON Web Tokens, "iss" = the key's
// id) that live for a while and may do less than the key. The server checks the token and never sees the
// secret travel; it does keep it (see ApiKey), because HS256 is symmetric.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "control/refusal.h"
#include "control/store.h"
#include "crypto/jwt.h"
#include "crypto/random.h"

namespace stoa::control {

inline constexpr std::size_t kApiKeysMax = 1'000;

inline constexpr const char* kScopeAll = "*";
inline constexpr const char* kScopeChannelsRead = "channels:read";
inline constexpr const char* kScopeChannelsWrite = "channels:write";
// To sign tokens for rooms (api/livekit/grant.h), which say themselves what they grant.
inline constexpr const char* kScopeRooms = "rooms";
// To see which rooms there are, who is in them and how their media flows, but for who is hidden. `rooms` is
// that and more.
inline constexpr const char* kScopeRoomsRead = "rooms:read";
// One of the five above.
bool is_scope(std::string_view text);
// True when `granted` holds `scope`, one that is more, or "*".
bool has_scope(const std::vector<std::string>& granted, std::string_view scope);

// Who asks, once believed.
struct Principal {
  std::string key_id;
  std::string subject;
  std::vector<std::string> scopes;  // Of the token, as far as its key has them too.

  bool may(std::string_view scope) const { return has_scope(scopes, scope); }
};

enum class AuthRefusal : std::uint8_t {
  kBadToken,  // No token of ours: malformed, wrongly signed, of an unknown key.
  kExpired,
  kNotYetValid,
  kLivesTooLong,  // Further ahead than the server allows, or without an end.
  kRevokedKey,
  kKeyWithoutRooms,  // Its key has not the scope that tokens for rooms need.
  kStoreUnavailable,
};
const char* name_of(AuthRefusal refusal);

// A token for rooms, once believed.
struct RoomToken {
  std::string key_id;
  std::string claims;  // All of them: a JSON object.
};
inline constexpr Duration kRoomTokenLeeway = Duration::seconds(60);

// The public key of --dev, which is no secret.
ApiKey development_key();

class ApiKeys {
 public:
  struct Options {
    crypto::JwtPolicy tokens;
    // Keys that are in no database: the public one of --dev, those of the config file.
    std::vector<ApiKey> fixed;
  };

  ApiKeys(Store& store, Options options, crypto::RandomFill fill = crypto::fill_random)
      : store_(store), options_(std::move(options)), fill_(std::move(fill)) {}

  // Makes a key with a new id and secret. No scopes is refused; "*" is all.
  Result<ApiKey, Refusal> create(WallTime now, std::string_view label,
                                 const std::vector<std::string>& scopes);
  Result<std::optional<ApiKey>, Refusal> find(std::string_view id);
  Result<std::vector<ApiKey>, Refusal> list();  // Without the fixed ones, with the revoked ones.
  Result<void, Refusal> revoke(WallTime now, std::string_view id);

  // Believes a token or says why not.
  Result<Principal, AuthRefusal> authenticate(WallTime now, std::string_view token);
  // The same for a token for rooms, which may be longer, lives as long as it says, needs no audience and has
  // claims of its own.
  Result<RoomToken, AuthRefusal> authenticate_claims(WallTime now, std::string_view token);
  // The key of an id that was believed a moment ago, to sign with (refreshed tokens, webhooks). Nothing when
  // it was revoked.
  Result<std::optional<ApiKey>, Refusal> find_valid(std::string_view id);

 private:
  // Of the token's issuer, whose secret it is signed with.
  Result<crypto::Claims, AuthRefusal> verify(WallTime now, std::string_view token, std::size_t bytes_max,
                                             const crypto::JwtPolicy& policy, ApiKey& key);

  Store& store_;
  Options options_;
  crypto::RandomFill fill_;
};

struct TokenWish {
  std::vector<std::string> scopes;  // None: all that the key has.
  Duration lifetime = Duration::seconds(3600);
  std::string subject;  // Whom it is for; written to logs, may be empty.
};
// A token of `key` (`stoa token`). Refuses scopes that the key has not (kBadScope), and lifetimes under a
// second or over `lifetime_max` (kBadLifetime), since the server would.
Result<std::string, Refusal> make_token(WallTime now, const ApiKey& key, const TokenWish& wish,
                                        Duration lifetime_max = crypto::JwtPolicy().lifetime_max);

}  // namespace stoa::control
