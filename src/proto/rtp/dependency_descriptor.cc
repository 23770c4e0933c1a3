#include "proto/rtp/dependency_descriptor.h"

#include <algorithm>

#include "base/assert.h"
#include "proto/rtp/bits.h"

namespace stoa::rtp {
namespace {

constexpr std::size_t kMandatoryBytes = 3;
constexpr unsigned kTemplateIds = 64;
enum NextLayer : std::uint8_t { kSameLayer = 0, kNextTemporal = 1, kNextSpatial = 2, kNoMore = 3 };

Result<void, Refusal> read_template_layers(BitReader& bits, DependencyStructure& structure) {
  std::uint8_t spatial = 0, temporal = 0;
  for (;;) {
    if (structure.template_count == kTemplatesMax) return refuse(Refusal::kBadValue);
    FrameDependencies& entry = structure.templates[structure.template_count++];
    entry.spatial_id = spatial;
    entry.temporal_id = temporal;
    std::uint32_t next = bits.f(2);
    if (!bits.ok()) return refuse(Refusal::kTruncated);
    if (next == kNoMore) return {};
    if (next == kNextTemporal) ++temporal;
    if (next == kNextSpatial) ++spatial, temporal = 0;
    if (temporal >= kTemporalLayersMax || spatial >= kSpatialLayersMax) return refuse(Refusal::kBadValue);
  }
}

void read_indications(BitReader& bits, std::size_t count, FrameDependencies& frame) {
  for (std::size_t i = 0; i < count; ++i) {
    frame.indications[i] = static_cast<DecodeTargetIndication>(bits.f(2));
  }
}

bool add_diff(FrameDependencies& frame, std::uint32_t diff) {
  if (frame.frame_diff_count == kFrameDiffsMax) return false;
  frame.frame_diffs[frame.frame_diff_count++] = static_cast<std::uint16_t>(diff);
  return true;
}

// A.8.2, template_dependency_structure
Result<DependencyStructure, Refusal> read_structure(BitReader& bits) {
  DependencyStructure structure;
  structure.template_id_offset = static_cast<std::uint8_t>(bits.f(6));
  structure.decode_target_count = static_cast<std::uint8_t>(bits.f(5) + 1);
  if (auto read = read_template_layers(bits, structure); !read) return refuse(read.error());
  std::size_t templates = structure.template_count, targets = structure.decode_target_count;
  for (std::size_t i = 0; i < templates; ++i) read_indications(bits, targets, structure.templates[i]);
  for (std::size_t i = 0; i < templates; ++i) {
    while (bits.flag()) {
      if (!add_diff(structure.templates[i], bits.f(4) + 1)) return refuse(Refusal::kBadValue);
    }
  }
  structure.chain_count = static_cast<std::uint8_t>(bits.ns(static_cast<std::uint32_t>(targets + 1)));
  if (structure.chain_count > 0) {
    for (std::size_t i = 0; i < targets; ++i) {
      structure.protected_by[i] = static_cast<std::uint8_t>(bits.ns(structure.chain_count));
    }
    for (std::size_t i = 0; i < templates; ++i) {
      for (std::size_t chain = 0; chain < structure.chain_count; ++chain) {
        structure.templates[i].chain_diffs[chain] = static_cast<std::uint8_t>(bits.f(4));
      }
    }
  }
  if (bits.flag()) {
    structure.resolution_count = structure.spatial_layers();
    for (std::size_t i = 0; i < structure.resolution_count; ++i) {
      structure.resolutions[i].width = bits.f(16) + 1;
      structure.resolutions[i].height = bits.f(16) + 1;
    }
  }
  if (!bits.ok()) return refuse(Refusal::kTruncated);
  return structure;
}

struct CustomFlags {
  bool indications = false, frame_diffs = false, chains = false;
};

// A.8.2, frame_dependency_definition
Result<FrameDependencies, Refusal> read_frame(BitReader& bits, const DependencyStructure& structure,
                                              std::uint8_t template_id, CustomFlags custom) {
  unsigned index = (template_id + kTemplateIds - structure.template_id_offset) % kTemplateIds;
  if (index >= structure.template_count) return refuse(Refusal::kUnknownStructure);
  FrameDependencies frame = structure.templates[index];
  if (custom.indications) read_indications(bits, structure.decode_target_count, frame);
  if (custom.frame_diffs) {
    frame.frame_diffs = {};
    frame.frame_diff_count = 0;
    while (std::uint32_t size = bits.f(2)) {
      if (!add_diff(frame, bits.f(4 * size) + 1)) return refuse(Refusal::kBadValue);
    }
  }
  if (custom.chains) {
    for (std::size_t i = 0; i < structure.chain_count; ++i) {
      frame.chain_diffs[i] = static_cast<std::uint8_t>(bits.f(8));
    }
  }
  if (!bits.ok()) return refuse(Refusal::kTruncated);
  return frame;
}

bool diffs_equal(const FrameDependencies& a, const FrameDependencies& b) {
  return a.frame_diff_count == b.frame_diff_count &&
         std::equal(a.frame_diffs.begin(), a.frame_diffs.begin() + a.frame_diff_count, b.frame_diffs.begin());
}

Result<void, Refusal> write_template_layers(BitWriter& bits, const DependencyStructure& structure) {
  const auto& templates = structure.templates;
  if (templates[0].spatial_id != 0 || templates[0].temporal_id != 0) return refuse(Refusal::kBadValue);
  for (std::size_t i = 1; i < structure.template_count; ++i) {
    const FrameDependencies &before = templates[i - 1], &entry = templates[i];
    if (entry.spatial_id == before.spatial_id && entry.temporal_id == before.temporal_id) {
      bits.f(2, kSameLayer);
    } else if (entry.spatial_id == before.spatial_id && entry.temporal_id == before.temporal_id + 1) {
      bits.f(2, kNextTemporal);
    } else if (entry.spatial_id == before.spatial_id + 1 && entry.temporal_id == 0) {
      bits.f(2, kNextSpatial);
    } else {
      return refuse(Refusal::kBadValue);
    }
    if (entry.spatial_id >= kSpatialLayersMax || entry.temporal_id >= kTemporalLayersMax) {
      return refuse(Refusal::kBadValue);
    }
  }
  bits.f(2, kNoMore);
  return {};
}

Result<void, Refusal> write_template_diffs(BitWriter& bits, const FrameDependencies& entry) {
  for (std::size_t i = 0; i < entry.frame_diff_count; ++i) {
    if (entry.frame_diffs[i] < 1 || entry.frame_diffs[i] > 16) return refuse(Refusal::kBadValue);
    bits.flag(true);
    bits.f(4, entry.frame_diffs[i] - 1u);
  }
  bits.flag(false);
  return {};
}

Result<void, Refusal> write_chains(BitWriter& bits, const DependencyStructure& structure) {
  std::size_t targets = structure.decode_target_count;
  bits.ns(static_cast<std::uint32_t>(targets + 1), structure.chain_count);
  if (structure.chain_count == 0) return {};
  for (std::size_t i = 0; i < targets; ++i) {
    if (structure.protected_by[i] >= structure.chain_count) return refuse(Refusal::kBadValue);
    bits.ns(structure.chain_count, structure.protected_by[i]);
  }
  for (std::size_t i = 0; i < structure.template_count; ++i) {
    for (std::size_t chain = 0; chain < structure.chain_count; ++chain) {
      if (structure.templates[i].chain_diffs[chain] > 15) return refuse(Refusal::kBadValue);
      bits.f(4, structure.templates[i].chain_diffs[chain]);
    }
  }
  return {};
}

Result<void, Refusal> write_structure(BitWriter& bits, const DependencyStructure& structure) {
  std::size_t targets = structure.decode_target_count;
  bool counts_fit = structure.template_count >= 1 && structure.template_count <= kTemplatesMax &&
                    targets >= 1 && targets <= kDecodeTargetsMax && structure.chain_count <= targets &&
                    structure.template_id_offset < kTemplateIds;
  if (!counts_fit) return refuse(Refusal::kBadValue);
  bits.f(6, structure.template_id_offset);
  bits.f(5, static_cast<std::uint32_t>(targets - 1));
  if (auto written = write_template_layers(bits, structure); !written) return refuse(written.error());
  for (std::size_t i = 0; i < structure.template_count; ++i) {
    for (std::size_t t = 0; t < targets; ++t) {
      bits.f(2, static_cast<std::uint32_t>(structure.templates[i].indications[t]));
    }
  }
  for (std::size_t i = 0; i < structure.template_count; ++i) {
    if (auto written = write_template_diffs(bits, structure.templates[i]); !written) {
      return refuse(written.error());
    }
  }
  if (auto written = write_chains(bits, structure); !written) return refuse(written.error());
  bits.flag(structure.resolution_count != 0);
  if (structure.resolution_count == 0) return {};
  if (structure.resolution_count != structure.spatial_layers()) return refuse(Refusal::kBadValue);
  for (std::size_t i = 0; i < structure.resolution_count; ++i) {
    Resolution size = structure.resolutions[i];
    if (size.width < 1 || size.height < 1 || size.width > 65536 || size.height > 65536) {
      return refuse(Refusal::kBadValue);
    }
    bits.f(16, size.width - 1);
    bits.f(16, size.height - 1);
  }
  return {};
}

Result<void, Refusal> write_frame_diffs(BitWriter& bits, const FrameDependencies& frame) {
  for (std::size_t i = 0; i < frame.frame_diff_count; ++i) {
    std::uint32_t less_one = frame.frame_diffs[i] - 1u;
    if (less_one > 0xfff) return refuse(Refusal::kBadValue);
    std::uint32_t size = less_one < 0x10 ? 1 : less_one < 0x100 ? 2 : 3;
    bits.f(2, size);
    bits.f(4 * size, less_one);
  }
  bits.f(2, 0);
  return {};
}

}  // namespace

std::uint8_t DependencyStructure::spatial_layers() const {
  return template_count == 0 ? 0 : static_cast<std::uint8_t>(templates[template_count - 1].spatial_id + 1);
}

DependencyStructure::Layer DependencyStructure::layer_of_target(std::size_t target) const {
  Layer layer;
  for (std::size_t i = 0; i < template_count; ++i) {
    const FrameDependencies& entry = templates[i];
    if (entry.indications[target] == DecodeTargetIndication::kNotPresent) continue;
    layer.spatial_id = std::max(layer.spatial_id, entry.spatial_id);
    layer.temporal_id = std::max(layer.temporal_id, entry.temporal_id);
  }
  return layer;
}

Result<DependencyStart, Refusal> parse_dependency_start(Bytes value) {
  if (value.size() < kMandatoryBytes) return refuse(Refusal::kTruncated);
  DependencyStart start;
  start.is_frame_start = value[0] & 0x80;
  start.is_frame_end = value[0] & 0x40;
  start.template_id = value[0] & 0x3f;
  start.frame_number = static_cast<std::uint16_t>(value[1] << 8 | value[2]);
  start.has_structure = value.size() > kMandatoryBytes && (value[3] & 0x80) != 0;
  return start;
}

Result<DependencyDescriptor, Refusal> parse_dependency_descriptor(Bytes value,
                                                                  const DependencyStructure* known) {
  STOA_TRY(DependencyStart start, parse_dependency_start(value));
  DependencyDescriptor descriptor{.is_frame_start = start.is_frame_start,
                                  .is_frame_end = start.is_frame_end,
                                  .template_id = start.template_id,
                                  .frame_number = start.frame_number};
  BitReader bits(value.subspan(kMandatoryBytes));
  CustomFlags custom;
  if (value.size() > kMandatoryBytes) {
    bool has_structure = bits.flag(), has_active_targets = bits.flag();
    custom.indications = bits.flag();
    custom.frame_diffs = bits.flag();
    custom.chains = bits.flag();
    if (has_structure) {
      STOA_TRY(descriptor.structure, read_structure(bits));
      known = &*descriptor.structure;
      std::uint32_t targets = known->decode_target_count;
      descriptor.active_targets = targets == 32 ? UINT32_MAX : (1u << targets) - 1;
    }
    if (known == nullptr) return refuse(Refusal::kUnknownStructure);
    if (has_active_targets) descriptor.active_targets = bits.f(known->decode_target_count);
  }
  if (known == nullptr) return refuse(Refusal::kUnknownStructure);
  STOA_TRY(descriptor.frame, read_frame(bits, *known, descriptor.template_id, custom));
  return descriptor;
}

Result<Buffer, Refusal> write_dependency_descriptor(const DependencyDescriptor& descriptor,
                                                    const DependencyStructure* known) {
  const DependencyStructure* structure = descriptor.structure ? &*descriptor.structure : known;
  if (structure == nullptr) return refuse(Refusal::kUnknownStructure);
  unsigned index = (descriptor.template_id + kTemplateIds - structure->template_id_offset) % kTemplateIds;
  if (index >= structure->template_count) return refuse(Refusal::kUnknownStructure);
  const FrameDependencies &pattern = structure->templates[index], &frame = descriptor.frame;
  if (frame.spatial_id != pattern.spatial_id || frame.temporal_id != pattern.temporal_id) {
    return refuse(Refusal::kBadValue);
  }
  std::uint32_t targets = structure->decode_target_count;
  std::uint32_t all_targets = targets == 32 ? UINT32_MAX : (1u << targets) - 1;
  bool says_active =
      descriptor.active_targets && !(descriptor.structure && *descriptor.active_targets == all_targets);
  CustomFlags custom{.indications = frame.indications != pattern.indications,
                     .frame_diffs = !diffs_equal(frame, pattern),
                     .chains = frame.chain_diffs != pattern.chain_diffs};

  BitWriter bits;
  bits.flag(descriptor.is_frame_start);
  bits.flag(descriptor.is_frame_end);
  bits.f(6, descriptor.template_id);
  bits.f(16, descriptor.frame_number);
  bool is_extended =
      descriptor.structure || says_active || custom.indications || custom.frame_diffs || custom.chains;
  if (!is_extended) return bits.take();
  bits.flag(descriptor.structure.has_value());
  bits.flag(says_active);
  bits.flag(custom.indications);
  bits.flag(custom.frame_diffs);
  bits.flag(custom.chains);
  if (descriptor.structure) {
    if (auto written = write_structure(bits, *descriptor.structure); !written) return refuse(written.error());
  }
  if (says_active) bits.f(targets, *descriptor.active_targets);
  if (custom.indications) {
    for (std::size_t i = 0; i < targets; ++i) bits.f(2, static_cast<std::uint32_t>(frame.indications[i]));
  }
  if (custom.frame_diffs) {
    if (auto written = write_frame_diffs(bits, frame); !written) return refuse(written.error());
  }
  if (custom.chains) {
    for (std::size_t i = 0; i < structure->chain_count; ++i) bits.f(8, frame.chain_diffs[i]);
  }
  return bits.take();
}

}  // namespace stoa::rtp
