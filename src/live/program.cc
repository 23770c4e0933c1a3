#include "live/program.h"

#include <algorithm>

#include "base/outbox.h"

namespace stoa::live {

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

void ProgramLog::add(const ProgramCut& cut, bool is_start) {
  if (is_start) {
    clear();
    is_dropping_ = false;
  }
  if (!is_dropping_) items_.push_back(cut);
}

void ProgramLog::add(const ProgramFrame& frame) {
  if (is_dropping_) return;
  bytes_ += frame.frame.payload.size();
  if (bytes_ > kBytesMax || ++frames_ > kFramesMax) {
    clear();
    is_dropping_ = true;
    return;
  }
  items_.push_back(frame);
}

void ProgramLog::clear() {
  std::deque<ProgramOutput> gone = std::exchange(items_, {});
  for (const ProgramOutput& item : gone)
    if (const auto* track = std::get_if<ProgramTrack>(&item)) add(*track);
  bytes_ = frames_ = 0;
}

std::vector<ProgramOutput> ProgramLog::replay() const {
  std::vector<ProgramOutput> all(tracks_.begin(), tracks_.end());
  all.insert(all.end(), items_.begin(), items_.end());
  return all;
}

}  // namespace stoa::live
