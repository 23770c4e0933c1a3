// Header extension elements (RFC 8285), in the one-byte and the two-byte form.
//
// One-byte elements have ids 1 to 14 and 1 to 16 bytes, two-byte elements ids 1 to 255 and 0 to 255 bytes.
// What each id means is negotiated: see ExtensionMap in extension_values.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "proto/rtp/refusal.h"

namespace stoa::rtp {

inline constexpr std::uint16_t kOneByteProfile = 0xbede;
inline constexpr std::uint16_t kTwoByteProfile = 0x1000;  // The low four bits are the application's.
inline constexpr std::uint8_t kOneByteIdMax = 14;
inline constexpr std::size_t kOneByteElementBytesMax = 16;
inline constexpr std::size_t kElementBytesMax = 255;

// The extension of a packet, not yet looked into.
struct ExtensionBlock {
  std::uint16_t profile = 0;
  std::size_t offset = 0;  // Of `bytes` in the packet.
  Bytes bytes;             // Without the four bytes of profile and length.

  bool is_one_byte() const { return profile == kOneByteProfile; }
  bool is_two_byte() const { return (profile & 0xfff0) == kTwoByteProfile; }
};

struct Element {
  std::uint8_t id = 0;
  std::size_t offset = 0;  // Of `value` in the block.
  Bytes value;
};

// Walks over the elements of a block. A block of another profile has none. What is broken ends the walk:
// an element that runs over the block, the reserved id 15 and an id 0 with a length (§4.2).
class ExtensionReader {
 public:
  explicit ExtensionReader(const ExtensionBlock& block) : block_(block) {}

  std::optional<Element> next();
  // Whether the walk ended at an element that runs over the block.
  bool is_broken() const { return is_broken_; }

 private:
  ExtensionBlock block_;
  std::size_t at_ = 0;
  bool is_broken_ = false;
};

// The first element with this id.
std::optional<Element> find_element(const ExtensionBlock& block, std::uint8_t id);

// In place: `packet` is the packet that `block` was parsed from, or a copy of it.

// Puts `value` over the element's. False, and nothing changed, when there is none of just this size.
bool overwrite_element(std::span<std::uint8_t> packet, const ExtensionBlock& block, std::uint8_t id,
                       Bytes value);

// From the ids that a sender negotiated to those of a receiver; 0 takes the element out.
using IdTable = std::array<std::uint8_t, 256>;
// Gives every element its new id, and makes padding of those that have none, or one that the block's form
// cannot say. The size stays, so packets of equal size stay equal.
void rename_elements(std::span<std::uint8_t> packet, const ExtensionBlock& block, const IdTable& ids);

// The elements of a packet to be written. It picks the one-byte form whenever all of them fit in it.
class ExtensionList {
 public:
  static constexpr std::size_t kElementsMax = 16;
  static constexpr std::size_t kValueBytesMax =
      512;  // Of all together: a dependency descriptor and the rest.

  // False, and nothing added, when a limit is passed. Requires: id is not 0.
  bool add(std::uint8_t id, Bytes value);
  // Asks for the two-byte form even where the one-byte form would do: for packets of one stream that should
  // all be laid out alike. Both ends must have agreed to it (RFC 8285 §6, a=extmap-allow-mixed).
  void use_two_byte_form() { needs_two_byte_ = true; }
  void clear();

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  bool is_two_byte() const { return needs_two_byte_; }
  // With the four bytes of profile and length and the padding behind; 0 when there is no element.
  std::size_t size_bytes() const;
  // Requires: out.size() == size_bytes().
  void write(std::span<std::uint8_t> out) const;

 private:
  struct Entry {
    std::uint8_t id = 0, length = 0;
    std::uint16_t offset = 0;
  };
  std::array<Entry, kElementsMax> entries_{};
  std::array<std::uint8_t, kValueBytesMax> values_;
  std::size_t count_ = 0, value_bytes_ = 0;
  bool needs_two_byte_ = false;
};

}  // namespace stoa::rtp
