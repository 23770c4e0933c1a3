// Pictures in, frames of one rung out: H.264 by libx264, as media:: wants frames (length-prefixed units,
// parameter sets in the configuration record alone).
//
// A keyframe is exactly where it is asked for. There are no B-frames and no lookahead: each picture's frame
// comes out of the call that put the picture in, and its dts is its pts, to the nanosecond.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/picture.h"
#include "media/rung.h"
#include "work/libav.h"

namespace stoa::work {

enum class EncodeRefusal : std::uint8_t {
  kRung,     // Asks for what there is not: another codec, odd sizes, no rate at all.
  kEncoder,  // The encoder would not.
};
const char* name_of(EncodeRefusal refusal);

struct VideoEncoderConfig {
  // `bitrate_max` is held over a second. With a `rate_factor` that is the CRF below it, else `bitrate_mean`
  // is what is aimed at.
  media::Rung rung;
  // Of the pictures that will come: rate control counts pictures, not time. The bitstream says it too.
  std::uint32_t frame_rate_numerator = 30;
  std::uint32_t frame_rate_denominator = 1;
  media::Colour colour;  // Told to decoders. Always in limited range.
  std::string preset = "veryfast";
  int threads = 1;  // They share the slices of a picture: no delay.
};

class VideoEncoder {
 public:
  // What decoders must know; is there before the first picture.
  const std::shared_ptr<const media::Format>& format() const { return format_; }
  // Requires: the rung's size, 8 bits, 4:2:0 (Scaler), and times that rise. The first must be a keyframe.
  Result<media::Frame, EncodeRefusal> encode(const Image& image, bool is_keyframe);

 private:
  friend Result<VideoEncoder, EncodeRefusal> make_video_encoder(const VideoEncoderConfig& config);
  explicit VideoEncoder(CodecPtr context) : context_(std::move(context)) {}
  Result<void, EncodeRefusal> read_format();

  CodecPtr context_;
  PacketPtr packet_ = make_packet();
  FramePtr frame_ = make_frame();
  std::shared_ptr<const media::Format> format_;
};

Result<VideoEncoder, EncodeRefusal> make_video_encoder(const VideoEncoderConfig& config);

}  // namespace stoa::work
