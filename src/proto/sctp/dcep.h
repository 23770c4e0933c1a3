// The Data Channel Establishment Protocol: two messages (RFC 8832 §5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/sctp/limits.h"
#include "proto/sctp/refusal.h"
#include "proto/sctp/types.h"

namespace stoa::sctp {

// What a channel is, as both ends know it. At most one of `lifetime` and `retransmissions_max` is set.
struct ChannelSettings {
  std::string label;     // UTF-8, at most kLabelBytesMax bytes; need not be unique.
  std::string protocol;  // UTF-8, at most kProtocolBytesMax bytes.
  bool is_ordered = true;
  std::optional<Duration> lifetime;  // Whole milliseconds, below 2^32.
  std::optional<std::uint16_t> retransmissions_max;
  std::uint16_t priority = 256;  // Weight among channels: 128 low, 256 normal, 512 high, 1024 extra high.
  bool operator==(const ChannelSettings&) const = default;
};

struct ChannelOpen {
  ChannelSettings settings;
};
struct ChannelAck {};
using DcepMessage = std::variant<ChannelOpen, ChannelAck>;

// kBadChannelMessage, or kNameTooLong.
Result<DcepMessage, Refusal> parse_dcep(Bytes message);
Buffer write_channel_open(const ChannelSettings& settings);
Buffer write_channel_ack();

bool is_utf8(Bytes text);

}  // namespace stoa::sctp
