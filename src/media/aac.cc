#include "media/aac.h"

#include <array>
#include <cstdio>

#include "media/bit_reader.h"

namespace stoa::media {
namespace {

// Audio object types, §1.5.1.1.
constexpr std::uint32_t kLowComplexity = 2, kSbr = 5, kParametricStereo = 29, kEscape = 31;
constexpr std::uint32_t kSbrSync = 0x2b7, kParametricStereoSync = 0x548;
constexpr std::uint32_t kExplicitRate = 15;

constexpr std::array<std::uint32_t, 13> kRates{96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                               22050, 16000, 12000, 11025, 8000,  7350};
// By channelConfiguration, §1.6.3.5. Players stop at 7: they take no program config (0) and none of the
// layouts that came later (11 and up).
constexpr std::array<std::uint8_t, 8> kChannels{0, 1, 2, 3, 4, 5, 6, 8};
constexpr std::uint32_t kProgramConfig = 0, kLaterLayoutFirst = 11, kLaterLayoutLast = 14;

struct Config {
  std::uint32_t object_type = 0;
  std::uint32_t core_rate = 0;
  std::uint32_t channels = 0;
  std::uint32_t core_samples = 1024;
  std::uint32_t output_rate = 0;  // With SBR; the core's rate without.
  bool sbr = false;
  bool parametric_stereo = false;
};

std::uint32_t read_object_type(BitReader& bits) {
  std::uint32_t type = bits.u(5);
  return type == kEscape ? 32 + bits.u(6) : type;
}

Result<std::uint32_t, CodecRefusal> read_rate(BitReader& bits) {
  std::uint32_t index = bits.u(4);
  std::uint32_t rate = index == kExplicitRate ? bits.u(24) : index < kRates.size() ? kRates[index] : 0;
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (rate < 7350 || rate > 96000) return refuse(CodecRefusal::kBadValue);
  return rate;
}

Result<std::uint32_t, CodecRefusal> channels_of(std::uint32_t configuration) {
  if (configuration == kProgramConfig) return refuse(CodecRefusal::kUnsupported);
  if (configuration < kChannels.size()) return kChannels[configuration];
  bool is_later = configuration >= kLaterLayoutFirst && configuration <= kLaterLayoutLast;
  return refuse(is_later ? CodecRefusal::kUnsupported : CodecRefusal::kBadValue);
}

// GASpecificConfig of Low Complexity, §4.4.1.
Result<void, CodecRefusal> read_general_audio(BitReader& bits, Config& config) {
  config.core_samples = bits.flag() ? 960 : 1024;
  if (bits.flag()) bits.skip(14);  // Core coder delay.
  bits.flag();                     // Extension.
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  return {};
}

// The backward compatible way to tell of SBR: old decoders stop reading before it. What does not begin
// with the sync word, or ends inside, is padding.
Result<void, CodecRefusal> read_sync_extension(BitReader& bits, Config& config) {
  if (config.sbr || bits.bits_left() < 16 || bits.u(11) != kSbrSync) return {};
  if (read_object_type(bits) != kSbr || !bits.flag()) return {};
  STOA_TRY(config.output_rate, read_rate(bits));
  config.sbr = true;
  if (bits.bits_left() >= 12 && bits.u(11) == kParametricStereoSync) config.parametric_stereo = bits.flag();
  return {};
}

Result<Config, CodecRefusal> parse_config(Bytes record) {
  BitReader bits(record);
  Config config;
  config.object_type = read_object_type(bits);
  STOA_TRY(config.core_rate, read_rate(bits));
  std::uint32_t channel_configuration = bits.u(4);
  config.output_rate = config.core_rate;
  if (config.object_type == kSbr || config.object_type == kParametricStereo) {
    config.sbr = true;
    config.parametric_stereo = config.object_type == kParametricStereo;
    STOA_TRY(config.output_rate, read_rate(bits));
    config.object_type = read_object_type(bits);
  }
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (config.object_type != kLowComplexity) return refuse(CodecRefusal::kUnsupported);
  STOA_TRY(config.channels, channels_of(channel_configuration));
  if (auto read = read_general_audio(bits, config); !read) return refuse(read.error());
  if (auto read = read_sync_extension(bits, config); !read) return refuse(read.error());
  bool doubled = config.output_rate == 2 * config.core_rate;
  if (!doubled && config.output_rate != config.core_rate) return refuse(CodecRefusal::kBadValue);
  return config;
}

}  // namespace

Result<std::shared_ptr<const Format>, CodecRefusal> make_aac_format(SharedBytes record) {
  STOA_TRY(Config config, parse_config(record.bytes()));
  std::uint32_t named = config.parametric_stereo ? kParametricStereo : config.sbr ? kSbr : kLowComplexity;
  char name[16];
  std::snprintf(name, sizeof name, "mp4a.40.%u", named);
  Format format{.codec = Codec::kAac, .config = std::move(record), .codec_string = name};
  format.sample_rate = config.output_rate;
  format.channels = config.parametric_stereo && config.channels == 1 ? 2 : config.channels;
  format.samples_per_frame = config.core_samples * (config.output_rate / config.core_rate);
  return std::make_shared<const Format>(std::move(format));
}

Result<AccessUnitFacts, CodecRefusal> inspect_aac(Bytes access_unit) {
  if (access_unit.empty()) return refuse(CodecRefusal::kTruncated);
  // An ADTS header: a raw frame that began with these bits would end before its first element.
  if (access_unit.size() >= 2 && access_unit[0] == 0xff && (access_unit[1] & 0xf6) == 0xf0) {
    return refuse(CodecRefusal::kBadValue);
  }
  return AccessUnitFacts{.is_keyframe = true};
}

}  // namespace stoa::media
