#include "session/webrtc/inbound_frames.h"

#include <algorithm>

namespace stoa::webrtc {

bool InboundFrames::Seen::is_lost_below(std::int64_t end) const {
  if (!has_begun && first <= end) return true;
  if (last >= end) return false;
  return missing() > 0 || (!has_ended && last + 1 < end);
}

void InboundFrames::Known::spread_loss(Seen& seen) const {
  for (std::size_t i = 0; i < seen.reference_count; ++i) seen.is_lost |= is_lost(seen.references[i]);
}

bool InboundFrames::Known::is_chain_broken(std::size_t layer, std::size_t frames_max) const {
  auto number = frames[newest % kFramesKept].chains[layer];
  for (std::size_t i = 0; number && i < frames_max; ++i) {
    const Seen& seen = frames[*number % kFramesKept];
    if (seen.number != *number) return false;
    if (seen.is_lost) return true;
    number = seen.chains[layer];
  }
  return false;
}

// What is older than the structure is of chains that it ended.
void InboundFrames::Known::note_chains(const Seen& seen) {
  if (static_cast<std::int16_t>(seen.number - structure_number) <= 0) return;
  for (std::size_t layer = 0; layer < seen.chains.size(); ++layer)
    if (seen.chains[layer] && is_lost(*seen.chains[layer])) is_broken[layer] = true;
}

bool InboundFrames::handle(std::int64_t index, Bytes descriptor, payload::PayloadFacts& facts) {
  if (descriptor.empty()) return true;
  const auto parsed = rtp::parse_dependency_descriptor(descriptor, known_ ? &known_->structure : nullptr);
  if (!parsed) {
    refused_ = std::max(refused_, index);
    return true;
  }
  if (parsed->structure) take(index, *parsed->structure, parsed->frame_number);
  const rtp::FrameDependencies& frame = parsed->frame;
  facts.spatial_layer = frame.spatial_id;
  facts.temporal_layer = frame.temporal_id;
  facts.is_switch_point = facts.is_keyframe || begins_temporal_layer(*parsed);
  facts.is_spatial_switch_point = parsed->is_frame_start && begins_spatial_layer(*parsed);
  facts.ends_layer = parsed->is_frame_end;
  facts.is_needed_above = is_needed_above(frame);
  const Seen& seen = note(index, *parsed);
  known_->note_chains(seen);
  return !seen.is_lost || !known_->is_broken[frame.spatial_id];
}

InboundFrames::Seen& InboundFrames::note(std::int64_t index, const rtp::DependencyDescriptor& descriptor) {
  const std::uint16_t number = descriptor.frame_number;
  const rtp::FrameDependencies& frame = descriptor.frame;
  Seen& seen = known_->frame(number);
  if (seen.number != number || seen.spatial_layer == kUnknown) {
    seen = {.number = number,
            .spatial_layer = frame.spatial_id,
            .temporal_layer = frame.temporal_id,
            .first = index,
            .last = index,
            .reference_count = frame.frame_diff_count};
    for (std::size_t i = 0; i < frame.frame_diff_count; ++i)
      seen.references[i] = static_cast<std::uint16_t>(number - frame.frame_diffs[i]);
    for (std::size_t layer = 0; layer < seen.chains.size(); ++layer)
      if (const auto chain = known_->chain_of_layer[layer]; chain && frame.chain_diffs[*chain] != 0)
        seen.chains[layer] = static_cast<std::uint16_t>(number - frame.chain_diffs[*chain]);
    known_->spread_loss(seen);
    if (static_cast<std::int16_t>(number - known_->newest) > 0) known_->newest = number;
    if (static_cast<std::uint16_t>(known_->newest - known_->structure_number) > kLateFramesMax)
      known_->structure_number = static_cast<std::uint16_t>(known_->newest - kLateFramesMax);
  }
  seen.has_begun |= descriptor.is_frame_start;
  seen.has_ended |= descriptor.is_frame_end;
  seen.first = std::min(seen.first, index);
  seen.last = std::max(seen.last, index);
  ++seen.packets;
  known_->highest = std::max(known_->highest, index);
  return seen;
}

bool InboundFrames::handle_lost(std::int64_t end) {
  // What it was of that is lost behind the newest frame nobody knows yet.
  if (!known_ || known_->structure.chain_count == 0 || known_->highest + 1 < end) return true;
  // What that was of may be whole.
  if (refused_ >= known_->structure_index) return true;
  const std::uint16_t newest = known_->newest;
  const auto since_structure = static_cast<std::uint16_t>(newest - known_->structure_number);
  const std::size_t count = std::min<std::size_t>(since_structure, kFramesKept - 1) + 1;
  std::int64_t first_of_next = end + 1;
  bool is_unsure = false;  // Of a frame that `end` is of, something before it may be given up.
  for (std::size_t back = 0; back < count; ++back) {
    const auto number = static_cast<std::uint16_t>(newest - back);
    Seen& seen = known_->frame(number);
    const bool has_come = seen.number == number && seen.spatial_layer != kUnknown;
    if (has_come) {
      seen.is_lost |= seen.is_lost_below(end);
      is_unsure |= !seen.is_lost && seen.missing() > 1 && seen.first < end && seen.last >= end;
      is_unsure |= first_of_next > end && seen.last + 1 < end;
      first_of_next = seen.first;
    } else if (first_of_next <= end) {
      seen = {.number = number, .is_lost = true};
    }
  }
  for (std::size_t back = count; back-- > 0;)
    known_->spread_loss(known_->frame(static_cast<std::uint16_t>(newest - back)));
  bool is_any_broken = false;
  for (std::size_t layer = 0; layer < known_->is_broken.size(); ++layer)
    is_any_broken |= known_->is_broken[layer] |= known_->is_chain_broken(layer, count);
  // What refers to the newest frame did not come yet.
  return is_any_broken || is_unsure || known_->is_lost(newest);
}

bool InboundFrames::is_highest_whole(std::uint8_t spatial_layer) const {
  if (!known_) return false;
  const std::uint8_t layers = known_->structure.spatial_layers();
  for (std::uint8_t above = static_cast<std::uint8_t>(spatial_layer + 1); above < layers; ++above)
    if (!known_->is_broken[above]) return false;
  return spatial_layer + 1 < layers;
}

void InboundFrames::take(std::int64_t index, const rtp::DependencyStructure& structure,
                         std::uint16_t number) {
  if (!known_) {
    known_ = std::make_unique<Known>();
  } else {
    const auto ahead = static_cast<std::int16_t>(number - known_->structure_number);
    if (ahead < 0 && ahead > -kLateFramesMax) return;
    if (ahead == 0) index = std::min(index, known_->structure_index);
  }
  known_->structure_index = index;
  known_->structure = structure;
  known_->structure_number = known_->newest = number;
  known_->is_broken = {};
  known_->chain_of_layer = {};
  for (std::size_t i = 0; i < structure.decode_target_count; ++i) {
    const std::uint8_t layer = known_->target_layers[i] = structure.layer_of_target(i).spatial_id;
    if (structure.chain_count > 0) known_->chain_of_layer[layer] = structure.protected_by[i];
  }
}

template <typename Predicate>
bool InboundFrames::all_references(const rtp::DependencyDescriptor& descriptor, Predicate is_fit) const {
  for (std::size_t i = 0; i < descriptor.frame.frame_diff_count; ++i) {
    const auto number = static_cast<std::uint16_t>(descriptor.frame_number - descriptor.frame.frame_diffs[i]);
    const Seen& seen = known_->frames[number % kFramesKept];
    if (seen.number != number || seen.spatial_layer == kUnknown || !is_fit(seen)) return false;
  }
  return true;
}

// A frame of a lower spatial layer in the same temporal layer is of the same picture.
bool InboundFrames::begins_temporal_layer(const rtp::DependencyDescriptor& descriptor) const {
  const rtp::FrameDependencies& frame = descriptor.frame;
  return frame.temporal_id > 0 && all_references(descriptor, [&](const Seen& seen) {
           return seen.temporal_layer < frame.temporal_id ||
                  (seen.temporal_layer == frame.temporal_id && seen.spatial_layer < frame.spatial_id);
         });
}

bool InboundFrames::begins_spatial_layer(const rtp::DependencyDescriptor& descriptor) const {
  const rtp::FrameDependencies& frame = descriptor.frame;
  if (frame.spatial_id == 0) return false;
  const rtp::DependencyStructure& structure = known_->structure;
  for (std::size_t target = 0; target < structure.decode_target_count; ++target)
    if (known_->target_layers[target] == frame.spatial_id &&
        frame.indications[target] != rtp::DecodeTargetIndication::kSwitch &&
        frame.indications[target] != rtp::DecodeTargetIndication::kNotPresent)
      return false;
  return all_references(descriptor, [&](const Seen& seen) { return seen.spatial_layer < frame.spatial_id; });
}

bool InboundFrames::is_needed_above(const rtp::FrameDependencies& frame) const {
  for (std::size_t target = 0; target < known_->structure.decode_target_count; ++target)
    if (known_->target_layers[target] > frame.spatial_id &&
        frame.indications[target] != rtp::DecodeTargetIndication::kNotPresent)
      return true;
  return false;
}

}  // namespace stoa::webrtc
