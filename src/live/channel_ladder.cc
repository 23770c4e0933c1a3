// Renditions that workers make of what is on air: what workers are told, and what is taken of them.
#include <algorithm>
#include <utility>

#include "live/channel.h"

namespace stoa::live {
namespace {

// Pictures that may be decoded before one that is shown first (H.264 and HEVC: 16).
constexpr std::size_t kReorderMax = 32;
// Sound may be so much ahead of what is on air: whole frames of another length.
constexpr Duration kAheadMax = Duration::milliseconds(100);
constexpr Duration kLeastGap = Duration::milliseconds(10);
// Of sound that is made of other sound: AAC at 48 kHz.
constexpr Duration kSoundFrame = Duration::from_ticks(1'024, 48'000);
// Pictures that come faster are made into every other one, too.
constexpr Duration kFastFrame = Duration::milliseconds(21);

bool fits(const media::Rung& rung, const media::Format& format) {
  if (format.codec != rung.codec) return false;
  return rung.kind() == media::Kind::kAudio || (format.width <= rung.width && format.height <= rung.height);
}

}  // namespace

// ---- The ladder.

void Channel::set_ladder(Timestamp now, std::vector<media::Rung> ladder, ChannelOutputs& out) {
  if (has_ended() || config_.ladder_wait <= Duration()) return;
  is_ladder_known_ = true;
  for (RungState& state : rungs_)
    if (std::ranges::find(ladder, state.rung.id, &media::Rung::id) == ladder.end()) unfeed(state, false);
  std::erase_if(rungs_, [&](const RungState& state) {
    return std::ranges::find(ladder, state.rung.id, &media::Rung::id) == ladder.end();
  });
  for (media::Rung& rung : ladder)
    if (!find_rung(rung.id) && rungs_.size() < media::kRungsMax) rungs_.push_back({.rung = std::move(rung)});
  publish(now, out);
}

Channel::RungState* Channel::find_rung(media::RungId id) {
  auto found = std::ranges::find(rungs_, id, [](const RungState& state) { return state.rung.id; });
  return found == rungs_.end() ? nullptr : &*found;
}

// Players read the multivariant playlist once: what is not in it then is not seen.
bool Channel::awaits_ladder(Timestamp now) const {
  if (config_.ladder_wait <= Duration() || now - begun_at_ >= config_.ladder_wait) return false;
  return !is_ladder_known_ || std::ranges::any_of(rungs_, [](const RungState& state) {
    return !state.is_stopped && (!state.lane || state.lane->packager.parts_made() < kPartsToBeListed);
  });
}

void Channel::add_rung_durations(std::vector<Duration>& durations) const {
  for (std::size_t i = 0, count = durations.size(); i < count; ++i)
    if (durations[i] > Duration() && durations[i] < kFastFrame) durations.push_back(durations[i] * 2);
  durations.push_back(kSoundFrame);
}

// ---- What workers are told.

void Channel::start_program() {
  has_listener_ = true;
  for (ProgramOutput& item : log_.replay()) program_.push(std::move(item));
}

void Channel::stop_program(Timestamp now, WallTime wall, ChannelOutputs& out) {
  has_listener_ = false;
  program_.clear();
  if (has_ended()) return;
  for (RungState& rung : rungs_) unfeed(rung, true);
  settle(now, wall, out);
}

void Channel::tell_program(Lane& lane, const ChannelFrame& frame,
                           const std::shared_ptr<const media::Format>& format) {
  if (config_.ladder_wait <= Duration()) return;
  const bool is_video = lane.packager.kind() == media::Kind::kVideo;
  if (is_video || !has_leading_video()) tell_cuts(frame, is_video);
  if (lane.program_format != format) {
    lane.program_format = format;
    tell(ProgramTrack{lane.program_track, format, lane.packager.label(), lane.packager.language()});
  }
  if (is_video) {
    grid_.note_picture(frame.pts);
    recent_pictures_.push_back(frame.pts);
    if (recent_pictures_.size() > kReorderMax) recent_pictures_.pop_front();
  }
  program_shown_until_ = std::max(program_shown_until_, frame.pts);
  tell(ProgramFrame{program_frames_++, lane.program_track, frame});
}

// Cuts that no frame was told behind. The keyframe of one says when its pictures are shown.
void Channel::tell_cuts(const ChannelFrame& frame, bool is_video) {
  next_cut_ = std::max(next_cut_, grid_.oldest_msn());
  const auto begins = [&](const Boundary& cut) {
    return frame.is_keyframe && (frame.dts - cut.time).abs() <= kExact;
  };
  for (std::uint64_t msn = next_cut_; msn <= grid_.newest().msn; ++msn)
    if (begins(*grid_.find(msn))) shown_late_ = is_video ? frame.pts - frame.dts : Duration();
  for (; next_cut_ <= grid_.newest().msn; ++next_cut_) {
    const Boundary& cut = *grid_.find(next_cut_);
    const ProgramCut told{cut.msn, cut.time + shown_late_, cut.has_discontinuity};
    grid_.set_shown_from(cut.msn, told.shown_from);
    // Where frames are decoded in another order than shown some are here already.
    if (cut.has_discontinuity) recent_pictures_.clear();
    for (Duration shown_at : recent_pictures_) grid_.note_picture(shown_at);
    tell(told, begins(cut));
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
    if (lanes_.size() >= kRenditionsMax) return refuse(RungRefusal::kTooMany);
    const auto of = std::ranges::find_if(lanes_, [&](const auto& lane) {
      return !lane->rung && lane->program_track == rung->rung.of &&
             lane->packager.kind() == rung->rung.kind();
    });
    const std::string label = of == lanes_.end() ? "" : (*of)->packager.label();
    const std::string language = of == lanes_.end() ? "" : (*of)->packager.language();
    lanes_.push_back(std::make_unique<Lane>(
        Packager(rung->rung.name, format, label, language, playlist_limits_, config_.packager, wall_)));
    rung->lane = lanes_.back().get();
    rung->lane->rung = id;
    rung->lane->is_joining = true;
  }
  rung->format = std::move(format);
  rung->is_stopped = false;
  if (!rung->lane->is_fed) rung->last_pts.reset();  // What was told before is told again.
  rung->lane->is_fed = true;
  rung->lane->waits_for_keyframe = rung->rung.kind() == media::Kind::kVideo;
  return {};
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
  if (frame.pts > program_shown_until_ + (is_video ? kExact : kAheadMax)) return refuse(RungRefusal::kAhead);
  rung.last_pts = frame.pts;
  ++stats_.rung_frames;
  lane.last_frame_at = now;
  const Boundary* boundary = is_video ? grid_.find_shown_at(frame.pts) : grid_.find_at(frame.pts);
  if (!boundary) {
    ++stats_.rung_frames_late;
    return {};
  }
  if (is_video) {
    const bool is_first = boundary->first_picture && (frame.pts - *boundary->first_picture).abs() <= kExact;
    if (frame.is_keyframe && !is_first) return refuse(RungRefusal::kKeyframeOffGrid);
    const bool begins = !before || *before < *boundary->shown_from - kExact;
    if (!frame.is_keyframe && begins && !lane.waits_for_keyframe) return refuse(RungRefusal::kMissedCut);
  }
  const ChannelFrame placed = frame_of(rung, frame, *boundary);
  if (is_video) lane.frame_duration = placed.nominal_duration;
  if (lane.waits_for_keyframe && !frame.is_keyframe) {
    ++stats_.frames_undecodable;
    return {};
  }
  if (lane.is_joining) {
    lane.is_joining = false;
    lane.last_part_at = now;
    packager.set_format(rung.format);
    packager.start(boundary->msn, boundary->time, boundary->has_discontinuity,
                   boundary->discontinuities_before);
  }
  if (packager.msn() > boundary->msn || placed.dts < packager.gap_end() - kLateMax) {
    ++stats_.rung_frames_late;
    lane.waits_for_keyframe = is_video;
    return {};
  }
  if (lane.is_silent) {
    fill(lane, placed.dts, kExact);
  } else if (packager.needs_gap_before(placed.dts)) {
    emit(ChannelEventKind::kGap, packager.name(), out);
    fill(lane, placed.dts, Duration());
  }
  if (!enter_rung_segment(rung, *boundary, placed.dts)) return refuse(RungRefusal::kFormatChanged);
  if (packager.needs_gap_before(placed.dts)) fill(lane, placed.dts, Duration());
  lane.waits_for_keyframe = lane.is_silent = false;
  if (!std::exchange(lane.is_offered, true)) has_list_news_ = true;
  packager.append(placed);
  return {};
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
    if (next.msn == boundary.msn) {
      packager.finish_part();
      if (!take_format(next.has_discontinuity)) return false;
    }
    enter_segment(*rung.lane, next, until);
  }
  return take_format(!packager.segment_has_content() && grid_.find(packager.msn())->has_discontinuity);
}

void Channel::stop_rung(RungState& rung, RungRefusal why, ChannelOutputs& out) {
  unfeed(rung, false);
  rung.is_stopped = true;
  ++stats_.rungs_stopped;
  emit(ChannelEventKind::kRenditionMisaligned, rung.rung.name + ": " + name_of(why), out);
  program_.push(RungStopped{rung.rung.id, why});
}

void Channel::unfeed(RungState& rung, bool is_offered) {
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
