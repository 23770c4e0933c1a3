#include "server/pages.h"

#include "proto/http/semantics.h"
#include "server/web_files.h"

namespace stoa::server {
namespace {

// hls.js plays through blob: URLs and a blob: worker; media-chrome styles its shadow roots inline.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; img-src 'self' "
    "data: blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'";

// As web/src/lib/route.ts has it.
bool is_room_name(std::string_view name) {
  constexpr std::size_t kMaxChars = 64;
  if (name.empty() || name.size() > kMaxChars || name == "." || name == "..") return false;
  return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") ==
         name.npos;
}

bool is_page(std::string_view path) {
  auto is_below = [&](std::string_view prefix) {
    return path.starts_with(prefix) && path.size() > prefix.size() &&
           path.find('/', prefix.size()) == std::string_view::npos;
  };
  if (is_below("/meet/")) return is_room_name(path.substr(6));
  return path == "/" || path == "/studio" || path == "/meet" || is_below("/watch/") || is_below("/studio/");
}

// True when a coding is listed without q=0 (RFC 9110 §12.5.3); enough for `br`, which nobody means by `*`.
bool accepts_brotli(const http::Request& request) {
  std::string_view list = request.headers.get("accept-encoding");
  for (std::size_t at = list.find("br"); at != std::string_view::npos; at = list.find("br", at + 1)) {
    bool begins = at == 0 || list[at - 1] == ' ' || list[at - 1] == ',';
    std::string_view rest = list.substr(at + 2);
    if (begins &&
        (rest.empty() || rest[0] == ',' || rest[0] == ' ' || (rest[0] == ';' && !rest.starts_with(";q=0"))))
      return true;
  }
  return false;
}

}  // namespace

http::Response answer_page(const http::Request& request) {
  const WebFile* file = request.path.ends_with(".html") ? nullptr : find_web_file(request.path);
  int status = 200;
  if (!file) {
    // The pages name their own files in their heads, so that they load side by side.
    const char* page = "/index.html";
    if (request.path.starts_with("/watch/")) page = "/watch.html";
    if (request.path.starts_with("/studio/")) page = "/studio.html";
    if (request.path.starts_with("/meet/")) page = "/meet.html";
    file = find_web_file(page);
    if (!file)
      return http::make_text_response(404, "This program was built without its pages (STOA_WEB=OFF).\n");
    if (!is_page(request.path)) status = 404;
  }
  http::Response response;
  response.status = status;
  response.headers.add("content-type", file->content_type);
  response.headers.add("cache-control",
                       file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.add("vary", "accept-encoding");
  response.headers.add("x-content-type-options", "nosniff");
  if (file->content_type.starts_with("text/html")) {
    response.headers.add("content-security-policy", kContentSecurityPolicy);
    response.headers.add("referrer-policy", "same-origin");
  }
  // Representations differ, so their tags do (RFC 9110 §8.8.3).
  auto answer_with = [&](Bytes body, std::string_view coding) {
    std::string etag(file->etag.substr(0, file->etag.size() - 1));
    if (!coding.empty()) response.headers.add("content-encoding", coding);
    if (status == 200)
      response.headers.add("etag", etag + (coding.empty() ? "" : "-") + std::string(coding) + '"');
    response.body = SharedBytes::of_static(body);
  };
  if (!file->brotli.empty() && accepts_brotli(request)) {
    answer_with(file->brotli, "br");
  } else if (!file->gzip.empty() && http::accepts_gzip(request)) {
    answer_with(file->gzip, "gzip");
  } else {
    answer_with(file->identity, "");
  }
  return response;
}

}  // namespace stoa::server
