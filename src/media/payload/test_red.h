// RED payloads of tests (RFC 2198 §3).
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace stoa::payload {

struct Earlier {
  std::uint16_t timestamp_offset = 0;
  Buffer frame;
};
inline Buffer make_red(std::uint8_t payload_type, const std::vector<Earlier>& earlier, const Buffer& frame) {
  ByteWriter red;
  for (const Earlier& one : earlier) {
    red.u8(static_cast<std::uint8_t>(0x80 | payload_type));
    red.u8(static_cast<std::uint8_t>(one.timestamp_offset >> 6));
    red.u8(static_cast<std::uint8_t>(one.timestamp_offset << 2 | one.frame.size() >> 8));
    red.u8(static_cast<std::uint8_t>(one.frame.size()));
  }
  red.u8(payload_type);
  for (const Earlier& one : earlier) red.bytes(one.frame);
  red.bytes(frame);
  return red.take();
}

}  // namespace stoa::payload
