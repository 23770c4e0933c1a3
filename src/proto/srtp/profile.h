// The protection profiles that DTLS-SRTP agrees upon, and what each fixes (RFC 5764 §4.1.2, RFC 7714 §14.2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "crypto/srtp_kernel.h"

namespace stoa::srtp {

// The values are those of the use_srtp extension.
enum class Profile : std::uint16_t {
  kAes128CmHmacSha1_80 = 0x0001,
  kAes128CmHmacSha1_32 = 0x0002,
  kAeadAes128Gcm = 0x0007,
  kAeadAes256Gcm = 0x0008,
};

// What we offer and choose, best first. The short tags of kAes128CmHmacSha1_32 can be read and written but
// are not offered: nobody who has them lacks the longer ones (RFC 8827 §6.5 asks for _80).
inline constexpr std::array<Profile, 3> kPreferredProfiles = {
    Profile::kAeadAes128Gcm, Profile::kAeadAes256Gcm, Profile::kAes128CmHmacSha1_80};

struct ProfileShape {
  crypto::SrtpCipher cipher;
  std::uint8_t key_bytes;   // Master key and session key alike.
  std::uint8_t salt_bytes;  // Master salt and session salt alike.
  std::uint8_t authentication_key_bytes;
  std::uint8_t rtp_tag_bytes;
  std::uint8_t rtcp_tag_bytes;
};

constexpr ProfileShape shape_of(Profile profile) {
  using enum crypto::SrtpCipher;
  switch (profile) {
    case Profile::kAes128CmHmacSha1_32: return {kAes128CounterHmacSha1, 16, 14, 20, 4, 10};
    case Profile::kAeadAes128Gcm: return {kAes128Gcm, 16, 12, 0, 16, 16};
    case Profile::kAeadAes256Gcm: return {kAes256Gcm, 32, 12, 0, 16, 16};
    case Profile::kAes128CmHmacSha1_80: break;
  }
  return {kAes128CounterHmacSha1, 16, 14, 20, 10, 10};
}

inline constexpr std::size_t kRtcpIndexBytes =
    4;  // The E bit and the index, at the end of each SRTCP packet.
// What protecting adds to a packet.
constexpr std::size_t rtp_overhead_bytes(Profile profile) { return shape_of(profile).rtp_tag_bytes; }
constexpr std::size_t rtcp_overhead_bytes(Profile profile) {
  return shape_of(profile).rtcp_tag_bytes + kRtcpIndexBytes;
}
inline constexpr std::size_t kOverheadBytesMax = 20;

// The profile of a use_srtp value, if we speak it.
std::optional<Profile> find_profile(std::uint16_t value);
// "AEAD_AES_128_GCM": for logs and metrics.
const char* name_of(Profile profile);

}  // namespace stoa::srtp
