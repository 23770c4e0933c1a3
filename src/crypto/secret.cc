#include "crypto/secret.h"

#include <openssl/crypto.h>

namespace stoa::crypto {

void wipe(std::span<std::uint8_t> bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

}  // namespace stoa::crypto
