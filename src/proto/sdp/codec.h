// What an RTP payload type stands for: a=rtpmap, a=fmtp and a=rtcp-fb as one typed value, and when two of
// them are the same thing (RFC 3264 §6.1 with the rules of each payload format).
//
// Parameters that no part of the server reads are dropped; those that are out of their format's range are
// refused. Absent parameters have the value that the payload format infers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "proto/sdp/refusal.h"

namespace stoa::sdp {

enum class Codec : std::uint8_t {
  kOther,  // Kept by its name, never negotiated.
  kOpus,
  kPcmu,
  kPcma,
  kG722,
  kComfortNoise,
  kTelephoneEvent,
  kVp8,
  kVp9,
  kH264,
  kHevc,
  kAv1,
  kRtx,      // RFC 4588
  kRed,      // RFC 2198
  kUlpFec,   // RFC 5109
  kFlexFec,  // flexfec-03, as Chromium names it
};
Codec find_codec(std::string_view encoding_name);  // Letters of either case; kOther when unknown.
std::string_view encoding_name_of(Codec codec);    // As IANA writes it; empty for kOther.
bool is_repair(Codec codec);                       // RTX, RED and FEC: nothing to send by themselves.

// RFC 6184 §8.1. Defaults: Baseline at level 1, single NAL unit mode.
struct H264Format {
  std::uint32_t profile_level_id = 0x42000a;  // profile_idc, profile-iop, level_idc: 24 bits.
  std::uint8_t packetization_mode = 0;        // 0 single NAL unit, 1 non-interleaved, 2 interleaved.
  bool level_asymmetry_allowed = false;
  std::optional<std::uint32_t> max_mbps, max_fs;
  std::string sprop_parameter_sets;  // Base64, comma separated; not decoded here.
  bool operator==(const H264Format&) const = default;
};
// RFC 7798 §7.1. Defaults: Main profile, level 3.1, Main tier.
struct HevcFormat {
  enum class TxMode : std::uint8_t { kSrst, kMrst, kMrmt };
  std::uint8_t profile_space = 0, profile_id = 1, tier_flag = 0, level_id = 93;
  TxMode tx_mode = TxMode::kSrst;
  std::string sprop_vps, sprop_sps, sprop_pps;
  bool operator==(const HevcFormat&) const = default;
};
// RFC 7741 §6.1. Units: frames a second, macroblocks a frame.
struct Vp8Format {
  std::optional<std::uint32_t> max_fr, max_fs;
  bool operator==(const Vp8Format&) const = default;
};
// RFC 9628 §6.
struct Vp9Format {
  std::uint8_t profile_id = 0;
  std::optional<std::uint32_t> max_fr, max_fs;
  bool operator==(const Vp9Format&) const = default;
};
// RTP Payload Format For AV1 §7.2.1. Defaults: Main profile, level 3.1, Main tier.
struct Av1Format {
  std::uint8_t profile = 0, level_idx = 5, tier = 0;
  bool operator==(const Av1Format&) const = default;
};
// RFC 7587 §6.1. What the writer of the description likes to receive; sprop_… what it may send.
struct OpusFormat {
  std::optional<std::uint32_t> min_packet_ms;  // minptime
  std::optional<std::uint32_t> max_average_bitrate, max_playback_rate, sprop_max_capture_rate;
  bool stereo = false, sprop_stereo = false, cbr = false, use_inband_fec = false, use_dtx = false;
  bool operator==(const OpusFormat&) const = default;
};
// RFC 4588 §8.1.
struct RtxFormat {
  std::uint8_t associated_payload_type = 0;  // apt
  std::optional<std::uint32_t> rtx_time_ms;
  bool operator==(const RtxFormat&) const = default;
};
// RFC 2198 §5. Empty where only the name was given, as Chromium does for video.
struct RedFormat {
  std::vector<std::uint8_t> payload_types;
  bool operator==(const RedFormat&) const = default;
};
// Parameters of the formats above; std::monostate for those that have none.
using CodecFormat = std::variant<std::monostate, H264Format, HevcFormat, Vp8Format, Vp9Format, Av1Format,
                                 OpusFormat, RtxFormat, RedFormat>;

// The value of a=fmtp behind the payload type. An empty text gives the defaults.
Result<CodecFormat, Refusal> parse_format(Codec codec, std::string_view text);
// The opposite. Empty when there is nothing to say; then no a=fmtp line is written.
std::string write_format(const CodecFormat& format);

// a=rtcp-fb (RFC 4585 §4.2, RFC 5104 §7, RFC 8888 §6, and the two of Chromium). Others are dropped.
struct Feedback {
  bool nack = false;
  bool pli = false;           // nack pli
  bool fir = false;           // ccm fir
  bool remb = false;          // goog-remb
  bool transport_cc = false;  // transport-cc
  bool ccfb = false;          // ack ccfb
  bool rrtr = false;          // Chromium's word for RFC 3611 receiver reference times
  bool operator==(const Feedback&) const = default;

  bool any() const { return *this != Feedback{}; }
  Feedback operator&(const Feedback& other) const;
  Feedback operator|(const Feedback& other) const;
};
// Adds what the text behind the payload type says.
void add_feedback(std::string_view text, Feedback& feedback);
// One value for each a=rtcp-fb line.
std::vector<std::string_view> write_feedback(const Feedback& feedback);

// One payload type of a section.
struct Payload {
  std::uint8_t type = 0;  // 0 to 127
  Codec codec = Codec::kOther;
  std::string name;  // The encoding name as it was written.
  std::uint32_t clock_rate = 0;
  std::uint8_t channels = 1;
  CodecFormat format;
  Feedback feedback;
  bool operator==(const Payload&) const = default;
};
// A payload as the codec's specification has it: name, clock rate, channels and default parameters.
// Requires: codec is not kOther.
Payload make_payload(std::uint8_t type, Codec codec, CodecFormat format = {}, Feedback feedback = {});

// H.264 profiles by what the profile_idc and the constraint flags say together (RFC 6184 §8.1, table 5).
enum class H264Profile : std::uint8_t {
  kUnknown,
  kConstrainedBaseline,
  kBaseline,
  kMain,
  kExtended,
  kConstrainedHigh,
  kHigh,
  kHigh10,
  kHigh422,
  kHigh444,
  kHigh10Intra,
  kHigh422Intra,
  kHigh444Intra,
  kCavlc444Intra,
};
H264Profile h264_profile_of(std::uint32_t profile_level_id);
// Ten times the level number, with 9 for level 1b, so that they compare as levels do.
std::uint8_t h264_level_of(std::uint32_t profile_level_id);
// The same profile bytes with another level, in the form that this profile has for level 1b.
std::uint32_t with_h264_level(std::uint32_t profile_level_id, std::uint8_t level);

enum class ProfileRule : std::uint8_t {
  // As RFC 6184 and its like say: the profile is part of the format and both must have the same.
  kExact,
  // Any profile of the codec will do. For a server that forwards and does not decode.
  kAny,
};
// Whether both may speak this to each other: same codec, clock rate, channels and configuration (H.264:
// profile and packetization mode; HEVC: profile space, profile, tier and transmission mode; VP9 and AV1:
// profile). Levels and declared wishes do not count.
bool is_same_format(const Payload& a, const Payload& b, ProfileRule rule = ProfileRule::kExact);
// The parameters of the answer to `offered` by one who supports `own` (RFC 3264 §6.1): profiles as offered,
// H.264 level by RFC 6184 §8.2.2, HEVC level by RFC 7798 §7.2.2, wishes and limits our own.
// Requires: is_same_format(offered, own, some rule).
CodecFormat answer_format(const CodecFormat& offered, const CodecFormat& own);

}  // namespace stoa::sdp
