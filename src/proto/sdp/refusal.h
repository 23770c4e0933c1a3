// Why a description, a fragment or a negotiation was refused.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stoa::sdp {

enum class Refusal : std::uint8_t {
  kTooLarge,             // More bytes, in all, in a line or in a word, than limits.h allows.
  kTooMany,              // More of something than limits.h allows.
  kBadText,              // A control character or NUL.
  kBadLine,              // Not "x=value".
  kMissingLine,          // v=, o=, s= or t= is not there.
  kMisplacedLine,        // A line where it may not stand, or a second one of what stands once.
  kBadVersion,           // v= is not 0.
  kBadOrigin,            // o= (RFC 8866 §5.2).
  kBadTime,              // t= (RFC 8866 §5.9).
  kBadConnection,        // c= (RFC 8866 §5.7).
  kBadBandwidth,         // b= (RFC 8866 §5.8, RFC 3890).
  kBadMediaLine,         // m= (RFC 8866 §5.14).
  kBadMid,               // a=mid (RFC 5888): not a token, or two sections of one name.
  kBadGroup,             // a=group:BUNDLE (RFC 9143): names a section that is not there, or one twice.
  kBadIce,               // a=ice-… (RFC 8839 §5): too short, too long, or one half of the credentials.
  kBadCandidate,         // a=candidate (RFC 8839 §5.1).
  kBadFingerprint,       // a=fingerprint (RFC 8122 §5).
  kBadSetup,             // a=setup (RFC 4145 §4, RFC 8842).
  kBadPayloadType,       // Out of range, twice, or one that the m= line does not list.
  kBadRtpMap,            // a=rtpmap (RFC 8866 §6.6), or a dynamic payload type without one.
  kBadFormatParameters,  // a=fmtp against the payload format's own rules.
  kBadExtension,         // a=extmap (RFC 8285 §8): syntax, range, or one id for two extensions.
  kBadSource,            // a=ssrc (RFC 5576 §4.1), or one SSRC in two sections.
  kBadSourceGroup,       // a=ssrc-group (RFC 5576 §4.2).
  kBadMsid,              // a=msid (RFC 8830 §2).
  kBadRid,               // a=rid (RFC 8851 §10).
  kBadSimulcast,         // a=simulcast (RFC 8853 §5.1).
  kBadSctp,              // a=sctp-port, a=max-message-size (RFC 8841 §5, §6), a=sctpmap.
  kBadAttribute,         // Another attribute that is read here: ptime, maxptime, tls-id, rtcp-mux, …
  kDuplicate,            // An attribute twice that may stand once.

  // Negotiation: the text was fine, what it asks for is not.
  kNoIce,          // Nothing to answer ICE with: a section to be used has no credentials.
  kNoFingerprint,  // No certificate fingerprint of a hash function we check.
  kBadRole,        // No DTLS role left: holdconn, or an answer that is actpass or takes the offer's own.
  kNoCommonMedia,  // No section has anything that both sides can do.
  kPayloadTypeConflict,  // One payload type for two codecs in one BUNDLE group (RFC 9143 §9.1.1).
  kExtensionConflict,    // One id for two header extensions in one BUNDLE group (RFC 8285 §6).
  kAnswerMismatch,       // The answer does not fit the offer: other sections, directions or groups.
};
inline constexpr std::size_t kRefusalCount = static_cast<std::size_t>(Refusal::kAnswerMismatch) + 1;

const char* name_of(Refusal refusal);  // "bad_candidate": for metrics and logs.

// What is said to whoever sent the text. `line` counts from 1; 0 when no single line is to blame.
struct Fault {
  Refusal refusal;
  std::uint32_t line = 0;
  bool operator==(const Fault&) const = default;
};

}  // namespace stoa::sdp
