#include "control/channels.h"

#include <algorithm>

#include "control/ladder.h"
#include "control/text.h"

namespace stoa::control {
namespace {

Refusal refusal_of(StoreRefusal refusal) {
  switch (refusal) {
    case StoreRefusal::kNotFound: return Refusal::kChannelNotFound;
    case StoreRefusal::kExists: return Refusal::kChannelExists;
    case StoreRefusal::kUnavailable: return Refusal::kStoreUnavailable;
  }
  return Refusal::kStoreUnavailable;
}

bool is_title(std::string_view text) {
  return is_plain_text(text, kTitleCharactersMax, LineBreaks::kRefused);
}
bool is_description(std::string_view text) {
  return is_plain_text(text, kDescriptionCharactersMax, LineBreaks::kAllowed);
}
bool is_ladder_wish(std::string_view text) { return text.empty() || is_ladder(text); }

}  // namespace

Result<Channel, Refusal> Channels::create(WallTime now, const NewChannel& channel) {
  if (!is_channel_name(channel.name)) return refuse(Refusal::kBadChannelName);
  if (!is_title(channel.title)) return refuse(Refusal::kBadTitle);
  if (!is_description(channel.description)) return refuse(Refusal::kBadDescription);
  if (!is_ladder_wish(channel.ladder)) return refuse(Refusal::kBadLadder);
  auto count = store_.count_channels();
  if (!count) return refuse(refusal_of(count.error()));
  if (*count >= kChannelsMax) return refuse(Refusal::kTooManyChannels);
  Channel created{channel.name, channel.title, channel.description, true, now, now, channel.ladder};
  if (auto stored = store_.create_channel(created); !stored) return refuse(refusal_of(stored.error()));
  ++revision_;
  return created;
}

Result<Channel, Refusal> Channels::read(std::string_view name) {
  if (!is_channel_name(name)) return refuse(Refusal::kChannelNotFound);
  auto found = store_.find_channel(name);
  if (!found) return refuse(refusal_of(found.error()));
  if (!*found) return refuse(Refusal::kChannelNotFound);
  return std::move(**found);
}

Result<ChannelPage, Refusal> Channels::list(std::string_view after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kChannelsPerPageMax);
  auto listed = store_.list_channels(after, limit + 1);
  if (!listed) return refuse(refusal_of(listed.error()));
  ChannelPage page{std::move(*listed), std::nullopt};
  if (page.channels.size() > limit) {
    page.channels.resize(limit);
    page.next = page.channels.back().name;
  }
  return page;
}

Result<Channel, Refusal> Channels::update(WallTime now, std::string_view name, const ChannelChange& change) {
  if (change.title && !is_title(*change.title)) return refuse(Refusal::kBadTitle);
  if (change.description && !is_description(*change.description)) return refuse(Refusal::kBadDescription);
  if (change.ladder && !is_ladder_wish(*change.ladder)) return refuse(Refusal::kBadLadder);
  STOA_TRY(Channel channel, read(name));
  if (change.title) channel.title = *change.title;
  if (change.description) channel.description = *change.description;
  if (change.is_enabled) channel.is_enabled = *change.is_enabled;
  if (change.ladder) channel.ladder = *change.ladder;
  channel.updated_at = now;
  if (auto stored = store_.update_channel(channel); !stored) return refuse(refusal_of(stored.error()));
  ++revision_;
  return channel;
}

Result<void, Refusal> Channels::remove(std::string_view name) {
  if (!is_channel_name(name)) return refuse(Refusal::kChannelNotFound);
  if (auto removed = store_.delete_channel(name); !removed) return refuse(refusal_of(removed.error()));
  ++revision_;
  return {};
}

}  // namespace stoa::control
