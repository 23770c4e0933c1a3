// Reads fields of single bits from hostile bytes, most significant bit first, with the Exp-Golomb codes of
// H.264 §9.1 and HEVC §9.2. Past the end it returns zeros and `ok()` turns false for good, so a parser may
// read a whole header and ask once. It knows nothing of emulation prevention: see nal.h.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace stoa::media {

class BitReader {
 public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t bits_left() const { return bytes_.size() * 8 - position_; }

  // u(n), n from 0 to 32.
  std::uint32_t u(unsigned count) {
    if (!ok_ || count > bits_left()) {
      ok_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (unsigned left = count; left > 0;) {
      unsigned in_byte = 8 - static_cast<unsigned>(position_ & 7);
      unsigned step = left < in_byte ? left : in_byte;
      std::uint8_t byte = bytes_[position_ >> 3];
      value = value << step | (static_cast<unsigned>(byte >> (in_byte - step)) & ((1u << step) - 1));
      position_ += step;
      left -= step;
    }
    return static_cast<std::uint32_t>(value);
  }
  bool flag() { return u(1) != 0; }
  void skip(std::size_t count) {
    if (!ok_ || count > bits_left()) {
      ok_ = false;
      return;
    }
    position_ += count;
  }

  // ue(v), up to 2^32 - 2; a longer code turns ok() false.
  std::uint32_t ue() {
    unsigned zeros = 0;
    while (ok_ && !flag()) ++zeros;
    if (!ok_ || zeros > 31) {
      ok_ = false;
      return 0;
    }
    return static_cast<std::uint32_t>((std::uint64_t{1} << zeros) - 1 + u(zeros));
  }
  // se(v)
  std::int32_t se() {
    std::uint32_t code = ue();
    std::int64_t magnitude = (static_cast<std::int64_t>(code) + 1) / 2;
    return static_cast<std::int32_t>(code & 1 ? magnitude : -magnitude);
  }
  void skip_ue(unsigned count) {
    for (unsigned i = 0; i < count && ok_; ++i) ue();
  }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace stoa::media
