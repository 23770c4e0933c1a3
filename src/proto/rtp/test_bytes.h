// Bytes of tests, written as hexadecimal; blanks are for the reader.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace stoa::rtp {

inline Buffer from_hex(std::string_view hex) {
  Buffer bytes;
  int high = -1;
  for (char c : hex) {
    if (c == ' ') continue;
    int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

inline Buffer copy(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }

}  // namespace stoa::rtp
