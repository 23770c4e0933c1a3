// Certificate fingerprints as SDP carries them: "sha-256 4A:AD:B9:…" (RFC 8122 §5).
//
// A fingerprint is the digest of a certificate's DER bytes. It is what ties a DTLS peer to the signalling
// that named it, so that a self-signed certificate is enough.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace stoa::crypto {

// In order of preference, worst first. MD2 and MD5 are known and refused (RFC 8122 §5).
enum class FingerprintHash : std::uint8_t { kSha1, kSha224, kSha256, kSha384, kSha512 };

inline constexpr std::size_t kFingerprintBytesMax = 64;

std::size_t size_of(FingerprintHash hash);  // Bytes of a digest.
const char* name_of(FingerprintHash hash);  // "sha-256", as in SDP.

class Fingerprint {
 public:
  Fingerprint() = default;
  // Requires: digest.size() == size_of(hash).
  Fingerprint(FingerprintHash hash, Bytes digest);

  FingerprintHash hash() const { return hash_; }
  Bytes digest() const { return Bytes(digest_).first(size_of(hash_)); }
  bool operator==(const Fingerprint&) const = default;

 private:
  FingerprintHash hash_ = FingerprintHash::kSha256;
  std::array<std::uint8_t, kFingerprintBytesMax> digest_{};  // Zero beyond the digest.
};

enum class FingerprintRefusal : std::uint8_t {
  kMalformed,    // Not a name, one space, and pairs of hexadecimal digits with colons between them.
  kUnknownHash,  // A name that RFC 8122 does not list.
  kWeakHash,     // md2, md5.
  kWrongLength,  // A digest longer or shorter than the hash makes.
};
const char* name_of(FingerprintRefusal refusal);

// The value of an a=fingerprint line, without leading or trailing space. Letters of either case.
Result<Fingerprint, FingerprintRefusal> parse_fingerprint(std::string_view value);
// As the RFC writes it: name in lower case, digits in upper case.
std::string write_fingerprint(const Fingerprint& fingerprint);

Fingerprint make_fingerprint(FingerprintHash hash, Bytes certificate_der);

// Whether a certificate is one of those named. Only fingerprints of the best hash among them count, so that
// adding one of a worse hash weakens nothing (RFC 8122 §5.1). False for an empty list.
bool matches_fingerprint(Bytes certificate_der, std::span<const Fingerprint> named);

}  // namespace stoa::crypto
