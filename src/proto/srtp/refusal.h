// Why a packet was not protected or not believed. Each is counted, none closes anything.
#pragma once

#include <cstdint>

namespace stoa::srtp {

enum class Refusal : std::uint8_t {
  kTooShort,              // Fewer bytes than a header and what SRTP adds.
  kTooLarge,              // kPacketBytesMax.
  kBadVersion,            // Not version 2 of RTP.
  kBadHeader,             // CSRCs or header extension reach past the end.
  kAuthenticationFailed,  // Forged, damaged, or of another key.
  kReplayed,              // Authentic and seen before.
  kTooOld,                // Behind the replay window, or before the first packet there can be.
  kNotEncrypted,          // SRTCP without the E bit where encryption was agreed.
  kTooManyStreams,        // kSendStreamsMax.
  kKeyExhausted,          // No index left under this key; a new handshake is needed.
  kIndexReused,           // Sending: this sequence number was sent before.
  kNoRoom,                // Sending: the packet does not fit where it should be written.
  kBadKeyingMaterial,     // The exporter gave another number of bytes than the profile needs.
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kBadKeyingMaterial) + 1;

// "too_short": for metrics and logs.
const char* name_of(Refusal refusal);

}  // namespace stoa::srtp
