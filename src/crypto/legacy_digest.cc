#include "crypto/legacy_digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

namespace stoa::crypto {
namespace {

template <typename Digest>
Digest digest_of(Bytes message, const EVP_MD* algorithm) {
  Digest digest;
  unsigned length = 0;
  STOA_ASSERT(EVP_Digest(message.data(), message.size(), digest.data(), &length, algorithm, nullptr) == 1);
  STOA_ASSERT(length == digest.size());
  return digest;
}

}  // namespace

Sha1Digest sha1(Bytes message) { return digest_of<Sha1Digest>(message, EVP_sha1()); }
Md5Digest md5(Bytes message) { return digest_of<Md5Digest>(message, EVP_md5()); }

Sha1Digest hmac_sha1(Bytes key, Bytes message) {
  static constexpr std::uint8_t kNothing[1] = {
      0};  // A null key would ask OpenSSL to go on with an earlier one.
  const std::uint8_t* key_bytes = key.empty() ? kNothing : key.data();
  Sha1Digest digest;
  unsigned length = 0;
  STOA_ASSERT(HMAC(EVP_sha1(), key_bytes, static_cast<int>(key.size()), message.data(), message.size(),
                   digest.data(), &length) != nullptr);
  STOA_ASSERT(length == digest.size());
  return digest;
}

}  // namespace stoa::crypto
