#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

namespace stoa::crypto {

Sha256Digest sha256(Bytes message) {
  Sha256Digest digest;
  unsigned length = 0;
  STOA_ASSERT(EVP_Digest(message.data(), message.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1);
  STOA_ASSERT(length == digest.size());
  return digest;
}

Sha256Digest hmac_sha256(Bytes key, Bytes message) {
  // A null key would ask OpenSSL to go on with an earlier one.
  static constexpr std::uint8_t kNothing[1] = {0};
  const std::uint8_t* key_bytes = key.empty() ? kNothing : key.data();
  Sha256Digest digest;
  unsigned length = 0;
  STOA_ASSERT(HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()), message.data(), message.size(),
                   digest.data(), &length) != nullptr);
  STOA_ASSERT(length == digest.size());
  return digest;
}

bool is_equal_constant_time(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  return a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace stoa::crypto
