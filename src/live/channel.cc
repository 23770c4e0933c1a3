#include "live/channel.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace stoa::live {
namespace {

// Discontinuities of one broadcast are at least so far apart; frames that ask for more are dropped.
constexpr Duration kDiscontinuityDistance = Duration::milliseconds(250);
// A better source goes on air with frames no older than this, so that little is shown twice.
constexpr Duration kSwitchWithin = Duration::milliseconds(100);

Duration clock_of(Timestamp now) { return now - Timestamp(); }
Duration clock_of(WallTime wall) { return wall - WallTime(); }

ChannelConfig made_legal(ChannelConfig config) {
  config.target_duration_s = std::clamp<std::uint32_t>(config.target_duration_s, 1, 60);
  Duration target_duration = Duration::seconds(config.target_duration_s);
  config.part_target = std::clamp(config.part_target, Duration::milliseconds(100), Duration::seconds(1));
  config.segment_target =
      std::clamp(config.segment_target, std::min(config.part_target, target_duration), target_duration);
  config.grace = std::max(config.grace, Duration());
  config.stall = std::max(config.stall, config.part_target);
  return config;
}

std::string make_broadcast_name(Rng& rng) {
  constexpr char kAlphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
  std::string name;
  for (int i = 0; i < 10; ++i) name += kAlphabet[rng.below(sizeof kAlphabet - 1)];
  return name;
}

// How well whole frames fill a part, in thousandths, in the worst track.
std::int64_t worst_fill(Duration part, std::span<const Duration> frames) {
  std::int64_t worst = 1'000;
  for (Duration frame : frames) {
    if (frame <= Duration()) continue;
    worst = std::min(worst, frame * (part / frame) * 1'000 / part);
  }
  return worst;
}

}  // namespace

Duration choose_part_target(Duration wanted, std::span<const Duration> frames) {
  constexpr std::int64_t kFillMin = 855;
  const Duration step = Duration::milliseconds(1);
  wanted = step * ((wanted + step - Duration::nanoseconds(1)) / step);
  // 0.333 s is meant to hold ten frames of a thirtieth.
  for (Duration frame : frames) {
    if (frame <= Duration()) continue;
    Duration whole = frame * std::max<std::int64_t>(1, (wanted + frame / 2) / frame);
    Duration rounded = step * ((whole + step - Duration::nanoseconds(1)) / step);
    if ((rounded - wanted).abs() * 50 <= wanted) {
      wanted = rounded;
      break;
    }
  }
  if (worst_fill(wanted, frames) >= kFillMin) return wanted;
  Duration least = std::min(wanted, Duration::milliseconds(100)), most = Duration::seconds(2);
  Duration best = wanted;
  for (Duration away = step; wanted - away >= least || wanted + away <= most; away += step) {
    for (Duration candidate : {wanted + away, wanted - away}) {
      if (candidate < least || candidate > most) continue;
      if (worst_fill(candidate, frames) >= kFillMin) return candidate;
      if (worst_fill(candidate, frames) > worst_fill(best, frames)) best = candidate;
    }
  }
  return best;
}

const char* name_of(SourceDropReason reason) {
  switch (reason) {
    case SourceDropReason::kTakenOver: return "taken over";
    case SourceDropReason::kTooManySources: return "too many sources";
    case SourceDropReason::kBroadcastEnded: return "broadcast ended";
    case SourceDropReason::kServerStops: return "server stops";
  }
  return "?";
}

const char* name_of(ChannelEventKind kind) {
  switch (kind) {
    case ChannelEventKind::kLive: return "live";
    case ChannelEventKind::kInterrupted: return "interrupted";
    case ChannelEventKind::kResumed: return "resumed";
    case ChannelEventKind::kSourceSwitched: return "source_switched";
    case ChannelEventKind::kDiscontinuity: return "discontinuity";
    case ChannelEventKind::kGap: return "gap";
    case ChannelEventKind::kKeyframeIntervalTooLong: return "keyframe_interval_too_long";
    case ChannelEventKind::kRenditionMisaligned: return "rendition_misaligned";
    case ChannelEventKind::kTrackRefused: return "track_refused";
    case ChannelEventKind::kSlate: return "slate";
    case ChannelEventKind::kContinuity: return "continuity";
    case ChannelEventKind::kOfferedUnfit: return "offered_unfit";
    case ChannelEventKind::kEnded: return "ended";
  }
  return "?";
}

Channel::Channel(std::string name, const ChannelConfig& config, Rng rng)
    : name_(std::move(name)), config_(made_legal(config)), broadcast_(make_broadcast_name(rng)) {
  playlist_limits_ = {config_.part_target, config_.target_duration_s};
}

std::optional<SourceId> Channel::source_on_air() const {
  if (!on_air_) return std::nullopt;
  return on_air_->id();
}

Source* Channel::find_source(SourceId id) {
  for (auto& source : sources_)
    if (source->id() == id) return source.get();
  return nullptr;
}

void Channel::emit(ChannelEventKind kind, std::string text, ChannelOutputs& out) {
  out.push(ChannelEvent{kind, std::move(text)});
}

void Channel::warn(const char* warning) {
  if (std::ranges::find(warnings_, warning) != warnings_.end()) return;
  warnings_.emplace_back(warning);
  has_news_ = true;
}

void Channel::handle_source_started(Timestamp now, WallTime wall, SourceId id, const SourceOffer& offer,
                                    ChannelOutputs& out) {
  if (has_ended() || find_source(id)) {
    out.push(SourceDropped{id, SourceDropReason::kBroadcastEnded});
    return;
  }
  auto holder =
      std::ranges::find_if(sources_, [&](const auto& s) { return s->priority() == offer.priority; });
  if (holder != sources_.end()) {
    SourceId old = (*holder)->id();
    if (holder->get() == on_air_) take_off_air(out);
    remove_source(old);
    out.push(SourceDropped{old, SourceDropReason::kTakenOver});
  }
  if (sources_.size() >= kSourcesMax) {
    out.push(SourceDropped{id, SourceDropReason::kTooManySources});
    return;
  }
  sources_.push_back(std::make_unique<Source>(id, offer.priority, offer.description, config_.source, now));
  if (lanes_.empty()) away_since_.reset();
  settle(now, wall, out);
}

void Channel::handle_event(Timestamp now, WallTime wall, SourceId id, const media::TrackEvent& event,
                           ChannelOutputs& out) {
  Source* source = find_source(id);
  if (!source || has_ended()) return;
  std::visit(Overloaded{[&](const media::TrackFormat& format) { source->handle_format(format); },
                        [&](const media::TrackFrame& frame) { handle_frame(now, wall, *source, frame, out); },
                        [&](const media::TrackEnded& ended) { source->handle_track_ended(ended.track); }},
             event);
  settle(now, wall, out);
}

void Channel::handle_frame(Timestamp now, WallTime wall, Source& source, const media::TrackFrame& event,
                           ChannelOutputs& out) {
  auto frame = source.handle_frame(now, wall, event);
  if (!frame) {
    ++stats_.frames_refused;
    return;
  }
  if (&source != on_air_) {
    source.keep(std::move(*frame));
    return;
  }
  if (frame->place.epoch != epoch_) {
    if (last_discontinuity_at_ && now - *last_discontinuity_at_ < kDiscontinuityDistance) {
      ++stats_.frames_rate_limited;
      return;
    }
    epoch_ = frame->place.epoch;
    Duration at = break_timeline(now, frame->begins_at() + offset_, "the encoder's clock jumped", out);
    offset_ = at - frame->begins_at();
  }
  deliver(*frame, out);
}

void Channel::handle_track_left_out(Timestamp now, SourceId id) {
  if (has_ended() || !find_source(id) || is_held_by(id)) return;
  holders_.push_back(id);
  update_deadline(now);
}

// Where renditions have nothing either the grace time begins; where they have, with their own silence.
void Channel::handle_left_out_gone(Timestamp now, WallTime wall, SourceId id, ChannelOutputs& out) {
  if (has_ended() || std::erase(holders_, id) == 0) return;
  if (!on_air_ || is_filling_) away_since_ = now;
  settle(now, wall, out);
}

bool Channel::is_held_by(SourceId id) const { return std::ranges::find(holders_, id) != holders_.end(); }

bool Channel::has_room(int priority) const {
  return sources_.size() < kSourcesMax ||
         std::ranges::any_of(sources_, [&](const auto& source) { return source->priority() == priority; });
}

void Channel::handle_source_ended(Timestamp now, WallTime wall, SourceId id, ChannelOutputs& out) {
  if (!find_source(id) || has_ended()) return;
  if (on_air_ && on_air_->id() == id) take_off_air(out);
  bool was_held = is_held_by(id);
  remove_source(id);
  if (sources_.empty() && (!away_since_ || was_held)) away_since_ = now;
  settle(now, wall, out);
}

// What it sent can be watched at once; GAP parts follow on time if no other source does (rule G13).
void Channel::take_off_air(ChannelOutputs& out) {
  finish_parts(out);
  on_air_ = nullptr;
}

void Channel::interrupt(Timestamp now, const char* why, ChannelOutputs& out) {
  if (!away_since_) away_since_ = now;
  if (state_ != ChannelState::kLive) return;
  state_ = ChannelState::kInterrupted;
  ++stats_.interruptions;
  has_news_ = true;
  emit(ChannelEventKind::kInterrupted, why, out);
}

void Channel::remove_source(SourceId id) {
  std::erase_if(sources_, [&](const auto& source) { return source->id() == id; });
  std::erase(holders_, id);
}

void Channel::end(Timestamp now, SourceDropReason why, ChannelOutputs& out) {
  if (has_ended()) return;
  finish(now, why, out);
  update_deadline(now);
}

void Channel::handle_deadline(Timestamp now, WallTime wall, ChannelOutputs& out) {
  if (!has_ended()) settle(now, wall, out);
}

// What follows from any input.
void Channel::settle(Timestamp now, WallTime wall, ChannelOutputs& out) {
  choose_source(now, wall, out);
  release_held(now, out);
  update_program_tracks();
  tell_gone(now);
  if (sources_.empty() && state_ == ChannelState::kLive) interrupt(now, "the encoder is away", out);
  fill_absence(now, out);
  replace_missing(now, out);
  fill_silent(now, out);
  offer_unserved(now, out);
  if (now >= give_up_at())
    finish(now, SourceDropReason::kBroadcastEnded, out);
  else
    publish(now, out);
  update_deadline(now);
}

void Channel::choose_source(Timestamp now, WallTime wall, ChannelOutputs& out) {
  if (last_discontinuity_at_ && now - *last_discontinuity_at_ < kDiscontinuityDistance) return;
  Source* best = nullptr;
  for (auto& source : sources_) {
    if (source.get() == on_air_ || source->is_silent(now) || !source->is_ready(now)) continue;
    if (!best || source->priority() < best->priority()) best = source.get();
  }
  if (!best) return;
  if (on_air_) {
    bool is_gone = now - on_air_->last_frame_at() >= config_.standby_after;
    // The better source is back: switch where it has just sent a keyframe, so that nothing is shown twice.
    bool is_better =
        best->priority() < on_air_->priority() && best->has_been_steady(now, config_.switch_back_after);
    if (is_better && !is_gone) best->drop_sound_before(now - kSwitchWithin);
    is_better = is_better && now - best->kept().front().arrived <= kSwitchWithin;
    if (!is_gone && !is_better) return;
  }
  put_on_air(now, wall, *best, out);
}

void Channel::put_on_air(Timestamp now, WallTime, Source& source, ChannelOutputs& out) {
  std::deque<SourceFrame> frames = source.take_kept();
  STOA_ASSERT(!frames.empty());
  auto start = std::ranges::find_if(frames, [](const SourceFrame& frame) {
    return frame.format->kind() == media::Kind::kVideo && frame.is_keyframe;
  });
  Duration first = (start == frames.end() ? frames.front() : *start).begins_at();
  bool is_first = lanes_.empty();
  if (is_first) {
    on_air_ = &source;
    begun_at_ = now;
    begin_broadcast(source, frames, first, out);
  } else {
    Duration last = frames.back().place.dts;
    Duration live = arrival_.media_at(clock_of(now)) - (last - first);
    bool is_switch = on_air_ != nullptr || !is_filling_;
    Duration at =
        break_timeline(now, live, is_switch ? "another source is on air" : "the encoder is back", out);
    on_air_ = &source;
    offset_ = at - first;
    if (is_switch) {
      ++stats_.source_switches;
      emit(ChannelEventKind::kSourceSwitched, source.description(), out);
    }
    resume(out);
    cut_at_next_keyframe_ = false;
    bind_tracks(source, out);
  }
  epoch_ = frames.back().place.epoch;
  for (const SourceFrame& frame : frames)
    if (frame.place.epoch == epoch_) deliver(frame, out);
}

void Channel::resume(ChannelOutputs& out) {
  bool was_away = state_ == ChannelState::kInterrupted;
  is_filling_ = false;
  away_since_.reset();
  state_ = ChannelState::kLive;
  if (!was_away) return;
  has_news_ = true;
  emit(ChannelEventKind::kResumed, "the encoder is back", out);
}

void Channel::begin_broadcast(const Source& source, const std::deque<SourceFrame>& frames, Duration first,
                              ChannelOutputs& out) {
  std::vector<Duration> durations;
  for (int i = 0; i < media::kTracksPerPublicationMax; ++i)
    durations.push_back(source.timeline().frame_duration(static_cast<media::TrackId>(i)));
  if (config_.ladder_wait > Duration()) add_rung_durations(durations);
  playlist_limits_.part_target = choose_part_target(config_.part_target, durations);
  offset_ = -first;
  not_before_ = Duration();
  video_frontier_ = Duration();
  // The earliest arrival of what is here says how far behind its capture this source is seen.
  const SourceFrame* earliest = &frames.front();
  for (const SourceFrame& frame : frames)
    if (clock_of(frame.arrived) - frame.place.dts < clock_of(earliest->arrived) - earliest->place.dts)
      earliest = &frame;
  Duration at = earliest->place.dts + offset_;
  arrival_.start(at, clock_of(earliest->arrived));
  wall_.start(at, clock_of(earliest->arrived_wall));
  started_at_ = WallTime::from_us(wall_.clock_at(Duration()).us());
  state_ = ChannelState::kLive;
  away_since_.reset();
  has_news_ = true;
  bind_tracks(source, out);
  STOA_ASSERT(!lanes_.empty());
  for (auto& lane : lanes_) {
    lane->is_joining = false;
    lane->last_part_at = source.last_frame_at();
    lane->packager.start(0, Duration(), false, 0);
  }
  emit(ChannelEventKind::kLive, source.description(), out);
}

void Channel::bind_tracks(const Source& source, ChannelOutputs& out) {
  for (auto& lane : lanes_) {
    lane->track.reset();
    lane->shift = Duration();
    lane->late_since.reset();
    lane->held.clear();
    lane->knows_orientation = false;
  }
  for (int i = 0; i < media::kTracksPerPublicationMax; ++i) {
    const auto& track = source.track(static_cast<media::TrackId>(i));
    if (track && track->has_frames && !track->has_ended)
      bind_track(source, static_cast<media::TrackId>(i), track->format, out);
  }
}

// The first rendition of its kind that no track feeds, or a new one.
Lane* Channel::bind_track(const Source& source, media::TrackId id,
                          const std::shared_ptr<const media::Format>& format, ChannelOutputs& out) {
  const Source::Track& track = *source.track(id);
  media::Kind kind = format->kind();
  int of_kind = 0;
  for (auto& lane : lanes_) {
    if (lane->rung || lane->packager.kind() != kind) continue;
    ++of_kind;
    if (lane->track) continue;
    lane->track = id;
    lane->decoded_early.reset();
    lane->waits_for_keyframe = kind == media::Kind::kVideo;
    return lane.get();
  }
  if (lanes_.size() >= kRenditionsMax) {
    if (stats_.tracks_refused++ == 0) emit(ChannelEventKind::kTrackRefused, track.name, out);
    return nullptr;
  }
  std::string name = (kind == media::Kind::kVideo ? "v" : "a") + std::to_string(of_kind);
  lanes_.push_back(std::make_unique<Lane>(
      Packager(name, format, track.name, track.language, playlist_limits_, config_.packager, wall_)));
  Lane& lane = *lanes_.back();
  lane.track = id;
  lane.program_track = static_cast<media::TrackId>(
      std::ranges::count_if(lanes_, [](const auto& each) { return !each->rung; }) - 1);
  lane.waits_for_keyframe = kind == media::Kind::kVideo;
  lane.is_joining = true;
  // Right after a discontinuity its segment is still empty everywhere, so it joins there.
  bool is_fresh = grid_.newest().has_discontinuity && std::ranges::none_of(lanes_, [](const auto& l) {
                    return l->packager.has_started() && l->packager.segment_has_content();
                  });
  hold_back(lane);
  lane.joins_after = is_fresh ? grid_.newest().msn - 1 : grid_.newest().msn;
  return &lane;
}

void Channel::finish(Timestamp now, SourceDropReason why, ChannelOutputs& out) {
  finish_rungs();
  if (!lanes_.empty()) finish_parts(out);
  for (auto& lane : lanes_)
    if (lane->packager.has_started()) lane->packager.finish();
  state_ = ChannelState::kEnded;
  on_air_ = nullptr;
  has_news_ = true;
  for (const auto& source : sources_) out.push(SourceDropped{source->id(), why});
  sources_.clear();
  holders_.clear();
  publish(now, out);
  emit(ChannelEventKind::kEnded, name_, out);
  out.push(BroadcastEnded{});
}

// When the grace time is over. An encoder that has just connected is given the time it needs to begin.
Timestamp Channel::give_up_at() const {
  if (!away_since_ || !holders_.empty()) return Timestamp::never();
  Timestamp at = *away_since_ + config_.grace;
  for (const auto& source : sources_)
    if (source.get() != on_air_)
      at = std::max(at, source->started_at() + config_.source.keyframe_wait + config_.source.start_wait);
  return at;
}

void Channel::update_deadline(Timestamp now) {
  deadline_ = Timestamp::never();
  if (has_ended()) return;
  auto consider = [&](Timestamp at) {
    if (at > now) deadline_ = std::min(deadline_, at);
  };
  for (const auto& source : sources_) {
    if (source.get() == on_air_) continue;
    consider(source->ready_deadline(now));
    if (on_air_ && source->has_frames()) consider(on_air_->last_frame_at() + config_.standby_after);
    if (last_discontinuity_at_) consider(*last_discontinuity_at_ + kDiscontinuityDistance);
  }
  if (!lanes_.empty()) consider(gap_due());
  if (multivariant_.empty() && !lanes_.empty()) consider(begun_at_ + config_.ladder_wait);
  consider(give_up_at());
  for (const auto& lane : lanes_) {
    if (!lane->held.empty()) consider(lane->held.front().arrived + kHoldMax);
    if (lane->unserved_since) consider(*lane->unserved_since + config_.ladder_wait + kHeldBackMax);
  }
}

void Channel::append_metrics(MetricSamples& samples) const {
  auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    samples.push_back({name, help, MetricKind::kCounter, {}, static_cast<double>(value)});
  };
  PackagerStats sum;
  std::size_t held_bytes = 0;
  for (const auto& lane : lanes_) {
    const PackagerStats& stats = lane->packager.stats();
    sum.parts += stats.parts;
    sum.gap_parts += stats.gap_parts;
    sum.segments += stats.segments;
    sum.media_bytes += stats.media_bytes;
    sum.frames += stats.frames;
    sum.frames_over_limit += stats.frames_over_limit;
    held_bytes += lane->packager.held_bytes();
  }
  counter("stoa_live_parts_total", "Parts made, GAP parts included.", sum.parts);
  counter("stoa_live_gap_parts_total", "Parts without media.", sum.gap_parts);
  counter("stoa_live_segments_total", "Segments completed.", sum.segments);
  counter("stoa_live_media_bytes_total", "Bytes of parts made.", sum.media_bytes);
  counter("stoa_live_frames_total", "Frames packed.", sum.frames);
  auto dropped = [&](const char* reason, std::uint64_t value) {
    samples.push_back({"stoa_live_frames_dropped_total",
                       "Frames not packed.",
                       MetricKind::kCounter,
                       {{"reason", reason}},
                       static_cast<double>(value)});
  };
  dropped("over_limit", sum.frames_over_limit);
  dropped("late", stats_.frames_late);
  dropped("before_keyframe", stats_.frames_undecodable);
  dropped("no_place_on_timeline", stats_.frames_refused);
  dropped("discontinuities_too_fast", stats_.frames_rate_limited);
  counter("stoa_live_discontinuities_total", "Discontinuities made.", stats_.discontinuities);
  counter("stoa_live_source_switches_total", "Times another source went on air.", stats_.source_switches);
  counter("stoa_live_interruptions_total", "Times no source was on air.", stats_.interruptions);
  counter("stoa_live_rung_frames_total", "Frames that workers made.", stats_.rung_frames);
  counter("stoa_live_rung_frames_late_total", "Frames of workers whose time was filled already.",
          stats_.rung_frames_late);
  counter("stoa_live_rungs_stopped_total", "Times a worker's rendition broke the rules.",
          stats_.rungs_stopped);
  counter("stoa_live_forced_cuts_total", "Segments cut without a keyframe.", stats_.forced_cuts);
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const Fault kind = static_cast<Fault>(i);
    samples.push_back({"stoa_live_faults_total",
                       "Faults in what came out, of one rendition each.",
                       MetricKind::kCounter,
                       {{"kind", name_of(kind)}},
                       static_cast<double>(continuity_.count(kind))});
  }
  samples.push_back({"stoa_live_window_bytes",
                     "Media held for viewers.",
                     MetricKind::kGauge,
                     {},
                     static_cast<double>(held_bytes)});
  samples.push_back({"stoa_live_renditions",
                     "Renditions of broadcasts that are not over.",
                     MetricKind::kGauge,
                     {},
                     has_ended() ? 0.0 : static_cast<double>(lanes_.size())});
}

}  // namespace stoa::live
