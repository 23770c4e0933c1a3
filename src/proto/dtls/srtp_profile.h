// SRTP protection profiles and the keys a handshake makes for them (RFC 5764 §4, RFC 7714 §14.2).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace stoa::dtls {

// The numbers that travel in use_srtp (IANA, "DTLS-SRTP Protection Profiles").
enum class SrtpProfile : std::uint16_t {
  kAes128CmHmacSha1_80 = 0x0001,
  kAeadAes128Gcm = 0x0007,
  kAeadAes256Gcm = 0x0008,
};
const char* name_of(SrtpProfile profile);

// Ours, best first: GCM costs a third of SHA-1, and 256 bits buy nothing that 128 do not give.
std::vector<SrtpProfile> all_srtp_profiles();

struct SrtpProfileSizes {
  std::size_t key_bytes;
  std::size_t salt_bytes;
};
SrtpProfileSizes sizes_of(SrtpProfile profile);

inline constexpr std::size_t kSrtpKeyBytesMax = 32;
inline constexpr std::size_t kSrtpSaltBytesMax = 14;
inline constexpr std::size_t kSrtpMaterialBytesMax = 2 * (kSrtpKeyBytesMax + kSrtpSaltBytesMax);

// Master key and salt of one direction. Wiped when it goes.
class SrtpMasterKey {
 public:
  SrtpMasterKey() = default;
  SrtpMasterKey(Bytes key, Bytes salt);
  SrtpMasterKey(const SrtpMasterKey&) = default;
  SrtpMasterKey& operator=(const SrtpMasterKey&) = default;
  ~SrtpMasterKey();

  Bytes key() const { return Bytes(key_).first(key_bytes_); }
  Bytes salt() const { return Bytes(salt_).first(salt_bytes_); }

 private:
  std::array<std::uint8_t, kSrtpKeyBytesMax> key_{};
  std::array<std::uint8_t, kSrtpSaltBytesMax> salt_{};
  std::size_t key_bytes_ = 0, salt_bytes_ = 0;
};

struct SrtpKeys {
  SrtpProfile profile = SrtpProfile::kAeadAes128Gcm;
  SrtpMasterKey local;   // Protects what we send.
  SrtpMasterKey remote;  // Opens what the peer sends.
};

// Cuts the exporter's output: client key, server key, client salt, server salt (RFC 5764 §4.2).
// Requires: as many bytes as two keys and two salts of the profile.
SrtpKeys split_srtp_material(SrtpProfile profile, bool is_client, Bytes material);

// The list of a use_srtp extension (RFC 5764 §4.1.1) holds one of `wanted`. False for what is malformed.
bool offers_srtp_profile(Bytes extension, std::span<const SrtpProfile> wanted);

// "SRTP_AEAD_AES_128_GCM:…": how OpenSSL wants the list.
std::string openssl_names(std::span<const SrtpProfile> profiles);

}  // namespace stoa::dtls
