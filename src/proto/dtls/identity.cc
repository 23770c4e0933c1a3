#include "proto/dtls/identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/assert.h"

namespace stoa::dtls {
namespace {

// The library's memory BIO only reads; it does not keep the text.
BIO* view_of(const std::string& text) {
  BIO* view = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  STOA_ASSERT(view != nullptr);
  return view;
}

// An encrypted key is refused instead of asking for a pass phrase on the terminal.
int no_pass_phrase(char*, int, int, void*) { return -1; }

WallTime wall_time_of(const ASN1_TIME* time) {
  ASN1_TIME* epoch = ASN1_TIME_set(nullptr, 0);
  STOA_ASSERT(epoch != nullptr);
  int days = 0, seconds = 0;
  bool is_valid = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  if (!is_valid) return {};
  return WallTime::from_seconds(static_cast<std::int64_t>(days) * 86'400 + seconds);
}

crypto::Fingerprint fingerprint_of(X509* certificate) {
  unsigned char* der = nullptr;
  int length = i2d_X509(certificate, &der);
  STOA_ASSERT(length > 0);
  crypto::Fingerprint fingerprint =
      make_fingerprint(crypto::FingerprintHash::kSha256, Bytes(der, static_cast<std::size_t>(length)));
  OPENSSL_free(der);
  return fingerprint;
}

}  // namespace

const char* name_of(IdentityRefusal refusal) {
  switch (refusal) {
    case IdentityRefusal::kNoCertificate: return "no_certificate";
    case IdentityRefusal::kNoKey: return "no_key";
    case IdentityRefusal::kKeyDoesNotFit: return "key_does_not_fit";
  }
  return "unknown";
}

std::shared_ptr<const Identity> Identity::make(WallTime now, Duration lifetime) {
  auto identity = parse(crypto::make_webrtc_certificate(now, lifetime));
  STOA_ASSERT(identity);
  return *identity;
}

Result<std::shared_ptr<const Identity>, IdentityRefusal> Identity::parse(const crypto::CertificatePem& pem) {
  std::shared_ptr<Identity> identity(new Identity());
  BIO* view = view_of(pem.certificate);
  identity->certificate_ = PEM_read_bio_X509(view, nullptr, no_pass_phrase, nullptr);
  BIO_free(view);
  view = view_of(pem.private_key);
  identity->key_ = PEM_read_bio_PrivateKey(view, nullptr, no_pass_phrase, nullptr);
  BIO_free(view);
  bool fits = identity->certificate_ && identity->key_ &&
              X509_check_private_key(identity->certificate_, identity->key_) == 1;
  ERR_clear_error();
  if (!identity->certificate_) return refuse(IdentityRefusal::kNoCertificate);
  if (!identity->key_) return refuse(IdentityRefusal::kNoKey);
  if (!fits) return refuse(IdentityRefusal::kKeyDoesNotFit);
  identity->fingerprint_ = fingerprint_of(identity->certificate_);
  identity->expires_at_ = wall_time_of(X509_get0_notAfter(identity->certificate_));
  return std::shared_ptr<const Identity>(std::move(identity));
}

Identity::~Identity() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

IdentityRotation::IdentityRotation(const Config& config) : config_(config) {
  STOA_ASSERT(config.rotate_after > Duration() && config.rotate_after < config.lifetime);
}

const std::shared_ptr<const Identity>& IdentityRotation::current(WallTime now) {
  if (!current_ || now < made_at_ || now - made_at_ >= config_.rotate_after) {
    current_ = Identity::make(now, config_.lifetime);
    made_at_ = now;
  }
  return current_;
}

}  // namespace stoa::dtls
