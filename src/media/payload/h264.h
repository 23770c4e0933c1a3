// H.264 in RTP (RFC 6184): single NAL units, STAP-A and FU-A, which are packetization-modes 0 and 1.
//
// The interleaved mode (STAP-B, MTAP, FU-B) and data partitioning are refused: no WebRTC peer offers them.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"

namespace stoa::payload {

// Appends the payloads of one access unit. `nals` are whole NAL units with their headers. With may_aggregate
// false (packetization-mode 0) every unit travels alone and must fit: else kTooLarge.
Result<void, Refusal> packetize_h264(std::span<const Bytes> nals, std::size_t payload_bytes_max,
                                     bool may_aggregate, PayloadList& out);

// Appends an access unit as NAL units with four-byte lengths, without delimiters and filler, of payloads in
// the order of their sequence numbers.
Result<AssembledFrame, Refusal> assemble_h264(std::span<const Bytes> payloads, Buffer& frame);

// A frame's start is known by its access unit delimiter, parameter set, SEI, or a slice of the first
// macroblock. A packet of a later slice does not say whether its frame is a key frame's but for IDR slices.
Result<PayloadFacts, Refusal> inspect_h264_payload(Bytes payload);

}  // namespace stoa::payload
