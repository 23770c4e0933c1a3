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

}  // namespace stoa::control
