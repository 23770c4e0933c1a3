// What must happen elsewhere after a command succeeded: server/ carries these to the shards.
#pragma once

#include <string>
#include <variant>

#include "base/outbox.h"

namespace stoa::control {

// Disconnect the channel's sources and end its playlist now, without a grace time. A source that comes back
// with a good key starts a new broadcast.
struct EndBroadcast {
  std::string channel;
  bool operator==(const EndBroadcast&) const = default;
};
// Disconnect the sources that publish with this key; the broadcast may go on with others.
struct KeyRevoked {
  std::string channel;
  std::string key_id;
  bool operator==(const KeyRevoked&) const = default;
};
// As EndBroadcast, and forget the channel.
struct ChannelDeleted {
  std::string channel;
  bool operator==(const ChannelDeleted&) const = default;
};
// Forget what was heard of another channel of that name: of its end word may have come late.
struct ChannelCreated {
  std::string channel;
  bool operator==(const ChannelCreated&) const = default;
};

using Effect = std::variant<EndBroadcast, KeyRevoked, ChannelDeleted, ChannelCreated>;
using Effects = Outbox<Effect>;

}  // namespace stoa::control
