#include "media/codec.h"

#include "media/aac.h"
#include "media/av1.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "media/opus.h"
#include "media/picture.h"
#include "media/vp9.h"

namespace stoa::media {

const char* name_of(CodecRefusal refusal) {
  switch (refusal) {
    case CodecRefusal::kTruncated: return "truncated";
    case CodecRefusal::kBadValue: return "bad_value";
    case CodecRefusal::kUnsupported: return "unsupported";
  }
  return "?";
}

Result<std::shared_ptr<const Format>, CodecRefusal> make_format(Codec codec, SharedBytes config) {
  switch (codec) {
    case Codec::kH264: return make_h264_format(std::move(config));
    case Codec::kHevc: return make_hevc_format(std::move(config));
    case Codec::kAv1: return make_av1_format(std::move(config));
    case Codec::kVp9: return make_vp9_format(std::move(config));
    case Codec::kAac: return make_aac_format(std::move(config));
    case Codec::kOpus: return make_opus_format(std::move(config));
  }
  return refuse(CodecRefusal::kUnsupported);
}

Result<AccessUnitFacts, CodecRefusal> inspect(const Format& format, Bytes access_unit) {
  switch (format.codec) {
    case Codec::kH264: return inspect_h264(format, access_unit);
    case Codec::kHevc: return inspect_hevc(format, access_unit);
    case Codec::kAv1: return inspect_av1(format, access_unit);
    case Codec::kVp9: return inspect_vp9(format, access_unit);
    case Codec::kAac: return inspect_aac(access_unit);
    case Codec::kOpus: return inspect_opus(access_unit);
  }
  return refuse(CodecRefusal::kUnsupported);
}

Result<Picture, CodecRefusal> read_picture(const Format& format) {
  Bytes config = format.config.bytes();
  switch (format.codec) {
    case Codec::kH264: return read_h264_picture(config);
    case Codec::kHevc: return read_hevc_picture(config);
    case Codec::kAv1: return read_av1_picture(config);
    case Codec::kVp9: return read_vp9_picture(format);
    case Codec::kAac:
    case Codec::kOpus: break;
  }
  return refuse(CodecRefusal::kUnsupported);
}

const char* name_of(VideoRange range) {
  switch (range) {
    case VideoRange::kHlg: return "HLG";
    case VideoRange::kPq: return "PQ";
    default: return "SDR";
  }
}

VideoRange video_range_of(const Format& format) {
  constexpr std::uint8_t kTransferPq = 16, kTransferHlg = 18;  // H.273 §8.2.
  auto picture = read_picture(format);
  if (!picture || !picture->colour) return VideoRange::kSdr;
  if (picture->colour->transfer == kTransferPq) return VideoRange::kPq;
  if (picture->colour->transfer == kTransferHlg) return VideoRange::kHlg;
  return VideoRange::kSdr;
}

}  // namespace stoa::media
