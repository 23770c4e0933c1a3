// What encoders of a rung are made with: all that a second one needs to make frames for the same decoder.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "media/picture.h"
#include "media/rung.h"

namespace stoa::work {

struct VideoEncoderConfig {
  // `bitrate_max` is held over a second. With a `rate_factor` that is the CRF below it, else `bitrate_mean`
  // is what is aimed at.
  media::Rung rung;
  // Of the pictures that will come: rate control counts pictures, not time. The bitstream says it too.
  std::uint32_t frame_rate_numerator = 30;
  std::uint32_t frame_rate_denominator = 1;
  media::Colour colour;  // Told to decoders. Always in limited range.
  std::string preset = "veryfast";
  int threads = 1;      // They share the slices or tiles of a picture: no delay.
  int level = 0;        // Of H.264, as its parameter sets have it; 0: the least that will do.
  std::string encoder;  // Its name (video_encoders_of); empty: the processor's for the codec.
  bool operator==(const VideoEncoderConfig&) const = default;
};
struct SoundEncoderConfig {
  media::Codec codec = media::Codec::kAac;
  std::uint32_t bitrate = 0;
  int sample_rate = 0;
  int channels = 0;
  bool operator==(const SoundEncoderConfig&) const = default;
};
using EncoderConfig = std::variant<VideoEncoderConfig, SoundEncoderConfig>;

}  // namespace stoa::work
