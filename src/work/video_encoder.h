// Pictures in, frames of one rung out, as media:: wants frames (length-prefixed units without parameter sets,
// OBUs without temporal delimiters). H.264, HEVC, VP9 and AV1, by whichever encoder is named.
//
// A keyframe is exactly where it is asked for. There are no B-frames and no lookahead: each picture's frame
// comes out of the call that put the picture in, and its dts is its pts, to the nanosecond. An encoder that
// will not have it so is refused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "work/encoder_config.h"
#include "work/rung_output.h"

namespace stoa::work {

class VideoEncoder {
 public:
  virtual ~VideoEncoder() = default;

  // What decoders must know; is there before the first picture.
  virtual const std::shared_ptr<const media::Format>& format() const = 0;
  virtual const char* name() const = 0;
  // Its rates are bits for a picture, and how many there are in a second cannot be changed any more.
  virtual bool counts_pictures() const = 0;
  // Requires: the rung's size, 8 bits, 4:2:0 (Scaler), and times that rise. The first must be a keyframe.
  virtual Result<media::Frame, EncodeRefusal> encode(const Image& image, bool is_keyframe) = 0;
};
using MadeVideoEncoder = Result<std::unique_ptr<VideoEncoder>, EncodeRefusal>;
using MakeVideoEncoder = std::function<MadeVideoEncoder(const VideoEncoderConfig&)>;

MadeVideoEncoder make_video_encoder(const VideoEncoderConfig& config);

// Names of encoders, the one to be tried first at the front: NVENC, QSV, VAAPI, the processor's.
std::vector<std::string> video_encoders_of(media::Codec codec);
// The last of them.
std::string processor_encoder_of(media::Codec codec);

}  // namespace stoa::work
