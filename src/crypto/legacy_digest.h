// SHA-1, MD5 and HMAC-SHA-1, for protocols that have not let go of them: STUN's MESSAGE-INTEGRITY and its
// long-term key (RFC 8489 §14.5, §9.2.2). HMAC-SHA-1 is still sound as a code over a message; neither digest
// may be used where two messages must not collide. Anything new takes crypto/digest.h.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace stoa::crypto {

inline constexpr std::size_t kSha1Bytes = 20;
inline constexpr std::size_t kMd5Bytes = 16;
using Sha1Digest = std::array<std::uint8_t, kSha1Bytes>;
using Md5Digest = std::array<std::uint8_t, kMd5Bytes>;

Sha1Digest sha1(Bytes message);
// For keys that a protocol defines so, also where a hardened OpenSSL no longer offers it as a signature.
Md5Digest md5(Bytes message);
// RFC 2104. Any key length, also none.
Sha1Digest hmac_sha1(Bytes key, Bytes message);

}  // namespace stoa::crypto
