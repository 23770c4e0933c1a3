// H.264 (ITU-T H.264, ISO/IEC 14496-10) as far as a server must read it: see codec.h.
//
// A key frame is an access unit with an IDR picture. A recovery point SEI is not taken for one: decoders
// that start there show broken pictures until it ends, and H.264, unlike HEVC, gives them no rule for the
// pictures they cannot decode.
#pragma once

#include "media/codec.h"
#include "media/picture.h"

namespace stoa::media {

// From an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3). It must hold a sequence parameter set;
// the first one counts.
Result<std::shared_ptr<const Format>, CodecRefusal> make_h264_format(SharedBytes config);
Result<Picture, CodecRefusal> read_h264_picture(Bytes config);
Result<AccessUnitFacts, CodecRefusal> inspect_h264(const Format& format, Bytes access_unit);

}  // namespace stoa::media
