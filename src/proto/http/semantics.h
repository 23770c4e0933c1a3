// What a server does to an answer before it is written, whatever the wire: HEAD, conditional and range
// requests (RFC 9110 §9.3.2, §13, §14), gzip of dynamic text (§8.4), CORS (Fetch §3.2), `priority` (RFC
// 9218), Date, Content-Length. Pure: the same request, answer and time give the same bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "proto/http/message.h"

namespace stoa::http {

// Dynamic text shorter than this is not worth compressing (it fits one packet anyway); text longer than the
// maximum would hold the loop for too long and goes out as it is.
inline constexpr std::size_t kGzipMinBytes = 1024;
inline constexpr std::size_t kGzipMaxBytes = 4u << 20;

// What of a request decides the form of its answer; kept while the request waits.
struct Conditions {
  Method method = Method::kGet;
  bool accepts_gzip = false;
  std::string if_none_match;
  std::string if_modified_since;
  std::string range;
  std::string if_range;
};
Conditions conditions_of(const Request& request);

// True when Accept-Encoding allows gzip (q > 0, or `*`) (RFC 9110 §12.5.3).
bool accepts_gzip(const Request& request);

// True for a well-formed WebSocket opening handshake over HTTP/1.1 (RFC 6455 §4.2.1).
bool is_websocket_upgrade(const Request& request);

// A CORS preflight: OPTIONS with Origin and Access-Control-Request-Method.
bool is_preflight(const Request& request);
Response make_preflight_response(const Request& request);

// Turns the application's answer into the final one: status, fields and body as they go on the wire (without
// the body for HEAD, 204 and 304). Bodies are cut by slicing, never copied, unless they are compressed.
void apply_semantics(const Conditions& conditions, WallTime now, Response& response);

// A gzip member of the body (RFC 1952); nullopt if zlib is out of memory.
std::optional<SharedBytes> gzip(const Body& body);

// One part of a representation, from `Range: bytes=first-last`.
struct ByteRange {
  std::size_t offset = 0;
  std::size_t length = 0;
};
enum class RangeVerdict { kWhole, kPart, kUnsatisfiable };
// Single ranges only; anything else (several ranges, other units, bad syntax) asks for the whole, as
// RFC 9110 §14.2 allows. `range` is set for kPart.
RangeVerdict judge_range(std::string_view field, std::size_t size, ByteRange& range);

// Weak comparison of an If-None-Match list with an ETag (RFC 9110 §13.1.2).
bool matches_etag(std::string_view list, std::string_view etag);

// Request target in origin-form or absolute-form (RFC 9112 §3.2), or "*".
struct Target {
  std::string path;   // As Request::path says.
  std::string query;  // As sent.
};
// nullopt: broken percent-encoding, NUL, not beginning with '/', or climbing above the root.
std::optional<Target> parse_target(std::string_view target);

}  // namespace stoa::http
