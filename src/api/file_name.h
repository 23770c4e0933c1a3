// Numbers in the names of files and in queries, as players send them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stoa::api {

// Decimal digits alone, at most 19 of them.
inline std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || text.size() > 19) return std::nullopt;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "p12.m4s" → 12 for prefix "p", suffix ".m4s". Leading zeros would make two names of one file.
inline std::optional<std::uint64_t> parse_file(std::string_view file, std::string_view prefix,
                                               std::string_view suffix) {
  if (!file.starts_with(prefix)) return std::nullopt;
  file.remove_prefix(prefix.size());
  if (!file.ends_with(suffix)) return std::nullopt;
  file.remove_suffix(suffix.size());
  if (file.size() > 1 && file.front() == '0') return std::nullopt;
  return parse_decimal(file);
}

}  // namespace stoa::api
