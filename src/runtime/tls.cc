#include "runtime/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <mutex>

namespace stoa::runtime {
namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextDeleter>;

constexpr char kCiphersTls12[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!MD5:!DSS";

std::string last_error() {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  char text[256] = "";
  if (code == 0) return "unknown error";
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                unsigned offered_length, void* argument) {
  auto& protocols = *static_cast<const std::vector<unsigned char>*>(argument);
  unsigned char* chosen = nullptr;
  int result = SSL_select_next_proto(&chosen, out_length, protocols.data(),
                                     static_cast<unsigned>(protocols.size()), offered, offered_length);
  *out = chosen;
  // A client that shares no protocol with us is told so (RFC 7301 §3.2).
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<void, std::string> use_files(SSL_CTX* context, const TlsIdentity& identity) {
  if (SSL_CTX_use_certificate_chain_file(context, identity.certificate_file.c_str()) != 1)
    return refuse("cannot use certificate file " + identity.certificate_file + ": " + last_error());
  if (SSL_CTX_use_PrivateKey_file(context, identity.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return refuse("cannot use key file " + identity.key_file + ": " + last_error());
  return {};
}

Result<void, std::string> use_texts(SSL_CTX* context, const TlsIdentity& identity) {
  using Bio = std::unique_ptr<BIO, decltype([](BIO* bio) { BIO_free(bio); })>;
  Bio certificates(
      BIO_new_mem_buf(identity.certificate_pem.data(), static_cast<int>(identity.certificate_pem.size())));
  bool is_leaf = true;
  while (X509* certificate = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
    bool used = is_leaf ? SSL_CTX_use_certificate(context, certificate) == 1
                        : SSL_CTX_add1_chain_cert(context, certificate) == 1;
    X509_free(certificate);
    if (!used) return refuse("cannot use certificate text: " + last_error());
    is_leaf = false;
  }
  if (is_leaf) return refuse("cannot read certificate text: " + last_error());
  ERR_clear_error();
  Bio keys(BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size())));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(keys.get(), nullptr, nullptr, nullptr);
  if (!key) return refuse("cannot read key text: " + last_error());
  bool used = SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  if (!used) return refuse("cannot use key text: " + last_error());
  return {};
}

}  // namespace

struct TlsContext::Impl {
  Result<Context, std::string> build(const TlsIdentity& from) {
    ERR_clear_error();
    Context context(SSL_CTX_new(TLS_server_method()));
    if (!context) return refuse("cannot make a TLS context: " + last_error());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context.get(), kCiphersTls12);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Resumption by tickets; a server-side cache would be one more thing to bound.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    static constexpr unsigned char kSessionContext[] = "stoa";
    SSL_CTX_set_session_id_context(context.get(), kSessionContext, sizeof kSessionContext - 1);
    SSL_CTX_set_num_tickets(context.get(), 1);
    if (!alpn.empty()) SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, &alpn);
    auto used =
        from.certificate_file.empty() ? use_texts(context.get(), from) : use_files(context.get(), from);
    if (!used) return refuse(used.error());
    if (SSL_CTX_check_private_key(context.get()) != 1)
      return refuse("the key does not belong to the certificate: " + last_error());
    return context;
  }

  std::vector<unsigned char> alpn;  // In wire form; never changed after `make`.
  mutable std::mutex mutex;         // Guards what is below.
  TlsIdentity identity;
  Context current;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>, std::string> TlsContext::make(TlsIdentity identity,
                                                                  std::vector<std::string> alpn) {
  auto impl = std::make_unique<Impl>();
  for (const std::string& name : alpn) {
    impl->alpn.push_back(static_cast<unsigned char>(name.size()));
    impl->alpn.insert(impl->alpn.end(), name.begin(), name.end());
  }
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(impl)));
  auto replaced = context->replace(std::move(identity));
  if (!replaced) return refuse(replaced.error());
  return context;
}

Result<void, std::string> TlsContext::replace(TlsIdentity identity) {
  auto context = impl_->build(identity);
  if (!context) return refuse(context.error());
  std::lock_guard lock(impl_->mutex);
  impl_->identity = std::move(identity);
  impl_->current = std::move(*context);
  return {};
}

Result<void, std::string> TlsContext::reload() {
  TlsIdentity identity;
  {
    std::lock_guard lock(impl_->mutex);
    identity = impl_->identity;
  }
  return replace(std::move(identity));
}

ssl_st* TlsContext::make_session() const {
  std::lock_guard lock(impl_->mutex);
  return SSL_new(impl_->current.get());
}

}  // namespace stoa::runtime
