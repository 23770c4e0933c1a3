#include "playlist.h"

#include <charconv>

namespace stoa::bench {
namespace {

std::string_view take_line(std::string_view& text) {
  auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

template <typename Number>
Number to_number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string_view find_attribute(std::string_view line, std::string_view name) {
  std::size_t at = line.find(':');
  while (at != std::string_view::npos && at + 1 < line.size()) {
    std::string_view rest = line.substr(at + 1);
    auto equals = rest.find('=');
    if (equals == std::string_view::npos) return {};
    bool quoted = equals + 1 < rest.size() && rest[equals + 1] == '"';
    std::size_t begin = equals + (quoted ? 2 : 1);
    std::size_t end = rest.find(quoted ? '"' : ',', begin);
    if (rest.substr(0, equals) == name)
      return rest.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (end == std::string_view::npos) return {};
    at += 1 + end + (quoted ? 1 : 0);
  }
  return {};
}

std::optional<Edge> find_edge(std::string_view playlist) {
  if (!playlist.starts_with("#EXTM3U") || playlist.find("#EXT-X-TARGETDURATION") == std::string_view::npos) {
    return std::nullopt;
  }
  Edge edge;
  while (!playlist.empty()) {
    std::string_view line = take_line(playlist);
    auto value = [&] { return line.substr(line.find(':') + 1); };
    if (line.empty()) continue;
    if (line[0] != '#') {
      ++edge.next_msn;
      edge.next_part = 0;
    } else if (line.starts_with("#EXT-X-MEDIA-SEQUENCE:")) {
      edge.next_msn = to_number<std::uint64_t>(value());
    } else if (line.starts_with("#EXT-X-SKIP:")) {
      edge.next_msn += to_number<std::uint64_t>(find_attribute(line, "SKIPPED-SEGMENTS"));
    } else if (line.starts_with("#EXT-X-PART-INF:")) {
      edge.part_target = to_number<double>(find_attribute(line, "PART-TARGET"));
    } else if (line.starts_with("#EXT-X-PART:")) {
      ++edge.next_part;
      if (find_attribute(line, "GAP") == "YES") continue;
      if (edge.last_parts.size() == Edge::kMaxParts) edge.last_parts.erase(edge.last_parts.begin());
      edge.last_parts.emplace_back(find_attribute(line, "URI"));
    } else if (line.starts_with("#EXT-X-PRELOAD-HINT:") && find_attribute(line, "TYPE") == "PART") {
      edge.hinted_part = find_attribute(line, "URI");
    } else if (line == "#EXT-X-ENDLIST") {
      edge.has_ended = true;
    }
  }
  return edge;
}

std::vector<std::string> find_renditions(std::string_view multivariant) {
  std::vector<std::string> variants, audio;
  bool is_variant = false;
  while (!multivariant.empty()) {
    std::string_view line = take_line(multivariant);
    if (line.starts_with("#EXT-X-STREAM-INF:")) {
      is_variant = true;
    } else if (line.starts_with("#EXT-X-MEDIA:") && !find_attribute(line, "URI").empty()) {
      audio.emplace_back(find_attribute(line, "URI"));
    } else if (is_variant && !line.empty() && line[0] != '#') {
      variants.emplace_back(line);
      is_variant = false;
    }
  }
  variants.insert(variants.end(), audio.begin(), audio.end());
  return variants;
}

}  // namespace stoa::bench
