#include "media/track.h"

#include <algorithm>

namespace stoa::media {

const char* name_of(Codec codec) {
  switch (codec) {
    case Codec::kH264: return "H.264";
    case Codec::kHevc: return "HEVC";
    case Codec::kAv1: return "AV1";
    case Codec::kVp9: return "VP9";
    case Codec::kAac: return "AAC";
    case Codec::kOpus: return "Opus";
  }
  return "?";
}

bool Format::is_same_as(const Format& other) const {
  // The size by itself: a VP9 record does not say it.
  return codec == other.codec && width == other.width && height == other.height &&
         std::ranges::equal(config.bytes(), other.config.bytes());
}

}  // namespace stoa::media
