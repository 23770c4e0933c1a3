#include "proto/stun/credentials.h"

#include <algorithm>

namespace stoa::stun {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kPasswordAlgorithmsBit = 1u << 23, kUsernameAnonymityBit = 1u << 22;
constexpr std::size_t kFeatureChars = 4;

std::string joined(std::string_view username, std::string_view realm) {
  return std::string(username) + ":" + std::string(realm);
}
std::string joined(std::string_view username, std::string_view realm, std::string_view password) {
  return joined(username, realm) + ":" + std::string(password);
}

// One entry: algorithm, length of its parameters, parameters padded to four bytes.
std::optional<std::uint16_t> take_algorithm(ByteReader& reader) {
  std::uint16_t algorithm = reader.u16();
  std::size_t length = reader.u16();
  reader.skip((length + 3) & ~std::size_t{3});
  if (!reader.ok()) return std::nullopt;
  return algorithm;
}

bool is_known(std::uint16_t algorithm) { return algorithm == 1 || algorithm == 2; }

}  // namespace

crypto::Md5Digest long_term_key_md5(std::string_view username, std::string_view realm,
                                    std::string_view password) {
  return crypto::md5(as_bytes(joined(username, realm, password)));
}

crypto::Sha256Digest long_term_key_sha256(std::string_view username, std::string_view realm,
                                          std::string_view password) {
  return crypto::sha256(as_bytes(joined(username, realm, password)));
}

crypto::Sha256Digest userhash(std::string_view username, std::string_view realm) {
  return crypto::sha256(as_bytes(joined(username, realm)));
}

std::optional<PasswordAlgorithms> parse_password_algorithms(Bytes value) {
  PasswordAlgorithms list;
  ByteReader reader(value);
  while (!reader.at_end()) {
    auto algorithm = take_algorithm(reader);
    if (!algorithm) return std::nullopt;
    if (!is_known(*algorithm)) continue;
    auto known = static_cast<PasswordAlgorithm>(*algorithm);
    auto seen = list.view();
    if (std::find(seen.begin(), seen.end(), known) == seen.end()) list.algorithms[list.count++] = known;
  }
  return list;
}

std::optional<PasswordAlgorithm> parse_password_algorithm(Bytes value) {
  ByteReader reader(value);
  auto algorithm = take_algorithm(reader);
  if (!algorithm || !reader.at_end() || !is_known(*algorithm)) return std::nullopt;
  return static_cast<PasswordAlgorithm>(*algorithm);
}

Buffer write_password_algorithms(std::span<const PasswordAlgorithm> algorithms) {
  ByteWriter writer;
  for (PasswordAlgorithm algorithm : algorithms) {
    writer.u16(static_cast<std::uint16_t>(algorithm));
    writer.u16(0);
  }
  return writer.take();
}

std::string write_nonce(SecurityFeatures features, std::string_view rest) {
  std::uint32_t bits = (features.password_algorithms ? kPasswordAlgorithmsBit : 0) |
                       (features.username_anonymity ? kUsernameAnonymityBit : 0);
  std::string nonce(kNonceCookie);
  for (int shift = 18; shift >= 0; shift -= 6) nonce += kBase64[bits >> shift & 63];
  return nonce + std::string(rest);
}

std::optional<SecurityFeatures> parse_nonce(std::string_view nonce) {
  if (!nonce.starts_with(kNonceCookie) || nonce.size() < kNonceCookie.size() + kFeatureChars)
    return std::nullopt;
  std::uint32_t bits = 0;
  for (char c : nonce.substr(kNonceCookie.size(), kFeatureChars)) {
    std::size_t value = kBase64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
  }
  return SecurityFeatures{(bits & kPasswordAlgorithmsBit) != 0, (bits & kUsernameAnonymityBit) != 0};
}

}  // namespace stoa::stun
