#include "control/stream_keys.h"

#include "control/text.h"

namespace stoa::control {
namespace {

constexpr std::size_t kKeyCharacters = 32;
constexpr std::size_t kIdCharacters = 12;

}  // namespace

Result<void, Refusal> StreamKeys::check_channel(std::string_view channel) {
  if (!is_channel_name(channel)) return refuse(Refusal::kChannelNotFound);
  auto found = store_.find_channel(channel);
  if (!found) return refuse(Refusal::kStoreUnavailable);
  if (!*found) return refuse(Refusal::kChannelNotFound);
  return {};
}

Result<MadeStreamKey, Refusal> StreamKeys::create(WallTime now, std::string_view channel,
                                                  std::string_view label) {
  if (!is_plain_text(label, kLabelCharactersMax, LineBreaks::kRefused)) return refuse(Refusal::kBadLabel);
  STOA_TRY(std::vector<StreamKey> keys, list(channel));
  if (keys.size() >= kStreamKeysPerChannelMax) return refuse(Refusal::kTooManyKeys);

  MadeStreamKey made;
  made.key = "sk_" + crypto::make_base62(kKeyCharacters, fill_);
  made.record.id = "key_" + crypto::make_base62(kIdCharacters, fill_);
  made.record.channel = channel;
  made.record.digest = crypto::sha256(as_bytes(made.key));
  made.record.label = label;
  made.record.created_at = now;
  auto stored = store_.create_stream_key(made.record);
  if (stored) return made;
  // kExists is a collision of random ids: trying again helps, as with a database that is away.
  return refuse(stored.error() == StoreRefusal::kNotFound ? Refusal::kChannelNotFound
                                                          : Refusal::kStoreUnavailable);
}

Result<std::vector<StreamKey>, Refusal> StreamKeys::list(std::string_view channel) {
  if (auto checked = check_channel(channel); !checked) return refuse(checked.error());
  auto listed = store_.list_stream_keys(channel);
  if (!listed) return refuse(Refusal::kStoreUnavailable);
  return std::move(*listed);
}

Result<void, Refusal> StreamKeys::revoke(WallTime now, std::string_view channel, std::string_view id) {
  if (auto checked = check_channel(channel); !checked) return refuse(checked.error());
  auto revoked = store_.revoke_stream_key(channel, id, now, kRevokedStreamKeysPerChannelMax);
  if (revoked) return {};
  return refuse(revoked.error() == StoreRefusal::kNotFound ? Refusal::kKeyNotFound
                                                           : Refusal::kStoreUnavailable);
}

}  // namespace stoa::control
