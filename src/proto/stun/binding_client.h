// Asks a STUN server from what address it sees us (RFC 8489 §2, §7.3.3): how a client behind a NAT finds the
// server-reflexive candidate of a socket. One machine is one question.
//
// The answer is not authenticated: whoever sees the question can lie. What comes of it is a candidate to try,
// never a reason to trust.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/address.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "proto/stun/message.h"
#include "proto/stun/retransmission.h"

namespace stoa::stun {

// To the server, from the socket in question.
struct SendRequest {
  Buffer bytes;
};
struct Mapped {
  SocketAddress address;
};
struct BindingFailed {
  std::uint16_t code;  // Of the server's error answer; 0 when none came in time or it said nothing of use.
  std::optional<SocketAddress> alternate_server;  // With code 300: ask there.
};
using BindingOutput = std::variant<SendRequest, Mapped, BindingFailed>;
using BindingOutputs = Outbox<BindingOutput>;

class BindingClient {
 public:
  BindingClient(const Retransmission::Config& config, Rng rng) : config_(config), rng_(rng) {}

  // Requires: not started before.
  void start(Timestamp now, BindingOutputs& out);
  // What came from the server's address. False when it is not the answer; then it may be somebody else's.
  bool handle_datagram(Bytes datagram, BindingOutputs& out);
  void handle_deadline(Timestamp now, BindingOutputs& out);
  Timestamp next_deadline() const { return retransmission_.next_deadline(); }
  bool is_done() const { return is_done_; }

 private:
  void finish();

  Retransmission::Config config_;
  Rng rng_;
  Retransmission retransmission_;
  TransactionId id_{};
  Buffer request_;
  bool is_done_ = false;
};

}  // namespace stoa::stun
