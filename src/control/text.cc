#include "control/text.h"

#include <cstdint>

namespace stoa::control {
namespace {

// The code point at the front of `text`, which is shortened by it; -1 when it is no UTF-8.
std::int32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  std::size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() < length) return -1;
  std::int32_t code_point = length == 1 ? first : first & (0xff >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return -1;
    code_point = code_point << 6 | (next & 0x3f);
  }
  // Longer than need be, a surrogate, or beyond the last plane.
  if ((length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000)) return -1;
  if ((code_point >= 0xd800 && code_point < 0xe000) || code_point > 0x10ffff) return -1;
  text.remove_prefix(length);
  return code_point;
}

bool is_control(std::int32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

}  // namespace

bool is_channel_name(std::string_view text) {
  if (text.empty() || text.size() > kChannelNameCharactersMax) return false;
  if (text[0] == '-' || text[0] == '_') return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string_view::npos;
}

bool is_plain_text(std::string_view text, std::size_t characters_max, LineBreaks line_breaks) {
  for (std::size_t count = 0; !text.empty(); ++count) {
    if (count == characters_max) return false;
    std::int32_t code_point = take_code_point(text);
    if (code_point < 0) return false;
    bool is_break = code_point == '\n' || code_point == '\t';
    if (is_control(code_point) && !(is_break && line_breaks == LineBreaks::kAllowed)) return false;
  }
  return true;
}

bool is_utf8_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return false;
  while (!text.empty())
    if (take_code_point(text) <= 0) return false;
  return true;
}

}  // namespace stoa::control
