// A media::Format out of what the packets bring: WebRTC sends no configuration record, the parameter sets
// come with each key frame. What changes later is media::inspect()'s to say.
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "media/codec.h"
#include "media/payload/encoding.h"

namespace stoa::payload {

// The codec that a track of this encoding has; none when media has no such codec (VP8 is in no container that
// Stoa writes).
std::optional<media::Codec> find_codec(Encoding encoding);

// From a key frame as Depacketizer gives it. Errors: kBadValue when it has no parameter sets or sequence
// header, and those of media::inspect(). For H.264, HEVC, AV1 and VP9.
Result<std::shared_ptr<const media::Format>, media::CodecRefusal> make_first_format(media::Codec codec,
                                                                                    Bytes keyframe);
// Opus says its channels in SDP: `stereo=1` of the sender's parameters (RFC 7587 §6.1) or none.
Result<std::shared_ptr<const media::Format>, media::CodecRefusal> make_opus_format(std::uint8_t channels);

}  // namespace stoa::payload
