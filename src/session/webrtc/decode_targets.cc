#include "session/webrtc/decode_targets.h"

#include <algorithm>

namespace stoa::webrtc {

DecodeTargets::Structure::Structure(const rtp::DependencyStructure& of) : all(of) {
  std::uint8_t top = 0;
  for (std::size_t i = 0; i < all.decode_target_count; ++i) {
    layers[i] = all.layer_of_target(i);
    top = std::max(top, layers[i].spatial_id);
  }
  for (std::size_t t = 0; t < all.template_count; ++t) {
    const rtp::FrameDependencies& frame = all.templates[t];
    std::uint32_t of_targets = 0;
    bool is_alone = true;
    for (std::size_t i = 0; i < all.decode_target_count; ++i) {
      if (frame.indications[i] == rtp::DecodeTargetIndication::kNotPresent) continue;
      of_targets |= 1u << i;
      is_alone &= layers[i].spatial_id <= frame.spatial_id;
    }
    if (!is_alone) continue;
    alone[frame.spatial_id] |= of_targets;
    cuts |= frame.spatial_id < top;
  }
}

std::uint32_t DecodeTargets::Structure::targets_of(std::uint32_t active, Level level) const {
  std::uint8_t top = 0;
  for (std::size_t i = 0; i < all.decode_target_count; ++i)
    if (active >> i & 1) top = std::max(top, layers[i].spatial_id);
  top = std::min(top, level.spatial);
  std::uint32_t targets = 0;
  for (std::size_t i = 0; i < all.decode_target_count; ++i)
    if (layers[i].spatial_id <= top && layers[i].temporal_id <= level.temporal) targets |= 1u << i;
  for (std::size_t below = 0; below < top; ++below) targets &= ~alone[below];
  return targets & active;
}

const DecodeTargets::Known* DecodeTargets::find(std::int64_t sequence) const {
  for (auto known = known_.rbegin(); known != known_.rend(); ++known)
    if (known->sequence <= sequence) return &*known;
  return nullptr;
}

void DecodeTargets::take(std::int64_t sequence, Bytes descriptor) {
  const Known* before = find(sequence);
  const auto parsed =
      rtp::parse_dependency_descriptor(descriptor, before ? &before->structure->all : nullptr);
  if (!parsed || !parsed->active_targets) return;
  Known known{.sequence = sequence, .structure = {}, .active = *parsed->active_targets};
  if (parsed->structure) {
    known.structure = std::make_shared<const Structure>(*parsed->structure);
  } else if (before) {
    if (before->active == known.active) return;
    known.structure = before->structure;
  }
  known_.insert(std::ranges::upper_bound(known_, sequence, {}, &Known::sequence), std::move(known));
  if (known_.size() > kKept) known_.erase(known_.begin());
}

std::optional<Buffer> DecodeTargets::write(std::int64_t sequence, Bytes descriptor, Level level,
                                           bool begins_level) const {
  const Known* known = find(sequence);
  if (known == nullptr || (level.is_all() && !begins_level && !known->structure->cuts)) return std::nullopt;
  auto parsed = rtp::parse_dependency_descriptor(descriptor, &known->structure->all);
  if (!parsed) return std::nullopt;
  parsed->active_targets = known->structure->targets_of(known->active, level);
  auto written = rtp::write_dependency_descriptor(*parsed, &known->structure->all);
  if (!written) return std::nullopt;
  return std::move(*written);
}

}  // namespace stoa::webrtc
