#include "control/publishing.h"

#include "control/text.h"
#include "crypto/digest.h"

namespace stoa::control {

const char* name_of(PublishRefusal refusal) {
  switch (refusal) {
    case PublishRefusal::kWrongApp: return "wrong_app";
    case PublishRefusal::kUnknownKey: return "unknown_key";
    case PublishRefusal::kRevokedKey: return "revoked_key";
    case PublishRefusal::kChannelDisabled: return "channel_disabled";
    case PublishRefusal::kStoreUnavailable: return "store_unavailable";
  }
  return "unknown";
}

Result<PublishGrant, PublishRefusal> Publishing::authorize_publish(WallTime now, std::string_view app,
                                                                   std::string_view stream_name) {
  auto verdict = judge(now, app, stream_name);
  if (verdict) {
    ++granted_;
  } else {
    ++refused_[static_cast<std::size_t>(verdict.error())];
  }
  return verdict;
}

Result<PublishGrant, PublishRefusal> Publishing::judge(WallTime now, std::string_view app,
                                                       std::string_view stream_name) {
  if (app.ends_with('/')) app.remove_suffix(1);
  if (app != "live") return refuse(PublishRefusal::kWrongApp);
  if (stream_name.empty() || stream_name.size() > kStreamNameBytesMax)
    return refuse(PublishRefusal::kUnknownKey);

  auto found = store_.find_stream_key(crypto::sha256(as_bytes(stream_name)));
  if (!found) return refuse(PublishRefusal::kStoreUnavailable);
  if (!*found) return judge_name(stream_name);
  const StreamKey& key = **found;
  if (key.revoked_at) return refuse(PublishRefusal::kRevokedKey);
  auto channel = store_.find_channel(key.channel);
  if (!channel) return refuse(PublishRefusal::kStoreUnavailable);
  if (!*channel) return refuse(PublishRefusal::kUnknownKey);
  if (!(*channel)->is_enabled) return refuse(PublishRefusal::kChannelDisabled);
  // That the note of its use fails is no reason to keep a good key out.
  if (!key.last_used_at || now - *key.last_used_at >= kKeyUseGrain)
    static_cast<void>(store_.touch_stream_key(key.id, now));
  return grant_of(key.channel, key.id, **channel);
}

Result<PublishGrant, PublishRefusal> Publishing::judge_name(std::string_view name) {
  if (!options_.is_dev || !is_channel_name(name)) return refuse(PublishRefusal::kUnknownKey);
  auto channel = store_.find_channel(name);
  if (!channel) return refuse(PublishRefusal::kStoreUnavailable);
  if (*channel && !(*channel)->is_enabled) return refuse(PublishRefusal::kChannelDisabled);
  return grant_of(std::string(name), "dev", channel->value_or(Channel()));
}

PublishGrant Publishing::grant_of(std::string name, std::string key_id, const Channel& channel) const {
  return {std::move(name), std::move(key_id), channel.ladder.empty() ? options_.ladder : channel.ladder};
}

Result<bool, PublishRefusal> Publishing::is_known_channel(std::string_view name) {
  if (!is_channel_name(name)) return false;
  if (options_.is_dev) return true;
  auto channel = store_.find_channel(name);
  if (!channel) return refuse(PublishRefusal::kStoreUnavailable);
  return channel->has_value();
}

void Publishing::append_metrics(MetricSamples& samples) const {
  samples.push_back({"stoa_publish_granted_total",
                     "Attempts to publish that were let in.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(granted_)});
  for (int i = 0; i < kPublishRefusals; ++i) {
    samples.push_back({"stoa_publish_refused_total",
                       "Attempts to publish that were refused, by reason.",
                       MetricKind::kCounter,
                       {{"reason", name_of(static_cast<PublishRefusal>(i))}},
                       static_cast<double>(refused_[static_cast<std::size_t>(i)])});
  }
}

}  // namespace stoa::control
