// VP9 (VP9 Bitstream Specification 0.7) and its binding to MP4 ("VP Codec ISO Media File Format Binding").
//
// The configuration record does not say how large the pictures are: a format made of it alone has no size,
// and the first key frame gives a new format that has one.
#pragma once

#include "media/codec.h"
#include "media/picture.h"

namespace stoa::media {

// From a VPCodecConfigurationRecord. Senders differ on whether the FullBox's version and flags stand before
// it (RTMP's do not agree); both are taken, and the format's `config` always has them.
Result<std::shared_ptr<const Format>, CodecRefusal> make_vp9_format(SharedBytes config);
Result<Picture, CodecRefusal> read_vp9_picture(const Format& format);
// `frame` may be a superframe; its first frame counts.
Result<AccessUnitFacts, CodecRefusal> inspect_vp9(const Format& format, Bytes frame);

}  // namespace stoa::media
