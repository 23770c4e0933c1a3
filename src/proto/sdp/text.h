// The lexical ground of SDP (RFC 8866 §9): lines, words, tokens, numbers. Views into somebody else's text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/letters.h"

namespace stoa::sdp {

// Splits at CRLF, or at a lone LF as RFC 8866 §5 asks of readers.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next(std::string_view& line);  // False at the end.
  std::uint32_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::uint32_t number_ = 0;
};

// Splits at one character, passing over empty pieces: "a  b" has two words.
class Words {
 public:
  explicit Words(std::string_view text, char separator = ' ') : rest_(text), separator_(separator) {}
  bool next(std::string_view& word);
  std::string_view take();  // The next word, or empty.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  char separator_;
};

struct Pair {
  std::string_view first, second;
  bool has_second = false;
};
Pair split_at(std::string_view text, char separator);  // At the first one.
std::string_view trim(std::string_view text);          // Spaces and tabs at both ends.

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max = UINT64_MAX);
std::optional<std::uint64_t> parse_hex(std::string_view text, std::size_t digits_max);
// A reader for one field of a struct: false and untouched when the text is no number up to `max`.
template <typename Number>
bool read_number(std::string_view text, Number& number, std::uint64_t max) {
  auto value = parse_number(text, max);
  if (value) number = static_cast<Number>(*value);
  return value.has_value();
}

bool is_token(std::string_view text, std::size_t bytes_max);    // RFC 8866 §9 token, not empty.
bool is_ice_word(std::string_view text);                        // RFC 8839 §5.4 ice-char, any length.
bool is_visible(std::string_view text, std::size_t bytes_max);  // No space, no control character; not empty.
bool has_no_controls(std::string_view text);                    // A tab is none.
void append_number(std::string& out, std::uint64_t number);
void append_hex(std::string& out, std::uint64_t number, int digits);  // Lower case, leading zeros.

}  // namespace stoa::sdp
