#include "media/payload/first_format.h"

#include <array>

#include "media/hevc_sets.h"
#include "media/nal.h"

namespace stoa::payload {
namespace {

using media::Codec;
using media::CodecRefusal;
using FormatResult = Result<std::shared_ptr<const media::Format>, CodecRefusal>;

constexpr unsigned kLengthBytes = 4;

// Records that hold nothing yet: inspect() finds that the key frame's own sets differ.
constexpr std::array<std::uint8_t, 7> kBlankH264{1, 66, 0, 10, 0xff, 0xe0, 0};
constexpr std::array<std::uint8_t, 4> kBlankAv1{0x81, 0, 0x0c, 0};
constexpr std::array<std::uint8_t, 12> kBlankVp9{1, 0, 0, 0, 0, 0, 0x82, 2, 2, 2, 0, 0};
constexpr std::size_t kHevcRecordHeadBytes = 21;

// An HEVC record cannot be without a sequence parameter set: it gets the key frame's.
Result<SharedBytes, CodecRefusal> make_hevc_seed(Bytes keyframe) {
  media::NalCutter cutter(keyframe, kLengthBytes);
  while (!cutter.at_end()) {
    STOA_TRY(Bytes nal, cutter.next());
    if (nal.size() < 2) return refuse(CodecRefusal::kTruncated);
    if (media::hevc_type_of(nal) != media::kHevcSps || media::hevc_layer_of(nal) != 0) continue;
    if (nal.size() > media::kParameterSetBytesMax) return refuse(CodecRefusal::kUnsupported);
    ByteWriter record(kHevcRecordHeadBytes + 8 + nal.size());
    record.u8(1);
    record.zeros(kHevcRecordHeadBytes - 1);
    record.u8(kLengthBytes - 1);
    record.u8(1);
    record.u8(0x80 | media::kHevcSps);
    record.u16(1);
    record.u16(static_cast<std::uint16_t>(nal.size()));
    record.bytes(nal);
    return SharedBytes(record.take());
  }
  return refuse(CodecRefusal::kBadValue);
}

Result<SharedBytes, CodecRefusal> make_seed(Codec codec, Bytes keyframe) {
  switch (codec) {
    case Codec::kH264: return SharedBytes::of_static(kBlankH264);
    case Codec::kHevc: return make_hevc_seed(keyframe);
    case Codec::kAv1: return SharedBytes::of_static(kBlankAv1);
    case Codec::kVp9: return SharedBytes::of_static(kBlankVp9);
    default: return refuse(CodecRefusal::kUnsupported);
  }
}

}  // namespace

std::optional<Codec> find_codec(Encoding encoding) {
  switch (encoding) {
    case Encoding::kH264: return Codec::kH264;
    case Encoding::kHevc: return Codec::kHevc;
    case Encoding::kAv1: return Codec::kAv1;
    case Encoding::kVp9: return Codec::kVp9;
    case Encoding::kOpus: return Codec::kOpus;
    case Encoding::kVp8: return std::nullopt;
  }
  return std::nullopt;
}

FormatResult make_first_format(Codec codec, Bytes keyframe) {
  media::Format seed{.codec = codec};
  STOA_TRY(seed.config, make_seed(codec, keyframe));
  STOA_TRY(media::AccessUnitFacts facts, media::inspect(seed, keyframe));
  if (facts.new_format == nullptr) return refuse(CodecRefusal::kBadValue);
  return facts.new_format;
}

FormatResult make_opus_format(std::uint8_t channels) {
  constexpr std::uint16_t kPreSkip =
      0;  // RTP time is the time to play at, and a stream joined midway has no lead-in.
  ByteWriter config;
  config.u8(0);
  config.u8(channels);
  config.u16(kPreSkip);
  config.u32(48'000);
  config.u16(0);  // Gain.
  config.u8(0);   // Mapping family.
  return media::make_format(Codec::kOpus, SharedBytes(config.take()));
}

}  // namespace stoa::payload
