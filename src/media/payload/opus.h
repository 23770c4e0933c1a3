// Opus in RTP (RFC 7587): a packet is a frame is a payload; there is no header between.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"

namespace stoa::payload {

// Appends the one payload. Errors: kTooLarge (Opus packets are not cut), kBadValue for what is no Opus
// packet.
Result<void, Refusal> packetize_opus(Bytes packet, std::size_t payload_bytes_max, PayloadList& out);
Result<AssembledFrame, Refusal> assemble_opus(Bytes payload, Buffer& frame);
Result<PayloadFacts, Refusal> inspect_opus_payload(Bytes payload);
// How long the packet lasts in RTP time (48 kHz): 120 to 5760.
Result<std::uint32_t, Refusal> opus_duration(Bytes packet);

}  // namespace stoa::payload
