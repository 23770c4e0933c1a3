// Why bytes were refused as a STUN message, or a message as authentic. Counted by the caller.
#pragma once

#include <cstdint>

namespace stoa::stun {

enum class Refusal : std::uint8_t {
  kNotStun,             // Shorter than a header, top bits set, or without the magic cookie (RFC 3489 peers).
  kBadLength,           // The length field is no multiple of four or is not what follows the header.
  kBadAttributeLength,  // An attribute reaches past the end of the message.
  kTooManyAttributes,   // kAttributesMax.
  kFingerprintNotLast,  // Something follows FINGERPRINT.
  kBadFingerprint,      // The checksum is not that of the message.
  kNoIntegrity,         // Neither MESSAGE-INTEGRITY nor MESSAGE-INTEGRITY-SHA256.
  kBadIntegrity,        // The code does not fit the key.
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kBadIntegrity) + 1;

// "bad_fingerprint": for metrics and logs.
const char* name_of(Refusal refusal);

}  // namespace stoa::stun
