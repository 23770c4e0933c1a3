#include "proto/sdp/codec.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "proto/sdp/text.h"

namespace stoa::sdp {
namespace {

struct CodecFacts {
  Codec codec;
  std::string_view name;
  std::uint32_t clock_rate;
  std::uint8_t channels;
};
constexpr std::array<CodecFacts, 15> kCodecs = {{
    {Codec::kOpus, "opus", 48'000, 2},
    {Codec::kPcmu, "PCMU", 8'000, 1},
    {Codec::kPcma, "PCMA", 8'000, 1},
    {Codec::kG722, "G722", 8'000, 1},  // RFC 3551 §4.5.2: 16 kHz sound on an 8 kHz clock.
    {Codec::kComfortNoise, "CN", 8'000, 1},
    {Codec::kTelephoneEvent, "telephone-event", 8'000, 1},
    {Codec::kVp8, "VP8", 90'000, 1},
    {Codec::kVp9, "VP9", 90'000, 1},
    {Codec::kH264, "H264", 90'000, 1},
    {Codec::kHevc, "H265", 90'000, 1},
    {Codec::kAv1, "AV1", 90'000, 1},
    {Codec::kRtx, "rtx", 90'000, 1},
    {Codec::kRed, "red", 90'000, 1},
    {Codec::kUlpFec, "ulpfec", 90'000, 1},
    {Codec::kFlexFec, "flexfec-03", 90'000, 1},
}};

const CodecFacts* find_facts(Codec codec) {
  auto found =
      std::find_if(kCodecs.begin(), kCodecs.end(), [&](auto& facts) { return facts.codec == codec; });
  return found == kCodecs.end() ? nullptr : &*found;
}

struct FeedbackWord {
  bool Feedback::* member;
  std::string_view text;
};
constexpr std::array<FeedbackWord, 7> kFeedback = {{
    {&Feedback::remb, "goog-remb"},
    {&Feedback::transport_cc, "transport-cc"},
    {&Feedback::fir, "ccm fir"},
    {&Feedback::nack, "nack"},
    {&Feedback::pli, "nack pli"},
    {&Feedback::ccfb, "ack ccfb"},
    {&Feedback::rrtr, "rrtr"},
}};

// RFC 6184 table 5: which bits of profile-iop must have which value.
struct ProfilePattern {
  std::uint8_t profile_idc, iop_mask, iop_bits;
  H264Profile profile;
};
constexpr std::array<ProfilePattern, 17> kProfiles = {{
    {0x42, 0x4f, 0x40, H264Profile::kConstrainedBaseline},
    {0x4d, 0x8f, 0x80, H264Profile::kConstrainedBaseline},
    {0x58, 0xcf, 0xc0, H264Profile::kConstrainedBaseline},
    {0x42, 0x4f, 0x00, H264Profile::kBaseline},
    {0x58, 0xcf, 0x80, H264Profile::kBaseline},
    {0x4d, 0xaf, 0x00, H264Profile::kMain},
    {0x58, 0xcf, 0x00, H264Profile::kExtended},
    {0x64, 0xff, 0x00, H264Profile::kHigh},
    {0x64, 0xff, 0x0c, H264Profile::kConstrainedHigh},
    {0x6e, 0xff, 0x00, H264Profile::kHigh10},
    {0x7a, 0xff, 0x00, H264Profile::kHigh422},
    {0xf4, 0xff, 0x00, H264Profile::kHigh444},
    {0x6e, 0xff, 0x10, H264Profile::kHigh10Intra},
    {0x7a, 0xff, 0x10, H264Profile::kHigh422Intra},
    {0xf4, 0xff, 0x10, H264Profile::kHigh444Intra},
    {0x2c, 0xff, 0x10, H264Profile::kCavlc444Intra},
    {0x2c, 0xff, 0x00, H264Profile::kCavlc444Intra},
}};

constexpr std::uint8_t kLevel1b = 9;

// H.264 §A.3.1 and §A.3.2: these profiles say level 1b by level_idc 11 and constraint_set3_flag.
bool has_flagged_level_1b(std::uint32_t profile_level_id) {
  std::uint32_t profile_idc = profile_level_id >> 16;
  return profile_idc == 0x42 || profile_idc == 0x4d || profile_idc == 0x58;
}

CodecFormat answer_h264(const H264Format& offered, const H264Format& own) {
  H264Format answer = own;
  answer.packetization_mode = offered.packetization_mode;
  answer.level_asymmetry_allowed = offered.level_asymmetry_allowed && own.level_asymmetry_allowed;
  std::uint8_t level = h264_level_of(own.profile_level_id);
  if (!answer.level_asymmetry_allowed) level = std::min(level, h264_level_of(offered.profile_level_id));
  answer.profile_level_id = with_h264_level(offered.profile_level_id, level);
  return answer;
}

}  // namespace

Codec find_codec(std::string_view encoding_name) {
  for (const CodecFacts& facts : kCodecs) {
    if (equals_ignoring_case(facts.name, encoding_name)) return facts.codec;
  }
  if (equals_ignoring_case(encoding_name, "AV1X")) return Codec::kAv1;  // Chromium before the name was final.
  return Codec::kOther;
}

std::string_view encoding_name_of(Codec codec) {
  const CodecFacts* facts = find_facts(codec);
  return facts ? facts->name : std::string_view();
}

bool is_repair(Codec codec) {
  return codec == Codec::kRtx || codec == Codec::kRed || codec == Codec::kUlpFec || codec == Codec::kFlexFec;
}

Payload make_payload(std::uint8_t type, Codec codec, CodecFormat format, Feedback feedback) {
  const CodecFacts* facts = find_facts(codec);
  STOA_ASSERT(facts != nullptr && type < 128);
  Payload payload{.type = type,
                  .codec = codec,
                  .name = std::string(facts->name),
                  .clock_rate = facts->clock_rate,
                  .channels = facts->channels,
                  .format = std::move(format),
                  .feedback = feedback};
  if (payload.format.index() == 0) {
    if (auto defaults = parse_format(codec, {})) payload.format = std::move(*defaults);
  }
  return payload;
}

Feedback Feedback::operator&(const Feedback& other) const {
  Feedback both;
  for (const auto& word : kFeedback) both.*word.member = this->*word.member && other.*word.member;
  return both;
}

Feedback Feedback::operator|(const Feedback& other) const {
  Feedback either;
  for (const auto& word : kFeedback) either.*word.member = this->*word.member || other.*word.member;
  return either;
}

void add_feedback(std::string_view text, Feedback& feedback) {
  for (const auto& word : kFeedback) {
    if (equals_ignoring_case(word.text, text)) feedback.*word.member = true;
  }
}

std::vector<std::string_view> write_feedback(const Feedback& feedback) {
  std::vector<std::string_view> lines;
  for (const auto& word : kFeedback) {
    if (feedback.*word.member) lines.push_back(word.text);
  }
  return lines;
}

H264Profile h264_profile_of(std::uint32_t profile_level_id) {
  auto profile_idc = static_cast<std::uint8_t>(profile_level_id >> 16);
  auto iop = static_cast<std::uint8_t>(profile_level_id >> 8);
  for (const ProfilePattern& pattern : kProfiles) {
    if (pattern.profile_idc == profile_idc && (iop & pattern.iop_mask) == pattern.iop_bits)
      return pattern.profile;
  }
  return H264Profile::kUnknown;
}

std::uint8_t h264_level_of(std::uint32_t profile_level_id) {
  auto level_idc = static_cast<std::uint8_t>(profile_level_id);
  bool has_set3 = profile_level_id & 0x1000;
  return level_idc == 11 && has_set3 && has_flagged_level_1b(profile_level_id) ? kLevel1b : level_idc;
}

std::uint32_t with_h264_level(std::uint32_t profile_level_id, std::uint8_t level) {
  std::uint32_t profile = profile_level_id & 0xffff00;
  if (!has_flagged_level_1b(profile)) return profile | level;
  profile &= ~0x1000u;
  return level == kLevel1b ? profile | 0x1000 | 11 : profile | level;
}

bool is_same_format(const Payload& a, const Payload& b, ProfileRule rule) {
  if (a.codec != b.codec || a.clock_rate != b.clock_rate || a.channels != b.channels) return false;
  if (a.codec == Codec::kOther || a.format.index() != b.format.index()) return false;
  bool any_profile = rule == ProfileRule::kAny;
  if (auto* left = std::get_if<H264Format>(&a.format)) {
    auto& right = std::get<H264Format>(b.format);
    if (left->packetization_mode != right.packetization_mode) return false;
    H264Profile profile = h264_profile_of(left->profile_level_id);
    if (any_profile) return true;
    if (profile != h264_profile_of(right.profile_level_id)) return false;
    return profile != H264Profile::kUnknown || left->profile_level_id >> 8 == right.profile_level_id >> 8;
  }
  if (auto* left = std::get_if<HevcFormat>(&a.format)) {
    auto& right = std::get<HevcFormat>(b.format);
    if (left->tx_mode != right.tx_mode) return false;
    return any_profile || (left->profile_space == right.profile_space &&
                           left->profile_id == right.profile_id && left->tier_flag == right.tier_flag);
  }
  if (any_profile) return true;
  if (auto* left = std::get_if<Vp9Format>(&a.format)) {
    return left->profile_id == std::get<Vp9Format>(b.format).profile_id;
  }
  if (auto* left = std::get_if<Av1Format>(&a.format)) {
    return left->profile == std::get<Av1Format>(b.format).profile;
  }
  return true;
}

CodecFormat answer_format(const CodecFormat& offered, const CodecFormat& own) {
  STOA_DCHECK(offered.index() == own.index());
  if (auto* format = std::get_if<H264Format>(&offered))
    return answer_h264(*format, std::get<H264Format>(own));
  if (auto* format = std::get_if<HevcFormat>(&offered)) {
    HevcFormat answer = std::get<HevcFormat>(own);
    answer.profile_space = format->profile_space;
    answer.profile_id = format->profile_id;
    answer.tier_flag = format->tier_flag;
    answer.level_id = std::min(answer.level_id, format->level_id);
    return answer;
  }
  if (auto* format = std::get_if<Vp9Format>(&offered)) {
    Vp9Format answer = std::get<Vp9Format>(own);
    answer.profile_id = format->profile_id;
    return answer;
  }
  if (auto* format = std::get_if<Av1Format>(&offered)) {
    // §7.2.3: level and tier are each receiver's own, the profile is common.
    Av1Format answer = std::get<Av1Format>(own);
    answer.profile = format->profile;
    return answer;
  }
  return own;
}

}  // namespace stoa::sdp
