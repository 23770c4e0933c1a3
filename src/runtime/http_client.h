// Many HTTP transfers at once, and when each of their bytes came (libcurl multi; HTTP/1.1 and HTTP/2, TLS).
//
// For programs that are clients: the playlist judge, measurements. Blocking by design: `wait` runs all
// transfers until one is done or the time is over. One thread; every transfer has a timeout and a largest
// body.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace stoa::runtime {

struct ClientRequest {
  std::uint64_t id = 0;  // Comes back in the answer.
  std::string method = "GET";
  std::string url;  // http or https.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;         // Sent when not empty.
  bool wants_gzip = false;  // Offers gzip; the body comes back decoded, content-encoding as it was sent.
  Duration timeout = Duration::seconds(30);
  std::size_t body_bytes_max = 64u << 20;
};

struct ClientResponse {
  std::uint64_t id = 0;
  int status = 0;       // 0: there was no answer.
  std::string failure;  // Why, or why the body is not whole; empty when all is well.
  bool is_cut = false;  // A status came, but not all of the body.
  bool timed_out = false;
  int http_version = 0;                                      // 10, 11, 20, 30.
  std::string tls;                                           // "TLSv1.3"; empty over cleartext.
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case; of the last answer.
  Buffer body;
  std::uint64_t wire_bytes = 0;  // Of the body, before decoding.
  // `sent`: the request could leave (a connection was ready). `first_byte`: of the body; of the head when
  // there is none.
  Timestamp sent, first_byte, last_byte;
};

enum class ClientHttp : std::uint8_t {
  kNegotiate,       // HTTP/2 by ALPN over TLS, HTTP/1.1 in the clear.
  kPriorKnowledge,  // HTTP/2 in the clear as well, without asking.
  kHttp1,
};

class HttpClient {
 public:
  struct Config {
    bool verifies_certificates = true;
    ClientHttp http = ClientHttp::kNegotiate;
    std::size_t transfers_max = 2'000;
    long connections_per_host_max = 64;
    Duration connect_timeout = Duration::seconds(10);
    std::string user_agent = "stoa";
  };

  explicit HttpClient(Config config);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // False when `transfers_max` are under way; nothing is answered then.
  bool start(ClientRequest request);
  // Runs transfers for at most `at_most`; returns as soon as any is done. In the order in which they ended.
  std::vector<ClientResponse> wait(Duration at_most);
  std::size_t in_flight() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
