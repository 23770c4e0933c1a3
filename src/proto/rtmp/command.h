// Commands: a name, a transaction number and AMF arguments in a message (RTMP §7.2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/amf.h"
#include "proto/rtmp/message.h"

namespace stoa::rtmp {

struct Command {
  std::string name;
  double transaction = 0;           // 0: no answer is wanted.
  std::vector<AmfValue> arguments;  // From the command object on.

  // Argument `i`; undefined when there are fewer.
  const AmfValue& argument(std::size_t i) const;
};

// The values of an AMF 0 message, or of an AMF 3 one, whose payload opens with a byte that selects the
// format: 0 for AMF 0 with switches (Enhanced RTMP v2, "Action Message Format"). Older encoders leave that
// byte out of data messages.
Result<std::vector<AmfValue>, Refusal> parse_values(const Message& message, const AmfLimits& limits = {});
// Requires: a command message of either AMF version.
Result<Command, Refusal> parse_command(const Message& message, const AmfLimits& limits = {});

// The payload of a command message. With `is_amf3` it is meant for MessageType::kAmf3Command.
Buffer write_command(std::string_view name, double transaction, const std::vector<AmfValue>& arguments,
                     bool is_amf3);

// The information object of onStatus, _result and _error (RTMP §7.2.2).
AmfValue status(std::string_view level, std::string_view code, std::string_view description);

}  // namespace stoa::rtmp
