// What the halves of a shard want done that both have in common.
#pragma once

#include <cstdint>
#include <variant>

#include "api/answer.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/outbox.h"
#include "shard/mail.h"

namespace stoa::shard {

struct SendMail {
  ShardIndex to;  // May be the shard itself.
  Mail mail;
};
struct SendControlMail {
  ControlMail mail;
};

// A WebSocket is known by the request that it began with. Nothing comes of one that is gone meanwhile.
struct AcceptSocket {
  api::RequestKey request;
};
struct SendSocket {
  api::RequestKey request;
  SharedBytes message;
  bool is_text;
};
struct CloseSocket {
  api::RequestKey request;
  std::uint16_t code;
};
using RoomsOutput =
    std::variant<api::Answer, SendMail, SendControlMail, AcceptSocket, SendSocket, CloseSocket, LogLine>;
using RoomsOutputs = Outbox<RoomsOutput>;

}  // namespace stoa::shard
