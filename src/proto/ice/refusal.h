// Why a datagram, a candidate or a check was not taken. Counted; some are answered (check.h).
#pragma once

#include <cstdint>

namespace stoa::ice {

enum class Refusal : std::uint8_t {
  kNotStun,            // Or STUN that does not parse.
  kNotBinding,         // Another method, or an indication with nothing to say.
  kNoIntegrity,        // A request or an answer without MESSAGE-INTEGRITY or USERNAME.
  kWrongUsername,      // Not "ours:theirs".
  kBadIntegrity,       // Made with another password.
  kUnknownAttribute,   // Comprehension-required and unknown to us: answered with 420.
  kMalformedCheck,     // Without PRIORITY or a role, or with a value of a wrong shape.
  kRoleConflict,       // The peer took the role that is ours: answered with 487.
  kUnknownAnswer,      // To no request of ours.
  kAsymmetricAnswer,   // From another address than was asked (RFC 8445 §7.2.5.2.1).
  kTooManyCandidates,  // A limit of AgentConfig.
  kBadCandidate,       // Does not parse, or is of no use.
  kBadFrame,           // A TCP stream that is no sequence of frames.
  kClosed,             // Came after close().
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kClosed) + 1;

// "bad_integrity": for metrics and logs.
const char* name_of(Refusal refusal);

}  // namespace stoa::ice
