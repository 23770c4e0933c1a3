// Opus (RFC 6716) in Ogg's header (RFC 7845) and in MP4 (Encapsulation of Opus in ISO BMFF, §4.3.2).
#pragma once

#include "media/codec.h"

namespace stoa::media {

// 120 ms at 48 kHz, RFC 6716 §3.4 [R5].
inline constexpr std::uint32_t kOpusPacketSamplesMax = 5760;

// From an OpusSpecificBox payload (dOps).
Result<std::shared_ptr<const Format>, CodecRefusal> make_opus_format(SharedBytes config);
Result<AccessUnitFacts, CodecRefusal> inspect_opus(Bytes packet);

}  // namespace stoa::media
