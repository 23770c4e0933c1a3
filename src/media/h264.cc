#include "media/h264.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "media/nal.h"

namespace stoa::media {
namespace {

enum NalType : std::uint8_t {
  kSlicePartitionA = 2,
  kSlicePartitionC = 4,
  kSliceIdr = 5,
  kSequenceParameterSet = 7,
  kPictureParameterSet = 8,
};

constexpr std::uint8_t kProfileExtended = 88;
constexpr std::uint32_t kSpsIdMax = 31, kPpsIdMax = 255;
constexpr std::uint32_t kReorderFramesMax = 16;               // §A.3.1: the decoded picture buffer.
constexpr std::size_t kSpsCountMax = 31, kPpsCountMax = 255;  // What the record's counts can say.

struct Sps {
  std::uint8_t profile = 0, constraints = 0, level = 0;
  std::uint32_t id = 0;
  std::uint32_t chroma_format = 1;
  std::uint32_t luma_depth_minus8 = 0, chroma_depth_minus8 = 0;
  Picture picture;
};

struct Config {
  unsigned length_size = 4;
  std::vector<Bytes> sps, pps;  // Without trailing zeros.
};

bool has_chroma_fields(std::uint8_t profile) {
  constexpr std::array<std::uint8_t, 6> kProfiles{100, 110, 122, 244, 44, 144};
  return std::ranges::find(kProfiles, profile) != kProfiles.end();
}
// Scalable and multiview profiles code their base as one of the others; alone they are nothing to play.
bool is_playable(std::uint8_t profile) {
  return profile == 66 || profile == 77 || has_chroma_fields(profile);
}
std::uint8_t type_of(Bytes nal) { return nal[0] & 0x1f; }

void skip_scaling_list(BitReader& bits, int size) {
  int last = 8, next = 8;
  for (int i = 0; i < size && bits.ok(); ++i) {
    if (next != 0) next = (last + bits.se() % 256 + 256) % 256;
    last = next == 0 ? last : next;
  }
}

// H.264 §7.3.2.1.1, the fields of the High profiles.
Result<void, CodecRefusal> read_chroma_fields(BitReader& bits, Sps& sps) {
  sps.chroma_format = bits.ue();
  if (sps.chroma_format > 3) return refuse(CodecRefusal::kBadValue);
  if (sps.chroma_format == 3) bits.flag();  // Separate colour planes.
  sps.luma_depth_minus8 = bits.ue();
  sps.chroma_depth_minus8 = bits.ue();
  if (sps.luma_depth_minus8 > 6 || sps.chroma_depth_minus8 > 6) return refuse(CodecRefusal::kBadValue);
  bits.flag();  // Lossless bypass.
  if (bits.flag()) {
    int lists = sps.chroma_format == 3 ? 12 : 8;
    for (int i = 0; i < lists; ++i) {
      if (bits.flag()) skip_scaling_list(bits, i < 6 ? 16 : 64);
    }
  }
  return {};
}

Result<void, CodecRefusal> read_order_fields(BitReader& bits, Picture& picture) {
  if (bits.ue() > 12) return refuse(CodecRefusal::kBadValue);  // log2_max_frame_num_minus4
  std::uint32_t order_type = bits.ue();
  if (order_type > 2) return refuse(CodecRefusal::kBadValue);
  if (order_type == 2) picture.reorder_frames = 0;  // §8.2.1.3: the order of decoding.
  if (order_type == 0 && bits.ue() > 12) return refuse(CodecRefusal::kBadValue);
  if (order_type == 1) {
    bits.flag();
    bits.skip_ue(2);
    std::uint32_t cycle = bits.ue();
    if (cycle > 255) return refuse(CodecRefusal::kBadValue);
    bits.skip_ue(cycle);
  }
  if (bits.ue() > 16) return refuse(CodecRefusal::kBadValue);  // max_num_ref_frames
  bits.flag();
  return {};
}

Result<void, CodecRefusal> read_size(BitReader& bits, Sps& sps) {
  std::uint64_t width = (std::uint64_t{bits.ue()} + 1) * 16;
  std::uint64_t map_units = std::uint64_t{bits.ue()} + 1;
  bool frames_only = bits.flag();
  if (!frames_only) bits.flag();
  bits.flag();
  std::uint64_t height = map_units * 16 * (frames_only ? 1 : 2);
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (width > kPictureSideMax || height > kPictureSideMax) return refuse(CodecRefusal::kUnsupported);
  if (bits.flag()) {
    std::uint64_t unit_x = sps.chroma_format == 1 || sps.chroma_format == 2 ? 2 : 1;
    std::uint64_t unit_y = (sps.chroma_format == 1 ? 2 : 1) * (frames_only ? 1 : 2);
    std::uint64_t crop_x = unit_x * bits.ue();
    crop_x += unit_x * bits.ue();
    std::uint64_t crop_y = unit_y * bits.ue();
    crop_y += unit_y * bits.ue();
    if (crop_x >= width || crop_y >= height) return refuse(CodecRefusal::kBadValue);
    width -= crop_x, height -= crop_y;
  }
  sps.picture.width = static_cast<std::uint32_t>(width);
  sps.picture.height = static_cast<std::uint32_t>(height);
  return {};
}

// §E.1.2
void skip_hypothetical_decoder(BitReader& bits) {
  std::uint32_t buffers = bits.ue() + 1;
  bits.skip(8);
  for (std::uint32_t i = 0; i < buffers && bits.ok(); ++i) {
    bits.skip_ue(2);
    bits.flag();
  }
  bits.skip(20);
}

// From behind the timing's numbers (§E.1.1). A set that ends before is taken all the same: `bits` is a copy.
void read_reordering(BitReader bits, bool has_timing, Picture& picture) {
  if (has_timing) bits.flag();
  bool has_decoder = false;
  for (int kind = 0; kind < 2; ++kind) {
    if (!bits.flag()) continue;
    has_decoder = true;
    skip_hypothetical_decoder(bits);
  }
  if (has_decoder) bits.flag();
  bits.flag();
  if (!bits.flag()) return;
  bits.flag();
  bits.skip_ue(4);
  std::uint32_t frames = bits.ue();
  if (bits.ok() && frames <= kReorderFramesMax) picture.reorder_frames = frames;
}

Result<Sps, CodecRefusal> parse_sps(Bytes nal) {
  Buffer payload = unescape(nal);
  BitReader bits(payload);
  bits.u(8);
  Sps sps;
  sps.profile = static_cast<std::uint8_t>(bits.u(8));
  sps.constraints = static_cast<std::uint8_t>(bits.u(8));
  sps.level = static_cast<std::uint8_t>(bits.u(8));
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (sps.profile == kProfileExtended || !is_playable(sps.profile)) return refuse(CodecRefusal::kUnsupported);
  sps.id = bits.ue();
  if (sps.id > kSpsIdMax) return refuse(CodecRefusal::kBadValue);
  if (has_chroma_fields(sps.profile)) {
    if (auto read = read_chroma_fields(bits, sps); !read) return refuse(read.error());
  }
  if (auto read = read_order_fields(bits, sps.picture); !read) return refuse(read.error());
  if (auto read = read_size(bits, sps); !read) return refuse(read.error());
  if (bits.flag()) {
    read_vui_appearance(bits, sps.picture);
    bool has_timing = bits.flag();
    if (has_timing) {
      std::uint64_t ticks_per_field = bits.u(32), ticks_per_second = bits.u(32);
      sps.picture.set_frame_rate(ticks_per_second, 2 * ticks_per_field);
    }
    read_reordering(bits, has_timing, sps.picture);
  }
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  return sps;
}

struct PpsIds {
  std::uint32_t pps, sps;
};
Result<PpsIds, CodecRefusal> parse_pps_ids(Bytes nal) {
  constexpr std::size_t kIdBytesMax = 16;
  Buffer payload = unescape(nal, kIdBytesMax);
  BitReader bits(payload);
  bits.u(8);
  PpsIds ids{bits.ue(), bits.ue()};
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (ids.pps > kPpsIdMax || ids.sps > kSpsIdMax) return refuse(CodecRefusal::kBadValue);
  return ids;
}

Result<void, CodecRefusal> read_sets(ByteReader& reader, unsigned count, NalType type,
                                     std::vector<Bytes>& sets) {
  for (unsigned i = 0; i < count; ++i) {
    Bytes nal = trim_trailing_zeros(reader.take(reader.u16()));
    if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
    if (nal.empty() || type_of(nal) != type) return refuse(CodecRefusal::kBadValue);
    sets.push_back(nal);
  }
  return {};
}

Result<Config, CodecRefusal> parse_config(Bytes record) {
  ByteReader reader(record);
  std::uint8_t version = reader.u8();
  reader.skip(3);  // Profile and level: the parameter set is believed.
  Config config;
  config.length_size = (reader.u8() & 3) + 1u;
  unsigned sps_count = reader.u8() & 0x1f;
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (version != 1 || config.length_size == 3) return refuse(CodecRefusal::kBadValue);
  if (auto read = read_sets(reader, sps_count, kSequenceParameterSet, config.sps); !read) {
    return refuse(read.error());
  }
  unsigned pps_count = reader.u8();
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (auto read = read_sets(reader, pps_count, kPictureParameterSet, config.pps); !read) {
    return refuse(read.error());
  }
  return config;
}

void write_sets(ByteWriter& writer, const std::vector<Bytes>& sets) {
  for (Bytes set : sets) {
    writer.u16(static_cast<std::uint16_t>(set.size()));
    writer.bytes(set);
  }
}

SharedBytes write_config(const Config& config, const Sps& sps) {
  ByteWriter writer(64);
  writer.u8(1);
  writer.u8(sps.profile);
  writer.u8(sps.constraints);
  writer.u8(sps.level);
  writer.u8(static_cast<std::uint8_t>(0xfc | (config.length_size - 1)));
  writer.u8(static_cast<std::uint8_t>(0xe0 | config.sps.size()));
  write_sets(writer, config.sps);
  writer.u8(static_cast<std::uint8_t>(config.pps.size()));
  write_sets(writer, config.pps);
  if (has_chroma_fields(sps.profile)) {
    writer.u8(static_cast<std::uint8_t>(0xfc | sps.chroma_format));
    writer.u8(static_cast<std::uint8_t>(0xf8 | sps.luma_depth_minus8));
    writer.u8(static_cast<std::uint8_t>(0xf8 | sps.chroma_depth_minus8));
    writer.u8(0);
  }
  return SharedBytes(writer.take());
}

// A later set of the same id takes the place of the earlier one.
void replace_or_append(std::vector<Bytes>& sets, Bytes nal, auto same_id) {
  auto old = std::ranges::find_if(sets, same_id);
  if (old != sets.end()) {
    *old = nal;
  } else {
    sets.push_back(nal);
  }
}

Result<void, CodecRefusal> add_sps(std::vector<Bytes>& sets, Bytes nal) {
  STOA_TRY(Sps sps, parse_sps(nal));
  replace_or_append(sets, nal, [&](Bytes old) {
    auto parsed = parse_sps(old);
    return parsed && parsed->id == sps.id;
  });
  return {};
}

Result<void, CodecRefusal> add_pps(std::vector<Bytes>& sets, Bytes nal) {
  STOA_TRY(PpsIds ids, parse_pps_ids(nal));
  replace_or_append(sets, nal, [&](Bytes old) {
    auto parsed = parse_pps_ids(old);
    return parsed && parsed->pps == ids.pps;
  });
  return {};
}

bool refers_to(const std::vector<Bytes>& sps_sets, Bytes pps) {
  auto ids = parse_pps_ids(pps);
  return ids && std::ranges::any_of(sps_sets, [&](Bytes set) {
           auto sps = parse_sps(set);
           return sps && sps->id == ids->sps;
         });
}

// The sets that hold after `in_band` arrived. New sequence parameter sets retire the old ones, since the
// size is that of the first; picture parameter sets gather as long as theirs stays.
Result<Config, CodecRefusal> merge(const Config& old, const std::vector<Bytes>& in_band) {
  Config merged{old.length_size, {}, {}};
  for (Bytes nal : in_band) {
    if (type_of(nal) != kSequenceParameterSet) continue;
    if (auto added = add_sps(merged.sps, nal); !added) return refuse(added.error());
  }
  if (merged.sps.empty()) merged.sps = old.sps;
  for (Bytes pps : old.pps) {
    if (refers_to(merged.sps, pps)) merged.pps.push_back(pps);
  }
  for (Bytes nal : in_band) {
    if (type_of(nal) != kPictureParameterSet) continue;
    if (auto added = add_pps(merged.pps, nal); !added) return refuse(added.error());
  }
  if (merged.sps.size() > kSpsCountMax || merged.pps.size() > kPpsCountMax) {
    return refuse(CodecRefusal::kUnsupported);
  }
  return merged;
}

}  // namespace

Result<Picture, CodecRefusal> read_h264_picture(Bytes record) {
  STOA_TRY(Config config, parse_config(record));
  if (config.sps.empty()) return refuse(CodecRefusal::kUnsupported);
  STOA_TRY(Sps sps, parse_sps(config.sps.front()));
  return sps.picture;
}

Result<std::shared_ptr<const Format>, CodecRefusal> make_h264_format(SharedBytes record) {
  STOA_TRY(Config config, parse_config(record.bytes()));
  if (config.sps.empty()) return refuse(CodecRefusal::kUnsupported);
  STOA_TRY(Sps sps, parse_sps(config.sps.front()));
  for (Bytes pps : config.pps) {
    if (auto ids = parse_pps_ids(pps); !ids) return refuse(ids.error());
  }
  char name[16];
  std::snprintf(name, sizeof name, "avc1.%02x%02x%02x", sps.profile, sps.constraints, sps.level);
  Format format{.codec = Codec::kH264, .config = std::move(record), .codec_string = name};
  format.width = sps.picture.width;
  format.height = sps.picture.height;
  format.frame_rate_numerator = sps.picture.frame_rate_numerator;
  format.frame_rate_denominator = sps.picture.frame_rate_denominator;
  return std::make_shared<const Format>(std::move(format));
}

Result<AccessUnitFacts, CodecRefusal> inspect_h264(const Format& format, Bytes access_unit) {
  if (access_unit.empty() || format.config.size() < 5) return refuse(CodecRefusal::kTruncated);
  AccessUnitFacts facts;
  std::vector<Bytes> in_band;
  NalCutter cutter(access_unit, (format.config.bytes()[4] & 3) + 1u);
  while (!cutter.at_end()) {
    STOA_TRY(Bytes nal, cutter.next());
    if (nal[0] & 0x80) return refuse(CodecRefusal::kBadValue);
    std::uint8_t type = type_of(nal);
    if (type >= kSlicePartitionA && type <= kSlicePartitionC) return refuse(CodecRefusal::kUnsupported);
    if (type == kSliceIdr) facts.is_keyframe = true;
    if (type != kSequenceParameterSet && type != kPictureParameterSet) continue;
    if (in_band.size() == kInBandParameterSetsMax || nal.size() > kParameterSetBytesMax) {
      return refuse(CodecRefusal::kUnsupported);
    }
    in_band.push_back(trim_trailing_zeros(nal));
  }
  if (in_band.empty()) return facts;

  STOA_TRY(Config config, parse_config(format.config.bytes()));
  auto is_known = [&](Bytes nal) { return contains(config.sps, nal) || contains(config.pps, nal); };
  if (std::ranges::all_of(in_band, is_known)) return facts;
  STOA_TRY(Config merged, merge(config, in_band));
  // A set that another of the same access unit replaces changes nothing.
  if (std::ranges::all_of(merged.sps, is_known) && std::ranges::all_of(merged.pps, is_known)) return facts;
  if (merged.sps.empty()) return refuse(CodecRefusal::kBadValue);
  STOA_TRY(Sps sps, parse_sps(merged.sps.front()));
  SharedBytes record = write_config(merged, sps);
  STOA_TRY(facts.new_format, make_h264_format(record));
  facts.new_config = std::move(record);
  return facts;
}

}  // namespace stoa::media
