#include "work/rung_output.h"

namespace stoa::work {

const char* name_of(EncodeRefusal refusal) {
  switch (refusal) {
    case EncodeRefusal::kRung: return "rung";
    case EncodeRefusal::kEncoder: return "encoder";
    case EncodeRefusal::kOwner: return "owner";
  }
  return "unknown";
}

}  // namespace stoa::work
