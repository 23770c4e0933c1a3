#include "control/live_directory.h"

namespace stoa::control {
namespace {

constexpr std::size_t kShardsMax = 1024;

}  // namespace

const char* name_of(LiveState state) {
  switch (state) {
    case LiveState::kLive: return "live";
    case LiveState::kInterrupted: return "interrupted";
    case LiveState::kEnded: return "ended";
  }
  return "unknown";
}

bool LiveDirectory::handle_status(Timestamp now, ChannelStatus&& status) {
  auto found = channels_.find(status.channel);
  if (status.state == LiveState::kEnded) {
    if (found == channels_.end()) return true;
    channels_.erase(found);
    ++revision_;
    return true;
  }
  if (found == channels_.end()) {
    if (channels_.size() >= kLiveChannelsMax) {
      ++dropped_;
      return false;
    }
    found = channels_.emplace(status.channel, Entry()).first;
    ++revision_;
  } else if (found->second.status.state != status.state ||
             found->second.status.started_at != status.started_at) {
    ++revision_;
  }
  Entry& entry = found->second;
  entry.own_viewers = status.viewers;
  entry.status = std::move(status);
  entry.heard_at = now;
  add_up_viewers(entry);
  return true;
}

void LiveDirectory::handle_viewers(Timestamp now, std::uint32_t shard, std::string_view channel,
                                   std::uint32_t viewers) {
  auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  Entry& entry = found->second;
  if (viewers == 0) {
    entry.remote.erase(shard);
  } else if (entry.remote.size() < kShardsMax || entry.remote.contains(shard)) {
    entry.remote[shard] = {viewers, now};
  }
  add_up_viewers(entry);
}

void LiveDirectory::handle_tick(Timestamp now) {
  const auto is_silent = [now](Timestamp heard_at) { return now - heard_at >= kStatusLifetime; };
  std::size_t gone =
      std::erase_if(channels_, [&](const auto& channel) { return is_silent(channel.second.heard_at); });
  if (gone > 0) ++revision_;
  for (auto& [name, entry] : channels_) {
    std::size_t silent =
        std::erase_if(entry.remote, [&](const auto& shard) { return is_silent(shard.second.heard_at); });
    if (silent > 0) add_up_viewers(entry);
  }
}

const ChannelStatus* LiveDirectory::find(std::string_view channel) const {
  auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &found->second.status;
}

std::vector<const ChannelStatus*> LiveDirectory::list() const {
  std::vector<const ChannelStatus*> listed;
  listed.reserve(channels_.size());
  for (const auto& [name, entry] : channels_) listed.push_back(&entry.status);
  return listed;
}

void LiveDirectory::add_up_viewers(Entry& entry) {
  entry.status.viewers = entry.own_viewers;
  for (const auto& [shard, remote] : entry.remote) entry.status.viewers += remote.viewers;
}

}  // namespace stoa::control
