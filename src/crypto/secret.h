// Bytes of a key: fixed room, no allocation, wiped when they go.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/bytes.h"

namespace stoa::crypto {

// Overwrites `bytes` in a way that the compiler may not leave out.
void wipe(std::span<std::uint8_t> bytes);

// At most kBytesMax bytes that nobody should find in memory later.
template <std::size_t kBytesMax>
class Secret {
 public:
  Secret() = default;
  // Requires: bytes.size() <= kBytesMax.
  explicit Secret(Bytes bytes) : size_(bytes.size()) {
    STOA_ASSERT(bytes.size() <= kBytesMax);
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }
  static Secret zeros(std::size_t size) {
    Secret secret;
    STOA_ASSERT(size <= kBytesMax);
    secret.size_ = size;
    return secret;
  }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { wipe(bytes_); }

  Bytes view() const { return {bytes_.data(), size_}; }
  std::span<std::uint8_t> mutable_view() { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }

 private:
  std::array<std::uint8_t, kBytesMax> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace stoa::crypto
