// A Store in memory, for tests and for nodes that need to remember nothing. What it holds ends with it.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "control/store.h"

namespace stoa::control {

class MemoryStore final : public Store {
 public:
  Answer<void> create_channel(const Channel& channel) override;
  Answer<std::optional<Channel>> find_channel(std::string_view name) override;
  Answer<std::vector<Channel>> list_channels(std::string_view after, std::size_t limit) override;
  Answer<std::size_t> count_channels() override;
  Answer<void> update_channel(const Channel& channel) override;
  Answer<void> delete_channel(std::string_view name) override;
  Answer<void> create_stream_key(const StreamKey& key) override;
  Answer<std::optional<StreamKey>> find_stream_key(const crypto::Sha256Digest& digest) override;
  Answer<std::vector<StreamKey>> list_stream_keys(std::string_view channel) override;
  Answer<void> revoke_stream_key(std::string_view channel, std::string_view id, WallTime at,
                                 std::size_t kept) override;
  Answer<void> touch_stream_key(std::string_view id, WallTime used_at) override;
  Answer<void> create_api_key(const ApiKey& key) override;
  Answer<std::optional<ApiKey>> find_api_key(std::string_view id) override;
  Answer<std::vector<ApiKey>> list_api_keys() override;
  Answer<void> revoke_api_key(std::string_view id, WallTime at) override;
  Answer<void> keep_room(const room::RoomInfo& room) override;
  Answer<std::optional<room::RoomInfo>> find_room(std::string_view name) override;
  Answer<std::vector<room::RoomInfo>> list_rooms(std::string_view after, std::size_t limit) override;
  Answer<void> delete_room(std::string_view name) override;
  Answer<void> change_webhooks(const WebhookChanges& changes) override;
  Answer<std::vector<WebhookDelivery>> list_webhooks(std::string_view url, std::uint64_t after,
                                                     std::size_t limit) override;
  Answer<std::size_t> count_webhooks(std::string_view url) override;
  Answer<std::uint64_t> last_webhook() override;
  Answer<std::size_t> forget_webhooks_but(const std::vector<std::string>& urls) override;

  // From here on every call is refused with kUnavailable, as by a database that is gone.
  void set_unavailable(bool is_unavailable) { is_unavailable_ = is_unavailable; }

 private:
  void forget_old_revoked(std::string_view channel, std::size_t kept);

  std::map<std::string, Channel, std::less<>> channels_;
  std::map<std::string, StreamKey, std::less<>> stream_keys_;  // By id.
  std::map<std::string, ApiKey, std::less<>> api_keys_;
  std::map<std::string, room::RoomInfo, std::less<>> rooms_;
  std::map<std::uint64_t, WebhookDelivery> webhooks_;
  bool is_unavailable_ = false;
};

}  // namespace stoa::control
