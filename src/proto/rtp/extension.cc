#include "proto/rtp/extension.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtp {
namespace {

constexpr std::uint8_t kReservedId = 15;
constexpr std::size_t kBlockHeadBytes = 4;

}  // namespace

std::optional<Element> ExtensionReader::next() {
  Bytes bytes = block_.bytes;
  while (at_ < bytes.size() && bytes[at_] == 0) ++at_;
  if (at_ == bytes.size() || !(block_.is_one_byte() || block_.is_two_byte())) return std::nullopt;
  Element element;
  std::size_t length;
  if (block_.is_one_byte()) {
    element.id = bytes[at_] >> 4;
    length = (bytes[at_] & 0x0fu) + 1;
    if (element.id == 0 || element.id == kReservedId) {
      at_ = bytes.size();
      return std::nullopt;
    }
    at_ += 1;
  } else {
    element.id = bytes[at_];
    if (at_ + 1 == bytes.size()) {
      is_broken_ = true;
      at_ = bytes.size();
      return std::nullopt;
    }
    length = bytes[at_ + 1];
    at_ += 2;
  }
  if (length > bytes.size() - at_) {
    is_broken_ = true;
    at_ = bytes.size();
    return std::nullopt;
  }
  element.offset = at_;
  element.value = bytes.subspan(at_, length);
  at_ += length;
  return element;
}

std::optional<Element> find_element(const ExtensionBlock& block, std::uint8_t id) {
  ExtensionReader reader(block);
  while (auto element = reader.next()) {
    if (element->id == id) return element;
  }
  return std::nullopt;
}

bool overwrite_element(std::span<std::uint8_t> packet, const ExtensionBlock& block, std::uint8_t id,
                       Bytes value) {
  auto element = find_element(block, id);
  if (!element || element->value.size() != value.size()) return false;
  std::ranges::copy(value, packet.begin() + static_cast<std::ptrdiff_t>(block.offset + element->offset));
  return true;
}

void rename_elements(std::span<std::uint8_t> packet, const ExtensionBlock& block, const IdTable& ids) {
  STOA_DCHECK(block.offset + block.bytes.size() <= packet.size());
  std::size_t head_bytes = block.is_one_byte() ? 1 : 2;
  // The block may lie in `packet` itself: what was read of an element is not read again.
  ExtensionReader reader(block);
  while (auto element = reader.next()) {
    std::size_t head = block.offset + element->offset - head_bytes;
    std::uint8_t id = ids[element->id];
    if (id == 0 || (block.is_one_byte() && id > kOneByteIdMax)) {
      std::ranges::fill(packet.subspan(head, head_bytes + element->value.size()), std::uint8_t{0});
    } else if (block.is_one_byte()) {
      packet[head] = static_cast<std::uint8_t>(id << 4 | (packet[head] & 0x0f));
    } else {
      packet[head] = id;
    }
  }
}

bool ExtensionList::add(std::uint8_t id, Bytes value) {
  STOA_DCHECK(id != 0);
  if (count_ == kElementsMax || value.size() > kElementBytesMax) return false;
  if (value.size() > kValueBytesMax - value_bytes_) return false;
  std::ranges::copy(value, values_.begin() + static_cast<std::ptrdiff_t>(value_bytes_));
  entries_[count_++] = {id, static_cast<std::uint8_t>(value.size()),
                        static_cast<std::uint16_t>(value_bytes_)};
  value_bytes_ += value.size();
  if (id > kOneByteIdMax || value.empty() || value.size() > kOneByteElementBytesMax) needs_two_byte_ = true;
  return true;
}

void ExtensionList::clear() {
  count_ = value_bytes_ = 0;
  needs_two_byte_ = false;
}

std::size_t ExtensionList::size_bytes() const {
  if (count_ == 0) return 0;
  std::size_t elements = value_bytes_ + count_ * (needs_two_byte_ ? 2 : 1);
  return kBlockHeadBytes + (elements + 3) / 4 * 4;
}

void ExtensionList::write(std::span<std::uint8_t> out) const {
  STOA_DCHECK(out.size() == size_bytes());
  if (count_ == 0) return;
  std::uint16_t profile = needs_two_byte_ ? kTwoByteProfile : kOneByteProfile;
  std::size_t words = (out.size() - kBlockHeadBytes) / 4;
  out[0] = static_cast<std::uint8_t>(profile >> 8);
  out[1] = static_cast<std::uint8_t>(profile);
  out[2] = static_cast<std::uint8_t>(words >> 8);
  out[3] = static_cast<std::uint8_t>(words);
  std::size_t at = kBlockHeadBytes;
  for (std::size_t i = 0; i < count_; ++i) {
    const Entry& entry = entries_[i];
    if (needs_two_byte_) {
      out[at++] = entry.id;
      out[at++] = entry.length;
    } else {
      out[at++] = static_cast<std::uint8_t>(entry.id << 4 | (entry.length - 1));
    }
    std::copy_n(values_.begin() + entry.offset, entry.length, out.begin() + static_cast<std::ptrdiff_t>(at));
    at += entry.length;
  }
  std::ranges::fill(out.subspan(at), std::uint8_t{0});
}

}  // namespace stoa::rtp
