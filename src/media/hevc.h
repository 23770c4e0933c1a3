// HEVC (ITU-T H.265, ISO/IEC 23008-2) as far as a server must read it: see codec.h.
//
// A key frame is any IRAP picture: IDR, BLA and CRA. Encoders code CRA with open groups of pictures by
// default; §8.1.3 lets a decoder start there and drop the leading pictures that refer to what it never saw.
#pragma once

#include "media/codec.h"
#include "media/picture.h"

namespace stoa::media {

// From an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3). It must hold a sequence parameter set;
// the first one counts.
Result<std::shared_ptr<const Format>, CodecRefusal> make_hevc_format(SharedBytes config);
Result<Picture, CodecRefusal> read_hevc_picture(Bytes config);
// The record with its parameter set arrays marked complete, as the sample entry hvc1 calls for (§8.4.1.1);
// what does not read as a record comes back as it is.
Buffer with_complete_hevc_arrays(Bytes config);
Result<AccessUnitFacts, CodecRefusal> inspect_hevc(const Format& format, Bytes access_unit);

}  // namespace stoa::media
