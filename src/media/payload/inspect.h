// What one payload says of its frame, whatever its encoding, and frames put together of whole sets of
// payloads. Neither holds anything between calls: depacketizer.h is what copes with a network.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"

namespace stoa::payload {

// Allocates nothing: for the packet path. Errors: kTruncated, kBadValue, kUnsupported.
Result<PayloadFacts, Refusal> inspect_payload(Encoding encoding, Bytes payload);

// Appends the frame that `payloads`, all of it in the order of their sequence numbers, make: in the shape of
// media::Frame::payload, with four-byte lengths for NAL units; VP8 as one raw frame. On an error `frame`
// holds more or less of it. At most kFrameBytesMax bytes and kUnitsPerFrameMax units.
Result<AssembledFrame, Refusal> assemble(Encoding encoding, std::span<const Bytes> payloads, Buffer& frame);

}  // namespace stoa::payload
