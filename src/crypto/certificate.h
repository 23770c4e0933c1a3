// Self-signed certificates: ECDSA on P-256, signed with SHA-256. None is an authority: they can sign no
// other.
//
// One kind is for trying HTTPS out (`--dev`). It always speaks for localhost, 127.0.0.1 and ::1, and for the
// further names given (RFC 5280 §4.2.1.6: browsers read subjectAltName and nothing else). The other is for
// DTLS between WebRTC peers, who know each other by its fingerprint: it names nobody (RFC 8827 §6.5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace stoa::crypto {

inline constexpr std::size_t kCertificateNamesMax = 32;  // Further names, without the three of its own.

enum class CertificateRefusal : std::uint8_t {
  kBadName,       // Neither a DNS name (letters, digits, hyphens; "*." may stand first) nor an IP address.
  kTooManyNames,  // More than kCertificateNamesMax.
  kBadLifetime,   // Does not end after it begins.
};
const char* name_of(CertificateRefusal refusal);

struct CertificatePem {
  std::string certificate;
  std::string private_key;  // PKCS #8, not encrypted: keep it in a file that only its owner reads.
};

// Valid from one hour before `now`, so that a client whose clock is behind takes it, until `now + lifetime`.
// Every call makes a new key.
Result<CertificatePem, CertificateRefusal> make_self_signed_certificate(
    WallTime now, Duration lifetime, const std::vector<std::string>& names);

// Lives as the other does. Requires: lifetime of at least a second.
CertificatePem make_webrtc_certificate(WallTime now, Duration lifetime);

}  // namespace stoa::crypto
