// Why something was not taken. Those up to kLastDropped lose a record or a datagram and the association goes
// on, since anybody can send datagrams; those from there to kLastFatal end it; the rest answer a command.
#pragma once

#include <cstdint>

namespace stoa::dtls {

enum class Refusal : std::uint8_t {
  kNotDtls,             // The first byte is none of 20..63, or there is no whole record header (RFC 7983).
  kMalformedRecord,     // Unknown version, or a length that the datagram or the RFC does not allow.
  kUnexpectedRecord,    // Of an epoch or a content type that means nothing now.
  kTooManyRecords,      // The rest of a datagram over kRecordsPerDatagramMax.
  kTooManyEarly,        // kEarlyRecordsMax or kEarlyBytesMax.
  kUnreadableRecord,    // Forged, damaged, replayed or empty.
  kTooManyLateAnswers,  // kLateAnswersMax.

  kHandshakeTimeout,         // Timing::handshake_max, or OpenSSL's limit of twelve losses of one flight.
  kTooManyHandshakeRecords,  // kHandshakeRecordsMax.
  kUnsupportedVersion,       // The peer knows DTLS 1.0 only.
  kNoSharedCipher,
  kNoSharedSrtpProfile,
  kNoCertificate,        // The peer, a client, gave none.
  kFingerprintMismatch,  // Its certificate is not the one that signalling named (RFC 8122 §6.2).
  kAlertReceived,        // A fatal alert, or any end before the handshake was done.
  kProtocolError,        // Any other message that breaks the protocol.

  kNotConnected,  // Data before Connected or after Closed.
  kDataTooLarge,  // More than data_bytes_max(), or nothing.
};
inline constexpr Refusal kLastDropped = Refusal::kTooManyLateAnswers;
inline constexpr Refusal kLastFatal = Refusal::kProtocolError;
inline constexpr int kRefusals = static_cast<int>(Refusal::kDataTooLarge) + 1;

// "not_dtls": for metrics and logs.
const char* name_of(Refusal refusal);

inline bool ends_association(Refusal refusal) { return refusal > kLastDropped && refusal <= kLastFatal; }

}  // namespace stoa::dtls
