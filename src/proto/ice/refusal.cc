#include "proto/ice/refusal.h"

namespace stoa::ice {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNotStun: return "not_stun";
    case Refusal::kNotBinding: return "not_binding";
    case Refusal::kNoIntegrity: return "no_integrity";
    case Refusal::kWrongUsername: return "wrong_username";
    case Refusal::kBadIntegrity: return "bad_integrity";
    case Refusal::kUnknownAttribute: return "unknown_attribute";
    case Refusal::kMalformedCheck: return "malformed_check";
    case Refusal::kRoleConflict: return "role_conflict";
    case Refusal::kUnknownAnswer: return "unknown_answer";
    case Refusal::kAsymmetricAnswer: return "asymmetric_answer";
    case Refusal::kTooManyCandidates: return "too_many_candidates";
    case Refusal::kBadCandidate: return "bad_candidate";
    case Refusal::kBadFrame: return "bad_frame";
    case Refusal::kClosed: return "closed";
  }
  return "unknown";
}

}  // namespace stoa::ice
