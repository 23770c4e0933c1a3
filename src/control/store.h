// The port to whatever remembers channels, keys, rooms, and webhooks on their way. control/ says what it
// needs; runtime/ provides it.
//
// Calls are synchronous and made from one thread. What a call has acknowledged survives the process. Times
// are kept in microseconds. Each call is atomic; none spans another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metric.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "room/info.h"

namespace stoa::control {

struct Channel {
  std::string name;  // Its key; see is_channel_name.
  std::string title;
  std::string description;
  bool is_enabled = true;  // Nobody may publish to a channel that is not.
  WallTime created_at;
  WallTime updated_at;
  std::string ladder = {};  // What it is made into (ladder.h); empty: as the node does.

  bool operator==(const Channel&) const = default;
};

struct StreamKey {
  std::string id;  // Public: names the key without being it.
  std::string channel;
  crypto::Sha256Digest digest = {};  // Of the key itself, which is kept nowhere.
  std::string label;
  WallTime created_at;
  std::optional<WallTime> last_used_at;
  std::optional<WallTime> revoked_at;

  bool operator==(const StreamKey&) const = default;
};

// The secret of an API key is kept as it is, not as a digest: HS256 is symmetric, so whoever checks a
// signature needs the secret that made it. Whoever reads the database can therefore make tokens: guard its
// file like a private key.
struct ApiKey {
  std::string id;  // The "iss" of its tokens.
  std::string secret;
  std::string label;
  std::vector<std::string> scopes;  // The most that its tokens may be granted.
  WallTime created_at;
  std::optional<WallTime> revoked_at;

  bool operator==(const ApiKey&) const = default;
};

// An event of a room on its way to one URL (webhooks.h).
struct WebhookDelivery {
  std::uint64_t sequence = 0;  // Unique; the order within its URL.
  std::string url;
  std::string event_id;
  std::string body;
  WallTime created_at;
  std::uint32_t attempts = 0;  // That failed.

  bool operator==(const WebhookDelivery&) const = default;
};
// What changes of them at once.
struct WebhookChanges {
  struct Tried {
    std::uint64_t sequence = 0;
    std::uint32_t attempts = 0;
  };
  std::vector<WebhookDelivery> added;
  std::vector<Tried> tried;
  std::vector<std::uint64_t> removed;  // Delivered, or given up. Those that are gone are passed over.

  bool empty() const { return added.empty() && tried.empty() && removed.empty(); }
};

enum class StoreRefusal : std::uint8_t {
  kNotFound,     // No such record, or what it belongs to is not there.
  kExists,       // A record of that key is there already.
  kUnavailable,  // The database failed; nothing was changed as far as it could say.
};
const char* name_of(StoreRefusal refusal);

class Store {
 public:
  template <typename T>
  using Answer = Result<T, StoreRefusal>;

  virtual ~Store() = default;

  virtual Answer<void> create_channel(const Channel& channel) = 0;  // kExists
  virtual Answer<std::optional<Channel>> find_channel(std::string_view name) = 0;
  // In byte order of their names, those after `after` (empty: from the first), at most `limit`.
  virtual Answer<std::vector<Channel>> list_channels(std::string_view after, std::size_t limit) = 0;
  virtual Answer<std::size_t> count_channels() = 0;
  // Writes title, description, is_enabled, updated_at.
  virtual Answer<void> update_channel(const Channel& channel) = 0;  // kNotFound
  // Its stream keys go with it.
  virtual Answer<void> delete_channel(std::string_view name) = 0;  // kNotFound

  virtual Answer<void> create_stream_key(const StreamKey& key) = 0;  // kNotFound, kExists
  // Revoked ones as well.
  virtual Answer<std::optional<StreamKey>> find_stream_key(const crypto::Sha256Digest& digest) = 0;
  // Those not revoked, oldest first.
  virtual Answer<std::vector<StreamKey>> list_stream_keys(std::string_view channel) = 0;
  // kNotFound also for one that is revoked already. Of the revoked keys of a channel the newest `kept` stay.
  virtual Answer<void> revoke_stream_key(std::string_view channel, std::string_view id, WallTime at,
                                         std::size_t kept) = 0;
  virtual Answer<void> touch_stream_key(std::string_view id, WallTime used_at) = 0;  // kNotFound

  virtual Answer<void> create_api_key(const ApiKey& key) = 0;                   // kExists
  virtual Answer<std::optional<ApiKey>> find_api_key(std::string_view id) = 0;  // Revoked ones as well.
  virtual Answer<std::vector<ApiKey>> list_api_keys() = 0;                      // Oldest first.
  virtual Answer<void> revoke_api_key(std::string_view id, WallTime at) = 0;    // kNotFound

  // Rooms of meetings. Kept is all of a RoomInfo but who is in it now (participants, publishers,
  // is_recorded), durations in microseconds. Makes the room of that name, or changes it.
  virtual Answer<void> keep_room(const room::RoomInfo& room) = 0;
  virtual Answer<std::optional<room::RoomInfo>> find_room(std::string_view name) = 0;
  // As list_channels.
  virtual Answer<std::vector<room::RoomInfo>> list_rooms(std::string_view after, std::size_t limit) = 0;
  virtual Answer<void> delete_room(std::string_view name) = 0;  // kNotFound

  // All of it or nothing: added first, removed last. kExists: a sequence that is there already.
  virtual Answer<void> change_webhooks(const WebhookChanges& changes) = 0;
  // Those to `url` with a sequence over `after`, lowest first, at most `limit`.
  virtual Answer<std::vector<WebhookDelivery>> list_webhooks(std::string_view url, std::uint64_t after,
                                                             std::size_t limit) = 0;
  virtual Answer<std::size_t> count_webhooks(std::string_view url) = 0;
  virtual Answer<std::uint64_t> last_webhook() = 0;  // The highest sequence; 0: there is none.
  // Removes those to other URLs than these, and says how many.
  virtual Answer<std::size_t> forget_webhooks_but(const std::vector<std::string>& urls) = 0;

  // What the engine said when it failed a call, told once, for the log. Empty when none failed since.
  virtual std::string take_error() { return {}; }
  virtual void append_metrics(MetricSamples&) const {}
};

}  // namespace stoa::control
