// Retransmission packets (RFC 4588 §4): a stream of their own, whose payload begins with the sequence number
// that the packet had in the original stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtp/refusal.h"

namespace stoa::rtp {

inline constexpr std::size_t kOriginalSequenceBytes = 2;

// Who a packet is on one of the two streams.
struct StreamIds {
  std::uint32_t ssrc = 0;
  std::uint8_t payload_type = 0;
};

// Writes the retransmission of `original`, a whole packet that parse() accepts, and returns its size: two
// bytes more than the original's. Timestamp, marker, extensions and padding stay. Errors: kNoRoom, and those
// of parse_header().
Result<std::size_t, Refusal> write_rtx(Bytes original, StreamIds rtx, std::uint16_t rtx_sequence,
                                       std::span<std::uint8_t> out);

// Makes the original of a retransmission in the clear, in its place, and returns where it lies in `packet`.
// Its elements keep their ids: a repaired-rid stays one. Errors: kNoOriginal, and those of parse().
Result<std::span<std::uint8_t>, Refusal> restore_rtx(std::span<std::uint8_t> packet, StreamIds original);

}  // namespace stoa::rtp
