#include "proto/stun/refusal.h"

namespace stoa::stun {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNotStun: return "not_stun";
    case Refusal::kBadLength: return "bad_length";
    case Refusal::kBadAttributeLength: return "bad_attribute_length";
    case Refusal::kTooManyAttributes: return "too_many_attributes";
    case Refusal::kFingerprintNotLast: return "fingerprint_not_last";
    case Refusal::kBadFingerprint: return "bad_fingerprint";
    case Refusal::kNoIntegrity: return "no_integrity";
    case Refusal::kBadIntegrity: return "bad_integrity";
  }
  return "unknown";
}

}  // namespace stoa::stun
