// The parameter sets of HEVC: video (ITU-T H.265 §7.3.2.1), sequence (§7.3.2.2) and picture (§7.3.2.3).
#pragma once

#include <array>
#include <string>

#include "media/codec.h"
#include "media/picture.h"

namespace stoa::media {

inline constexpr std::uint8_t kHevcVps = 32, kHevcSps = 33, kHevcPps = 34;

// Both require a whole NAL unit header, two bytes.
inline std::uint8_t hevc_type_of(Bytes nal) { return nal[0] >> 1 & 0x3f; }
inline std::uint8_t hevc_layer_of(Bytes nal) {
  return static_cast<std::uint8_t>((nal[0] & 1) << 5 | nal[1] >> 3);
}

// The general part of profile_tier_level() (§7.3.3), byte for byte as the configuration record has it:
// profile space, tier and profile, 4 bytes of compatibility flags, 6 of constraints, level.
using HevcProfileTierLevel = std::array<std::uint8_t, 12>;

struct HevcSps {
  std::uint32_t vps_id = 0, id = 0;
  unsigned sub_layers = 1;
  bool is_temporally_nested = false;
  HevcProfileTierLevel profile_tier_level{};
  std::uint32_t chroma_format = 1;
  std::uint32_t luma_depth_minus8 = 0, chroma_depth_minus8 = 0;
  Picture picture;
};
Result<HevcSps, CodecRefusal> parse_hevc_sps(Bytes nal);

struct HevcVps {
  std::uint32_t id = 0;
  Picture timing;  // Only its frame rate.
};
Result<HevcVps, CodecRefusal> parse_hevc_vps(Bytes nal);

// A set's own id and that of the set it refers to; a VPS refers to none and has 0.
struct HevcSetIds {
  std::uint32_t own = 0, parent = 0;
};
Result<HevcSetIds, CodecRefusal> parse_hevc_set_ids(Bytes nal);

// "hvc1.2.4.L120.90", ISO/IEC 14496-15 §E.3.
std::string hevc_codec_string(const HevcProfileTierLevel& profile_tier_level);

}  // namespace stoa::media
