#include "live/continuity.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stoa::live {
namespace {

Duration end_of(const Rendition& rendition) {
  if (rendition.retained.empty()) return {};
  const Segment& last = *rendition.retained.back();
  return last.start + last.duration;
}

// Nothing around it is bridged, filled or cut off.
bool is_plain(const Rendition& rendition, const Segment& segment) {
  const Segment* next = rendition.find_segment(segment.media_sequence_number + 1);
  return segment.is_complete && !segment.has_discontinuity && !(next && next->has_discontinuity) &&
         std::ranges::none_of(segment.parts, &Part::is_gap);
}

Duration frame_of(const media::Format& format) {
  return format.sample_rate > 0 ? Duration::from_ticks(format.samples_per_frame, format.sample_rate)
                                : Duration();
}

}  // namespace

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kMissing: return "missing";
    case Fault::kGap: return "gap";
    case Fault::kDrift: return "drift";
    case Fault::kTooLong: return "too_long";
    case Fault::kMisaligned: return "misaligned";
  }
  return "?";
}

std::vector<FoundFault> Continuity::handle(const ChannelSnapshot& snapshot) {
  for (const auto& rendition : snapshot.renditions) newest_ = std::max(newest_, end_of(*rendition));
  const bool is_live = snapshot.state == ChannelState::kLive;
  for (const auto& rendition : snapshot.renditions) {
    auto [place, is_new] = followed_.try_emplace(rendition->name);
    Followed& followed = place->second;
    if (is_new && !rendition->retained.empty())
      followed.next_msn = rendition->retained.front()->media_sequence_number;
    const Duration missing = newest_ - end_of(*rendition) - rendition->part_target;
    const bool is_missing = is_live && !rendition->has_ended && missing > kMissingMax;
    if (is_missing && !followed.is_missing) find(Fault::kMissing, *rendition, missing, followed);
    followed.is_missing = is_missing;
    if (rendition->next_part_number != followed.next_part || rendition->has_ended)
      judge(snapshot, *rendition, followed);
  }
  return std::exchange(found_, {});
}

void Continuity::judge(const ChannelSnapshot& snapshot, const Rendition& rendition, Followed& followed) {
  for (const auto& segment : rendition.retained) {
    if (segment->media_sequence_number < followed.next_msn) continue;
    for (const Part& part : segment->parts) {
      if (part.number < followed.next_part) continue;
      followed.next_part = part.number + 1;
      const bool begins = part.is_gap && !followed.is_gap;
      followed.is_gap = part.is_gap;
      if (begins && snapshot.state == ChannelState::kLive)
        find(Fault::kGap, rendition, part.duration, followed);
    }
    if (!segment->is_complete) break;
    // What follows it says whether it was cut off.
    if (segment == rendition.retained.back() && !rendition.has_ended) break;
    followed.next_msn = segment->media_sequence_number + 1;
    judge_segment(snapshot, rendition, *segment, followed);
  }
}

void Continuity::judge_segment(const ChannelSnapshot& snapshot, const Rendition& rendition,
                               const Segment& segment, Followed& followed) {
  if (std::lround(segment.duration.as_seconds()) > static_cast<long>(rendition.target_duration_s))
    find(Fault::kTooLong, rendition, segment.duration, followed);
  const Rendition& leader = *snapshot.renditions.front();
  const Segment* its = leader.find_segment(segment.media_sequence_number);
  if (&leader == &rendition || !its) return;
  const Duration apart = (segment.start - its->start).abs();
  if (segment.has_discontinuity != its->has_discontinuity)
    return find(Fault::kMisaligned, rendition, apart, followed);
  if (!is_plain(rendition, segment) || !is_plain(leader, *its)) return;
  const bool is_sound = rendition.format->kind() == media::Kind::kAudio;
  if (is_sound && apart > kDriftMax + frame_of(*rendition.format))
    find(Fault::kDrift, rendition, apart, followed);
  else if (!is_sound && apart > kApartMax)
    find(Fault::kMisaligned, rendition, apart, followed);
}

void Continuity::find(Fault kind, const Rendition& rendition, Duration size, Followed& followed) {
  ++counts_[static_cast<std::size_t>(kind)];
  std::optional<Duration>& told_at = followed.told_at[static_cast<std::size_t>(kind)];
  if (told_at && newest_ - *told_at < kToldEvery) return;
  told_at = newest_;
  found_.push_back({kind, rendition.name, size});
}

}  // namespace stoa::live
