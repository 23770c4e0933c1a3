// What long-term credentials need beside the attributes (RFC 8489 §9.2): keys, USERHASH, the list of password
// algorithms, and the nonce that carries which security features a server has, so that nobody between can
// take them away. For short-term credentials the key is the password itself.
//
// Names, realms and passwords come prepared (OpaqueString, RFC 8265 §4.2): for ASCII that changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "crypto/legacy_digest.h"

namespace stoa::stun {

// RFC 8489 §18.5.
enum class PasswordAlgorithm : std::uint16_t { kMd5 = 1, kSha256 = 2 };

// The digest of "name:realm:password".
crypto::Md5Digest long_term_key_md5(std::string_view username, std::string_view realm,
                                    std::string_view password);
crypto::Sha256Digest long_term_key_sha256(std::string_view username, std::string_view realm,
                                          std::string_view password);
// The value of USERHASH: the digest of "name:realm".
crypto::Sha256Digest userhash(std::string_view username, std::string_view realm);

// Values of PASSWORD-ALGORITHMS and PASSWORD-ALGORITHM. Parameters of algorithms are passed over: neither of
// the two has any. Unknown algorithms are left out of the list.
struct PasswordAlgorithms {
  std::array<PasswordAlgorithm, 2> algorithms;  // In the server's order, each once.
  std::size_t count = 0;

  std::span<const PasswordAlgorithm> view() const { return {algorithms.data(), count}; }
};
// Nothing when the value ends inside an entry.
std::optional<PasswordAlgorithms> parse_password_algorithms(Bytes value);
// Nothing also when it is an algorithm that we do not know.
std::optional<PasswordAlgorithm> parse_password_algorithm(Bytes value);
// Fits both attributes.
Buffer write_password_algorithms(std::span<const PasswordAlgorithm> algorithms);

// RFC 8489 §18.1. Bit 0 is the leftmost of the 24. (The nonce in Appendix B.1 of the RFC has other bits set
// than its text would.)
struct SecurityFeatures {
  bool password_algorithms = false;  // Bit 0.
  bool username_anonymity = false;   // Bit 1.

  bool operator==(const SecurityFeatures&) const = default;
};
inline constexpr std::string_view kNonceCookie = "obMatJos2";

// The cookie, the features in four characters of base64, then `rest`.
std::string write_nonce(SecurityFeatures features, std::string_view rest);
// Nothing for a nonce without the cookie: of a server that knows no features.
std::optional<SecurityFeatures> parse_nonce(std::string_view nonce);

}  // namespace stoa::stun
