// Why a service said no. Each has a stable name, which the REST API gives as the error's code.
#pragma once

#include <cstdint>

#include "control/store.h"

namespace stoa::control {

enum class Refusal : std::uint8_t {
  kBadChannelName,  // See is_channel_name.
  kBadTitle,        // Over kTitleCharactersMax, no UTF-8, or control characters in it.
  kBadDescription,  // Over kDescriptionCharactersMax, no UTF-8, or control characters but line feed and tab.
  kBadLabel,        // Over kLabelCharactersMax, no UTF-8, or control characters in it.
  kBadLadder,       // See is_ladder.
  kChannelExists,
  kChannelNotFound,
  kTooManyChannels,  // kChannelsMax.
  kKeyNotFound,
  kTooManyKeys,       // kStreamKeysPerChannelMax or kApiKeysMax in force.
  kBadScope,          // See is_scope; or none, or more than kJwtScopesMax.
  kBadLifetime,       // A token that lives for no time, or for longer than tokens may.
  kStoreUnavailable,  // The database failed. Trying again later may help.
};
const char* name_of(Refusal refusal);

}  // namespace stoa::control
