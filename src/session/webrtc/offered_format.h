// Which of the payload types that a receiver offers suits a track best.
//
// An offer says what its decoders take, profile by profile; a track has one profile. What is looked for is
// the payload type whose decoder is sure to decode the track, and among several the nearest.
#pragma once

#include <cstdint>
#include <optional>

#include "media/payload/packet.h"
#include "proto/sdp/codec.h"
#include "proto/sdp/description.h"

namespace stoa::webrtc {

std::optional<payload::Encoding> encoding_of(sdp::Codec codec);
// Not one of those that look like RTCP with the marker bit set (RFC 5761 §4).
bool is_payload_type_usable(std::uint8_t type);
// H.264 in packetization-mode 1, which all WebRTC senders use for pictures over one packet; all of the
// others.
bool may_fragment(const sdp::Payload& payload);

// Whether RED of this format holds frames of this payload type and of nothing else (RFC 2198 §5).
bool is_red_of(const sdp::CodecFormat& format, std::uint8_t payload_type);
// The redundancy of this audio payload type that a section offers; nullptr where it offers none.
const sdp::Payload* find_red_of(const sdp::MediaSection& section, std::uint8_t payload_type);

// nullptr when a decoder of no offered payload type takes the track. H.264 is never refused for its profile
// or its packetization mode, it only ranks last: decoders follow the bitstream. HEVC, VP9 and AV1 are, since
// other bit depths and chroma formats are beyond many decoders.
const sdp::Payload* find_fit(const sdp::MediaSection& section, const payload::RtpTrack& track);

}  // namespace stoa::webrtc
