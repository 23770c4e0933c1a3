// Redundant audio (RFC 2198): a frame together with some of those before it, so that a lost packet is made
// good by the next one.
//
//   1 | type (7) | earlier by (14) | bytes (10)   for each earlier frame, oldest first
//   0 | type (7)                                  for the frame itself
//   the earlier frames, in that order | the frame itself, up to the end
//
// Since the frame itself is the end of the payload, who cannot take the rest is sent that alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"

namespace stoa::payload {

// Frames in one payload. An offset reaches 341 ms at 48 kHz: 17 frames of 20 ms.
inline constexpr std::size_t kRedBlocksMax = 32;
inline constexpr std::size_t kRedHeaderBytes = 4;  // Of an earlier frame; the last has one byte.
inline constexpr std::size_t kRedHeadersBytesMax = (kRedBlocksMax - 1) * kRedHeaderBytes + 1;

// Its three parts, one behind the other in the payload.
struct RedPayload {
  Bytes headers;  // Of all frames.
  Bytes earlier;  // Those before it.
  Bytes primary;  // The frame itself. May be empty.

  std::size_t earlier_count() const { return headers.size() / kRedHeaderBytes; }
};
// All frames must be of `payload_type`. Errors: kTruncated; kTooLarge for more than kRedBlocksMax frames;
// kUnsupported for another payload type.
Result<RedPayload, Refusal> parse_red(Bytes payload, std::uint8_t payload_type);

struct RedBlock {
  std::uint16_t timestamp_offset = 0;  // Before the frame itself, in RTP time.
  Bytes frame;
};
// The oldest of the earlier frames, which is taken out. Requires: earlier_count() > 0, from parse_red().
RedBlock take_oldest(RedPayload& red);

// The same headers for one who knows the frames under another payload type. Writes headers.size() bytes.
void write_red_headers(Bytes headers, std::uint8_t payload_type, std::uint8_t* out);

}  // namespace stoa::payload
