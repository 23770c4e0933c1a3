#include "control/memory_store.h"

#include <algorithm>
#include <tuple>

namespace stoa::control {
namespace {

template <typename Record>
bool is_older(const Record& a, const Record& b) {
  return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
}

}  // namespace

Store::Answer<void> MemoryStore::create_channel(const Channel& channel) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  if (!channels_.emplace(channel.name, channel).second) return refuse(StoreRefusal::kExists);
  return {};
}

Store::Answer<std::optional<Channel>> MemoryStore::find_channel(std::string_view name) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = channels_.find(name);
  return found == channels_.end() ? std::nullopt : std::optional(found->second);
}

Store::Answer<std::vector<Channel>> MemoryStore::list_channels(std::string_view after, std::size_t limit) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  std::vector<Channel> listed;
  for (auto it = channels_.upper_bound(after); it != channels_.end() && listed.size() < limit; ++it)
    listed.push_back(it->second);
  return listed;
}

Store::Answer<std::size_t> MemoryStore::count_channels() {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  return channels_.size();
}

Store::Answer<void> MemoryStore::update_channel(const Channel& channel) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = channels_.find(channel.name);
  if (found == channels_.end()) return refuse(StoreRefusal::kNotFound);
  WallTime created_at = found->second.created_at;
  found->second = channel;
  found->second.created_at = created_at;
  return {};
}

Store::Answer<void> MemoryStore::delete_channel(std::string_view name) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = channels_.find(name);
  if (found == channels_.end()) return refuse(StoreRefusal::kNotFound);
  std::erase_if(stream_keys_, [&](const auto& entry) { return entry.second.channel == name; });
  channels_.erase(found);
  return {};
}

Store::Answer<void> MemoryStore::create_stream_key(const StreamKey& key) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  if (!channels_.contains(key.channel)) return refuse(StoreRefusal::kNotFound);
  for (const auto& [id, other] : stream_keys_)
    if (other.digest == key.digest) return refuse(StoreRefusal::kExists);
  if (!stream_keys_.emplace(key.id, key).second) return refuse(StoreRefusal::kExists);
  return {};
}

Store::Answer<std::optional<StreamKey>> MemoryStore::find_stream_key(const crypto::Sha256Digest& digest) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  for (const auto& [id, key] : stream_keys_)
    if (key.digest == digest) return key;
  return std::nullopt;
}

Store::Answer<std::vector<StreamKey>> MemoryStore::list_stream_keys(std::string_view channel) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  std::vector<StreamKey> listed;
  for (const auto& [id, key] : stream_keys_)
    if (key.channel == channel && !key.revoked_at) listed.push_back(key);
  std::sort(listed.begin(), listed.end(), is_older<StreamKey>);
  return listed;
}

Store::Answer<void> MemoryStore::revoke_stream_key(std::string_view channel, std::string_view id, WallTime at,
                                                   std::size_t kept) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = stream_keys_.find(id);
  if (found == stream_keys_.end() || found->second.channel != channel || found->second.revoked_at)
    return refuse(StoreRefusal::kNotFound);
  found->second.revoked_at = at;
  forget_old_revoked(channel, kept);
  return {};
}

void MemoryStore::forget_old_revoked(std::string_view channel, std::size_t kept) {
  std::vector<std::pair<WallTime, std::string>> revoked;
  for (const auto& [id, key] : stream_keys_)
    if (key.channel == channel && key.revoked_at) revoked.emplace_back(*key.revoked_at, id);
  std::sort(revoked.rbegin(), revoked.rend());
  for (std::size_t i = kept; i < revoked.size(); ++i) stream_keys_.erase(revoked[i].second);
}

Store::Answer<void> MemoryStore::touch_stream_key(std::string_view id, WallTime used_at) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = stream_keys_.find(id);
  if (found == stream_keys_.end()) return refuse(StoreRefusal::kNotFound);
  found->second.last_used_at = used_at;
  return {};
}

Store::Answer<void> MemoryStore::create_api_key(const ApiKey& key) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  if (!api_keys_.emplace(key.id, key).second) return refuse(StoreRefusal::kExists);
  return {};
}

Store::Answer<std::optional<ApiKey>> MemoryStore::find_api_key(std::string_view id) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = api_keys_.find(id);
  return found == api_keys_.end() ? std::nullopt : std::optional(found->second);
}

Store::Answer<std::vector<ApiKey>> MemoryStore::list_api_keys() {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  std::vector<ApiKey> listed;
  for (const auto& [id, key] : api_keys_) listed.push_back(key);
  std::sort(listed.begin(), listed.end(), is_older<ApiKey>);
  return listed;
}

Store::Answer<void> MemoryStore::revoke_api_key(std::string_view id, WallTime at) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = api_keys_.find(id);
  if (found == api_keys_.end() || found->second.revoked_at) return refuse(StoreRefusal::kNotFound);
  found->second.revoked_at = at;
  return {};
}

Store::Answer<void> MemoryStore::keep_room(const room::RoomInfo& room) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  room::RoomInfo& kept = rooms_[room.name] = room;
  kept.participants = kept.publishers = 0;
  kept.is_recorded = false;
  return {};
}

Store::Answer<std::optional<room::RoomInfo>> MemoryStore::find_room(std::string_view name) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = rooms_.find(name);
  return found == rooms_.end() ? std::nullopt : std::optional(found->second);
}

Store::Answer<std::vector<room::RoomInfo>> MemoryStore::list_rooms(std::string_view after,
                                                                   std::size_t limit) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  std::vector<room::RoomInfo> listed;
  for (auto it = rooms_.upper_bound(after); it != rooms_.end() && listed.size() < limit; ++it)
    listed.push_back(it->second);
  return listed;
}

Store::Answer<void> MemoryStore::delete_room(std::string_view name) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto found = rooms_.find(name);
  if (found == rooms_.end()) return refuse(StoreRefusal::kNotFound);
  rooms_.erase(found);
  return {};
}

Store::Answer<void> MemoryStore::change_webhooks(const WebhookChanges& changes) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  for (std::size_t i = 0; i < changes.added.size(); ++i) {
    if (webhooks_.emplace(changes.added[i].sequence, changes.added[i]).second) continue;
    for (std::size_t done = 0; done < i; ++done) webhooks_.erase(changes.added[done].sequence);
    return refuse(StoreRefusal::kExists);
  }
  for (const WebhookChanges::Tried& tried : changes.tried)
    if (auto found = webhooks_.find(tried.sequence); found != webhooks_.end())
      found->second.attempts = tried.attempts;
  for (std::uint64_t sequence : changes.removed) webhooks_.erase(sequence);
  return {};
}

Store::Answer<std::vector<WebhookDelivery>> MemoryStore::list_webhooks(std::string_view url,
                                                                       std::uint64_t after,
                                                                       std::size_t limit) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  std::vector<WebhookDelivery> listed;
  for (auto it = webhooks_.upper_bound(after); it != webhooks_.end() && listed.size() < limit; ++it)
    if (it->second.url == url) listed.push_back(it->second);
  return listed;
}

Store::Answer<std::size_t> MemoryStore::count_webhooks(std::string_view url) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  auto is_of_url = [&](const auto& entry) { return entry.second.url == url; };
  return static_cast<std::size_t>(std::count_if(webhooks_.begin(), webhooks_.end(), is_of_url));
}

Store::Answer<std::uint64_t> MemoryStore::last_webhook() {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  return webhooks_.empty() ? 0 : webhooks_.rbegin()->first;
}

Store::Answer<std::size_t> MemoryStore::forget_webhooks_but(const std::vector<std::string>& urls) {
  if (is_unavailable_) return refuse(StoreRefusal::kUnavailable);
  return std::erase_if(webhooks_, [&](const auto& entry) {
    return std::find(urls.begin(), urls.end(), entry.second.url) == urls.end();
  });
}

}  // namespace stoa::control
