// a=fmtp, read and written.
#include <array>

#include "proto/sdp/codec.h"
#include "proto/sdp/limits.h"
#include "proto/sdp/text.h"

namespace stoa::sdp {
namespace {

constexpr std::uint64_t kAnyNumber = UINT32_MAX;

bool read_amount(std::string_view text, std::optional<std::uint32_t>& number) {
  auto value = parse_number(text, kAnyNumber);
  if (value) number = static_cast<std::uint32_t>(*value);
  return value.has_value();
}

bool read_flag(std::string_view text, bool& flag) {
  if (text != "0" && text != "1") return false;
  flag = text == "1";
  return true;
}

// Base64 and commas, kept as they are.
bool read_parameter_sets(std::string_view text, std::string& sets) {
  if (!text.empty() &&
      (!is_visible(text, kParameterSetBytesMax) || text.find(';') != std::string_view::npos)) {
    return false;
  }
  sets = text;
  return true;
}

bool read_parameter(H264Format& format, std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "profile-level-id")) {
    auto id = value.size() == 6 ? parse_hex(value, 6) : std::nullopt;
    if (id) format.profile_level_id = static_cast<std::uint32_t>(*id);
    return id.has_value();
  }
  if (equals_ignoring_case(name, "packetization-mode"))
    return read_number(value, format.packetization_mode, 2);
  if (equals_ignoring_case(name, "level-asymmetry-allowed"))
    return read_flag(value, format.level_asymmetry_allowed);
  if (equals_ignoring_case(name, "max-mbps")) return read_amount(value, format.max_mbps);
  if (equals_ignoring_case(name, "max-fs")) return read_amount(value, format.max_fs);
  if (equals_ignoring_case(name, "sprop-parameter-sets")) {
    return read_parameter_sets(value, format.sprop_parameter_sets);
  }
  return true;
}

bool read_parameter(HevcFormat& format, std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "profile-space")) return read_number(value, format.profile_space, 3);
  if (equals_ignoring_case(name, "profile-id")) return read_number(value, format.profile_id, 31);
  if (equals_ignoring_case(name, "tier-flag")) return read_number(value, format.tier_flag, 1);
  if (equals_ignoring_case(name, "level-id")) return read_number(value, format.level_id, 255);
  if (equals_ignoring_case(name, "tx-mode")) {
    if (equals_ignoring_case(value, "SRST")) return format.tx_mode = HevcFormat::TxMode::kSrst, true;
    if (equals_ignoring_case(value, "MRST")) return format.tx_mode = HevcFormat::TxMode::kMrst, true;
    if (equals_ignoring_case(value, "MRMT")) return format.tx_mode = HevcFormat::TxMode::kMrmt, true;
    return false;
  }
  if (equals_ignoring_case(name, "sprop-vps")) return read_parameter_sets(value, format.sprop_vps);
  if (equals_ignoring_case(name, "sprop-sps")) return read_parameter_sets(value, format.sprop_sps);
  if (equals_ignoring_case(name, "sprop-pps")) return read_parameter_sets(value, format.sprop_pps);
  return true;
}

bool read_parameter(Vp8Format& format, std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "max-fr")) return read_amount(value, format.max_fr);
  if (equals_ignoring_case(name, "max-fs")) return read_amount(value, format.max_fs);
  return true;
}

bool read_parameter(Vp9Format& format, std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "profile-id")) return read_number(value, format.profile_id, 3);
  if (equals_ignoring_case(name, "max-fr")) return read_amount(value, format.max_fr);
  if (equals_ignoring_case(name, "max-fs")) return read_amount(value, format.max_fs);
  return true;
}

bool read_parameter(Av1Format& format, std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "profile")) return read_number(value, format.profile, 2);
  if (equals_ignoring_case(name, "level-idx")) return read_number(value, format.level_idx, 31);
  if (equals_ignoring_case(name, "tier")) return read_number(value, format.tier, 1);
  return true;
}

bool read_parameter(OpusFormat& format, std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "minptime")) return read_amount(value, format.min_packet_ms);
  if (equals_ignoring_case(name, "maxaveragebitrate")) return read_amount(value, format.max_average_bitrate);
  if (equals_ignoring_case(name, "maxplaybackrate")) return read_amount(value, format.max_playback_rate);
  if (equals_ignoring_case(name, "sprop-maxcapturerate"))
    return read_amount(value, format.sprop_max_capture_rate);
  if (equals_ignoring_case(name, "stereo")) return read_flag(value, format.stereo);
  if (equals_ignoring_case(name, "sprop-stereo")) return read_flag(value, format.sprop_stereo);
  if (equals_ignoring_case(name, "cbr")) return read_flag(value, format.cbr);
  if (equals_ignoring_case(name, "useinbandfec")) return read_flag(value, format.use_inband_fec);
  if (equals_ignoring_case(name, "usedtx")) return read_flag(value, format.use_dtx);
  return true;
}

template <typename Format>
Result<CodecFormat, Refusal> read_parameters(Format format, std::string_view text) {
  for (Words parameters(text, ';');;) {
    std::string_view parameter;
    if (!parameters.next(parameter)) return CodecFormat(std::move(format));
    auto [name, value, has_value] = split_at(trim(parameter), '=');
    if (!read_parameter(format, trim(name), trim(value))) return refuse(Refusal::kBadFormatParameters);
  }
}

Result<CodecFormat, Refusal> read_rtx(std::string_view text) {
  RtxFormat format;
  bool has_apt = false;
  for (Words parameters(text, ';');;) {
    std::string_view parameter;
    if (!parameters.next(parameter)) break;
    auto [name, value, has_value] = split_at(trim(parameter), '=');
    name = trim(name), value = trim(value);
    if (equals_ignoring_case(name, "apt")) {
      has_apt = read_number(value, format.associated_payload_type, 127);
      if (!has_apt) return refuse(Refusal::kBadFormatParameters);
    } else if (equals_ignoring_case(name, "rtx-time")) {
      if (!read_amount(value, format.rtx_time_ms)) return refuse(Refusal::kBadFormatParameters);
    }
  }
  if (!has_apt) return refuse(Refusal::kBadFormatParameters);
  return CodecFormat(format);
}

Result<CodecFormat, Refusal> read_red(std::string_view text) {
  RedFormat format;
  for (Words types(text, '/');;) {
    std::string_view type;
    if (!types.next(type)) return CodecFormat(std::move(format));
    auto number = parse_number(trim(type), 127);
    if (!number || format.payload_types.size() == kRedundancyMax)
      return refuse(Refusal::kBadFormatParameters);
    format.payload_types.push_back(static_cast<std::uint8_t>(*number));
  }
}

// "name=value;name=value", leaving out what has its default.
class ParameterWriter {
 public:
  void number(std::string_view name, std::uint64_t value) {
    append(name);
    append_number(text_, value);
  }
  void number(std::string_view name, const std::optional<std::uint32_t>& value) {
    if (value) number(name, std::uint64_t{*value});
  }
  void number(std::string_view name, std::uint8_t value, std::uint8_t inferred) {
    if (value != inferred) number(name, std::uint64_t{value});
  }
  void flag(std::string_view name, bool value) {
    if (value) number(name, std::uint64_t{1});
  }
  void word(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    append(name);
    text_ += value;
  }
  void hex(std::string_view name, std::uint32_t value, int digits) {
    append(name);
    append_hex(text_, value, digits);
  }
  std::string take() { return std::move(text_); }

 private:
  void append(std::string_view name) {
    if (!text_.empty()) text_.push_back(';');
    text_.append(name).push_back('=');
  }
  std::string text_;
};

struct FormatWriter {
  ParameterWriter out;

  void operator()(const std::monostate&) {}
  void operator()(const H264Format& format) {
    out.flag("level-asymmetry-allowed", format.level_asymmetry_allowed);
    out.number("packetization-mode", std::uint64_t{format.packetization_mode});
    out.hex("profile-level-id", format.profile_level_id, 6);
    out.number("max-mbps", format.max_mbps);
    out.number("max-fs", format.max_fs);
    out.word("sprop-parameter-sets", format.sprop_parameter_sets);
  }
  void operator()(const HevcFormat& format) {
    static constexpr std::array<std::string_view, 3> kModes = {"SRST", "MRST", "MRMT"};
    out.number("profile-space", format.profile_space, 0);
    out.number("level-id", std::uint64_t{format.level_id});
    out.number("profile-id", std::uint64_t{format.profile_id});
    out.number("tier-flag", std::uint64_t{format.tier_flag});
    out.word("tx-mode", kModes[static_cast<std::size_t>(format.tx_mode)]);
    out.word("sprop-vps", format.sprop_vps);
    out.word("sprop-sps", format.sprop_sps);
    out.word("sprop-pps", format.sprop_pps);
  }
  void operator()(const Vp8Format& format) {
    out.number("max-fs", format.max_fs);
    out.number("max-fr", format.max_fr);
  }
  void operator()(const Vp9Format& format) {
    out.number("profile-id", std::uint64_t{format.profile_id});
    out.number("max-fs", format.max_fs);
    out.number("max-fr", format.max_fr);
  }
  void operator()(const Av1Format& format) {
    out.number("level-idx", std::uint64_t{format.level_idx});
    out.number("profile", std::uint64_t{format.profile});
    out.number("tier", std::uint64_t{format.tier});
  }
  void operator()(const OpusFormat& format) {
    out.number("minptime", format.min_packet_ms);
    out.number("maxplaybackrate", format.max_playback_rate);
    out.number("sprop-maxcapturerate", format.sprop_max_capture_rate);
    out.number("maxaveragebitrate", format.max_average_bitrate);
    out.flag("stereo", format.stereo);
    out.flag("sprop-stereo", format.sprop_stereo);
    out.flag("cbr", format.cbr);
    out.flag("useinbandfec", format.use_inband_fec);
    out.flag("usedtx", format.use_dtx);
  }
  void operator()(const RtxFormat& format) {
    out.number("apt", std::uint64_t{format.associated_payload_type});
    out.number("rtx-time", format.rtx_time_ms);
  }
  void operator()(const RedFormat&) {}
};

}  // namespace

Result<CodecFormat, Refusal> parse_format(Codec codec, std::string_view text) {
  switch (codec) {
    case Codec::kH264: return read_parameters(H264Format{}, text);
    case Codec::kHevc: return read_parameters(HevcFormat{}, text);
    case Codec::kVp8: return read_parameters(Vp8Format{}, text);
    case Codec::kVp9: return read_parameters(Vp9Format{}, text);
    case Codec::kAv1: return read_parameters(Av1Format{}, text);
    case Codec::kOpus: return read_parameters(OpusFormat{}, text);
    case Codec::kRtx: return read_rtx(text);
    case Codec::kRed: return read_red(text);
    default: return CodecFormat{};
  }
}

std::string write_format(const CodecFormat& format) {
  if (auto* red = std::get_if<RedFormat>(&format)) {
    std::string text;
    for (std::uint8_t type : red->payload_types) {
      if (!text.empty()) text.push_back('/');
      append_number(text, type);
    }
    return text;
  }
  FormatWriter writer;
  std::visit(writer, format);
  return writer.out.take();
}

}  // namespace stoa::sdp
