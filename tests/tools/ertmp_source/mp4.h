// Reads what a generator needs from a fragmented MP4 file (ISO 14496-12 §8.8): one track's configuration
// and its samples. Trusted input: the file comes from our own ffmpeg command.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "proto/flv/tag.h"

namespace stoa::ertmp {

struct Sample {
  Duration dts;
  Duration composition;
  bool is_keyframe = false;
  SharedBytes data;
};

struct Track {
  flv::FourCc codec = 0;
  // As E-RTMP sends it: AVC-, HEVC-, AV1-, VPCodecConfigurationRecord, AudioSpecificConfig, or "OpusHead".
  SharedBytes config;
  std::uint32_t width = 0, height = 0;
  std::vector<Sample> samples;
  Duration length;
};

// The first video (or audio) track. The error says in words what is wrong.
std::expected<Track, std::string> parse_mp4(const SharedBytes& file, bool is_video);

}  // namespace stoa::ertmp
