// The payloads of one frame, back to back in one buffer, made once for all who receive it.
//
// It keeps its memory when cleared, so a packetizer that writes into the same list does not allocate once the
// largest frame has been seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace stoa::payload {

class PayloadList {
 public:
  std::size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  // Requires: index < size(). Valid until the next write.
  Bytes operator[](std::size_t index) const {
    std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return Bytes(bytes_).subspan(begin, ends_[index] - begin);
  }
  // Whether the RTP marker goes on this payload.
  bool has_marker(std::size_t index) const { return has_marker_ && index == marked_; }

  void clear() {
    bytes_.clear();
    ends_.clear();
    has_marker_ = false;
  }
  // Writing: the bytes of a payload, then end_payload().
  void u8(std::uint8_t value) { bytes_.push_back(value); }
  void u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value));
  }
  void bytes(Bytes more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  void end_payload() { ends_.push_back(bytes_.size()); }
  std::size_t open_bytes() const { return bytes_.size() - (ends_.empty() ? 0 : ends_.back()); }
  void mark(std::size_t index) {
    has_marker_ = true;
    marked_ = index;
  }

 private:
  Buffer bytes_;
  std::vector<std::size_t> ends_;
  bool has_marker_ = false;
  std::size_t marked_ = 0;
};

// Cuts `bytes` into as few pieces of at most `piece_bytes_max` as it takes, whose sizes differ by at most
// one, so that they travel as one GSO send. Calls take(piece, is_first, is_last). Requires: piece_bytes_max >
// 0.
template <typename Take>
void cut_evenly(Bytes bytes, std::size_t piece_bytes_max, Take take) {
  STOA_DCHECK(piece_bytes_max > 0);
  std::size_t pieces = bytes.empty() ? 1 : (bytes.size() + piece_bytes_max - 1) / piece_bytes_max;
  std::size_t small = bytes.size() / pieces, larger = bytes.size() % pieces;
  for (std::size_t i = 0; i < pieces; ++i) {
    // The larger ones go first: in a GSO send only the last segment may be shorter.
    Bytes piece = bytes.first(small + (i < larger ? 1 : 0));
    bytes = bytes.subspan(piece.size());
    take(piece, i == 0, i + 1 == pieces);
  }
}

}  // namespace stoa::payload
