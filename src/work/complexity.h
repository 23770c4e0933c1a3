// How complex pictures are, for whoever decides what bits a title needs (docs/formats/relay.md, Progress): of
// their luma at a quarter of their width and height, 0 black and 255 white whatever their range.
//
// Not every picture is looked at but two neighbours twice a second, which is enough for means over seconds
// and a hundredth of what encoding costs at most: what is scaled is the whole picture. Those of more than 8
// bits are dithered by libswscale, as those that rungs are made of: `spatial` is up to 0.7 more.
#pragma once

#include <cstdint>
#include <optional>

#include "work/scaler.h"

namespace stoa::work {

struct Complexity {
  double spatial = 0;   // Mean difference of a sample to those right of and below it, added up.
  double temporal = 0;  // Mean difference to the picture before.
};

class ComplexityMeter {
 public:
  // All pictures in the order in which they are shown. Something when this one was measured.
  std::optional<Complexity> measure(const Image& image);

 private:
  static constexpr Duration kEvery = Duration::milliseconds(500);

  bool shrink(const AVFrame& frame);  // Into luma_.

  PixelKind source_;
  SwsPtr context_;
  FramePtr luma_, before_;
  bool has_before_ = false;  // before_ is of the picture before.
  Duration due_at_ = -Duration::infinite();
};

}  // namespace stoa::work
