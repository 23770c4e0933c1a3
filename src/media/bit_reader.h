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
    if (count == 0) return 0;
    std::size_t last = position_ + count - 1;  // Bit.
    std::uint64_t value = 0;                   // The bytes that the field lies in: five at most.
    for (std::size_t at = position_ >> 3; at <= last >> 3; ++at) value = value << 8 | bytes_[at];
    value = value >> (7 - (last & 7)) & ((std::uint64_t{1} << count) - 1);
    position_ += count;
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
