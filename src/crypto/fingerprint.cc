#include "crypto/fingerprint.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "base/letters.h"
#include "crypto/digest.h"

namespace stoa::crypto {
namespace {

constexpr FingerprintHash kHashes[] = {FingerprintHash::kSha1, FingerprintHash::kSha224,
                                       FingerprintHash::kSha256, FingerprintHash::kSha384,
                                       FingerprintHash::kSha512};

const EVP_MD* function_of(FingerprintHash hash) {
  switch (hash) {
    case FingerprintHash::kSha1: return EVP_sha1();
    case FingerprintHash::kSha224: return EVP_sha224();
    case FingerprintHash::kSha256: return EVP_sha256();
    case FingerprintHash::kSha384: return EVP_sha384();
    case FingerprintHash::kSha512: return EVP_sha512();
  }
  return nullptr;
}

std::optional<std::uint8_t> digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// "4A:AD:B9"; absent when it is written otherwise. Takes no more than one digest too many.
std::optional<Buffer> parse_pairs(std::string_view text) {
  if (text.size() % 3 != 2 || text.size() > 3 * (kFingerprintBytesMax + 1)) return std::nullopt;
  Buffer bytes;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    auto high = digit_of(text[at]), low = digit_of(text[at + 1]);
    if (!high || !low || (at + 2 < text.size() && text[at + 2] != ':')) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
  }
  return bytes;
}

}  // namespace

std::size_t size_of(FingerprintHash hash) {
  switch (hash) {
    case FingerprintHash::kSha1: return 20;
    case FingerprintHash::kSha224: return 28;
    case FingerprintHash::kSha256: return 32;
    case FingerprintHash::kSha384: return 48;
    case FingerprintHash::kSha512: return 64;
  }
  return 0;
}

const char* name_of(FingerprintHash hash) {
  switch (hash) {
    case FingerprintHash::kSha1: return "sha-1";
    case FingerprintHash::kSha224: return "sha-224";
    case FingerprintHash::kSha256: return "sha-256";
    case FingerprintHash::kSha384: return "sha-384";
    case FingerprintHash::kSha512: return "sha-512";
  }
  return "unknown";
}

const char* name_of(FingerprintRefusal refusal) {
  switch (refusal) {
    case FingerprintRefusal::kMalformed: return "malformed";
    case FingerprintRefusal::kUnknownHash: return "unknown_hash";
    case FingerprintRefusal::kWeakHash: return "weak_hash";
    case FingerprintRefusal::kWrongLength: return "wrong_length";
  }
  return "unknown";
}

Fingerprint::Fingerprint(FingerprintHash hash, Bytes digest) : hash_(hash) {
  STOA_ASSERT(digest.size() == size_of(hash));
  std::copy(digest.begin(), digest.end(), digest_.begin());
}

Result<Fingerprint, FingerprintRefusal> parse_fingerprint(std::string_view value) {
  std::size_t space = value.find(' ');
  if (space == 0 || space == std::string_view::npos) return refuse(FingerprintRefusal::kMalformed);
  std::optional<Buffer> digest = parse_pairs(value.substr(space + 1));
  if (!digest) return refuse(FingerprintRefusal::kMalformed);
  std::string name = lower(value.substr(0, space));
  if (name == "md5" || name == "md2") return refuse(FingerprintRefusal::kWeakHash);
  for (FingerprintHash hash : kHashes) {
    if (name != name_of(hash)) continue;
    if (digest->size() != size_of(hash)) return refuse(FingerprintRefusal::kWrongLength);
    return Fingerprint(hash, *digest);
  }
  return refuse(FingerprintRefusal::kUnknownHash);
}

std::string write_fingerprint(const Fingerprint& fingerprint) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text = name_of(fingerprint.hash());
  char before = ' ';
  for (std::uint8_t byte : fingerprint.digest()) {
    text += {before, kDigits[byte >> 4], kDigits[byte & 15]};
    before = ':';
  }
  return text;
}

Fingerprint make_fingerprint(FingerprintHash hash, Bytes certificate_der) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  STOA_ASSERT(EVP_Digest(certificate_der.data(), certificate_der.size(), digest.data(), &length,
                         function_of(hash), nullptr) == 1);
  return {hash, Bytes(digest).first(length)};
}

bool matches_fingerprint(Bytes certificate_der, std::span<const Fingerprint> named) {
  if (named.empty()) return false;
  FingerprintHash best = named.front().hash();
  for (const Fingerprint& one : named) best = std::max(best, one.hash());
  Fingerprint actual = make_fingerprint(best, certificate_der);
  return std::any_of(named.begin(), named.end(), [&](const Fingerprint& one) {
    return one.hash() == best && is_equal_constant_time(one.digest(), actual.digest());
  });
}

}  // namespace stoa::crypto
