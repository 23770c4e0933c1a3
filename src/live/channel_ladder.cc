// Renditions that workers make of what is on air: what workers are told, and what is taken of them.
#include <algorithm>
#include <utility>

#include "live/channel.h"

namespace stoa::live {
namespace {

// Sound may be so much ahead of what is on air: whole frames of another length.
constexpr Duration kAheadMax = Duration::milliseconds(100);
// Of sound that is made of other sound: AAC at 48 kHz.
constexpr Duration kSoundFrame = Duration::from_ticks(1'024, 48'000);
// Pictures that come faster are made into every other one, too.
constexpr Duration kFastFrame = Duration::milliseconds(21);
// A worker that begins a segment so late had nothing that it could decode; one that is less late is wrong.
constexpr Duration kHoleOfGarbage = Duration::milliseconds(150);
// Cuts at which a rung waits for a break to go on behind: then it is stopped.
constexpr std::uint64_t kCutsAwaited = 3;
// A track of which nothing comes for so long is gone for workers, whatever the source says of it: encoders
// end their tracks one by one before they go, and may be back.
constexpr Duration kGoneAfter = Duration::seconds(10);

// Whether a decoder takes one after the other without a break of the timeline, though it is told again what
// it decodes (draft-pantos-hls-rfc8216bis §4.4.4.3: codec and tracks stay as they are).
bool may_follow(const media::Format& before, const media::Format& format) {
  return format.codec == before.codec && format.width == before.width && format.height == before.height &&
         format.sample_rate == before.sample_rate && format.channels == before.channels;
}

}  // namespace

// ---- The ladder.

bool Channel::fits(const media::Rung& rung, const media::Format& format) {
  if (format.codec != rung.codec) return false;
  return rung.kind() == media::Kind::kAudio || (format.width <= rung.width && format.height <= rung.height);
}

void Channel::set_ladder(Timestamp now, std::vector<media::Rung> ladder, ChannelOutputs& out,
                         std::vector<media::TrackId> held_back) {
  if (has_ended() || config_.ladder_wait <= Duration()) return;
  is_ladder_known_ = true;
  std::erase_if(rungs_, [&](const RungState& state) {
    const bool is_gone = std::ranges::find(ladder, state.rung.id, &media::Rung::id) == ladder.end();
    if (is_gone) unfeed(state, false);
    if (is_gone) slates_.drop_for_rung(state.rung.id);
    return is_gone;
  });
  for (media::Rung& rung : ladder)
    if (!find_rung(rung.id) && rungs_.size() < media::kRungsMax) rungs_.push_back({.rung = std::move(rung)});
  held_back_ = std::move(held_back);
  for (auto& lane : lanes_) hold_back(*lane);
  publish(now, out);
}

void Channel::hold_back(Lane& lane) {
  if (lane.rung) return;
  const bool is_named = std::ranges::find(held_back_, lane.program_track) != held_back_.end();
  const bool is_unfit = is_named && best_rung_of(lane);
  if (!is_unfit) lane.is_needed = false;
  if (std::exchange(lane.is_held_back, is_unfit && !lane.is_needed) == lane.is_held_back) return;
  lane.is_offered = !lane.is_held_back;
  lane.unserved_since.reset();
  has_list_news_ = true;
}

// Never worse than without workers.
void Channel::offer_unserved(Timestamp now, ChannelOutputs& out) {
  for (auto& lane : lanes_) {
    if (!lane->is_held_back) continue;
    const RungState* best = best_rung_of(*lane);
    const bool is_served =
        best && best->lane && best->lane->packager.has_started() && is_worked_on(*best->lane);
    // Nor can anything be made of what is not there.
    if (is_served || !on_air_ || is_filling_) {
      lane->unserved_since.reset();
      continue;
    }
    if (!lane->unserved_since) lane->unserved_since = now;
    if (now - *lane->unserved_since < config_.ladder_wait + kHeldBackMax) continue;
    lane->is_held_back = false;
    lane->is_needed = lane->is_offered = has_list_news_ = true;
    emit(ChannelEventKind::kOfferedUnfit, lane->packager.name(), out);
  }
}

// No keyframe is waited for: where it is held back whatever leads.
bool Channel::is_ruled() const {
  return std::ranges::none_of(lanes_, [](const auto& lane) {
    return lane->packager.kind() == media::Kind::kVideo && lane->packager.has_started() && lane->track &&
           !lane->is_silent && !lane->is_held_back;
  });
}

Channel::RungState* Channel::find_rung(media::RungId id) {
  auto found = std::ranges::find(rungs_, id, [](const RungState& state) { return state.rung.id; });
  return found == rungs_.end() ? nullptr : &*found;
}

// Players read the multivariant playlist once: what is not in it then is not seen.
bool Channel::awaits_ladder(Timestamp now) const {
  if (config_.ladder_wait <= Duration() || now - begun_at_ >= config_.ladder_wait) return false;
  return !is_ladder_known_ || std::ranges::any_of(rungs_, [&](const RungState& state) {
    return !state.is_stopped && !is_listable(state);
  });
}

bool Channel::is_listable(const RungState& state) {
  return state.lane && state.lane->is_offered && state.lane->packager.parts_made() >= kPartsToBeListed;
}

// The one that is as near to it as any.
const Channel::RungState* Channel::best_rung_of(const Lane& lane) const {
  const RungState* best = nullptr;
  const auto size = [](const RungState& state) {
    return std::uint64_t{state.rung.width} * state.rung.height;
  };
  for (const RungState& state : rungs_) {
    const bool is_of_it = state.rung.of == lane.program_track && state.rung.kind() == lane.packager.kind();
    if (is_of_it && (!best || size(state) > size(*best))) best = &state;
  }
  return best;
}

// Something is held back and what stands for it is not there: until it is offered itself (offer_unserved) the
// playlist stays as it is.
bool Channel::lacks_rungs() const {
  return std::ranges::any_of(lanes_, [&](const auto& lane) {
    if (!lane->is_held_back) return false;
    const RungState* best = best_rung_of(*lane);
    return !best || !is_listable(*best);
  });
}

void Channel::add_rung_durations(std::vector<Duration>& durations) const {
  for (std::size_t i = 0, count = durations.size(); i < count; ++i)
    if (durations[i] > Duration() && durations[i] < kFastFrame) durations.push_back(durations[i] * 2);
  durations.push_back(kSoundFrame);
}

// ---- What workers are told.

void Channel::handle_worker_gone(Timestamp now, WallTime wall, ChannelOutputs& out) {
  if (has_ended()) return;
  for (RungState& rung : rungs_) unfeed(rung, true);
  settle(now, wall, out);
}

void Channel::tell_program(const Lane& lane, const ChannelFrame& frame,
                           const std::shared_ptr<const media::Format>& format) {
  if (config_.ladder_wait <= Duration()) return;
  const bool is_video = lane.packager.kind() == media::Kind::kVideo;
  const media::TrackId track = lane.program_track;
  if (is_video || !has_leading_video()) program_.tell_cuts(frame, is_video, grid_);
  if (!program_.knows(track, format))
    program_.tell_track({track, format, lane.packager.label(), lane.packager.language()});
  program_.tell_frame(track, frame, is_video, grid_);
  for (RungState& rung : rungs_)
    if (rung.rung.of == track && !rung.owed_since) rung.owed_since = last_placed_at_;
}

void Channel::note_orientation(Lane& lane, const ChannelFrame& frame, const media::Format& format) {
  if (!frame.is_keyframe || format.kind() != media::Kind::kVideo) return;
  if (std::exchange(lane.knows_orientation, true)) return;
  lane.orientation = media::read_orientation(format, frame.payload.bytes());
}

void Channel::update_program_tracks() {
  if (!on_air_) return;
  const auto format_of = [](const Lane& lane) -> const std::shared_ptr<const media::Format>& {
    return lane.before_slate ? lane.before_slate : lane.packager.format();
  };
  const auto is_on_air = [&](const Lane& lane) {
    const bool has_track = lane.track && !on_air_->track(*lane.track)->has_ended;
    return !lane.rung && (has_track || program_.knows(lane.program_track));
  };
  std::size_t known = 0;
  bool is_same = true;
  for (const auto& lane : lanes_) {
    if (!is_on_air(*lane)) continue;
    is_same = is_same && known < program_tracks_.size() &&
              program_tracks_[known].track == lane->program_track &&
              program_tracks_[known].lacks_keyframes == lane->lacks_keyframes &&
              program_tracks_[known].orientation == lane->orientation &&
              (program_tracks_[known].format == format_of(*lane) ||
               program_tracks_[known].format->is_same_as(*format_of(*lane)));
    ++known;
  }
  if (is_same && known == program_tracks_.size()) return;
  ++program_revision_;
  program_tracks_.clear();
  for (const auto& lane : lanes_) {
    const Packager& packager = lane->packager;
    if (is_on_air(*lane))
      program_tracks_.push_back({lane->program_track, format_of(*lane), packager.label(), packager.language(),
                                 lane->lacks_keyframes, lane->orientation});
  }
}

// What is away with the source, as a whole, may be back with it.
void Channel::tell_gone(Timestamp now) {
  for (auto& lane : lanes_) {
    if (lane->rung || !program_.knows(lane->program_track)) continue;
    const bool is_there = !on_air_ || is_filling_ ||
                          (lane->track && !on_air_->track(*lane->track)->has_ended &&
                           now - lane->last_frame_at < config_.track_silence);
    if (is_there) lane->missing_since.reset();
    if (is_there) continue;
    if (!lane->missing_since) lane->missing_since = now;
    if (now - *lane->missing_since < kGoneAfter) continue;
    lane->missing_since.reset();
    program_.tell_gone(lane->program_track);
  }
}

// ---- What is taken of them.

Result<void, RungRefusal> Channel::handle_rung_format(Timestamp now, WallTime wall, media::RungId id,
                                                      std::shared_ptr<const media::Format> format,
                                                      ChannelOutputs& out) {
  RungState* rung = find_rung(id);
  if (!rung || has_ended() || lanes_.empty()) return refuse(RungRefusal::kUnknown);
  if (!fits(rung->rung, *format)) {
    stop_rung(*rung, RungRefusal::kBadFormat, out);
    settle(now, wall, out);
    return refuse(RungRefusal::kBadFormat);
  }
  if (!rung->lane) {
    auto taken = take_lane(*rung, format);
    if (!taken) {
      stop_rung(*rung, taken.error(), out);
      settle(now, wall, out);
      return refuse(taken.error());
    }
    rung->lane = *taken;
  }
  rung->format = std::move(format);
  rung->is_stopped = false;
  if (!rung->lane->is_fed) {
    rung->last_pts.reset();  // What was told before is told again.
    rung->has_begun = false;
    rung->awaits_break_from.reset();
  }
  rung->lane->is_fed = true;
  rung->lane->waits_for_keyframe = rung->rung.kind() == media::Kind::kVideo;
  return {};
}

// The one of its name that a rung before it left, or a new one.
Result<Lane*, RungRefusal> Channel::take_lane(const RungState& rung,
                                              const std::shared_ptr<const media::Format>& format) {
  for (auto& lane : lanes_) {
    if (lane->packager.name() != rung.rung.name) continue;
    const bool is_free =
        lane->rung && std::ranges::find(rungs_, lane.get(), &RungState::lane) == rungs_.end();
    if (!is_free || lane->packager.kind() != format->kind()) return refuse(RungRefusal::kBadFormat);
    lane->rung = rung.rung.id;
    return lane.get();
  }
  if (lanes_.size() >= kRenditionsMax) return refuse(RungRefusal::kTooMany);
  const auto of = std::ranges::find_if(lanes_, [&](const auto& lane) {
    return !lane->rung && lane->program_track == rung.rung.of && lane->packager.kind() == rung.rung.kind();
  });
  const std::string label = of == lanes_.end() ? "" : (*of)->packager.label();
  const std::string language = of == lanes_.end() ? "" : (*of)->packager.language();
  lanes_.push_back(std::make_unique<Lane>(
      Packager(rung.rung.name, format, label, language, playlist_limits_, config_.packager, wall_)));
  lanes_.back()->rung = rung.rung.id;
  lanes_.back()->is_joining = true;
  return lanes_.back().get();
}

Result<void, RungRefusal> Channel::handle_rung_frame(Timestamp now, WallTime wall, media::RungId id,
                                                     const media::Frame& frame, ChannelOutputs& out) {
  RungState* rung = find_rung(id);
  if (!rung || !rung->lane || !rung->lane->is_fed || has_ended()) return refuse(RungRefusal::kUnknown);
  auto placed = place_rung(*rung, frame, now, out);
  if (!placed) stop_rung(*rung, placed.error(), out);
  settle(now, wall, out);
  return placed;
}

void Channel::handle_rung_ended(Timestamp now, WallTime wall, media::RungId id, ChannelOutputs& out) {
  RungState* rung = find_rung(id);
  if (!rung || has_ended()) return;
  unfeed(*rung, true);
  settle(now, wall, out);
}

// Decoded as long before it is shown as the pictures of the source are: so segments of all renditions begin
// with the same picture at the same time.
ChannelFrame Channel::frame_of(const RungState& rung, const media::Frame& frame,
                               const Boundary& boundary) const {
  const bool is_video = rung.rung.kind() == media::Kind::kVideo;
  Duration nominal;
  if (!is_video) {
    nominal = Duration::from_ticks(rung.format->samples_per_frame, rung.format->sample_rate);
  } else if (rung.rung.frame_rate_numerator > 0) {
    nominal = Duration::from_ticks(rung.rung.frame_rate_denominator, rung.rung.frame_rate_numerator);
  } else {
    for (const auto& lane : lanes_)
      if (!lane->rung && lane->program_track == rung.rung.of) nominal = lane->frame_duration;
  }
  return {.dts = is_video ? frame.pts - (*boundary.shown_from - boundary.time) : frame.pts,
          .pts = frame.pts,
          .nominal_duration = nominal,
          .is_keyframe = frame.is_keyframe,
          .payload = frame.payload};
}

Result<void, RungRefusal> Channel::place_rung(RungState& rung, const media::Frame& frame, Timestamp now,
                                              ChannelOutputs& out) {
  Lane& lane = *rung.lane;
  Packager& packager = lane.packager;
  const bool is_video = packager.kind() == media::Kind::kVideo;
  const std::optional<Duration> before = rung.last_pts;
  if (before && frame.pts <= *before) return refuse(RungRefusal::kNotRising);
  if (frame.pts > program_.shown_until() + (is_video ? kExact : kAheadMax))
    return refuse(RungRefusal::kAhead);
  rung.last_pts = frame.pts;
  rung.owed_since.reset();
  ++stats_.rung_frames;
  lane.last_frame_at = now;
  const Boundary* boundary = is_video ? grid_.find_shown_at(frame.pts) : grid_.find_at(frame.pts);
  if (!boundary) {
    ++stats_.rung_frames_late;
    return {};
  }
  const ChannelFrame placed = frame_of(rung, frame, *boundary);
  const bool is_first = boundary->first_picture && (frame.pts - *boundary->first_picture).abs() <= kExact;
  if (is_video) {
    const bool begins = !before || *before < *boundary->shown_from - kExact;
    // What was told there could not be decoded.
    const bool is_behind_hole = begins && (!before || lane.is_silent ||
                                           frame.pts - *before > placed.nominal_duration + kHoleOfGarbage);
    if (frame.is_keyframe && !is_first && !is_behind_hole) return refuse(RungRefusal::kKeyframeOffGrid);
    if (!frame.is_keyframe && before && begins) return refuse(RungRefusal::kMissedCut);
  }
  rung.has_begun = rung.has_begun || frame.is_keyframe || !is_video;
  if (is_video) lane.frame_duration = placed.nominal_duration;
  if (lane.waits_for_keyframe && !frame.is_keyframe) {
    ++stats_.frames_undecodable;
    return {};
  }
  if (lane.is_joining) {
    if (is_video && !is_first) {
      lane.waits_for_keyframe = true;
      return {};
    }
    lane.is_joining = false;
    lane.last_part_at = now;
    packager.set_format(rung.format);
    packager.start(boundary->msn, boundary->time, boundary->has_discontinuity,
                   boundary->discontinuities_before);
  }
  // Slate ends where all are cut.
  const Boundary* back = lane.slate ? find_break(lane, boundary->msn) : nullptr;
  bool is_late = packager.msn() > boundary->msn || (lane.slate && !back);
  if (!is_late) {
    if (back) catch_up(lane, back->msn);
    // Whoever begins anew makes again what is there already. Slate ends with a whole frame.
    const Duration taken_until = is_at_break(lane) ? packager.end() - (is_video ? kHoleLeft : kLateMax)
                                 : lane.is_silent  ? packager.end() - kExact
                                                   : packager.gap_end() - kLateMax;
    is_late = placed.dts < taken_until;
  }
  if (needs_break(rung, *boundary)) {
    if (!rung.awaits_break_from) rung.awaits_break_from = boundary->msn;
    if (boundary->msn > *rung.awaits_break_from + kCutsAwaited) return refuse(RungRefusal::kFormatChanged);
    lane.is_silent = is_late = true;
  }
  if (is_late) {
    ++stats_.rung_frames_late;
    lane.waits_for_keyframe = is_video;
    return {};
  }
  if (lane.before_slate && is_at_break(lane)) {
    lane.before_slate.reset();
    packager.set_format(rung.format);
  }
  if (std::exchange(lane.is_silent, false)) {
    fill(lane, placed.dts, is_at_break(lane) && !packager.needs_gap_before(placed.dts) ? kHoleLeft : kExact);
  } else if (packager.needs_gap_before(placed.dts)) {
    emit(ChannelEventKind::kGap, packager.name(), out);
    fill(lane, placed.dts, Duration());
  }
  if (!enter_rung_segment(rung, *boundary, placed.dts)) return refuse(RungRefusal::kFormatChanged);
  if (packager.needs_gap_before(placed.dts)) fill(lane, placed.dts, Duration());
  lane.waits_for_keyframe = false;
  rung.awaits_break_from.reset();
  if (!std::exchange(lane.is_offered, true)) has_list_news_ = true;
  packager.append(placed);
  return {};
}

// Where its next segment is no place for what it gives now.
bool Channel::needs_break(const RungState& rung, const Boundary& boundary) const {
  const Lane& lane = *rung.lane;
  const bool begins = lane.packager.msn() < boundary.msn || !lane.packager.segment_has_content();
  return begins && !lane.slate && !is_at_break(lane) && !find_break(lane, boundary.msn) &&
         !may_follow(*lane.packager.format(), *rung.format);
}

// Up to the segment that a frame is in, with the format that the frame has. False: that may not change here.
bool Channel::enter_rung_segment(RungState& rung, const Boundary& boundary, Duration until) {
  Packager& packager = rung.lane->packager;
  const auto take_format = [&](bool may_change) {
    if (packager.format() == rung.format) return true;
    if (!may_change && !rung.format->is_same_as(*packager.format())) return false;
    packager.set_format(rung.format);
    return true;
  };
  while (packager.msn() < boundary.msn) {
    const Boundary next = *grid_.find(packager.msn() + 1);
    // What is missing before a break is of the segment before it.
    if (next.has_discontinuity) fill(*rung.lane, next.time, kHoleLeft);
    if (next.msn == boundary.msn && packager.format() != rung.format) {
      packager.finish_part();
      if (!take_format(next.has_discontinuity || may_follow(*packager.format(), *rung.format))) return false;
    }
    enter_segment(*rung.lane, next, until);
  }
  return take_format(!packager.segment_has_content() && (grid_.find(packager.msn())->has_discontinuity ||
                                                         may_follow(*packager.format(), *rung.format)));
}

bool Channel::is_ahead(Duration shown_at) const {
  return lanes_.empty() || shown_at > program_.shown_until() + kAheadMax;
}

// By the clock as it is at that time: it bends (PROGRAM-DATE-TIME does).
WallTime Channel::zero_at(Duration seen_at) const { return WallTime() + (wall_.clock_at(seen_at) - seen_at); }

Result<void, PictureRefusal> Channel::set_poster(Poster poster) {
  if (is_ahead(poster.at)) return refuse(PictureRefusal::kAhead);
  const WallTime zero = zero_at(poster.at);
  return gallery_.set_poster(std::move(poster), zero);
}

Result<void, PictureRefusal> Channel::set_storyboard(Storyboard storyboard) {
  const Duration newest = storyboard.tiles.empty() ? Duration() : storyboard.tiles.back();
  if (is_ahead(newest)) return refuse(PictureRefusal::kAhead);
  return gallery_.set_storyboard(std::move(storyboard), zero_at(newest));
}

void Channel::stop_rung(RungState& rung, RungRefusal why, ChannelOutputs& out) {
  unfeed(rung, false);
  rung.is_stopped = true;
  ++stats_.rungs_stopped;
  emit(ChannelEventKind::kRenditionMisaligned, rung.rung.name + ": " + name_of(why), out);
  program_.tell_stopped({rung.rung.id, why});
}

void Channel::unfeed(const RungState& rung, bool is_offered) {
  Lane* lane = rung.lane;
  if (!lane) return;
  lane->is_silent = lane->is_silent || lane->is_fed;
  lane->is_fed = false;
  if (is_offered || !lane->is_offered) return;
  lane->is_offered = false;
  has_list_news_ = true;
}

// Workers are a little behind: what they would still have made is missing.
void Channel::finish_rungs() {
  for (RungState& rung : rungs_) unfeed(rung, true);
  for (auto& lane : lanes_) {
    Packager& packager = lane->packager;
    if (!lane->rung || !packager.has_started()) continue;
    catch_up(*lane);
    fill(*lane, end(), kExact);
    if (!packager.segment_has_content()) packager.fill_gap(packager.end() + kLeastGap);
  }
}

}  // namespace stoa::live
