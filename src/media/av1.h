// AV1 (AV1 Bitstream & Decoding Process Specification 1.0.0 with Errata 1) and its binding to MP4 ("AV1 Codec
// ISO Media File Format Binding").
//
// A key frame is what the binding calls a sync sample (§2.4): its first frame is a key frame that is shown,
// and the sequence header stands before it. One without sequence header is not enough for a decoder that
// starts there. Temporal delimiters should not be in an access unit; they are passed over.
#pragma once

#include "media/codec.h"
#include "media/picture.h"

namespace stoa::media {

// From an AV1CodecConfigurationRecord (binding §2.3.3). Its sequence header may be missing: then the size
// is open until the first key frame.
Result<std::shared_ptr<const Format>, CodecRefusal> make_av1_format(SharedBytes config);
Result<Picture, CodecRefusal> read_av1_picture(Bytes config);
Result<AccessUnitFacts, CodecRefusal> inspect_av1(const Format& format, Bytes temporal_unit);

}  // namespace stoa::media
