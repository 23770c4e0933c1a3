#include "control/refusal.h"

namespace stoa::control {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kBadChannelName: return "bad_channel_name";
    case Refusal::kBadTitle: return "bad_title";
    case Refusal::kBadDescription: return "bad_description";
    case Refusal::kBadLabel: return "bad_label";
    case Refusal::kBadLadder: return "bad_ladder";
    case Refusal::kChannelExists: return "channel_exists";
    case Refusal::kChannelNotFound: return "channel_not_found";
    case Refusal::kTooManyChannels: return "too_many_channels";
    case Refusal::kKeyNotFound: return "key_not_found";
    case Refusal::kTooManyKeys: return "too_many_keys";
    case Refusal::kBadScope: return "bad_scope";
    case Refusal::kBadLifetime: return "bad_lifetime";
    case Refusal::kStoreUnavailable: return "store_unavailable";
  }
  return "unknown";
}

const char* name_of(StoreRefusal refusal) {
  switch (refusal) {
    case StoreRefusal::kNotFound: return "not_found";
    case StoreRefusal::kExists: return "exists";
    case StoreRefusal::kUnavailable: return "unavailable";
  }
  return "unknown";
}

}  // namespace stoa::control
