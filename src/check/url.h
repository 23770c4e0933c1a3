// As much of RFC 3986 as following playlists takes: references resolved, directives added.
#pragma once

#include <string>
#include <string_view>

namespace stoa::check {

struct Url {
  std::string scheme;     // Lower case, without ':'.
  std::string authority;  // host[:port], as given.
  std::string path;       // Begins with '/' when there is an authority.
  std::string query;      // Without '?'.
  bool has_query = false;

  static Url parse(std::string_view text);
  std::string text() const;
};

// RFC 3986 §5.2; a fragment is dropped.
std::string resolve(std::string_view base, std::string_view reference);
// Adds "name=value" (already encoded) to the query, in the order given.
std::string with_query(std::string_view url, std::string_view more);
// Without the `_HLS_` directives: what two addresses of one playlist share.
std::string without_directives(std::string_view url);
// The last step of the path: how a resource is called in evidence.
std::string file_name(std::string_view url);

}  // namespace stoa::check
