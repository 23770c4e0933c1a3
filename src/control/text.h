// What people may write into names, titles and labels.
#pragma once

#include <cstddef>
#include <string_view>

namespace stoa::control {

inline constexpr std::size_t kChannelNameCharactersMax = 64;

// [a-z0-9][a-z0-9_-]{0,63}: the same in a URL, a file name, a log line and a stream key field.
bool is_channel_name(std::string_view text);

enum class LineBreaks { kAllowed, kRefused };

// UTF-8 (RFC 3629) of at most `characters_max` code points and without control characters (C0, DEL, C1);
// where line breaks are allowed, line feed and tab are too.
bool is_plain_text(std::string_view text, std::size_t characters_max, LineBreaks line_breaks);

// UTF-8 without NUL, where databases end a text.
bool is_utf8_text(std::string_view text, std::size_t bytes_max);

}  // namespace stoa::control
