#include "media/nal.h"

#include <algorithm>
#include <array>

namespace stoa::media {

Result<Bytes, CodecRefusal> NalCutter::next() {
  std::uint32_t length = 0;
  for (std::uint8_t byte : reader_.take(length_size_)) length = length << 8 | byte;
  if (!reader_.ok()) return refuse(CodecRefusal::kTruncated);
  if (length == 0) return refuse(CodecRefusal::kBadValue);
  Bytes nal = reader_.take(length);
  if (!reader_.ok()) return refuse(CodecRefusal::kTruncated);
  return nal;
}

Buffer unescape(Bytes nal, std::size_t limit) {
  Buffer payload;
  payload.reserve(std::min(nal.size(), limit));
  unsigned zeros = 0;
  for (std::uint8_t byte : nal) {
    if (payload.size() == limit) break;
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    payload.push_back(byte);
  }
  return payload;
}

Bytes trim_trailing_zeros(Bytes nal) {
  while (nal.size() > 1 && nal.back() == 0) nal = nal.first(nal.size() - 1);
  return nal;
}

bool contains(const std::vector<Bytes>& sets, Bytes nal) {
  return std::ranges::any_of(sets, [&](Bytes set) { return std::ranges::equal(set, nal); });
}

namespace {

// H.273 §8.6, aspect_ratio_idc 1 to 16.
struct AspectRatio {
  std::uint8_t width, height;
};
constexpr std::array<AspectRatio, 17> kAspectRatios{{{1, 1},
                                                     {1, 1},
                                                     {12, 11},
                                                     {10, 11},
                                                     {16, 11},
                                                     {40, 33},
                                                     {24, 11},
                                                     {20, 11},
                                                     {32, 11},
                                                     {80, 33},
                                                     {18, 11},
                                                     {15, 11},
                                                     {64, 33},
                                                     {160, 99},
                                                     {4, 3},
                                                     {3, 2},
                                                     {2, 1}}};
constexpr std::uint32_t kExtendedAspectRatio = 255;

}  // namespace

void read_vui_appearance(BitReader& bits, Picture& picture) {
  if (bits.flag()) {
    std::uint32_t ratio = bits.u(8);
    std::uint32_t width = 1, height = 1;
    if (ratio == kExtendedAspectRatio) {
      width = bits.u(16);
      height = bits.u(16);
    } else if (ratio < kAspectRatios.size()) {
      width = kAspectRatios[ratio].width;
      height = kAspectRatios[ratio].height;
    }
    if (width != 0 && height != 0) picture.pixel_width = width, picture.pixel_height = height;
  }
  if (bits.flag()) bits.flag();  // Overscan.
  if (bits.flag()) {
    bits.u(3);  // Video format.
    Colour colour;
    colour.full_range = bits.flag();
    bool described = bits.flag();
    if (described) {
      colour.primaries = static_cast<std::uint8_t>(bits.u(8));
      colour.transfer = static_cast<std::uint8_t>(bits.u(8));
      colour.matrix = static_cast<std::uint8_t>(bits.u(8));
    }
    if (described || colour.full_range) picture.colour = colour;
  }
  if (bits.flag()) bits.skip_ue(2);  // Chroma sample locations.
}

}  // namespace stoa::media
