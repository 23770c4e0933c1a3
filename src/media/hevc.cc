#include "media/hevc.h"

#include <algorithm>
#include <array>

#include "media/hevc_sets.h"
#include "media/nal.h"

namespace stoa::media {
namespace {

constexpr std::uint8_t kIrapFirst = 16, kIrapLast = 21;  // BLA, IDR and CRA; 22 and 23 are reserved.
constexpr std::array<std::uint8_t, 3> kSetTypes{kHevcVps, kHevcSps, kHevcPps};
constexpr std::size_t kHeaderBytes = 22;  // Of the record, up to the number of its arrays.
constexpr std::size_t kSetsMax = 64;      // Of one type; ids go up to 63 (PPS).

struct Config {
  unsigned length_size = 4;
  std::array<std::vector<Bytes>, 3> sets;  // VPS, SPS, PPS, without trailing zeros.

  std::vector<Bytes>& vps() { return sets[0]; }
  std::vector<Bytes>& sps() { return sets[1]; }
  std::vector<Bytes>& pps() { return sets[2]; }
};

std::size_t index_of(std::uint8_t type) { return static_cast<std::size_t>(type - kHevcVps); }
bool is_set(std::uint8_t type) { return type >= kHevcVps && type <= kHevcPps; }

Result<Config, CodecRefusal> parse_config(Bytes record) {
  ByteReader reader(record);
  std::uint8_t version = reader.u8();
  reader.skip(20);  // Profile, level, depths: the parameter sets are believed.
  Config config;
  config.length_size = (reader.u8() & 3) + 1u;
  unsigned arrays = reader.u8();
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (version != 1 || config.length_size == 3) return refuse(CodecRefusal::kBadValue);
  for (unsigned i = 0; i < arrays; ++i) {
    std::uint8_t type = reader.u8() & 0x3f;
    unsigned count = reader.u16();
    for (unsigned j = 0; j < count; ++j) {
      Bytes nal = reader.take(reader.u16());
      if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
      if (!is_set(type)) continue;  // SEI.
      nal = trim_trailing_zeros(nal);
      if (nal.size() < 2 || hevc_type_of(nal) != type) return refuse(CodecRefusal::kBadValue);
      auto& sets = config.sets[index_of(type)];
      if (sets.size() == kSetsMax) return refuse(CodecRefusal::kUnsupported);
      sets.push_back(nal);
    }
  }
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (config.sps().empty()) return refuse(CodecRefusal::kUnsupported);
  return config;
}

// The first sequence parameter set, with the timing of its video parameter set when it says none itself.
Result<HevcSps, CodecRefusal> read_sps(Config& config) {
  STOA_TRY(HevcSps sps, parse_hevc_sps(config.sps().front()));
  for (Bytes nal : config.vps()) {
    if (sps.picture.frame_rate_numerator != 0) break;
    auto vps = parse_hevc_vps(nal);
    if (!vps) return refuse(vps.error());
    if (vps->id == sps.vps_id) {
      sps.picture.frame_rate_numerator = vps->timing.frame_rate_numerator;
      sps.picture.frame_rate_denominator = vps->timing.frame_rate_denominator;
    }
  }
  return sps;
}

SharedBytes write_config(const Config& config, const HevcSps& sps) {
  ByteWriter writer(kHeaderBytes + 128);
  writer.u8(1);
  writer.bytes(sps.profile_tier_level);
  writer.u16(0xf000);  // Spatial segmentation: unknown.
  writer.u8(0xfc);     // Parallelism: unknown.
  writer.u8(static_cast<std::uint8_t>(0xfc | sps.chroma_format));
  writer.u8(static_cast<std::uint8_t>(0xf8 | sps.luma_depth_minus8));
  writer.u8(static_cast<std::uint8_t>(0xf8 | sps.chroma_depth_minus8));
  writer.u16(0);  // Average frame rate: unknown.
  writer.u8(static_cast<std::uint8_t>((sps.sub_layers & 7) << 3 | (sps.is_temporally_nested ? 1 : 0) << 2 |
                                      (config.length_size - 1)));
  writer.u8(
      static_cast<std::uint8_t>(std::ranges::count_if(config.sets, [](auto& s) { return !s.empty(); })));
  for (std::uint8_t type : kSetTypes) {
    const std::vector<Bytes>& sets = config.sets[index_of(type)];
    if (sets.empty()) continue;
    writer.u8(0x80 | type);
    writer.u16(static_cast<std::uint16_t>(sets.size()));
    for (Bytes set : sets) {
      writer.u16(static_cast<std::uint16_t>(set.size()));
      writer.bytes(set);
    }
  }
  return SharedBytes(writer.take());
}

Result<void, CodecRefusal> add_set(std::vector<Bytes>& sets, Bytes nal) {
  STOA_TRY(HevcSetIds ids, parse_hevc_set_ids(nal));
  for (Bytes& old : sets) {
    auto old_ids = parse_hevc_set_ids(old);
    if (old_ids && old_ids->own == ids.own) {
      old = nal;
      return {};
    }
  }
  if (sets.size() == kSetsMax) return refuse(CodecRefusal::kUnsupported);
  sets.push_back(nal);
  return {};
}

// Whether `child` (an SPS or a PPS) refers to one of `parents`.
bool refers_to(const std::vector<Bytes>& parents, Bytes child) {
  auto ids = parse_hevc_set_ids(child);
  return ids && std::ranges::any_of(parents, [&](Bytes parent) {
           auto parent_ids = parse_hevc_set_ids(parent);
           return parent_ids && parent_ids->own == ids->parent;
         });
}

// The sets that hold after `in_band` arrived. New sequence parameter sets retire the old ones, since the
// size is that of the first; the other sets gather as long as what they refer to stays.
Result<Config, CodecRefusal> merge(const Config& old, const std::vector<Bytes>& in_band) {
  Config merged;
  merged.length_size = old.length_size;
  merged.vps() = old.sets[0];
  for (std::uint8_t type : {kHevcVps, kHevcSps}) {
    for (Bytes nal : in_band) {
      if (hevc_type_of(nal) != type) continue;
      if (auto added = add_set(merged.sets[index_of(type)], nal); !added) return refuse(added.error());
    }
  }
  if (merged.sps().empty()) merged.sps() = old.sets[1];
  for (Bytes pps : old.sets[2]) {
    if (refers_to(merged.sps(), pps)) merged.pps().push_back(pps);
  }
  for (Bytes nal : in_band) {
    if (hevc_type_of(nal) != kHevcPps) continue;
    if (auto added = add_set(merged.pps(), nal); !added) return refuse(added.error());
  }
  return merged;
}

}  // namespace

Result<Picture, CodecRefusal> read_hevc_picture(Bytes record) {
  STOA_TRY(Config config, parse_config(record));
  STOA_TRY(HevcSps sps, read_sps(config));
  return sps.picture;
}

Buffer with_complete_hevc_arrays(Bytes record) {
  Buffer complete(record.begin(), record.end());
  ByteReader reader(record);
  reader.skip(kHeaderBytes);
  unsigned arrays = reader.u8();
  for (unsigned i = 0; i < arrays && reader.ok(); ++i) {
    std::size_t at = reader.offset();
    if (is_set(reader.u8() & 0x3f) && reader.ok()) complete[at] |= 0x80;
    unsigned count = reader.u16();
    for (unsigned j = 0; j < count && reader.ok(); ++j) reader.skip(reader.u16());
  }
  return complete;
}

Result<std::shared_ptr<const Format>, CodecRefusal> make_hevc_format(SharedBytes record) {
  STOA_TRY(Config config, parse_config(record.bytes()));
  STOA_TRY(HevcSps sps, read_sps(config));
  for (Bytes pps : config.pps()) {
    if (auto ids = parse_hevc_set_ids(pps); !ids) return refuse(ids.error());
  }
  Format format{.codec = Codec::kHevc,
                .config = std::move(record),
                .codec_string = hevc_codec_string(sps.profile_tier_level)};
  format.width = sps.picture.width;
  format.height = sps.picture.height;
  format.frame_rate_numerator = sps.picture.frame_rate_numerator;
  format.frame_rate_denominator = sps.picture.frame_rate_denominator;
  return std::make_shared<const Format>(std::move(format));
}

Result<AccessUnitFacts, CodecRefusal> inspect_hevc(const Format& format, Bytes access_unit) {
  if (access_unit.empty() || format.config.size() < kHeaderBytes) return refuse(CodecRefusal::kTruncated);
  AccessUnitFacts facts;
  std::vector<Bytes> in_band;
  NalCutter cutter(access_unit, (format.config.bytes()[kHeaderBytes - 1] & 3) + 1u);
  while (!cutter.at_end()) {
    STOA_TRY(Bytes nal, cutter.next());
    if (nal.size() < 2) return refuse(CodecRefusal::kTruncated);
    if (nal[0] & 0x80 || (nal[1] & 7) == 0) return refuse(CodecRefusal::kBadValue);
    if (hevc_layer_of(nal) != 0) continue;  // Of an extension that a decoder of the base passes over.
    std::uint8_t type = hevc_type_of(nal);
    if (type >= kIrapFirst && type <= kIrapLast) facts.is_keyframe = true;
    if (!is_set(type)) continue;
    if (in_band.size() == kInBandParameterSetsMax || nal.size() > kParameterSetBytesMax) {
      return refuse(CodecRefusal::kUnsupported);
    }
    in_band.push_back(trim_trailing_zeros(nal));
  }
  if (in_band.empty()) return facts;

  STOA_TRY(Config config, parse_config(format.config.bytes()));
  auto is_known = [&](Bytes nal) { return contains(config.sets[index_of(hevc_type_of(nal))], nal); };
  if (std::ranges::all_of(in_band, is_known)) return facts;
  STOA_TRY(Config merged, merge(config, in_band));
  // A set that another of the same access unit replaces changes nothing.
  if (std::ranges::all_of(merged.sets, [&](auto& sets) { return std::ranges::all_of(sets, is_known); }))
    return facts;
  STOA_TRY(HevcSps sps, read_sps(merged));
  SharedBytes record = write_config(merged, sps);
  STOA_TRY(facts.new_format, make_hevc_format(record));
  facts.new_config = std::move(record);
  return facts;
}

}  // namespace stoa::media
