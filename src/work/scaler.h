// Pictures of any size and pixel format in, pictures of one size out: 8 bits, 4:2:0, limited range, square
// pixels. A picture that is so already is passed on as it is.
//
// Colour is not touched: primaries, transfer and matrix stay what they were and are told to the encoder.
#pragma once

#include "base/result.h"
#include "work/libav.h"

namespace stoa::work {

enum class ScaleRefusal : std::uint8_t {
  kPixelFormat,  // Nothing that can be read.
};

class Scaler {
 public:
  // Requires: even and above 0.
  Scaler(int width, int height) : width_(width), height_(height) {}

  Result<Image, ScaleRefusal> scale(const Image& image);

 private:
  // What the context was made for; a source may change its size in mid-stream.
  struct Source {
    int width = 0, height = 0, pixel_format = -1;
    bool full_range = false;
    bool operator==(const Source&) const = default;
  };
  bool prepare(const Source& source);

  int width_, height_;
  Source source_;
  SwsPtr context_;
};

}  // namespace stoa::work
