// What the judge asks of the world, and what it is told back. The driver (runtime/ or a test in virtual
// time) sends each Fetch and answers it once with an Exchange of the same id.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/time.h"

namespace stoa::check {

using FetchId = std::uint64_t;
using HeaderField = std::pair<std::string, std::string>;

struct Fetch {
  FetchId id = 0;
  std::string url;
  bool is_head = false;
  bool wants_gzip = false;           // Send Accept-Encoding: gzip and hand the body over decoded.
  std::vector<HeaderField> headers;  // Besides those.
  Duration timeout;                  // After this long the driver gives up: status 0.
  std::size_t body_bytes_max = 0;    // More than this is a failure, too.
};
// Nothing more is wanted; call finish().
struct Done {};
using Outputs = Outbox<std::variant<Fetch, Done>>;

struct Exchange {
  FetchId id = 0;
  int status = 0;  // 0: no answer; `failure` says why.
  std::string failure;
  bool is_cut = false;  // The body ended before its length, or the connection broke inside it.
  bool timed_out = false;
  int http_version = 11;  // 10, 11, 20, 30.
  std::string tls;        // "TLSv1.3"; empty over cleartext.
  std::vector<HeaderField> headers;
  Bytes body;  // Decoded. Valid for the call.
  Timestamp sent, first_byte, last_byte;

  // First field of that name, compared without case; empty when absent.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
};

}  // namespace stoa::check
