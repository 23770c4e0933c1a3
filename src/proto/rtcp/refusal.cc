#include "proto/rtcp/refusal.h"

namespace stoa::rtcp {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTooLarge: return "too_large";
    case Refusal::kTruncated: return "truncated";
    case Refusal::kBadVersion: return "bad_version";
    case Refusal::kBadPadding: return "bad_padding";
    case Refusal::kNotCompound: return "not_compound";
    case Refusal::kBadReport: return "bad_report";
    case Refusal::kBadSourceDescription: return "bad_source_description";
    case Refusal::kBadBye: return "bad_bye";
    case Refusal::kBadApp: return "bad_app";
    case Refusal::kBadFeedback: return "bad_feedback";
    case Refusal::kBadTransportFeedback: return "bad_transport_feedback";
    case Refusal::kBadCongestionFeedback: return "bad_congestion_feedback";
    case Refusal::kBadExtendedReport: return "bad_extended_report";
  }
  return "unknown";
}

}  // namespace stoa::rtcp
