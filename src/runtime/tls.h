// TLS for listeners (OpenSSL): one context that every shard may use, renewed without a restart.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct ssl_st;

namespace stoa::runtime {

// Where certificate and key come from: two PEM files, or two PEM texts (a self-signed pair made at start).
struct TlsIdentity {
  std::string certificate_file;  // The chain, leaf first.
  std::string key_file;
  std::string certificate_pem;  // Used when certificate_file is empty.
  std::string key_pem;
};

// TLS 1.2 and 1.3, forward-secret AEAD suites only, session tickets, no renegotiation, no compression.
class TlsContext {
 public:
  // `alpn`: the protocols offered, best first; empty turns ALPN off (RTMPS).
  // The error is a sentence that names the file and what is wrong with it.
  static Result<std::shared_ptr<TlsContext>, std::string> make(TlsIdentity identity,
                                                               std::vector<std::string> alpn = {"h2",
                                                                                                "http/1.1"});
  ~TlsContext();

  // Any thread. Reads the files again; handshakes that start afterwards use the new certificate, connections
  // keep theirs. On an error the old one stays in use.
  Result<void, std::string> reload();
  Result<void, std::string> replace(TlsIdentity identity);

  // A new server side for one connection, owned by the caller (SSL_free). Any thread.
  ssl_st* make_session() const;

 private:
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
