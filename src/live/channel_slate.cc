// Slate: what stands in where media of a rendition is missing, behind a discontinuity of all renditions and
// up to the next.
#include <algorithm>
#include <utility>

#include "live/channel.h"

namespace stoa::live {
namespace {

// So long after it was told a frame a worker may take to give one.
constexpr Duration kRungSilence = Duration::milliseconds(700);
// A rung that is no farther behind is taken back at the next cut.
constexpr Duration kWarmWithin = Duration::milliseconds(200);  // Less than ChannelConfig::rung_lag.
// Discontinuities for slate are at least so far apart.
constexpr Duration kDiscontinuityDistance = Duration::milliseconds(250);

}  // namespace

Result<void, SlateRefusal> Channel::set_rung_slate(media::RungId id,
                                                   std::shared_ptr<const media::Format> format,
                                                   std::span<const media::Frame> frames) {
  const RungState* rung = find_rung(id);
  if (!rung) return refuse(SlateRefusal::kUnknown);
  if (!fits(rung->rung, *format)) return refuse(SlateRefusal::kBadFormat);
  STOA_TRY(auto slate, Slate::make(std::move(format), frames));
  return slates_.set_for_rung(id, std::move(slate));
}

Result<void, SlateRefusal> Channel::set_track_slate(media::TrackId track,
                                                    std::shared_ptr<const media::Format> format,
                                                    std::span<const media::Frame> frames) {
  const bool is_known = std::ranges::any_of(lanes_, [&](const auto& lane) {
    return !lane->rung && lane->program_track == track && lane->packager.kind() == format->kind();
  });
  if (!is_known) return refuse(SlateRefusal::kUnknown);
  STOA_TRY(auto slate, Slate::make(std::move(format), frames));
  return slates_.set_for_track(track, std::move(slate));
}

std::shared_ptr<const Slate> Channel::slate_of(const Lane& lane) const {
  auto slate = lane.rung ? slates_.find_for_rung(*lane.rung) : slates_.find_for_track(lane.program_track);
  return slate && slate->format()->kind() == lane.packager.kind() ? slate : nullptr;
}

bool Channel::is_at_break(const Lane& lane) const {
  return !lane.packager.segment_has_content() && grid_.find(lane.packager.msn())->has_discontinuity;
}

// The newest discontinuity before which it stands, up to a segment.
const Boundary* Channel::find_break(const Lane& lane, std::uint64_t up_to) const {
  for (std::uint64_t msn = up_to; msn > lane.packager.msn(); --msn) {
    const Boundary* boundary = grid_.find(msn);
    if (boundary && boundary->has_discontinuity) return boundary;
  }
  return nullptr;
}

// While others of its tracks come the source gives what a rung is made of. One that gives nothing at all is
// another matter.
bool Channel::has_source(const Lane& lane) const {
  if (!lane.rung || !on_air_ || is_filling_) return true;
  const auto rung = std::ranges::find(rungs_, &lane, &RungState::lane);
  if (rung == rungs_.end()) return false;
  return std::ranges::any_of(lanes_, [&](const auto& source) {
    return !source->rung && source->program_track == rung->rung.of && source->track &&
           last_placed_at_ - source->last_frame_at < kRungSilence;
  });
}

// In the present segment, up to `until`: slate where that may begin or goes on, else GAP.
void Channel::fill_time(Lane& lane, Duration until) {
  Packager& packager = lane.packager;
  if (!lane.slate && lane.is_silent && (lane.rung || is_filling_) && is_at_break(lane) && has_source(lane)) {
    lane.slate = slate_of(lane);
    lane.slate_frames = 0;
    if (lane.slate) {
      if (!lane.before_slate) lane.before_slate = packager.format();
      packager.set_format(lane.slate->format());
    }
  }
  if (!lane.slate) {
    restore_format(lane);
    packager.fill_gap(until);
    return;
  }
  const Duration most = packager.segment_start() + playlist_limits_.target_duration() + kExtinfRoom;
  for (Duration at = packager.end(); at < until - kExact; at = packager.end()) {
    const ChannelFrame frame = lane.slate->frame(lane.slate_frames, at);
    if (packager.segment_has_content() && at + frame.nominal_duration > most) return;
    if (packager.append(frame) == Packager::Appended::kOverLimit || packager.end() <= at) {
      packager.fill_gap(until);
      return;
    }
    ++lane.slate_frames;
  }
}

void Channel::restore_format(Lane& lane) {
  if (lane.before_slate && !lane.slate && is_at_break(lane))
    lane.packager.set_format(std::exchange(lane.before_slate, nullptr));
}

bool Channel::gives_nothing(const RungState& rung, Timestamp now) {
  return !rung.lane->is_fed || (rung.owed_since && now - *rung.owed_since >= kRungSilence);
}

// Its worker gives what is on air by now.
bool Channel::is_warm(const RungState& rung) const {
  return rung.lane->is_fed && rung.has_begun && rung.last_pts &&
         program_.shown_until() - *rung.last_pts <= config_.rung_lag - kWarmWithin;
}

// A worker that makes a rendition is late as a rule: so much room is left for what it will bring.
Duration Channel::room_of(const Lane& lane, Timestamp now) const {
  if (!lane.rung || !lane.is_fed) return {};
  const auto rung = std::ranges::find(rungs_, &lane, &RungState::lane);
  if (rung == rungs_.end()) return {};
  if (!slate_of(lane)) return config_.rung_lag;
  const bool may_begin = !lane.slate || (is_warm(*rung) && find_break(lane, grid_.newest().msn));
  return may_begin && !gives_nothing(*rung, now) ? config_.rung_lag : Duration();
}

// The next cut is one behind which a rung can go on.
bool Channel::takes_rungs_back() const {
  return std::ranges::any_of(rungs_, [&](const RungState& rung) {
    return rung.lane && (rung.lane->slate || rung.awaits_break_from) && is_warm(rung);
  });
}

// A worker that gives nothing, or is too late, is not waited for: all are cut, and its renditions go on with
// slate.
void Channel::replace_missing(Timestamp now, ChannelOutputs& out) {
  if (slates_.empty() || !on_air_ || is_filling_) return;
  const auto newest = [&] { return grid_.newest().msn; };
  for (const RungState& rung : rungs_) {
    Lane* lane = rung.lane;
    if (!lane || !lane->packager.has_started() || lane->slate || !lane->is_offered || !slate_of(*lane))
      continue;
    if (!has_source(*lane)) continue;  // Of what is not there nothing is missed.
    const bool is_gone = gives_nothing(rung, now);
    if (!is_gone && (!lane->is_silent || rung.awaits_break_from)) continue;
    const bool may_begin = is_at_break(*lane) || find_break(*lane, newest());
    if (!may_begin) {
      if (last_discontinuity_at_ && now - *last_discontinuity_at_ < kDiscontinuityDistance) continue;
      grid_.push(std::max(end(), grid_.newest().time + kLeastGap), true, true, true);
      last_discontinuity_at_ = now;
      ++stats_.discontinuities;
      emit(ChannelEventKind::kDiscontinuity, "a worker gives nothing", out);
    } else if (!is_gone) {
      continue;  // What it will bring is waited for there.
    }
    lane->is_silent = true;
    lane->waits_for_keyframe = lane->packager.kind() == media::Kind::kVideo;
    emit(ChannelEventKind::kSlate, lane->packager.name(), out);
    // At once, and before others are there: that is how late it is by now.
    const Boundary* begins = find_break(*lane, newest());
    fill(*lane, (begins ? begins->time : lane->packager.end()) + playlist_limits_.part_target, kExact);
  }
}

// The source gives nothing: where there is slate it begins in the next segment.
void Channel::begin_filling(Timestamp now, Duration from, ChannelOutputs& out) {
  const bool has_slate =
      std::ranges::any_of(lanes_, [&](const auto& lane) { return slate_of(*lane) != nullptr; });
  grid_.push(std::max(from, grid_.newest().time + kLeastGap), has_slate, false, has_slate);
  is_filling_ = true;
  for (RungState& rung : rungs_) rung.owed_since.reset();
  if (!has_slate) return;
  last_discontinuity_at_ = now;
  ++stats_.discontinuities;
  emit(ChannelEventKind::kSlate, name_, out);
}

// Slate of what the source sends goes on until there is something to begin with. True if a frame is that: a
// discontinuity comes before it.
bool Channel::ends_slate(Lane& lane, const ChannelFrame& frame, Timestamp now) const {
  if (!lane.back_since) lane.back_since = now;
  if (lane.packager.kind() == media::Kind::kVideo) return frame.is_keyframe;
  // Sound does not go before pictures that come, too.
  const bool has_pictures = std::ranges::any_of(lanes_, [](const auto& other) {
    return other->packager.kind() == media::Kind::kVideo && other->track;
  });
  if (!has_pictures) return true;
  const bool has_news = std::ranges::any_of(lanes_, [&](const auto& other) {
    return other->packager.kind() == media::Kind::kVideo && other->track && other->slate && other->back_since;
  });
  return !has_news && now - *lane.back_since >= config_.track_silence;
}

}  // namespace stoa::live
