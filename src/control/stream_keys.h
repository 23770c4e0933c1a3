// Stream keys: what an encoder shows to publish to a channel.
//
// "sk_" and 32 random characters of base62 (190 bits). The key is shown once, when it is made; kept is only
// its SHA-256 digest. A plain digest is enough where a password would need a slow one: nobody can try 2^190.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "control/refusal.h"
#include "control/store.h"
#include "crypto/random.h"

namespace stoa::control {

inline constexpr std::size_t kStreamKeysPerChannelMax = 32;         // In force at a time.
inline constexpr std::size_t kRevokedStreamKeysPerChannelMax = 64;  // Still told from unknown ones.
inline constexpr std::size_t kLabelCharactersMax = 100;

struct MadeStreamKey {
  StreamKey record;
  std::string key;  // The only time it is told.
};

class StreamKeys {
 public:
  explicit StreamKeys(Store& store, crypto::RandomFill fill = crypto::fill_random)
      : store_(store), fill_(std::move(fill)) {}

  Result<MadeStreamKey, Refusal> create(WallTime now, std::string_view channel, std::string_view label);
  // Those in force, oldest first.
  Result<std::vector<StreamKey>, Refusal> list(std::string_view channel);
  // kKeyNotFound also for a key that is revoked already or belongs to another channel.
  Result<void, Refusal> revoke(WallTime now, std::string_view channel, std::string_view id);

 private:
  Result<void, Refusal> check_channel(std::string_view channel);

  Store& store_;
  crypto::RandomFill fill_;
};

}  // namespace stoa::control
