#include "proto/relay/refusal.h"

namespace stoa::relay {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kBadLength: return "bad_length";
    case Refusal::kMessageTooLarge: return "message_too_large";
    case Refusal::kUnknownMessage: return "unknown_message";
    case Refusal::kUnexpectedMessage: return "unexpected_message";
    case Refusal::kBadField: return "bad_field";
    case Refusal::kTooManyFields: return "too_many_fields";
    case Refusal::kBadValue: return "bad_value";
    case Refusal::kFieldTooLarge: return "field_too_large";
    case Refusal::kNoCommonVersion: return "no_common_version";
    case Refusal::kFrameBeforeFormat: return "frame_before_format";
    case Refusal::kBadNumber: return "bad_number";
    case Refusal::kHelloTimeout: return "hello_timeout";
    case Refusal::kSilent: return "silent";
  }
  return "unknown";
}

}  // namespace stoa::relay
