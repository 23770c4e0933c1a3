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

// Reads a decoder configuration record (see Format::config) and the parameter sets in it.
Result<std::shared_ptr<const Format>, CodecRefusal> make_format(Codec codec, SharedBytes config);

// The `dOps` payload out of an Ogg Opus identification header ("OpusHead", RFC 7845 §5.1), as E-RTMP sends it.
Result<SharedBytes, CodecRefusal> make_opus_config(Bytes opus_head);

struct AccessUnitFacts {
  bool is_keyframe = false;  // Decoding may start here: IDR or recovery-free IRAP, AV1/VP9 key frame; any audio frame.
  // Present when the access unit carries parameter sets that differ from those of `format`: the
  // configuration record that holds from this access unit on.
  std::optional<SharedBytes> new_config;
};
// Looks at one access unit in the shape that media::Frame::payload describes.
Result<AccessUnitFacts, CodecRefusal> inspect(const Format& format, Bytes access_unit);

}  // namespace stoa::media
