#include "check/url.h"

#include <algorithm>

namespace stoa::check {
namespace {

// RFC 3986 §5.2.4.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    std::size_t end = path.find('/', path.front() == '/' ? 1 : 0);
    std::string_view segment = path.substr(0, end);
    bool is_last = end == std::string_view::npos;
    path = is_last ? std::string_view() : path.substr(end);
    if (segment == "/." || segment == ".") {
      if (is_last && out.empty() == false) out += '/';
    } else if (segment == "/.." || segment == "..") {
      std::size_t slash = out.rfind('/');
      out.resize(slash == std::string::npos ? 0 : slash);
      if (is_last) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

bool has_scheme(std::string_view text) {
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  });
}

}  // namespace

Url Url::parse(std::string_view text) {
  Url url;
  text = text.substr(0, text.find('#'));
  if (has_scheme(text)) {
    std::size_t colon = text.find(':');
    url.scheme = text.substr(0, colon);
    for (char& c : url.scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    text = text.substr(colon + 1);
  }
  if (text.starts_with("//")) {
    std::size_t end = text.find_first_of("/?", 2);
    url.authority = text.substr(2, end == std::string_view::npos ? end : end - 2);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end);
  }
  std::size_t mark = text.find('?');
  url.path = text.substr(0, mark);
  if (mark != std::string_view::npos) {
    url.query = text.substr(mark + 1);
    url.has_query = true;
  }
  return url;
}

std::string Url::text() const {
  std::string text;
  if (!scheme.empty()) text += scheme + ":";
  if (!authority.empty()) text += "//" + authority;
  text += path;
  if (has_query) text += "?" + query;
  return text;
}

std::string resolve(std::string_view base_text, std::string_view reference_text) {
  Url base = Url::parse(base_text);
  Url url = Url::parse(reference_text);
  if (!url.scheme.empty()) return url.text();
  url.scheme = base.scheme;
  if (!url.authority.empty()) return url.text();
  url.authority = base.authority;
  if (url.path.empty()) {
    url.path = base.path;
    if (!url.has_query) {
      url.query = base.query;
      url.has_query = base.has_query;
    }
    return url.text();
  }
  if (url.path.front() != '/') {
    std::size_t slash = base.path.rfind('/');
    url.path = (slash == std::string::npos ? "/" : base.path.substr(0, slash + 1)) + url.path;
  }
  url.path = remove_dot_segments(url.path);
  return url.text();
}

std::string with_query(std::string_view url_text, std::string_view more) {
  if (more.empty()) return std::string(url_text);
  Url url = Url::parse(url_text);
  if (!url.query.empty()) url.query += '&';
  url.query += more;
  url.has_query = true;
  return url.text();
}

std::string without_directives(std::string_view url_text) {
  Url url = Url::parse(url_text);
  std::string kept;
  std::string_view rest = url.query;
  while (!rest.empty()) {
    std::size_t end = rest.find('&');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (pair.starts_with("_HLS_")) continue;
    if (!kept.empty()) kept += '&';
    kept += pair;
  }
  url.query = kept;
  url.has_query = !kept.empty();
  return url.text();
}

std::string file_name(std::string_view url_text) {
  Url url = Url::parse(url_text);
  std::size_t slash = url.path.rfind('/');
  return slash == std::string::npos ? url.path : url.path.substr(slash + 1);
}

}  // namespace stoa::check
