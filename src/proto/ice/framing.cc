#include "proto/ice/framing.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::ice {
namespace {

std::size_t frame_length(Bytes header) { return static_cast<std::size_t>(header[0]) << 8 | header[1]; }

// Moves up to `count` bytes from the front of `input` to the end of `to`.
void move_front(Bytes& input, std::size_t count, Buffer& to) {
  Bytes taken = input.first(std::min(count, input.size()));
  to.insert(to.end(), taken.begin(), taken.end());
  input = input.subspan(taken.size());
}

}  // namespace

Result<std::optional<Bytes>, Refusal> FrameReader::next(Bytes& input) {
  if (is_taken_) {
    partial_.clear();
    is_taken_ = false;
  }
  while (!input.empty()) {
    if (partial_.empty() && input.size() >= kFrameHeaderBytes) {
      std::size_t length = frame_length(input);
      if (length > frame_bytes_max_) return refuse(Refusal::kBadFrame);
      if (input.size() >= kFrameHeaderBytes + length) {
        Bytes frame = input.subspan(kFrameHeaderBytes, length);
        input = input.subspan(kFrameHeaderBytes + length);
        if (frame.empty()) continue;
        return frame;
      }
    }
    if (partial_.size() < kFrameHeaderBytes) {
      move_front(input, kFrameHeaderBytes - partial_.size(), partial_);
      if (partial_.size() < kFrameHeaderBytes) break;
      if (frame_length(partial_) > frame_bytes_max_) return refuse(Refusal::kBadFrame);
    }
    std::size_t whole = kFrameHeaderBytes + frame_length(partial_);
    move_front(input, whole - partial_.size(), partial_);
    if (partial_.size() < whole) break;
    if (whole == kFrameHeaderBytes) {
      partial_.clear();
      continue;
    }
    is_taken_ = true;
    return Bytes(partial_).subspan(kFrameHeaderBytes);
  }
  return std::nullopt;
}

void write_frame(Bytes datagram, Buffer& out) {
  STOA_ASSERT(datagram.size() <= 0xffff);
  out.push_back(static_cast<std::uint8_t>(datagram.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(datagram.size()));
  out.insert(out.end(), datagram.begin(), datagram.end());
}

}  // namespace stoa::ice
