// HEVC in RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units.
//
// Decoding order numbers (sprop-max-don-diff over 0) and PACI packets are refused: no WebRTC peer offers
// them.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"

namespace stoa::payload {

// Appends the payloads of one access unit. `nals` are whole NAL units with their two-byte headers.
Result<void, Refusal> packetize_hevc(std::span<const Bytes> nals, std::size_t payload_bytes_max,
                                     PayloadList& out);

// Appends an access unit as NAL units with four-byte lengths, without delimiters and filler, of payloads in
// the order of their sequence numbers.
Result<AssembledFrame, Refusal> assemble_hevc(std::span<const Bytes> payloads, Buffer& frame);

// A frame's start is known by its access unit delimiter, parameter set, prefix SEI, or first slice segment.
Result<PayloadFacts, Refusal> inspect_hevc_payload(Bytes payload);

}  // namespace stoa::payload
