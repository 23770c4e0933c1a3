#include "proto/srtp/profile.h"

namespace stoa::srtp {

std::optional<Profile> find_profile(std::uint16_t value) {
  switch (static_cast<Profile>(value)) {
    case Profile::kAes128CmHmacSha1_80:
    case Profile::kAes128CmHmacSha1_32:
    case Profile::kAeadAes128Gcm:
    case Profile::kAeadAes256Gcm: return static_cast<Profile>(value);
  }
  return std::nullopt;
}

const char* name_of(Profile profile) {
  switch (profile) {
    case Profile::kAes128CmHmacSha1_80: return "AES_CM_128_HMAC_SHA1_80";
    case Profile::kAes128CmHmacSha1_32: return "AES_CM_128_HMAC_SHA1_32";
    case Profile::kAeadAes128Gcm: return "AEAD_AES_128_GCM";
    case Profile::kAeadAes256Gcm: return "AEAD_AES_256_GCM";
  }
  return "unknown";
}

}  // namespace stoa::srtp
