// AAC (ISO/IEC 14496-3) as far as a server must read it: Low Complexity, with or without spectral band
// replication (HE-AAC) and parametric stereo (HE-AAC v2).
//
// Rates and counts of a Format are those of what the decoder puts out: a HE-AAC track at 48 kHz has
// sample_rate 48,000 and samples_per_frame 2,048, although its core runs at 24 kHz with 1,024. The CMAF
// timescale is that sample_rate too, so a frame lasts exactly samples_per_frame ticks. SBR that only the
// frames know of (implicit signalling) cannot be seen here; its tracks count in core samples, which lasts
// just as long.
#pragma once

#include "media/codec.h"

namespace stoa::media {

// From an AudioSpecificConfig (§1.6.2.1). Channel configurations 1 to 7 are taken. A program config element
// and the layouts from 11 upward are refused as unsupported: browsers fail on them, and then on the whole
// playlist.
Result<std::shared_ptr<const Format>, CodecRefusal> make_aac_format(SharedBytes config);
Result<AccessUnitFacts, CodecRefusal> inspect_aac(Bytes access_unit);

}  // namespace stoa::media
