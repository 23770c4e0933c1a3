#include "session/webrtc/inbound_frames.h"

namespace stoa::webrtc {

void InboundFrames::handle(Bytes descriptor, payload::PayloadFacts& facts) {
  if (descriptor.empty()) return;
  const auto parsed = rtp::parse_dependency_descriptor(descriptor, known_ ? &known_->structure : nullptr);
  if (!parsed) return;
  if (parsed->structure) take(*parsed->structure, parsed->frame_number);
  facts.temporal_layer = parsed->frame.temporal_id;
  facts.is_switch_point = facts.is_keyframe || refers_below(*parsed);
  known_->frames[parsed->frame_number % kFramesKept] = {parsed->frame_number, parsed->frame.temporal_id};
}

void InboundFrames::take(const rtp::DependencyStructure& structure, std::uint16_t number) {
  if (!known_) {
    known_ = std::make_unique<Known>();
  } else {
    const auto ahead = static_cast<std::int16_t>(number - known_->structure_number);
    if (ahead < 0 && ahead > -kLateFramesMax) return;
  }
  known_->structure = structure;
  known_->structure_number = number;
}

bool InboundFrames::refers_below(const rtp::DependencyDescriptor& descriptor) const {
  const rtp::FrameDependencies& frame = descriptor.frame;
  if (frame.temporal_id == 0) return false;
  for (std::size_t i = 0; i < frame.frame_diff_count; ++i) {
    const auto number = static_cast<std::uint16_t>(descriptor.frame_number - frame.frame_diffs[i]);
    const Seen& seen = known_->frames[number % kFramesKept];
    if (seen.number != number || seen.temporal_layer >= frame.temporal_id) return false;
  }
  return true;
}

}  // namespace stoa::webrtc
