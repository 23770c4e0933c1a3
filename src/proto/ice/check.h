// Connectivity checks on the wire: Binding requests with short-term credentials (RFC 8445 §7), as both agents
// make, believe and answer them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/ice/credentials.h"
#include "proto/ice/path.h"
#include "proto/ice/refusal.h"
#include "proto/stun/message.h"

namespace stoa::ice {

enum class Role : std::uint8_t { kControlled, kControlling };

// A request whose code fits. All of it may be believed to be the peer's.
struct Check {
  std::uint32_t priority = 0;
  Role role = Role::kControlling;           // The peer's.
  std::uint64_t tie_breaker = 0;            // The peer's.
  bool is_nominating = false;               // USE-CANDIDATE or NOMINATION.
  std::optional<std::uint32_t> nomination;  // NOMINATION: higher counts more than any lower.
};

// A request that was not taken, and the datagram to answer it with; empty when it is better left unanswered.
struct Rejection {
  Refusal refusal;
  Buffer answer;
};

// Believes a Binding request only if it is for `local` and, where `remote_ufrag` is known (not empty), from
// there. Request that prove nothing are answered without a code of ours (RFC 8489 §9.1.3): 400 and 401, both
// shorter than what asked for them, so that nobody is hit with more than was spent.
Result<Check, Rejection> parse_check(const stun::Message& request, const Credentials& local,
                                     std::string_view remote_ufrag);

// The answer that says where the request came from.
Buffer write_success(const stun::Message& request, const SocketAddress& source, const Credentials& local);
// An error that carries our code, to a request that was believed: 487, 500.
Buffer write_error(const stun::Message& request, std::uint16_t code, const Credentials& local);

// A request of ours. `priority` is what a peer-reflexive candidate of this path would have (RFC 8445 §7.1.1).
Buffer write_check(const stun::TransactionId& id, const Credentials& local, const Credentials& remote,
                   Role role, std::uint64_t tie_breaker, std::uint32_t priority, bool is_nominating);

}  // namespace stoa::ice
