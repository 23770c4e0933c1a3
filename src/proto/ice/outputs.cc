#include "proto/ice/outputs.h"

namespace stoa::ice {

const char* name_of(Failure failure) {
  switch (failure) {
    case Failure::kNoPath: return "no_path";
    case Failure::kConsentExpired: return "consent_expired";
  }
  return "unknown";
}

}  // namespace stoa::ice
