// Lists as they lie on the wire: decoded one item at a time when looked at, so that reading a packet
// copies and allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "base/assert.h"
#include "base/bytes.h"

namespace stoa::rtcp {

inline std::uint16_t load_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::uint32_t load_u24(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 16 | static_cast<std::uint32_t>(at[1]) << 8 | at[2];
}
inline std::uint32_t load_u32(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | load_u24(at + 1);
}

// How an item of a list is read: T::kBytes and T::load(), or a bare SSRC.
template <typename T>
struct ItemFormat {
  static constexpr std::size_t kBytes = T::kBytes;
  static T load(const std::uint8_t* at) { return T::load(at); }
};
template <>
struct ItemFormat<std::uint32_t> {
  static constexpr std::size_t kBytes = 4;
  static std::uint32_t load(const std::uint8_t* at) { return load_u32(at); }
};

// A view of items of equal size; valid as long as the bytes it was parsed from.
template <typename T>
class Items {
  using Format = ItemFormat<T>;

 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = T;

    explicit Iterator(const std::uint8_t* at) : at_(at) {}
    T operator*() const { return Format::load(at_); }
    Iterator& operator++() { return at_ += Format::kBytes, *this; }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const std::uint8_t* at_;
  };

  using value_type = T;
  using const_iterator = Iterator;

  Items() = default;
  // Requires: wire.size() is a multiple of the item's size.
  explicit Items(Bytes wire) : wire_(wire) { STOA_DCHECK(wire.size() % Format::kBytes == 0); }

  std::size_t size() const { return wire_.size() / Format::kBytes; }
  bool empty() const { return wire_.empty(); }
  // Requires: index < size().
  T operator[](std::size_t index) const {
    STOA_DCHECK(index < size());
    return Format::load(wire_.data() + index * Format::kBytes);
  }
  Iterator begin() const { return Iterator(wire_.data()); }
  Iterator end() const { return Iterator(wire_.data() + wire_.size()); }

 private:
  Bytes wire_;
};

}  // namespace stoa::rtcp
