// Bytes as text: hexadecimal, base64url without padding and base64 (RFC 4648 §8, §5 and §4).
//
// Decoders but the last are strict, so that one value has one spelling: no padding, no white space, no bits
// beyond the last byte. Hexadecimal is written in lower case and read in both.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace stoa::crypto {

std::string write_hex(Bytes bytes);
std::optional<Buffer> parse_hex(std::string_view text);

std::string write_base64url(Bytes bytes);
std::optional<Buffer> parse_base64url(std::string_view text);

std::string write_base64(Bytes bytes);  // With padding.
// Either alphabet, padded or not: for protocols whose clients mix them.
std::optional<Buffer> parse_any_base64(std::string_view text);

}  // namespace stoa::crypto
