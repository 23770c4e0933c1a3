// What a track's samples are: the entry of stsd with the decoder's configuration in it. avc1 and hvc1 of
// ISO/IEC 14496-15, av01, vp09 and Opus of their own bindings, mp4a of ISO/IEC 14496-14 §6.7.
#pragma once

#include "media/box_writer.h"
#include "media/picture.h"
#include "media/track.h"

namespace stoa::media {

// `picture` gives the colour and the shape of the pixels of a video track.
void write_sample_entry(BoxWriter& writer, const Format& format, const Picture& picture);

}  // namespace stoa::media
