// Frames to renditions: boundaries, gaps, discontinuities.
#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "live/channel.h"

namespace stoa::live {
namespace {

constexpr Duration kKeyframeEarly = Duration::milliseconds(50);  // Before the segment target and still taken.
constexpr Duration kLateForGood = Duration::seconds(1);          // Then it is the clock that is wrong.
constexpr Duration kFillMax = Duration::seconds(60);  // Longer absences are not filled but cut out.

Duration clock_of(Timestamp now) { return now - Timestamp(); }
Duration clock_of(WallTime wall) { return wall - WallTime(); }

}  // namespace

Lane* Channel::find_lane(media::TrackId track) {
  for (auto& lane : lanes_)
    if (lane->track == track) return lane.get();
  return nullptr;
}

bool Channel::has_leading_video() const {
  return std::ranges::any_of(lanes_, [](const auto& lane) {
    return lane->packager.kind() == media::Kind::kVideo && lane->packager.has_started() && lane->track &&
           !lane->is_silent;
  });
}

Duration Channel::end() const {
  Duration latest;
  for (const auto& lane : lanes_)
    if (lane->packager.has_started()) latest = std::max(latest, lane->packager.end());
  return latest;
}

void Channel::deliver(const SourceFrame& source_frame, ChannelOutputs& out) {
  Timestamp now = source_frame.arrived;
  Lane* lane = find_lane(source_frame.track);
  if (!lane) {
    lane = bind_track(*on_air_, source_frame.track, source_frame.format, out);
    if (!lane) return;
  }
  if (lane->packager.kind() != source_frame.format->kind()) {
    lane->track.reset();
    lane = bind_track(*on_air_, source_frame.track, source_frame.format, out);
    if (!lane) return;
  }
  if (!lane->decoded_early) lane->decoded_early = source_frame.place.dts - source_frame.begins_at();
  Duration decoded_at = source_frame.place.dts + offset_ - *lane->decoded_early;
  arrival_.observe(decoded_at, clock_of(now));
  wall_.observe(decoded_at, clock_of(source_frame.arrived_wall));
  ChannelFrame frame{.dts = decoded_at + lane->shift,
                     .pts = source_frame.place.pts + offset_ + lane->shift,
                     .nominal_duration = source_frame.place.nominal_duration,
                     .is_keyframe = source_frame.is_keyframe,
                     .payload = source_frame.payload};
  lane->last_frame_at = now;
  bool is_video = lane->packager.kind() == media::Kind::kVideo;
  if (is_video) lane->frame_duration = frame.nominal_duration;
  bool is_late = frame.dts < not_before_ - kExact ||
                 (lane->packager.has_started() && frame.dts < lane->packager.gap_end() - kLateMax) ||
                 (lane->slate && frame.dts < lane->packager.end() - kHoleLeft);
  if (is_late) {
    handle_late(*lane, source_frame, out);
    return;
  }
  if (lane->waits_for_keyframe && !frame.is_keyframe) {
    ++stats_.frames_undecodable;
    return;
  }
  if (lane->is_joining && !join(*lane, frame)) return;
  lane->late_since.reset();
  if (lane->slate && !find_break(*lane, grid_.newest().msn)) {
    if (!ends_slate(*lane, frame, now)) {
      ++stats_.frames_undecodable;
      return;
    }
    Duration at = break_timeline(now, frame.dts, "the encoder is back", out);
    put_at(source_frame, at);
    cut_at_next_keyframe_ = false;
    deliver(source_frame, out);
    return;
  }
  if (!lane->held.empty() || must_hold(*lane, frame)) {
    lane->held.push_back({std::move(frame), source_frame.format, now});
    while (lane->held.size() > kHeldFramesMax) {
      HeldFrame oldest = std::move(lane->held.front());
      lane->held.pop_front();
      place(*lane, oldest.frame, oldest.format, now, out);
    }
  } else {
    place(*lane, frame, source_frame.format, now, out);
  }
  if (!is_video) return;
  video_frontier_ = std::max(video_frontier_, decoded_at + lane->shift);
  release_held(now, out);
}

// Its time was given away. If it stays so, the source's clock stood still while it was silent.
void Channel::handle_late(Lane& lane, const SourceFrame& frame, ChannelOutputs& out) {
  ++stats_.frames_late;
  Timestamp now = frame.arrived;
  if (lane.packager.kind() == media::Kind::kVideo) lane.waits_for_keyframe = true;
  if (!lane.late_since) lane.late_since = now;
  if (now - *lane.late_since < kLateForGood || !frame.is_keyframe) return;
  bool is_everything = now - last_placed_at_ >= kLateForGood;
  if (!is_everything) {
    lane.decoded_early.reset();
    lane.shift = std::max(end(), not_before_) - (frame.begins_at() + offset_);
    lane.late_since.reset();
    return;
  }
  if (lane.packager.kind() == media::Kind::kAudio && std::ranges::any_of(lanes_, [&](const auto& other) {
        return other->packager.kind() == media::Kind::kVideo && other->late_since &&
               now - other->last_frame_at < kLateForGood;
      }))
    return;  // A keyframe decides.
  put_at(frame,
         break_timeline(now, arrival_.media_at(clock_of(now)), "the encoder's clock stood still", out));
  deliver(frame, out);
}

void Channel::put_at(const SourceFrame& frame, Duration at) {
  offset_ = at - frame.begins_at();
  for (auto& each : lanes_) {
    each->shift = Duration();
    each->late_since.reset();
  }
}

bool Channel::join(Lane& lane, const ChannelFrame& frame) {
  const Boundary& newest = grid_.newest();
  if (newest.msn <= lane.joins_after || frame.dts < newest.time - kExact || !frame.is_keyframe) {
    ++stats_.frames_undecodable;
    return false;
  }
  lane.is_joining = false;
  lane.last_part_at = on_air_->last_frame_at();
  lane.packager.start(newest.msn, newest.time, newest.has_discontinuity, newest.discontinuities_before);
  return true;
}

// Sound that is ahead of the pictures waits where a keyframe may decide to cut.
bool Channel::must_hold(const Lane& lane, const ChannelFrame& frame) const {
  if (lane.packager.kind() != media::Kind::kAudio || !has_leading_video()) return false;
  if (grid_.find(lane.packager.msn() + 1)) return false;
  return frame.dts - grid_.newest().time >= config_.segment_target - kKeyframeEarly &&
         frame.dts >= video_frontier_;
}

void Channel::release_held(Timestamp now, ChannelOutputs& out) {
  for (auto& lane : lanes_) {
    while (!lane->held.empty()) {
      const HeldFrame& front = lane->held.front();
      if (must_hold(*lane, front.frame) && now - front.arrived < kHoldMax) break;
      HeldFrame held = std::move(lane->held.front());
      lane->held.pop_front();
      place(*lane, held.frame, held.format, now, out);
    }
  }
}

void Channel::place(Lane& lane, const ChannelFrame& frame, const std::shared_ptr<const media::Format>& format,
                    Timestamp now, ChannelOutputs& out) {
  Packager& packager = lane.packager;
  if (frame.dts < packager.gap_end() - kLateMax) {  // It was held too long.
    ++stats_.frames_late;
    return;
  }
  if (lane.slate) {
    if (const Boundary* back = find_break(lane, grid_.newest().msn)) catch_up(lane, back->msn);
    if (lane.slate) return;
  }
  restore_format(lane);
  bool was_silent = std::exchange(lane.is_silent, false);
  if (packager.needs_gap_before(frame.dts)) {
    if (!was_silent) emit(ChannelEventKind::kGap, packager.name(), out);
    fill(lane, frame.dts, Duration());
  }
  if (format != packager.format()) {
    if (format->is_same_as(*packager.format()))
      packager.set_format(format);
    else if (!change_format(lane, frame, format, now, out)) {
      lane.is_silent = was_silent;  // Nothing came of it.
      return;
    }
  }
  while (true) {
    const Boundary* next = grid_.find(packager.msn() + 1);
    if (!next) {
      if (!decide_boundary(lane, frame, out)) break;
      continue;
    }
    if (!is_at(lane, frame, *next, out)) break;
    enter_segment(lane, *next, frame.dts);
    // What was too little for a gap while samples could bridge it may be too much now.
    if (packager.needs_gap_before(frame.dts)) fill(lane, frame.dts, Duration());
  }
  if (is_filling_) resume(out);
  lane.waits_for_keyframe = false;
  last_placed_at_ = now;
  note_orientation(lane, frame, *format);
  tell_program(lane, frame, format);
  packager.append(frame);
}

// A decoder needs new parameters: all renditions get a discontinuity at this frame.
bool Channel::change_format(Lane& lane, const ChannelFrame& frame,
                            const std::shared_ptr<const media::Format>& format, Timestamp now,
                            ChannelOutputs& out) {
  Packager& packager = lane.packager;
  if (!packager.segment_has_content() &&
      (packager.parts_made() == 0 || grid_.find(packager.msn())->has_discontinuity)) {
    packager.set_format(format);
    return true;
  }
  if (!frame.is_keyframe) {
    ++stats_.frames_undecodable;
    lane.waits_for_keyframe = true;
    return false;
  }
  const Boundary& newest = grid_.newest();
  bool is_here =
      packager.msn() < newest.msn && (newest.time - frame.dts).abs() <= playlist_limits_.part_target;
  bool is_marked = is_here && newest.has_discontinuity;
  if (!is_marked) {
    if (last_discontinuity_at_ && now - *last_discontinuity_at_ < Duration::milliseconds(250)) {
      ++stats_.frames_rate_limited;
      lane.waits_for_keyframe = packager.kind() == media::Kind::kVideo;
      return false;
    }
    bool may_mark = is_here && std::ranges::none_of(lanes_, [&](const auto& other) {
                      return other->packager.has_started() && other->packager.msn() == newest.msn &&
                             other->packager.segment_has_parts();
                    });
    if (may_mark) {
      grid_.mark_newest_discontinuous();
      for (auto& other : lanes_)
        if (other->packager.has_started() && other->packager.msn() == newest.msn)
          other->packager.set_discontinuity();
    } else {
      grid_.push(std::max(frame.dts, newest.time + kExact), true);
    }
    last_discontinuity_at_ = now;
    ++stats_.discontinuities;
    emit(ChannelEventKind::kDiscontinuity, packager.name() + " has a new format", out);
  }
  Boundary target = grid_.newest();
  while (packager.msn() < target.msn) {
    Boundary next = *grid_.find(packager.msn() + 1);
    if (next.msn == target.msn) {
      packager.finish_part();
      packager.set_format(format);
    }
    enter_segment(lane, next, frame.dts);
  }
  return true;
}

// Called in the newest segment. True if the next one now begins at or before `frame`.
bool Channel::decide_boundary(Lane& lane, const ChannelFrame& frame, ChannelOutputs& out) {
  const Packager& packager = lane.packager;
  const Boundary& newest = grid_.newest();
  STOA_DCHECK(packager.msn() == newest.msn);
  if (!packager.segment_has_content()) return false;
  Duration since = frame.dts - newest.time;
  bool is_video = packager.kind() == media::Kind::kVideo;
  bool leads = is_video ? !lane.is_held_back || is_ruled() : !has_leading_video();
  bool is_wanted =
      leads && (is_video ? frame.is_keyframe && (since >= config_.segment_target - kKeyframeEarly ||
                                                 (cut_at_next_keyframe_ && since >= kHoleLeft))
                         : since >= config_.segment_target - kExact);
  bool is_ruler =
      leads && is_video && lane.is_held_back && since >= config_.segment_target - frame.nominal_duration / 2;
  if (is_wanted || is_ruler) {
    if (is_video) cut_at_next_keyframe_ = false;
    if (is_video && !is_ruler) note_cut(lane, false);
    cut(lane, frame, is_ruler, out);
    return true;
  }
  Duration limit = playlist_limits_.target_duration() + kExtinfRoom;
  Duration own = frame.dts + std::max(frame.nominal_duration, kExact) - packager.segment_start();
  bool is_forced =
      since > limit - kHoleLeft || own > limit ||
      (is_video && packager.part_is_empty() && since + playlist_limits_.part_target > limit - kHoleLeft);
  if (!is_forced) return false;
  cut(lane, frame, true, out);
  ++stats_.forced_cuts;
  if (is_video && !lane.is_held_back) {
    note_cut(lane, true);
    if (std::ranges::find(warnings_, "keyframe_interval_too_long") == warnings_.end())
      emit(ChannelEventKind::kKeyframeIntervalTooLong, packager.name(), out);
    warn("keyframe_interval_too_long");
  }
  return true;
}

void Channel::note_cut(Lane& lane, bool is_forced) {
  constexpr unsigned kOfLast = 0xf;
  lane.forced_cuts = static_cast<std::uint8_t>((lane.forced_cuts << 1 | (is_forced ? 1u : 0u)) & kOfLast);
  lane.lacks_keyframes = lane.lacks_keyframes || std::popcount(lane.forced_cuts) >= kForcedCuts;
}

// What is not made any more can be taken back only behind a discontinuity.
void Channel::cut(const Lane& lane, const ChannelFrame& frame, bool is_forced, ChannelOutputs& out) {
  const bool is_return = takes_rungs_back();
  grid_.push(std::max(frame.dts, grid_.newest().time + kExact), is_return, is_forced, true);
  if (!is_return) return;
  ++stats_.discontinuities;
  last_discontinuity_at_ = lane.last_frame_at;
  emit(ChannelEventKind::kDiscontinuity, "the worker is back", out);
}

bool Channel::is_at(Lane& lane, const ChannelFrame& frame, const Boundary& boundary, ChannelOutputs& out) {
  const Packager& packager = lane.packager;
  bool is_video = packager.kind() == media::Kind::kVideo;
  Duration room = playlist_limits_.target_duration() + kExtinfRoom;
  bool is_too_long = packager.segment_has_content() &&
                     frame.dts + std::max(frame.nominal_duration, kExact) - packager.segment_start() > room;
  Duration early = is_video ? std::clamp(frame.nominal_duration / 2, kExact, kLateMax) : kExact;
  if (frame.dts < boundary.time - early) return is_too_long;
  if (!is_video || frame.is_keyframe || boundary.is_forced || is_too_long || lane.is_held_back) return true;
  if (frame.dts < boundary.time + playlist_limits_.part_target) return false;
  if (!lane.was_misaligned) emit(ChannelEventKind::kRenditionMisaligned, packager.name(), out);
  lane.was_misaligned = true;
  warn("rendition_misaligned");
  return true;
}

void Channel::enter_segment(Lane& lane, const Boundary& boundary, Duration until) {
  Packager& packager = lane.packager;
  bool has_discontinuity = boundary.has_discontinuity;
  if (!packager.segment_has_content()) {
    restore_format(lane);
    Duration from = packager.end();
    packager.fill_gap(std::clamp(boundary.time, from + kLeastGap, from + kHoleLeft));
  }
  // Samples may be drawn out to `until`, but not past what EXTINF may say.
  Duration most = packager.segment_start() + playlist_limits_.target_duration() + kExtinfRoom;
  packager.start_segment(std::min(until, most), has_discontinuity);
  lane.slate_frames = 0;
  if (!has_discontinuity) return;
  lane.slate.reset();
  lane.back_since.reset();
}

void Channel::fill(Lane& lane, Duration until, Duration tolerance) {
  Packager& packager = lane.packager;
  while (true) {
    Duration from = packager.end();
    const Boundary* next = grid_.find(packager.msn() + 1);
    if (!next && until - grid_.newest().time > playlist_limits_.target_duration()) {
      grid_.push(std::max(from, grid_.newest().time + config_.segment_target), false);
      continue;
    }
    if (next && next->time < until) {
      Duration to =
          std::min(next->time, packager.segment_start() + playlist_limits_.target_duration() + kExtinfRoom);
      if (to > from + kExact) fill_time(lane, to);
      packager.finish_part();
      enter_segment(lane, *next, std::max(from, to));
      continue;
    }
    if (until > from + tolerance) fill_time(lane, until);
    return;
  }
}

void Channel::catch_up(Lane& lane, std::uint64_t msn) {
  while (lane.packager.msn() < msn) {
    const Boundary* next = grid_.find(lane.packager.msn() + 1);
    bool is_last = next->msn == msn;
    fill(lane, next->time, is_last ? kHoleLeft : kExact);
    lane.packager.finish_part();
    enter_segment(lane, *next, next->time);
  }
}

// Closes all parts in progress. The end of the longest rendition.
Duration Channel::finish_parts(ChannelOutputs& out) {
  for (auto& lane : lanes_) {
    while (!lane->held.empty()) {
      HeldFrame held = std::move(lane->held.front());
      lane->held.pop_front();
      place(*lane, held.frame, held.format, held.arrived, out);
    }
    if (breaks(*lane) && !lane->slate) lane->packager.finish_part();
  }
  return end();
}

Duration Channel::break_timeline(Timestamp now, Duration at, const char* why, ChannelOutputs& out) {
  Duration from = finish_parts(out);
  Duration to = std::clamp(at, from, from + kFillMax);
  if (to - from < kHoleLeft) to = from;
  // Workers are not waited for over a long hole.
  for (auto& lane : lanes_) {
    if (!is_worked_on(*lane) || to - from <= config_.rung_lag) continue;
    lane->is_silent = true;
    lane->waits_for_keyframe = lane->packager.kind() == media::Kind::kVideo;
  }
  for (auto& lane : lanes_)
    if (breaks(*lane)) fill(*lane, to, kHoleLeft);
  to = std::max(to, grid_.newest().time + kLeastGap);
  grid_.push(to, true);
  for (auto& lane : lanes_)
    if (breaks(*lane)) catch_up(*lane);
  for (auto& lane : lanes_) lane->decoded_early.reset();
  not_before_ = video_frontier_ = to;
  last_discontinuity_at_ = now;
  ++stats_.discontinuities;
  emit(ChannelEventKind::kDiscontinuity, why, out);
  return to;
}

// A rendition whose track is gone or silent goes on in GAP parts, behind the others by a part at most.
void Channel::fill_silent(Timestamp now, ChannelOutputs& out) {
  Duration frontier;
  for (const auto& lane : lanes_)
    if (lane->packager.has_started() && !lane->slate)
      frontier = std::max(frontier, lane->packager.closed_end());
  for (auto& lane : lanes_) {
    Packager& packager = lane->packager;
    if (!packager.has_started() || !lane->held.empty()) continue;
    bool is_gone =
        lane->rung ? !lane->is_fed : on_air_ && (!lane->track || on_air_->track(*lane->track)->has_ended);
    // Slate is made of frames: no part is waited for.
    const Duration to = lane->slate && has_leading_video() ? std::max(frontier, video_frontier_) : frontier;
    Duration behind = to - packager.end() - room_of(*lane, now);
    // It goes on up to where a worker may bring something.
    if (const Boundary* back = lane->slate ? find_break(*lane, grid_.newest().msn) : nullptr)
      behind = std::max(behind, std::min(to, back->time) - packager.end());
    Duration patience = lane->rung ? Duration() : config_.track_silence;
    if (!lane->is_silent && (behind > patience || (is_gone && behind > playlist_limits_.part_target))) {
      lane->is_silent = true;
      if (lane->packager.kind() == media::Kind::kVideo) lane->waits_for_keyframe = true;
      emit(ChannelEventKind::kGap, packager.name(), out);
    }
    const Duration step = lane->slate ? kExact : playlist_limits_.part_target;
    if (!lane->is_silent || behind < step) continue;
    Duration until = packager.end() + step * (behind / step);
    // What follows does not cut where the others have been.
    if (lane->rung) until = std::min(until, grid_.newest().time + playlist_limits_.target_duration());
    fill(*lane, until, kExact);
  }
}

// When the next GAP part is due, if nothing comes from the source on air: when a part of its length would be
// there by the clock, and never later than rule G13 allows, even if the timeline is ahead of the clock.
Timestamp Channel::gap_due() const {
  const Duration part = playlist_limits_.part_target;
  Timestamp due = Timestamp::from_ns(arrival_.clock_at(end() + part).ns());
  for (const auto& lane : lanes_)
    if (lane->packager.has_started()) due = std::min(due, lane->last_part_at + part);
  if (is_filling_ || !on_air_) return due;
  return std::max(due, last_placed_at_ + config_.stall);
}

void Channel::fill_absence(Timestamp now, ChannelOutputs& out) {
  if (lanes_.empty()) return;
  const Duration part = playlist_limits_.part_target;
  bool is_far = false;
  while (now >= gap_due() && !is_far) {
    if (!is_filling_) {
      for (auto& lane : lanes_)
        if (lane->rung) lane->is_silent = true;
      Duration from = finish_parts(out);
      for (auto& lane : lanes_)
        if (lane->packager.has_started()) fill(*lane, from, kExact);
      begin_filling(now, from, out);
      // Each goes on in GAP parts until it has a frame to go on with.
      cut_at_next_keyframe_ = true;
      for (auto& lane : lanes_) {
        lane->is_silent = true;
        lane->waits_for_keyframe = lane->packager.kind() == media::Kind::kVideo;
      }
      interrupt(now, "the encoder is silent", out);
      emit(ChannelEventKind::kGap, name_, out);
    } else if (end() - grid_.newest().time >= config_.segment_target) {
      grid_.push(end(), false);
    }
    // Ahead of the clock, shorter parts as often: the clock comes up.
    Duration to = std::clamp(arrival_.media_at(clock_of(now)), end() + part / 2, end() + part);
    for (auto& lane : lanes_) {
      if (!lane->packager.has_started()) continue;
      const std::uint64_t parts = lane->packager.parts_made();
      catch_up(*lane);
      fill(*lane, to, kExact);
      if (lane->packager.parts_made() != parts) lane->last_part_at = now;
    }
    // A process that slept longer than the grace time has nobody to fill for.
    is_far = now - *away_since_ >= config_.grace;
  }
}

}  // namespace stoa::live
