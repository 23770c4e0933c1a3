// What a video bitstream says about its pictures; shared by the codecs' readers and by the CMAF writer.
#pragma once

#include <cstdint>
#include <numeric>
#include <optional>

#include "media/codec.h"

namespace stoa::media {

// Pixels a side that a server takes: a 16-bit field in sample entries, and the largest level of AV1 and HEVC.
inline constexpr std::uint32_t kPictureSideMax = 16384;
// Timing above this is the tick of a variable rate's clock (1,000 in RTMP), not a rate: treated as unsaid.
inline constexpr std::uint32_t kFrameRateMax = 480;

// Code points of ITU-T H.273; 2 is "unspecified".
struct Colour {
  std::uint8_t primaries = 2;
  std::uint8_t transfer = 2;
  std::uint8_t matrix = 2;
  bool full_range = false;
  bool operator==(const Colour&) const = default;
};

struct Picture {
  std::uint32_t width = 0;  // After cropping, before the pixel aspect ratio.
  std::uint32_t height = 0;
  std::uint32_t frame_rate_numerator = 0;
  std::uint32_t frame_rate_denominator = 1;
  std::uint32_t pixel_width = 1;  // Sample aspect ratio; 1:1 also when the bitstream does not say.
  std::uint32_t pixel_height = 1;
  std::optional<Colour> colour;  // Absent when the bitstream does not say.
  // How many frames may be shown after one that is decoded behind them; 0: frames are shown in the order of
  // decoding. Absent when the bitstream does not say. H.264 and HEVC.
  std::optional<std::uint32_t> reorder_frames;

  // Takes `ticks_per_second` / `ticks_per_frame` in lowest terms when that is a frame rate.
  void set_frame_rate(std::uint64_t ticks_per_second, std::uint64_t ticks_per_frame) {
    if (ticks_per_second == 0 || ticks_per_frame == 0) return;
    if (ticks_per_second > std::uint64_t{kFrameRateMax} * ticks_per_frame) return;
    std::uint64_t divisor = std::gcd(ticks_per_second, ticks_per_frame);
    ticks_per_second /= divisor, ticks_per_frame /= divisor;
    if (ticks_per_second > UINT32_MAX || ticks_per_frame > UINT32_MAX) return;
    frame_rate_numerator = static_cast<std::uint32_t>(ticks_per_second);
    frame_rate_denominator = static_cast<std::uint32_t>(ticks_per_frame);
  }
};

// The pictures of a video format by its configuration record; the size of VP9, which its record lacks, is
// that of `format`.
Result<Picture, CodecRefusal> read_picture(const Format& format);

}  // namespace stoa::media
