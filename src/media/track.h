// The seam of the house: whoever publishes makes tracks, whoever takes them is a sink, and neither knows
// the other. A publisher (an RTMP session, a WHIP session, a transcoder, another node) emits TrackEvents;
// a sink (the LL-HLS packager, a recorder, a viewer) handles them. shard/ carries them from one to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/time.h"

namespace stoa::media {

enum class Codec : std::uint8_t { kH264, kHevc, kAv1, kVp9, kAac, kOpus };
enum class Kind : std::uint8_t { kVideo, kAudio };

constexpr Kind kind_of(Codec codec) {
  return codec == Codec::kAac || codec == Codec::kOpus ? Kind::kAudio : Kind::kVideo;
}
// "H.264", "HEVC", "AV1", "VP9", "AAC", "Opus": for people.
const char* name_of(Codec codec);

// What a decoder must know before the first frame. Read from the bitstream, not from metadata.
struct Format {
  Codec codec;
  // The decoder configuration record, without a box header: AVCDecoderConfigurationRecord (ISO 14496-15
  // §5.3.3), HEVCDecoderConfigurationRecord (§8.3.3), AV1CodecConfigurationRecord, VPCodecConfiguration-
  // Record (with its FullBox version and flags), AudioSpecificConfig (ISO 14496-3 §1.6.2.1), or the
  // OpusSpecificBox payload (dOps).
  SharedBytes config;
  std::string codec_string;  // RFC 6381: "avc1.64001f", "mp4a.40.2".

  // Video. Size after cropping, in pixels; frame rate as a fraction, 0/1 when the bitstream does not say.
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t frame_rate_numerator = 0;
  std::uint32_t frame_rate_denominator = 1;

  // Audio. What the decoder puts out; samples_per_frame in units of `sample_rate` (Opus: at 48 kHz).
  std::uint32_t sample_rate = 0;
  std::uint32_t channels = 0;
  std::uint32_t samples_per_frame = 0;

  Kind kind() const { return kind_of(codec); }
  double frame_rate() const {
    return frame_rate_numerator == 0 ? 0.0
                                     : static_cast<double>(frame_rate_numerator) / frame_rate_denominator;
  }
  // True when a decoder may go on from one to the other without a new initialization segment.
  bool is_same_as(const Format& other) const;
};

// One access unit, in decode order. Times are those of the source's own clock, which may wrap, jump or
// jitter: media/timeline.h makes sense of them.
struct Frame {
  Duration dts;
  Duration pts;
  bool is_keyframe = false;  // A decoder may start here. Always true for audio.
  // Length-prefixed NAL units as the configuration record says (H.264, HEVC), OBUs without temporal
  // delimiter (AV1), one raw frame (VP9, AAC without ADTS, Opus).
  SharedBytes payload;
};

// Numbers the tracks of one publication, from 0 in the order they appeared.
using TrackId = std::uint8_t;
inline constexpr int kTracksPerPublicationMax = 16;

// A track exists from its first TrackFormat on; a later one changes its format from the next frame on.
struct TrackFormat {
  TrackId track;
  std::shared_ptr<const Format> format;
  // After this long the source's clock starts again from 0 (RTMP: 2^32 ms; MPEG-TS: 2^33 / 90 kHz).
  Duration clock_wrap = Duration::infinite();
  std::string name;      // As the publisher calls it; may be empty.
  std::string language;  // BCP 47; may be empty.
};
struct TrackFrame {
  TrackId track;
  Frame frame;
};
struct TrackEnded {
  TrackId track;
};
using TrackEvent = std::variant<TrackFormat, TrackFrame, TrackEnded>;

}  // namespace stoa::media
