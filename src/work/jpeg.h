// Pictures as JPEG has them: 4:2:0, full range, BT.601 (JFIF), square pixels.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "work/libav.h"

namespace stoa::work {

// A source's picture in its own shape, no larger than it is nor than this; of even sides. Nothing for what
// cannot be read, or where there is no room for two pixels either way.
FramePtr shrink_for_jpeg(const Image& image, int width_max, int height_max);

// At a quality of about 78 of 100, on libjpeg's scale. Requires: made by the above, or alike.
std::optional<SharedBytes> encode_jpeg(const AVFrame& frame);

}  // namespace stoa::work
