// Bytes as they travel: views, growing buffers, and immutable shared slices.
//
// `Bytes` looks at somebody else's memory and is valid only for the call it is passed to. `SharedBytes`
// keeps its memory alive and never changes: it is what many receivers send at once (a playlist body, a
// part, a frame's payload). Its count is atomic, so it may cross shards; everything else may not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An immutable slice of a shared buffer. Copying and slicing cost one atomic increment, no bytes.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(Buffer&& buffer) {
    auto owner = std::make_shared<const Buffer>(std::move(buffer));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  explicit SharedBytes(std::string&& text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    view_ = stoa::as_bytes(*owner);
    owner_ = std::move(owner);
  }
  static SharedBytes copy_of(Bytes bytes) { return SharedBytes(Buffer(bytes.begin(), bytes.end())); }
  // For bytes that live as long as the program (string literals, embedded files).
  static SharedBytes of_static(Bytes bytes) {
    SharedBytes shared;
    shared.view_ = bytes;
    return shared;
  }

  Bytes bytes() const { return view_; }
  std::string_view text() const { return as_text(view_); }
  const std::uint8_t* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // Requires: offset + length <= size().
  SharedBytes slice(std::size_t offset, std::size_t length) const {
    SharedBytes part = *this;
    part.view_ = view_.subspan(offset, length);
    return part;
  }
  SharedBytes slice(std::size_t offset) const { return slice(offset, size() - offset); }

 private:
  std::shared_ptr<const void> owner_;
  Bytes view_;
};

// Reads big-endian fields from hostile bytes. Past the end it returns zeros and `ok()` turns false for
// good, so a parser may read a whole header and ask once.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }
  bool at_end() const { return remaining() == 0; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u24() { return static_cast<std::uint32_t>(number(3)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  std::uint32_t u32_little_endian() {
    std::uint32_t value = 0;
    Bytes four = take(4);
    for (std::size_t i = four.size(); i-- > 0;) value = value << 8 | four[i];
    return value;
  }
  // Sign-extended, two's complement.
  std::int32_t i24() { return static_cast<std::int32_t>(u24() << 8) >> 8; }
  double f64() {
    std::uint64_t bits = u64();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  // A view of the next `length` bytes; empty and not ok() when there are fewer.
  Bytes take(std::size_t length) {
    if (!ok_ || length > remaining()) {
      ok_ = false;
      return {};
    }
    Bytes taken = bytes_.subspan(offset_, length);
    offset_ += length;
    return taken;
  }
  Bytes rest() { return take(remaining()); }
  bool skip(std::size_t length) {
    take(length);
    return ok_;
  }

 private:
  std::uint64_t number(std::size_t length) {
    std::uint64_t value = 0;
    for (std::uint8_t byte : take(length)) value = value << 8 | byte;
    return value;
  }

  Bytes bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

// Appends big-endian fields to a buffer it owns.
class ByteWriter {
 public:
  ByteWriter() = default;
  explicit ByteWriter(std::size_t expected_size) { buffer_.reserve(expected_size); }

  void u8(std::uint8_t value) { buffer_.push_back(value); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u24(std::uint32_t value) { number(value, 3); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void u32_little_endian(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) u8(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void f64(double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    u64(bits);
  }
  void bytes(Bytes bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view text) { bytes(as_bytes(text)); }
  void zeros(std::size_t count) { buffer_.insert(buffer_.end(), count, 0); }

  std::size_t size() const { return buffer_.size(); }
  // Overwrites a field written earlier, for lengths known only afterwards. Requires: offset + 4 <= size().
  void set_u32(std::size_t offset, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) buffer_[offset + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  }
  Bytes view() const { return buffer_; }
  Buffer take() { return std::move(buffer_); }

 private:
  void number(std::uint64_t value, int length) {
    for (int i = length - 1; i >= 0; --i) u8(static_cast<std::uint8_t>(value >> (8 * i)));
  }

  Buffer buffer_;
};

}  // namespace stoa
