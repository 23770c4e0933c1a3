#include "proto/rtp/refusal.h"

namespace stoa::rtp {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTruncated: return "truncated";
    case Refusal::kBadVersion: return "bad_version";
    case Refusal::kBadPadding: return "bad_padding";
    case Refusal::kBadExtension: return "bad_extension";
    case Refusal::kBadValue: return "bad_value";
    case Refusal::kUnknownStructure: return "unknown_structure";
    case Refusal::kNoOriginal: return "no_original";
    case Refusal::kNoRoom: return "no_room";
  }
  return "unknown";
}

}  // namespace stoa::rtp
