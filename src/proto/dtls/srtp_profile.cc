#include "proto/dtls/srtp_profile.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/assert.h"

namespace stoa::dtls {

const char* name_of(SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::kAes128CmHmacSha1_80: return "SRTP_AES128_CM_HMAC_SHA1_80";
    case SrtpProfile::kAeadAes128Gcm: return "SRTP_AEAD_AES_128_GCM";
    case SrtpProfile::kAeadAes256Gcm: return "SRTP_AEAD_AES_256_GCM";
  }
  return "unknown";
}

std::vector<SrtpProfile> all_srtp_profiles() {
  return {SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm, SrtpProfile::kAes128CmHmacSha1_80};
}

SrtpProfileSizes sizes_of(SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::kAes128CmHmacSha1_80: return {16, 14};
    case SrtpProfile::kAeadAes128Gcm: return {16, 12};
    case SrtpProfile::kAeadAes256Gcm: return {32, 12};
  }
  return {0, 0};
}

SrtpMasterKey::SrtpMasterKey(Bytes key, Bytes salt) : key_bytes_(key.size()), salt_bytes_(salt.size()) {
  STOA_ASSERT(key.size() <= key_.size() && salt.size() <= salt_.size());
  std::copy(key.begin(), key.end(), key_.begin());
  std::copy(salt.begin(), salt.end(), salt_.begin());
}

SrtpMasterKey::~SrtpMasterKey() {
  OPENSSL_cleanse(key_.data(), key_.size());
  OPENSSL_cleanse(salt_.data(), salt_.size());
}

SrtpKeys split_srtp_material(SrtpProfile profile, bool is_client, Bytes material) {
  auto [key_bytes, salt_bytes] = sizes_of(profile);
  STOA_ASSERT(material.size() == 2 * (key_bytes + salt_bytes));
  ByteReader reader(material);
  Bytes client_key = reader.take(key_bytes), server_key = reader.take(key_bytes);
  Bytes client_salt = reader.take(salt_bytes), server_salt = reader.take(salt_bytes);
  SrtpMasterKey client(client_key, client_salt), server(server_key, server_salt);
  return is_client ? SrtpKeys{profile, client, server} : SrtpKeys{profile, server, client};
}

bool offers_srtp_profile(Bytes extension, std::span<const SrtpProfile> wanted) {
  ByteReader reader(extension);
  ByteReader list(reader.take(reader.u16()));
  reader.skip(reader.u8());  // The MKI, which we never use.
  if (!reader.ok() || !reader.at_end() || list.remaining() % 2 != 0) return false;
  while (!list.at_end()) {
    auto offered = static_cast<SrtpProfile>(list.u16());
    if (std::find(wanted.begin(), wanted.end(), offered) != wanted.end()) return true;
  }
  return false;
}

std::string openssl_names(std::span<const SrtpProfile> profiles) {
  std::string names;
  for (SrtpProfile profile : profiles) {
    if (!names.empty()) names += ':';
    names += profile == SrtpProfile::kAes128CmHmacSha1_80 ? "SRTP_AES128_CM_SHA1_80" : name_of(profile);
  }
  return names;
}

}  // namespace stoa::dtls
