#include "proto/srtp/refusal.h"

namespace stoa::srtp {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTooShort: return "too_short";
    case Refusal::kTooLarge: return "too_large";
    case Refusal::kBadVersion: return "bad_version";
    case Refusal::kBadHeader: return "bad_header";
    case Refusal::kAuthenticationFailed: return "authentication_failed";
    case Refusal::kReplayed: return "replayed";
    case Refusal::kTooOld: return "too_old";
    case Refusal::kNotEncrypted: return "not_encrypted";
    case Refusal::kTooManyStreams: return "too_many_streams";
    case Refusal::kKeyExhausted: return "key_exhausted";
    case Refusal::kIndexReused: return "index_reused";
    case Refusal::kNoRoom: return "no_room";
    case Refusal::kBadKeyingMaterial: return "bad_keying_material";
  }
  return "unknown";
}

}  // namespace stoa::srtp
