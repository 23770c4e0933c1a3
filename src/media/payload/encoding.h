// The encodings that travel in RTP here, and why their bytes are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stoa::payload {

enum class Encoding : std::uint8_t { kH264, kHevc, kAv1, kVp8, kVp9, kOpus };
inline constexpr int kEncodings = 6;

// The encoding name of a=rtpmap: "H264", "H265", "AV1", "VP8", "VP9", "opus".
std::string_view name_of(Encoding encoding);
// By its encoding name, in any case of letters (RFC 4855 §3).
std::optional<Encoding> find_encoding(std::string_view name);
constexpr bool is_video(Encoding encoding) { return encoding != Encoding::kOpus; }
// Of the RTP clock, in Hz. Opus has 48,000 whatever it codes (RFC 7587 §4.1).
constexpr std::uint32_t clock_rate_of(Encoding encoding) { return is_video(encoding) ? 90'000 : 48'000; }

enum class Refusal : std::uint8_t {
  kTruncated,    // Ends inside a field.
  kBadValue,     // A field holds what the format forbids.
  kUnsupported,  // Legal, but of a mode that WebRTC does not have.
  kBroken,       // Payloads that do not make a frame: a fragment without its beginning or end.
  kTooLarge,     // Over a named limit.
  kLate,         // Its place has passed.
  kDuplicate,    // Came before.
};
inline constexpr int kRefusals = 7;
const char* name_of(Refusal refusal);

// Of one frame, whole. A key frame of a 4K stream has well under 1 MiB.
inline constexpr std::size_t kFrameBytesMax = 8u << 20;
// NAL units or OBUs in one frame.
inline constexpr std::size_t kUnitsPerFrameMax = 2048;

// The smallest payload limit that fragments make sense with.
inline constexpr std::size_t kPayloadBytesFloor = 64;

// What a packet says of its frame.
struct PayloadFacts {
  bool starts_frame = false;  // Certainly the first packet of a frame, by its own bytes.
  // Of a key frame. Every encoding says so in the first packet of its frame, not all in the others.
  bool is_keyframe = false;
  bool is_discardable = false;   // No frame of its own temporal layer or of a lower one refers to it.
  bool is_switch_point = false;  // Its temporal layer may be begun here by who has the lower ones.
  // The first packet of a spatial layer above the lowest, which may be begun here by who has the lower ones
  // of the same picture: it refers to nothing else.
  bool is_spatial_switch_point = false;
  bool ends_layer = false;  // Certainly the last packet of its spatial layer in its picture.
  // A frame of a higher spatial layer may refer to it. Otherwise only who looks at its own layer needs it.
  bool is_needed_above = true;
  std::uint8_t spatial_layer = 0, temporal_layer = 0;

  bool operator==(const PayloadFacts&) const = default;
};

// What came of the payloads of one frame.
struct AssembledFrame {
  bool is_keyframe = false;     // As media::AccessUnitFacts::is_keyframe.
  bool has_parameters = false;  // Parameter sets or a sequence header came with it.
};

}  // namespace stoa::payload
