// What all DTLS endpoints of a shard share: OpenSSL's settings for the protocol.
//
// Offered and taken are DTLS 1.2, AEAD ciphers with ephemeral keys, P-256 before X25519 and P-384 (P-256
// takes the least time and every browser has it). There is no renegotiation, no compression, no session to
// resume. A peer must show a certificate; who it is, its endpoint judges by the fingerprint.
#pragma once

#include <memory>

struct ssl_ctx_st;
struct bio_method_st;

namespace stoa::dtls {

class Context {
 public:
  Context();
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  ssl_ctx_st* settings() const { return settings_; }
  const bio_method_st* bio_method() const { return bio_method_; }

 private:
  ssl_ctx_st* settings_;
  bio_method_st* bio_method_;
};

}  // namespace stoa::dtls
