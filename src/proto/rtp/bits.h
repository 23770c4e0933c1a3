// Fields of single bits, most significant first, for the one extension that has them.
#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.h"

namespace stoa::rtp {

// Past the end it returns zeros and `ok()` turns false for good.
class BitReader {
 public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  // f(n), n from 0 to 32.
  std::uint32_t f(unsigned count) {
    if (!ok_ || count > bytes_.size() * 8 - at_) {
      ok_ = false;
      return 0;
    }
    std::uint32_t value = 0;
    for (unsigned i = 0; i < count; ++i, ++at_)
      value = value << 1 | (bytes_[at_ >> 3] >> (7 - (at_ & 7)) & 1u);
    return value;
  }
  bool flag() { return f(1) != 0; }
  // ns(n): one of `count` values, in the fewer bits where that does (AV1 §4.10.7). Requires: count > 0.
  std::uint32_t ns(std::uint32_t count) {
    auto width = static_cast<unsigned>(std::bit_width(count));
    std::uint32_t short_codes = (1u << width) - count;
    std::uint32_t value = f(width - 1);
    if (value < short_codes) return value;
    return (value << 1) - short_codes + f(1);
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

class BitWriter {
 public:
  void f(unsigned count, std::uint32_t value) {
    for (unsigned i = count; i-- > 0; ++at_) {
      if ((at_ & 7) == 0) bytes_.push_back(0);
      if (value >> i & 1) bytes_.back() |= static_cast<std::uint8_t>(0x80 >> (at_ & 7));
    }
  }
  void flag(bool value) { f(1, value ? 1 : 0); }
  void ns(std::uint32_t count, std::uint32_t value) {
    auto width = static_cast<unsigned>(std::bit_width(count));
    std::uint32_t short_codes = (1u << width) - count;
    if (value < short_codes) {
      f(width - 1, value);
    } else {
      f(width, value + short_codes);
    }
  }
  Buffer take() { return std::move(bytes_); }

 private:
  Buffer bytes_;
  std::size_t at_ = 0;
};

}  // namespace stoa::rtp
