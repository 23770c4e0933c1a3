// What the bitstream says: decoder configuration records and access units of H.264, HEVC, AV1, VP9, AAC
// and Opus, read as far as a server must. The bitstream is believed; a container's metadata is not.
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "media/track.h"

namespace stoa::media {

enum class CodecRefusal : std::uint8_t {
  kTruncated,    // Ends inside a field.
  kBadValue,     // A field holds what its standard forbids.
  kUnsupported,  // Legal, but nothing that players of HLS take (H.264 data partitioning, AAC Main, …).
};
const char* name_of(CodecRefusal refusal);

// Reads a decoder configuration record (see Format::config) and the parameter sets in it. Two records leave
// the size of the pictures open (width and height are 0): any of VP9, and one of AV1 without a sequence
// header. The first key frame tells it: inspect() then gives a new format. Whoever makes tracks holds such a
// format back until then.
Result<std::shared_ptr<const Format>, CodecRefusal> make_format(Codec codec, SharedBytes config);

// The `dOps` payload out of an Ogg Opus identification header ("OpusHead", RFC 7845 §5.1), as E-RTMP sends
// it.
Result<SharedBytes, CodecRefusal> make_opus_config(Bytes opus_head);

// Samples at 48 kHz that an Opus packet stands for, 120 to 5,760, by its first bytes (RFC 6716 §3.1).
Result<std::uint32_t, CodecRefusal> opus_packet_samples(Bytes packet);

// The VIDEO-RANGE of a playlist (rfc8216bis §4.4.6.2): what the transfer characteristics call for.
enum class VideoRange : std::uint8_t { kSdr, kHlg, kPq };
const char* name_of(VideoRange range);  // As the attribute is written.
VideoRange video_range_of(const Format& format);

struct AccessUnitFacts {
  // Decoding may start here: H.264 IDR, any HEVC IRAP (its decoders drop the leading pictures that they
  // cannot decode), AV1 key frame that is shown and has its sequence header, VP9 key frame; any audio frame.
  bool is_keyframe = false;
  // Present when the access unit carries parameter sets that differ from those of `format`: the
  // configuration record that holds from this access unit on. Sets repeated as they were make nothing.
  std::optional<SharedBytes> new_config;
  // Present with `new_config`: the format made of it. Take this one: a VP9 record does not say the size of
  // the pictures, so only the frame that brought the change does.
  std::shared_ptr<const Format> new_format;
};
// Looks at one access unit in the shape that media::Frame::payload describes.
Result<AccessUnitFacts, CodecRefusal> inspect(const Format& format, Bytes access_unit);

}  // namespace stoa::media
