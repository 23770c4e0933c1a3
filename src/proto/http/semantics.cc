#include "proto/http/semantics.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/letters.h"

namespace stoa::http {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the next element of a comma-separated list.
std::string_view take_element(std::string_view& list) {
  std::size_t comma = list.find(',');
  std::string_view element = trim(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  return element;
}

bool list_has(std::string_view list, std::string_view token) {
  while (!list.empty())
    if (equals_ignoring_case(take_element(list), token)) return true;
  return false;
}

// False for "q=0", "q=0.0", "q=0.000".
bool has_weight(std::string_view parameters) {
  while (!parameters.empty()) {
    std::size_t semicolon = parameters.find(';');
    std::string_view parameter = trim(parameters.substr(0, semicolon));
    parameters = semicolon == std::string_view::npos ? std::string_view() : parameters.substr(semicolon + 1);
    if (parameter.size() < 3 || lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    return parameter.substr(2).find_first_of("123456789") != std::string_view::npos;
  }
  return true;
}

bool allows_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    std::string_view element = take_element(accept_encoding);
    std::size_t semicolon = element.find(';');
    std::string_view coding = trim(element.substr(0, semicolon));
    bool wanted = semicolon == std::string_view::npos || has_weight(element.substr(semicolon + 1));
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) return wanted;
    if (coding == "*") any = wanted;
  }
  return any;
}

std::optional<std::uint64_t> parse_number(std::string_view digits) {
  if (digits.empty() || digits.size() > 20) return std::nullopt;
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  // More than 64 bits of offset is beyond every body.
  if (error == std::errc::result_out_of_range) return std::numeric_limits<std::uint64_t>::max();
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string_view opaque_tag(std::string_view etag) { return etag.starts_with("W/") ? etag.substr(2) : etag; }

bool is_text(std::string_view content_type) {
  std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (type.starts_with("text/")) return true;
  for (std::string_view known :
       {"application/json", "application/javascript", "application/vnd.apple.mpegurl", "image/svg+xml",
        "application/xml", "application/dash+xml", "application/manifest+json"})
    if (equals_ignoring_case(type, known)) return true;
  return type.ends_with("+json");
}

Body cut(const Body& body, ByteRange range) {
  Body part;
  for (const SharedBytes& slice : body.slices) {
    if (range.length == 0) break;
    if (range.offset >= slice.size()) {
      range.offset -= slice.size();
      continue;
    }
    std::size_t length = std::min(slice.size() - range.offset, range.length);
    part.slices.push_back(slice.slice(range.offset, length));
    range.offset = 0;
    range.length -= length;
  }
  return part;
}

bool may_compress(const Response& response) {
  std::size_t size = response.body.size();
  return size >= kGzipMinBytes && size <= kGzipMaxBytes && !response.headers.has("content-encoding") &&
         is_text(response.headers.get("content-type")) &&
         response.headers.get("cache-control").find("no-transform") == std::string_view::npos;
}

void compress(Response& response) {
  auto compressed = gzip(response.body);
  if (!compressed) return;
  response.body = Body(std::move(*compressed));
  response.headers.set("content-encoding", "gzip");
  // Other bytes than those the application's tag stands for (RFC 9110 §8.8.3).
  std::string etag(response.headers.get("etag"));
  if (!etag.empty() && !etag.starts_with("W/")) response.headers.set("etag", "W/" + etag);
}

void add_vary(Headers& headers, std::string_view name) {
  std::string vary(headers.get("vary"));
  if (list_has(vary, name) || vary == "*") return;
  headers.set("vary", vary.empty() ? std::string(name) : vary + ", " + std::string(name));
}

// RFC 9110 §13.2.2: If-None-Match, else If-Modified-Since. The date is compared as text, as clients send
// back what they were given.
bool is_unchanged(const Conditions& conditions, const Response& response) {
  if (!conditions.if_none_match.empty()) {
    std::string_view etag = response.headers.get("etag");
    return !etag.empty() && matches_etag(conditions.if_none_match, etag);
  }
  std::string_view modified = response.headers.get("last-modified");
  return !modified.empty() && conditions.if_modified_since == modified;
}

void apply_range(const Conditions& conditions, Response& response) {
  response.headers.set("accept-ranges", "bytes");
  if (conditions.range.empty() || conditions.method != Method::kGet) return;
  if (!conditions.if_range.empty()) {
    // Strong comparison, or the exact date (RFC 9110 §13.1.5).
    bool is_same =
        conditions.if_range == response.headers.get("etag") && !conditions.if_range.starts_with("W/");
    if (!is_same && conditions.if_range != response.headers.get("last-modified")) return;
  }
  std::size_t size = response.body.size();
  ByteRange range;
  switch (judge_range(conditions.range, size, range)) {
    case RangeVerdict::kWhole: return;
    case RangeVerdict::kPart:
      response.status = 206;
      response.headers.set("content-range", "bytes " + std::to_string(range.offset) + "-" +
                                                std::to_string(range.offset + range.length - 1) + "/" +
                                                std::to_string(size));
      response.body = cut(response.body, range);
      return;
    case RangeVerdict::kUnsatisfiable:
      response.status = 416;
      response.headers.set("content-range", "bytes */" + std::to_string(size));
      response.headers.remove("content-encoding");
      response.headers.remove("etag");
      response.body = Body();
      return;
  }
}

void add_cors(Headers& headers) {
  if (!headers.has("access-control-allow-origin")) headers.add("access-control-allow-origin", "*");
  if (!headers.has("access-control-expose-headers"))
    headers.add("access-control-expose-headers",
                "Age, Date, Content-Length, Content-Range, ETag, Location, Link, Retry-After, Server-Timing");
}

std::string copy_of(const Request& request, std::string_view name) {
  return std::string(request.headers.get(name));
}

}  // namespace

bool accepts_gzip(const Request& request) { return allows_gzip(request.headers.get("accept-encoding")); }

Conditions conditions_of(const Request& request) {
  Conditions conditions;
  conditions.method = request.method;
  conditions.accepts_gzip = accepts_gzip(request);
  if (request.method == Method::kGet || request.method == Method::kHead) {
    conditions.if_none_match = copy_of(request, "if-none-match");
    conditions.if_modified_since = copy_of(request, "if-modified-since");
    conditions.range = copy_of(request, "range");
    conditions.if_range = copy_of(request, "if-range");
  }
  return conditions;
}

bool is_websocket_upgrade(const Request& request) {
  return request.method == Method::kGet && !request.is_http2 &&
         list_has(request.headers.get("upgrade"), "websocket") &&
         list_has(request.headers.get("connection"), "upgrade") &&
         request.headers.get("sec-websocket-version") == "13" &&
         request.headers.get("sec-websocket-key").size() == 24;
}

bool is_preflight(const Request& request) {
  return request.method == Method::kOptions && request.headers.has("origin") &&
         request.headers.has("access-control-request-method");
}

Response make_preflight_response(const Request& request) {
  Response response;
  response.status = 204;
  response.headers.add("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  // `*` does not cover Authorization, so the names asked for are named again.
  std::string_view asked = request.headers.get("access-control-request-headers");
  if (!asked.empty()) response.headers.add("access-control-allow-headers", asked);
  response.headers.add("access-control-max-age", "86400");
  response.headers.add("vary", "Access-Control-Request-Headers");
  return response;
}

bool matches_etag(std::string_view list, std::string_view etag) {
  if (trim(list) == "*") return true;
  while (!list.empty()) {
    list = trim(list);
    bool is_weak = list.starts_with("W/");
    std::string_view tag = is_weak ? list.substr(2) : list;
    // A comma may stand inside the quotes.
    std::size_t close = tag.starts_with('"') ? tag.find('"', 1) : std::string_view::npos;
    if (close == std::string_view::npos) {
      take_element(list);
      continue;
    }
    if (tag.substr(0, close + 1) == opaque_tag(etag)) return true;
    list = tag.substr(close + 1);
    take_element(list);
  }
  return false;
}

RangeVerdict judge_range(std::string_view field, std::size_t size, ByteRange& range) {
  field = trim(field);
  if (field.size() < 6 || !equals_ignoring_case(field.substr(0, 6), "bytes=")) return RangeVerdict::kWhole;
  std::string_view spec = trim(field.substr(6));
  std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return RangeVerdict::kWhole;
  std::string_view first_text = trim(spec.substr(0, dash)), last_text = trim(spec.substr(dash + 1));
  auto first = parse_number(first_text), last = parse_number(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last))
    return RangeVerdict::kWhole;
  if (!first) {  // The last n bytes.
    if (*last == 0 || size == 0) return RangeVerdict::kUnsatisfiable;
    std::size_t length = std::min<std::uint64_t>(*last, size);
    range = {size - length, length};
    return RangeVerdict::kPart;
  }
  if (last && *last < *first) return RangeVerdict::kWhole;
  if (*first >= size) return RangeVerdict::kUnsatisfiable;
  std::size_t end = last && *last < size - 1 ? static_cast<std::size_t>(*last) + 1 : size;
  range = {static_cast<std::size_t>(*first), end - static_cast<std::size_t>(*first)};
  return RangeVerdict::kPart;
}

void apply_semantics(const Conditions& conditions, WallTime now, Response& response) {
  Headers& headers = response.headers;
  bool is_read = conditions.method == Method::kGet || conditions.method == Method::kHead;
  if (headers.has("content-encoding") || may_compress(response)) add_vary(headers, "Accept-Encoding");
  if (is_read && response.status == 200 && is_unchanged(conditions, response)) {
    response.status = 304;
    for (const char* name : {"content-type", "content-encoding", "content-range"}) headers.remove(name);
  } else {
    if (is_read && response.status == 200) apply_range(conditions, response);
    if (conditions.accepts_gzip && response.status != 206 && may_compress(response)) compress(response);
  }
  add_cors(headers);
  if (response.urgency != 3 && !headers.has("priority"))
    headers.add("priority", "u=" + std::to_string(std::min<int>(response.urgency, 7)));
  headers.set("date", to_http_date(now));
  bool has_no_body = response.status < 200 || response.status == 204 || response.status == 304;
  headers.remove("content-length");
  if (!has_no_body) headers.add("content-length", std::to_string(response.body.size()));
  if (has_no_body || conditions.method == Method::kHead) response.body = Body();
}

std::optional<SharedBytes> gzip(const Body& body) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  if (deflateInit2(&stream, 5, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return std::nullopt;
  Buffer out(deflateBound(&stream, body.size()));
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  int result = Z_OK;
  for (const SharedBytes& slice : body.slices) {
    stream.next_in = const_cast<Bytef*>(slice.data());
    stream.avail_in = static_cast<uInt>(slice.size());
    if (!slice.empty()) result = deflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK) break;
  }
  if (result == Z_OK) result = deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  out.shrink_to_fit();
  return SharedBytes(std::move(out));
}

}  // namespace stoa::http
