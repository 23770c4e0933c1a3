// SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), and the comparison that secrets are compared with.
//
// Each call stands for itself and keeps no state. They cannot fail for any input; a library that refuses
// SHA-256 is a broken installation and stops the process.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace stoa::crypto {

inline constexpr std::size_t kSha256Bytes = 32;
using Sha256Digest = std::array<std::uint8_t, kSha256Bytes>;

Sha256Digest sha256(Bytes message);

// Any key length, also none.
Sha256Digest hmac_sha256(Bytes key, Bytes message);

// True when both hold the same bytes. Takes as long for the first difference as for the last, so a peer
// that measures learns nothing of the secret; only an unequal length shows.
bool is_equal_constant_time(Bytes a, Bytes b);

}  // namespace stoa::crypto
