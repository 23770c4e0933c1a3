#include "live/program.h"

#include <algorithm>
#include <ranges>

namespace stoa::live {
namespace {

// Pictures that may be decoded before one that is shown first (H.264 and HEVC: 16).
constexpr std::size_t kReorderMax = 32;

}  // namespace

const char* name_of(RungRefusal refusal) {
  switch (refusal) {
    case RungRefusal::kUnknown: return "no such rung";
    case RungRefusal::kTooMany: return "too many renditions";
    case RungRefusal::kBadFormat: return "not the format that was asked for";
    case RungRefusal::kFormatChanged: return "its format changed";
    case RungRefusal::kNotRising: return "its times do not rise";
    case RungRefusal::kAhead: return "it is ahead of what is on air";
    case RungRefusal::kMissedCut: return "no keyframe where a segment begins";
    case RungRefusal::kKeyframeOffGrid: return "a keyframe where no segment begins";
  }
  return "?";
}

void ProgramLog::add(const ProgramTrack& track) {
  if (!items_.empty()) return items_.push_back(track);
  auto known = std::ranges::find(tracks_, track.track, &ProgramTrack::track);
  if (known == tracks_.end()) return tracks_.push_back(track);
  *known = track;
}

void ProgramLog::add(const ProgramGone& gone) {
  if (!items_.empty()) return items_.push_back(gone);
  std::erase_if(tracks_, [&](const ProgramTrack& track) { return track.track == gone.track; });
}

void ProgramLog::add(const ProgramCut& cut, bool is_start) {
  if (is_start)
    drop_first(items_.size());
  else
    begin_at_last_keyframes();
  is_dropping_ = is_dropping_ && !is_start;
  if (!is_dropping_) items_.push_back(cut);
}

void ProgramLog::add(const ProgramFrame& frame) {
  if (is_dropping_ && !(frame.frame.is_keyframe && is_picture(frame.track))) return;
  is_dropping_ = false;
  items_.push_back(frame);
  bytes_ += frame.frame.payload.size();
  ++frames_;
  if (bytes_ <= kBytesMax && frames_ <= kFramesMax) return;
  drop_first(items_.size());
  is_dropping_ = true;
}

// While nothing is kept.
bool ProgramLog::is_picture(media::TrackId id) const {
  const auto track = std::ranges::find(tracks_, id, &ProgramTrack::track);
  return track != tracks_.end() && track->format->kind() == media::Kind::kVideo;
}

// From which on there is one of each track of pictures, with the cut that it stands at.
void ProgramLog::begin_at_last_keyframes() {
  std::map<media::TrackId, bool> is_picture;
  std::map<media::TrackId, std::size_t> keyframes;
  const auto note = [&](const ProgramTrack& track) {
    is_picture[track.track] = track.format->kind() == media::Kind::kVideo;
  };
  std::ranges::for_each(tracks_, note);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (const auto* track = std::get_if<ProgramTrack>(&items_[i])) note(*track);
    const auto* frame = std::get_if<ProgramFrame>(&items_[i]);
    if (frame && frame->frame.is_keyframe && is_picture[frame->track]) keyframes[frame->track] = i;
  }
  if (keyframes.empty()) return;
  std::size_t first = std::ranges::min(std::views::values(keyframes));
  while (first > 0 && !std::holds_alternative<ProgramFrame>(items_[first - 1])) --first;
  drop_first(first);
}

void ProgramLog::drop_first(std::size_t count) {
  std::deque<ProgramOutput> gone;
  gone.swap(items_);
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto* track = std::get_if<ProgramTrack>(&gone[i])) add(*track);
    if (const auto* end = std::get_if<ProgramGone>(&gone[i])) add(*end);
    const auto* frame = std::get_if<ProgramFrame>(&gone[i]);
    if (!frame) continue;
    bytes_ -= frame->frame.payload.size();
    --frames_;
  }
  gone.erase(gone.begin(), gone.begin() + static_cast<std::ptrdiff_t>(count));
  items_.swap(gone);
}

std::vector<ProgramOutput> ProgramLog::replay() const {
  std::vector<ProgramOutput> all(tracks_.begin(), tracks_.end());
  all.insert(all.end(), items_.begin(), items_.end());
  return all;
}

// The keyframe of a cut says when its pictures are shown.
void Program::tell_cuts(const ChannelFrame& frame, bool is_picture, Grid& grid) {
  next_cut_ = std::max(next_cut_, grid.oldest_msn());
  const auto begins = [&](const Boundary& cut) {
    return frame.is_keyframe && (frame.dts - cut.time).abs() <= kExact;
  };
  for (std::uint64_t msn = next_cut_; msn <= grid.newest().msn; ++msn)
    if (begins(*grid.find(msn))) shown_late_ = is_picture ? frame.pts - frame.dts : Duration();
  for (; next_cut_ <= grid.newest().msn; ++next_cut_) {
    const Boundary& cut = *grid.find(next_cut_);
    const bool is_break = cut.has_discontinuity && !cut.goes_on;
    const ProgramCut told{cut.msn, cut.time + shown_late_, is_break};
    grid.set_shown_from(cut.msn, told.shown_from);
    // Where frames are decoded in another order than shown some are here already.
    if (is_break) recent_pictures_.clear();
    for (Duration shown_at : recent_pictures_) grid.note_picture(shown_at);
    tell(told, begins(cut));
  }
}

bool Program::knows(media::TrackId track, const std::shared_ptr<const media::Format>& format) const {
  const auto known = formats_.find(track);
  return known != formats_.end() && known->second == format;
}

void Program::tell_track(const ProgramTrack& track) {
  formats_[track.track] = track.format;
  tell(track);
}

void Program::tell_frame(media::TrackId track, const ChannelFrame& frame, bool is_picture, Grid& grid) {
  if (is_picture) {
    grid.note_picture(frame.pts);
    recent_pictures_.push_back(frame.pts);
    if (recent_pictures_.size() > kReorderMax) recent_pictures_.pop_front();
  }
  shown_until_ = std::max(shown_until_, frame.pts);
  tell(ProgramFrame{frames_++, track, frame});
}

void Program::tell_gone(media::TrackId track) {
  formats_.erase(track);
  tell(ProgramGone{track});
}

}  // namespace stoa::live
