#include "proto/dtls/context.h"

#include <openssl/ssl.h>

#include "base/assert.h"
#include "proto/dtls/limits.h"
#include "proto/dtls/wire.h"

namespace stoa::dtls {
namespace {

// A client's certificate may be RSA or ECDSA with each of them; the last three are for servers with RSA.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "P-256:X25519:P-384";
constexpr const char* kSignatures =
    "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:ed25519:"
    "ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512";

}  // namespace

Context::Context() : settings_(SSL_CTX_new(DTLS_method())), bio_method_(make_bio_method()) {
  STOA_ASSERT(settings_ != nullptr);
  STOA_ASSERT(SSL_CTX_set_min_proto_version(settings_, DTLS1_2_VERSION) == 1);
  STOA_ASSERT(SSL_CTX_set_max_proto_version(settings_, DTLS1_2_VERSION) == 1);
  STOA_ASSERT(SSL_CTX_set_cipher_list(settings_, kCiphers) == 1);
  STOA_ASSERT(SSL_CTX_set1_groups_list(settings_, kGroups) == 1);
  STOA_ASSERT(SSL_CTX_set1_sigalgs_list(settings_, kSignatures) == 1);
  SSL_CTX_set_security_level(settings_, 2);
  SSL_CTX_set_options(settings_, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(settings_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(settings_, static_cast<long>(kCertificatesBytesMax));
  set_callbacks(settings_);
}

Context::~Context() {
  SSL_CTX_free(settings_);
  free_bio_method(bio_method_);
}

}  // namespace stoa::dtls
