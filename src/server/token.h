// `stoa token`: access tokens and API keys from the command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/livekit/grant.h"
#include "base/result.h"
#include "base/time.h"

namespace stoa::server {

// What makes a token one for rooms: any of these.
struct RoomTokenOptions {
  std::string room;
  std::string identity, name, metadata;
  std::vector<std::string> attributes;  // "name=value".
  std::optional<bool> can_publish, can_publish_data, can_subscribe;
  std::vector<std::string> sources;  // "camera", …: may be published, and nothing else.
  bool room_admin = false, room_create = false, room_list = false;
  std::string destination_room;
  bool is_hidden = false, is_agent = false, can_update_own_metadata = false;

  bool operator==(const RoomTokenOptions&) const = default;
};

struct TokenOptions {
  std::string key;     // API key id.
  std::string secret;  // Empty: read from the database in `data`.
  std::string data;
  bool is_dev = false;  // The key of --dev.
  std::string label;
  std::vector<std::string> scopes;  // Empty: everything ("*").
  std::string valid_for = "1h";
  RoomTokenOptions rooms;
};

// "90s", "10m", "6h", "30d", or seconds alone; nothing for anything else, and for none.
std::optional<Duration> parse_validity(std::string_view text);
// Nothing when no option of rooms was given; a sentence when they do not go together. With a room and an
// identity the token lets its holder join.
Result<std::optional<livekit::AccessGrant>, std::string> make_grant(const RoomTokenOptions& options);

// Print the token, the new key and its secret, or the keys there are, to standard output. Exit codes.
int create_token(const TokenOptions& options);
int create_api_key(const TokenOptions& options);
int list_api_keys(const TokenOptions& options);
// A running node believes its tokens no more from the next request on.
int revoke_api_key(const TokenOptions& options);

}  // namespace stoa::server
