#include "media/hevc_sets.h"

#include <cstdio>

#include "media/nal.h"

namespace stoa::media {
namespace {

constexpr std::size_t kNalHeaderBytes = 2;
constexpr std::uint32_t kSpsIdMax = 15, kPpsIdMax = 63;
constexpr unsigned kSubLayersMax = 7;
constexpr std::uint32_t kShortTermSetsMax = 64, kLongTermPicturesMax = 32, kReferencesMax = 16;

// §7.3.3
void read_profile_tier_level(BitReader& bits, unsigned sub_layers, HevcProfileTierLevel& general) {
  for (std::uint8_t& byte : general) byte = static_cast<std::uint8_t>(bits.u(8));
  if (sub_layers == 1) return;
  std::array<bool, kSubLayersMax> has_profile{}, has_level{};
  for (unsigned i = 0; i + 1 < sub_layers; ++i) has_profile[i] = bits.flag(), has_level[i] = bits.flag();
  for (unsigned i = sub_layers - 1; i < 8; ++i) bits.skip(2);
  for (unsigned i = 0; i + 1 < sub_layers; ++i) bits.skip((has_profile[i] ? 88 : 0) + (has_level[i] ? 8 : 0));
}

void read_ordering(BitReader& bits, unsigned sub_layers, std::uint32_t& reorder_frames) {
  unsigned told = bits.flag() ? sub_layers : 1;
  for (unsigned i = 0; i < told; ++i) {
    bits.ue();
    reorder_frames = bits.ue();  // The highest sub-layer's counts for the whole stream.
    bits.ue();
  }
}

// §7.3.4
void skip_scaling_lists(BitReader& bits) {
  for (unsigned size = 0; size < 4; ++size) {
    for (unsigned matrix = 0; matrix < 6 && bits.ok(); matrix += size == 3 ? 3 : 1) {
      if (!bits.flag()) {
        bits.ue();
        continue;
      }
      unsigned coefficients = size == 0 ? 16 : 64;
      if (size > 1) bits.se();
      bits.skip_ue(coefficients);
    }
  }
}

// §7.3.7. A set told as the difference to the one before it has as many pictures as its flags keep.
Result<void, CodecRefusal> skip_short_term_sets(BitReader& bits) {
  std::uint32_t count = bits.ue();
  if (count > kShortTermSetsMax) return refuse(CodecRefusal::kBadValue);
  std::uint32_t previous = 0;
  for (std::uint32_t i = 0; i < count && bits.ok(); ++i) {
    std::uint32_t pictures = 0;
    if (i != 0 && bits.flag()) {
      bits.flag();
      bits.ue();
      for (std::uint32_t j = 0; j <= previous; ++j) {
        bool is_used = bits.flag();
        if (is_used || bits.flag()) ++pictures;
      }
    } else {
      std::uint32_t before = bits.ue(), after = bits.ue();
      if (before > kReferencesMax || after > kReferencesMax) return refuse(CodecRefusal::kBadValue);
      pictures = before + after;
      for (std::uint32_t j = 0; j < pictures; ++j) bits.ue(), bits.flag();
    }
    if (pictures > kReferencesMax) return refuse(CodecRefusal::kBadValue);
    previous = pictures;
  }
  return {};
}

// §E.2.1, as far as the timing.
void read_vui(BitReader& bits, Picture& picture) {
  read_vui_appearance(bits, picture);
  bits.skip(3);
  if (bits.flag()) bits.skip_ue(4);  // Default display window.
  if (!bits.flag()) return;
  std::uint64_t ticks_per_picture = bits.u(32), ticks_per_second = bits.u(32);
  picture.set_frame_rate(ticks_per_second, ticks_per_picture);
}

Result<void, CodecRefusal> read_size(BitReader& bits, HevcSps& sps) {
  sps.chroma_format = bits.ue();
  if (sps.chroma_format > 3) return refuse(CodecRefusal::kBadValue);
  if (sps.chroma_format == 3) bits.flag();  // Separate colour planes.
  std::uint64_t width = bits.ue(), height = bits.ue();
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (width > kPictureSideMax || height > kPictureSideMax) return refuse(CodecRefusal::kUnsupported);
  std::uint64_t crop_x = 0, crop_y = 0;
  if (bits.flag()) {
    std::uint64_t unit_x = sps.chroma_format == 1 || sps.chroma_format == 2 ? 2 : 1;
    std::uint64_t unit_y = sps.chroma_format == 1 ? 2 : 1;
    crop_x = unit_x * bits.ue();
    crop_x += unit_x * bits.ue();
    crop_y = unit_y * bits.ue();
    crop_y += unit_y * bits.ue();
  }
  if (crop_x >= width || crop_y >= height) return refuse(CodecRefusal::kBadValue);
  sps.picture.width = static_cast<std::uint32_t>(width - crop_x);
  sps.picture.height = static_cast<std::uint32_t>(height - crop_y);
  sps.luma_depth_minus8 = bits.ue();
  sps.chroma_depth_minus8 = bits.ue();
  if (sps.luma_depth_minus8 > 8 || sps.chroma_depth_minus8 > 8) return refuse(CodecRefusal::kBadValue);
  return {};
}

// From the coding blocks to the flag before the VUI.
Result<void, CodecRefusal> skip_tools(BitReader& bits, unsigned order_bits) {
  bits.skip_ue(6);
  if (bits.flag() && bits.flag()) skip_scaling_lists(bits);
  bits.skip(2);
  if (bits.flag()) {  // PCM.
    bits.skip(8);
    bits.skip_ue(2);
    bits.flag();
  }
  if (auto skipped = skip_short_term_sets(bits); !skipped) return refuse(skipped.error());
  if (bits.flag()) {
    std::uint32_t count = bits.ue();
    if (count > kLongTermPicturesMax) return refuse(CodecRefusal::kBadValue);
    bits.skip(std::size_t{count} * (order_bits + 1));
  }
  bits.skip(2);
  return {};
}

}  // namespace

Result<HevcSps, CodecRefusal> parse_hevc_sps(Bytes nal) {
  Buffer payload = unescape(nal);
  BitReader bits(payload);
  bits.skip(8 * kNalHeaderBytes);
  HevcSps sps;
  sps.vps_id = bits.u(4);
  sps.sub_layers = bits.u(3) + 1;
  sps.is_temporally_nested = bits.flag();
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (sps.sub_layers > kSubLayersMax) return refuse(CodecRefusal::kBadValue);
  read_profile_tier_level(bits, sps.sub_layers, sps.profile_tier_level);
  sps.id = bits.ue();
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (sps.id > kSpsIdMax) return refuse(CodecRefusal::kBadValue);
  if (auto read = read_size(bits, sps); !read) return refuse(read.error());
  std::uint32_t order_bits = bits.ue() + 4;
  if (order_bits > 16) return refuse(CodecRefusal::kBadValue);
  sps.picture.reorder_frames = 0;
  read_ordering(bits, sps.sub_layers, *sps.picture.reorder_frames);
  if (auto skipped = skip_tools(bits, order_bits); !skipped) return refuse(skipped.error());
  if (bits.flag()) read_vui(bits, sps.picture);
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  return sps;
}

Result<HevcVps, CodecRefusal> parse_hevc_vps(Bytes nal) {
  constexpr std::uint32_t kLayerSetsMax = 1024;
  Buffer payload = unescape(nal);
  BitReader bits(payload);
  bits.skip(8 * kNalHeaderBytes);
  HevcVps vps;
  vps.id = bits.u(4);
  bits.skip(2 + 6);
  unsigned sub_layers = bits.u(3) + 1;
  bits.skip(1 + 16);
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (sub_layers > kSubLayersMax) return refuse(CodecRefusal::kBadValue);
  HevcProfileTierLevel general;
  read_profile_tier_level(bits, sub_layers, general);
  std::uint32_t reorder_frames = 0;
  read_ordering(bits, sub_layers, reorder_frames);
  std::size_t layers = bits.u(6) + 1;
  std::uint32_t sets_minus1 = bits.ue();
  if (sets_minus1 >= kLayerSetsMax) return refuse(CodecRefusal::kBadValue);
  bits.skip(layers * sets_minus1);
  if (bits.flag()) {
    std::uint64_t ticks_per_picture = bits.u(32), ticks_per_second = bits.u(32);
    vps.timing.set_frame_rate(ticks_per_second, ticks_per_picture);
  }
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  return vps;
}

Result<HevcSetIds, CodecRefusal> parse_hevc_set_ids(Bytes nal) {
  if (hevc_type_of(nal) == kHevcSps) {
    STOA_TRY(HevcSps sps, parse_hevc_sps(nal));
    return HevcSetIds{sps.id, sps.vps_id};
  }
  if (hevc_type_of(nal) == kHevcVps) {
    STOA_TRY(HevcVps vps, parse_hevc_vps(nal));
    return HevcSetIds{vps.id, 0};
  }
  constexpr std::size_t kIdBytesMax = 16;
  Buffer payload = unescape(nal, kIdBytesMax);
  BitReader bits(payload);
  bits.skip(8 * kNalHeaderBytes);
  HevcSetIds ids{bits.ue(), bits.ue()};
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (ids.own > kPpsIdMax || ids.parent > kSpsIdMax) return refuse(CodecRefusal::kBadValue);
  return ids;
}

std::string hevc_codec_string(const HevcProfileTierLevel& ptl) {
  std::uint32_t reversed = 0;  // Flag 0 becomes the lowest bit.
  for (unsigned i = 0; i < 32; ++i)
    reversed |= static_cast<std::uint32_t>(ptl[1 + i / 8] >> (7 - i % 8) & 1) << i;
  constexpr std::array<const char*, 4> kSpaces{"", "A", "B", "C"};
  char text[48];
  std::snprintf(text, sizeof text, "hvc1.%s%u.%X.%c%u", kSpaces[ptl[0] >> 6], ptl[0] & 31u, reversed,
                ptl[0] & 0x20 ? 'H' : 'L', ptl[11]);
  std::string name = text;
  std::size_t end = 11;
  while (end > 5 && ptl[end - 1] == 0) --end;
  for (std::size_t i = 5; i < end; ++i) {
    std::snprintf(text, sizeof text, ".%X", ptl[i]);
    name += text;
  }
  return name;
}

}  // namespace stoa::media
