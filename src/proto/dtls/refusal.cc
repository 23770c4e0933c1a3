#include "proto/dtls/refusal.h"

namespace stoa::dtls {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNotDtls: return "not_dtls";
    case Refusal::kMalformedRecord: return "malformed_record";
    case Refusal::kUnexpectedRecord: return "unexpected_record";
    case Refusal::kTooManyRecords: return "too_many_records";
    case Refusal::kTooManyEarly: return "too_many_early";
    case Refusal::kUnreadableRecord: return "unreadable_record";
    case Refusal::kTooManyLateAnswers: return "too_many_late_answers";
    case Refusal::kHandshakeTimeout: return "handshake_timeout";
    case Refusal::kTooManyHandshakeRecords: return "too_many_handshake_records";
    case Refusal::kUnsupportedVersion: return "unsupported_version";
    case Refusal::kNoSharedCipher: return "no_shared_cipher";
    case Refusal::kNoSharedSrtpProfile: return "no_shared_srtp_profile";
    case Refusal::kNoCertificate: return "no_certificate";
    case Refusal::kFingerprintMismatch: return "fingerprint_mismatch";
    case Refusal::kAlertReceived: return "alert_received";
    case Refusal::kProtocolError: return "protocol_error";
    case Refusal::kNotConnected: return "not_connected";
    case Refusal::kDataTooLarge: return "data_too_large";
  }
  return "unknown";
}

}  // namespace stoa::dtls
