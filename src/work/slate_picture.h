// What is seen while there is nothing to see: the channel's name in the middle of a dark ground, and a light
// that goes by below it.
#pragma once

#include <string_view>

#include "media/picture.h"
#include "work/libav.h"

namespace stoa::work {

class SlatePicture {
 public:
  // Of this size (even), in colours of this matrix. A title that is too long is cut.
  SlatePicture(int width, int height, std::string_view title, const media::Colour& colour);

  // `phase` goes from 0 to 1 and is then at 0 again.
  Image draw(double phase, Duration pts) const;

 private:
  int width_, height_;
  media::Colour colour_;
  FramePtr still_;  // All but the light.
};

}  // namespace stoa::work
