#include <cstdint>

#include "proto/http/semantics.h"

namespace stoa::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Strict, unlike percent_decode: a path with a broken escape names nothing.
std::optional<std::string> decode_path(std::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      if (i + 2 >= path.size()) return std::nullopt;
      int high = hex_value(path[i + 1]), low = hex_value(path[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    decoded += c;
  }
  return decoded;
}

// RFC 3986 §5.2.4 on a decoded path; climbing above the root is refused rather than ignored.
std::optional<std::string> remove_dot_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  std::size_t i = 0;
  while (i < path.size()) {  // path[i] is '/'.
    std::size_t end = path.find('/', i + 1);
    if (end == std::string_view::npos) end = path.size();
    std::string_view segment = path.substr(i + 1, end - i - 1);
    bool is_last = end == path.size();
    if (segment == ".") {
      if (is_last) out += '/';
    } else if (segment == "..") {
      std::size_t parent = out.rfind('/');
      if (parent == std::string::npos) return std::nullopt;
      out.resize(parent);
      if (is_last) out += '/';
    } else {
      out += path.substr(i, end - i);
    }
    i = end;
  }
  if (out.empty()) out = "/";
  return out;
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  if (target == "*") return Target{"*", ""};
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    std::size_t path = target.find_first_of("/?", scheme.size());
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    break;
  }
  target = target.substr(0, target.find('#'));
  std::size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  Target parsed;
  if (question != std::string_view::npos) parsed.query = target.substr(question + 1);
  if (path.empty() && question == 0) path = "/";
  if (path.empty() || path.front() != '/') return std::nullopt;
  // Most paths need neither.
  if (path.find('%') == std::string_view::npos && path.find("/.") == std::string_view::npos) {
    if (path.find('\0') != std::string_view::npos) return std::nullopt;
    parsed.path = path;
    return parsed;
  }
  auto decoded = decode_path(path);
  if (!decoded) return std::nullopt;
  auto clean = remove_dot_segments(*decoded);
  if (!clean) return std::nullopt;
  parsed.path = std::move(*clean);
  return parsed;
}

}  // namespace stoa::http
