// HTTP semantics without a wire: what a request asks and what a response says (RFC 9110). runtime/ reads
// and writes HTTP/1.1 and HTTP/2; api/ answers. Neither sees the other's types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace stoa::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
Method parse_method(std::string_view token);
const char* name_of(Method method);

// Field names are lower case on the way in and are written as given on the way out. Few, so a list.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  void add(std::string_view name, std::string_view value) { fields_.emplace_back(name, value); }
  // Replaces every field of that name.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  // The first field of that name, compared without case; nullptr when absent.
  const std::string* find(std::string_view name) const;
  std::string_view get(std::string_view name) const {
    const std::string* value = find(name);
    return value ? std::string_view(*value) : std::string_view();
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

struct Request {
  Method method = Method::kGet;
  std::string path;   // Percent-decoded, begins with '/', holds no dot segments and no NUL.
  std::string query;  // As sent, without '?'.
  Headers headers;
  std::string body;
  std::string peer_address;  // Without port: "192.0.2.1", "2001:db8::1".
  bool is_secure = false;    // Came over TLS.
  bool is_http2 = false;

  // The percent-decoded value of a query key; nullopt when absent. "a=1&a=2" gives the first.
  std::optional<std::string> find_query(std::string_view key) const;
};

// Slices are sent one after another; they may be shared with any number of other responses.
struct Body {
  std::vector<SharedBytes> slices;

  Body() = default;
  Body(SharedBytes bytes) { slices.push_back(std::move(bytes)); }  // NOLINT: a body is often one slice.
  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& slice : slices) total += slice.size();
    return total;
  }
};

struct Response {
  int status = 200;
  Headers headers;  // content-length and date are written by runtime/.
  Body body;
  // RFC 9218: 0 (most urgent) to 7. On HTTP/2 it orders streams and is told to caches as `priority: u=N`.
  std::uint8_t urgency = 3;
};

Response make_text_response(int status, std::string text);
// {"error":{"code":"…","message":"…"}}: codes are stable, the message is a sentence for people.
Response make_error_response(int status, std::string_view code, std::string_view message);

std::string percent_decode(std::string_view text);
const char* reason_of(int status);

}  // namespace stoa::http
