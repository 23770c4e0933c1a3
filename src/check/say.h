// Evidence in words: say("part ", uri, " DURATION ", duration, " > ", limit). Durations read as seconds.
#pragma once

#include <concepts>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/time.h"

namespace stoa::check {

inline std::string word_of(std::string_view text) { return std::string(text); }
inline std::string word_of(const char* text) { return text; }
inline std::string word_of(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", duration.as_seconds());
  return text;
}
inline std::string word_of(std::integral auto number) { return std::to_string(number); }

template <typename... Words>
std::string say(const Words&... words) {
  std::string text;
  (text.append(word_of(words)), ...);
  return text;
}

}  // namespace stoa::check
