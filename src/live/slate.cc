#include "live/slate.h"

#include <utility>

namespace stoa::live {

const char* name_of(SlateRefusal refusal) {
  switch (refusal) {
    case SlateRefusal::kUnknown: return "what it is for is not there";
    case SlateRefusal::kBadFormat: return "not the format that was asked for";
    case SlateRefusal::kNoGroup: return "no group of frames";
    case SlateRefusal::kTooLong: return "too long";
    case SlateRefusal::kTooLarge: return "too large";
  }
  return "?";
}

Result<std::shared_ptr<const Slate>, SlateRefusal> Slate::make(std::shared_ptr<const media::Format> format,
                                                               std::span<const media::Frame> frames) {
  if (frames.empty() || !frames.front().is_keyframe) return refuse(SlateRefusal::kNoGroup);
  if (frames.size() > kFramesMax) return refuse(SlateRefusal::kTooLong);
  // How long the last is shown nobody says.
  Duration step = Duration::milliseconds(40);
  if (format->kind() == media::Kind::kAudio && format->sample_rate > 0)
    step = Duration::from_ticks(format->samples_per_frame, format->sample_rate);
  else if (frames.size() > 1)
    step = frames[frames.size() - 1].pts - frames[frames.size() - 2].pts;
  std::shared_ptr<Slate> slate(new Slate(std::move(format)));
  Duration length;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i + 1 < frames.size()) {
      const Duration to_next = frames[i + 1].pts - frames[i].pts;
      if (to_next <= Duration() || to_next > kStepMax) return refuse(SlateRefusal::kNoGroup);
      slate->frames_.push_back({.dts = {}, .pts = {}, .nominal_duration = to_next});
    } else {
      if (step <= Duration() || step > kStepMax) return refuse(SlateRefusal::kNoGroup);
      slate->frames_.push_back({.dts = {}, .pts = {}, .nominal_duration = step});
    }
    ChannelFrame& frame = slate->frames_.back();
    frame.is_keyframe = frames[i].is_keyframe;
    frame.payload = frames[i].payload;
    length += frame.nominal_duration;
    slate->bytes_ += frame.payload.size();
  }
  if (length > kDurationMax + kStepMax) return refuse(SlateRefusal::kTooLong);
  if (slate->bytes_ > Slates::kBytesMax) return refuse(SlateRefusal::kTooLarge);
  return std::shared_ptr<const Slate>(std::move(slate));
}

ChannelFrame Slate::frame(std::size_t number, Duration at) const {
  ChannelFrame frame = frames_[number % frames_.size()];
  frame.dts = frame.pts = at;
  return frame;
}

Result<void, SlateRefusal> Slates::set(Key key, std::shared_ptr<const Slate> slate) {
  std::size_t bytes = slate->bytes();
  for (const auto& [other, kept] : slates_)
    if (other != key) bytes += kept->bytes();
  if (bytes > kBytesMax) return refuse(SlateRefusal::kTooLarge);
  slates_[key] = std::move(slate);
  return {};
}

std::shared_ptr<const Slate> Slates::find(Key key) const {
  const auto found = slates_.find(key);
  return found == slates_.end() ? nullptr : found->second;
}

}  // namespace stoa::live
