#include "proto/sdp/refusal.h"

namespace stoa::sdp {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTooLarge: return "too_large";
    case Refusal::kTooMany: return "too_many";
    case Refusal::kBadText: return "bad_text";
    case Refusal::kBadLine: return "bad_line";
    case Refusal::kMissingLine: return "missing_line";
    case Refusal::kMisplacedLine: return "misplaced_line";
    case Refusal::kBadVersion: return "bad_version";
    case Refusal::kBadOrigin: return "bad_origin";
    case Refusal::kBadTime: return "bad_time";
    case Refusal::kBadConnection: return "bad_connection";
    case Refusal::kBadBandwidth: return "bad_bandwidth";
    case Refusal::kBadMediaLine: return "bad_media_line";
    case Refusal::kBadMid: return "bad_mid";
    case Refusal::kBadGroup: return "bad_group";
    case Refusal::kBadIce: return "bad_ice";
    case Refusal::kBadCandidate: return "bad_candidate";
    case Refusal::kBadFingerprint: return "bad_fingerprint";
    case Refusal::kBadSetup: return "bad_setup";
    case Refusal::kBadPayloadType: return "bad_payload_type";
    case Refusal::kBadRtpMap: return "bad_rtpmap";
    case Refusal::kBadFormatParameters: return "bad_format_parameters";
    case Refusal::kBadExtension: return "bad_extension";
    case Refusal::kBadSource: return "bad_source";
    case Refusal::kBadSourceGroup: return "bad_source_group";
    case Refusal::kBadMsid: return "bad_msid";
    case Refusal::kBadRid: return "bad_rid";
    case Refusal::kBadSimulcast: return "bad_simulcast";
    case Refusal::kBadSctp: return "bad_sctp";
    case Refusal::kBadAttribute: return "bad_attribute";
    case Refusal::kDuplicate: return "duplicate";
    case Refusal::kNoIce: return "no_ice";
    case Refusal::kNoFingerprint: return "no_fingerprint";
    case Refusal::kBadRole: return "bad_role";
    case Refusal::kNoCommonMedia: return "no_common_media";
    case Refusal::kPayloadTypeConflict: return "payload_type_conflict";
    case Refusal::kExtensionConflict: return "extension_conflict";
    case Refusal::kAnswerMismatch: return "answer_mismatch";
  }
  return "unknown";
}

}  // namespace stoa::sdp
