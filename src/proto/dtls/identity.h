// Who we are to DTLS peers: a self-signed certificate, its key, and the fingerprint that SDP announces.
//
// An identity never changes and is shared. A session keeps the one whose fingerprint it put into its SDP
// until it ends, whatever is current by then, so rotating disturbs nobody. Peers look at nothing but the
// fingerprint; expiry is kept all the same, since some refuse what is out of date.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "crypto/certificate.h"
#include "crypto/fingerprint.h"

struct x509_st;
struct evp_pkey_st;

namespace stoa::dtls {

enum class IdentityRefusal : std::uint8_t {
  kNoCertificate,  // No PEM certificate, or one that does not parse.
  kNoKey,          // No private key in PEM, unencrypted.
  kKeyDoesNotFit,  // The key of another certificate.
};
const char* name_of(IdentityRefusal refusal);

class Identity {
 public:
  // ECDSA on P-256 with a new key (RFC 8827 §6.5). Requires: lifetime of at least a second.
  static std::shared_ptr<const Identity> make(WallTime now, Duration lifetime);
  // One kept from before, or an operator's own.
  static Result<std::shared_ptr<const Identity>, IdentityRefusal> parse(const crypto::CertificatePem& pem);
  ~Identity();
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  // SHA-256.
  const crypto::Fingerprint& fingerprint() const { return fingerprint_; }
  WallTime expires_at() const { return expires_at_; }
  x509_st* certificate() const { return certificate_; }
  evp_pkey_st* key() const { return key_; }

 private:
  Identity() = default;

  x509_st* certificate_ = nullptr;
  evp_pkey_st* key_ = nullptr;
  crypto::Fingerprint fingerprint_;
  WallTime expires_at_;
};

// Gives sessions that begin the identity of the day.
class IdentityRotation {
 public:
  struct Config {
    Duration lifetime = Duration::seconds(30 * 86'400);  // Of a certificate.
    Duration rotate_after = Duration::seconds(86'400);   // What is older is not given to new sessions.
  };
  // Requires: 0 < rotate_after < lifetime, so that a session may outlive the rotation.
  explicit IdentityRotation(const Config& config);

  // Makes a new one when there is none, when the last is rotate_after old, and when the clock was set back
  // before it was made. A key takes some tens of microseconds.
  const std::shared_ptr<const Identity>& current(WallTime now);

 private:
  Config config_;
  std::shared_ptr<const Identity> current_;
  WallTime made_at_;
};

}  // namespace stoa::dtls
