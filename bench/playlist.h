// The little of a playlist that a load generator needs: where its live edge is and what can be fetched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::bench {

struct Edge {
  std::uint64_t next_msn = 0;  // What a blocked reload asks for next.
  std::uint64_t next_part = 0;
  double part_target = 0;  // Seconds; 0 for a playlist without parts.
  bool has_ended = false;
  std::vector<std::string>
      last_parts;           // URIs of the newest parts with media, oldest first, at most kMaxParts.
  std::string hinted_part;  // EXT-X-PRELOAD-HINT, empty when there is none.
  static constexpr std::size_t kMaxParts = 8;
};

// Nullopt when this is no media playlist.
std::optional<Edge> find_edge(std::string_view playlist);
// The URIs of a multivariant playlist's variants, then of its audio renditions.
std::vector<std::string> find_renditions(std::string_view multivariant);
// The value of an attribute of a tag's list, without quotes; empty when absent.
std::string_view find_attribute(std::string_view line, std::string_view name);

}  // namespace stoa::bench
