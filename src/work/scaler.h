// Pictures of any size and pixel format in, pictures of one size out: 8 bits, 4:2:0, limited range, square
// pixels. A picture that is so already is passed on as it is. One of another shape is shown whole, with black
// bars beside or above it.
//
// Colour is not touched: primaries, transfer and matrix stay what they were and are told to the encoder.
#pragma once

#include "base/result.h"
#include "work/libav.h"

namespace stoa::work {

enum class ScaleRefusal : std::uint8_t {
  kPixelFormat,  // Nothing that can be read.
};

// Pictures as libswscale sees them.
struct PixelKind {
  int width = 0, height = 0, format = -1;
  bool is_full_range = false;
  bool operator==(const PixelKind&) const = default;
};
PixelKind pixel_kind_of(const AVFrame& frame);
// Nothing where libswscale cannot. `flags` are its own: the filter, above all.
SwsPtr make_sws(const PixelKind& from, const PixelKind& to, int flags);

class Scaler {
 public:
  // Requires: even and above 0.
  Scaler(int width, int height) : width_(width), height_(height) {}

  Result<Image, ScaleRefusal> scale(const Image& image);

 private:
  // What the context was made for; a source may change its size in mid-stream.
  struct Source {
    PixelKind kind;
    AVRational pixel{1, 1};
    bool operator==(const Source& other) const {
      return kind == other.kind && av_cmp_q(pixel, other.pixel) == 0;
    }
  };
  // Where the source is shown.
  struct Window {
    int x = 0, y = 0, width = 0, height = 0;
  };
  bool prepare(const Source& source);
  Window window_of(const Source& source) const;
  void paint_bars(AVFrame& frame) const;

  int width_, height_;
  Source source_;
  Window window_;
  SwsPtr context_;
};

}  // namespace stoa::work
