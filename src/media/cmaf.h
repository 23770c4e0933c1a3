// CMAF as it is sent: initialization sections and chunks (ISO/IEC 23000-19, boxes of ISO/IEC 14496-12).
//
// One track per file, always track_ID 1. A chunk is one moof and one mdat; an LL-HLS part is one chunk and
// a segment is its parts one after another. Sample entries: avc1, hvc1, av01, vp09, mp4a, Opus.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "media/track.h"

namespace stoa::media {

// Ticks per second of a track's mdhd and tfdt: the sample rate for audio (48,000 for Opus), 90,000 for video.
std::uint32_t timescale_of(const Format& format);

// ftyp and moov with mvex, no samples. `language` is BCP 47; mdhd takes its ISO 639-2/T form or "und".
SharedBytes write_init_section(const Format& format, std::string_view language);

struct Sample {
  std::uint32_t duration = 0;           // Ticks.
  std::int32_t composition_offset = 0;  // pts - dts in ticks; may be negative (trun version 1).
  bool is_keyframe = false;
  SharedBytes payload;
};

// `sequence_number` is mfhd's, from 1 upward in a rendition; `base_decode_time` is the first sample's dts in
// ticks since the start of the broadcast. Requires: at least one sample.
SharedBytes write_chunk(std::uint32_t sequence_number, std::uint64_t base_decode_time,
                        std::span<const Sample> samples);

}  // namespace stoa::media
