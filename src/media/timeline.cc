#include "media/timeline.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/assert.h"

namespace stoa::media {
namespace {

constexpr Duration kTimeMax = Duration::nanoseconds(std::int64_t{1} << 60);
constexpr Duration kReorderMax = Duration::seconds(10);
constexpr Duration kMinStep = Duration::milliseconds(1);
constexpr Duration kRounding = Duration::microseconds(2'500);  // Two roundings to 1 ms, and some.
constexpr int kStepsToGuess = 4;
constexpr int kIrregularMax = 4;            // Of the last 32 steps.
constexpr std::int64_t kRunToCorrect = 64;  // Frames that must be seen before a rate is called wrong.

struct CommonRate {
  std::int64_t numerator;
  std::int64_t denominator;
};
constexpr CommonRate kCommonRates[] = {
    {30, 1}, {30'000, 1'001}, {25, 1},  {24, 1},  {24'000, 1'001}, {60, 1}, {60'000, 1'001},
    {50, 1}, {48, 1},         {120, 1}, {100, 1}, {15, 1},         {12, 1}, {10, 1},
    {20, 1}, {5, 1},          {1, 1},   {2, 1},   {15'000, 1'001}, {90, 1}, {72, 1},
};

// The difference of two readings of a clock that wraps, in [-wrap/2, wrap/2).
Duration wrapped_difference(Duration difference, Duration wrap) {
  if (wrap == Duration::infinite() || wrap <= Duration()) return difference;
  std::int64_t rest = difference.ns() % wrap.ns();
  if (rest < -wrap.ns() / 2) rest += wrap.ns();
  if (rest >= wrap.ns() - wrap.ns() / 2) rest -= wrap.ns();
  return Duration::nanoseconds(rest);
}

}  // namespace

void Timeline::handle_format(TrackId id, const Format& format, Duration clock_wrap) {
  STOA_ASSERT(id < kTracksPerPublicationMax);
  auto& slot = tracks_[id];
  if (!slot) slot.emplace();
  Track& track = *slot;
  track.kind = format.kind();
  track.wrap = clock_wrap;
  FrameRate rate;
  if (track.kind == Kind::kAudio) {
    if (format.sample_rate > 0 && format.samples_per_frame > 0)
      rate = {format.sample_rate, format.samples_per_frame};
  } else if (format.frame_rate() >= 0.1 && format.frame_rate() <= 500) {
    rate = {format.frame_rate_numerator, format.frame_rate_denominator};
  }
  // Both are of 32 bits: their products need 64 without a sign.
  auto product = [](std::int64_t a, std::int64_t b) {
    return static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b);
  };
  bool is_same =
      product(rate.numerator, track.rate.denominator) == product(track.rate.numerator, rate.denominator);
  if (is_same || (rate.numerator == 0 && track.kind == Kind::kVideo && track.rate_is_guess)) return;
  track.rate = rate;
  track.rate_is_guess = false;
  track.irregular = 0;
  track.step_count = 0;
  if (track.has_position) regrid(track, track.last_out);
}

Result<PlacedFrame, TimelineRefusal> Timeline::handle_frame(Timestamp now, TrackId id, Duration dts,
                                                            Duration pts) {
  if (id >= kTracksPerPublicationMax || !tracks_[id]) {
    ++stats_.refused;
    return refuse(TimelineRefusal::kUnknownTrack);
  }
  if (dts > kTimeMax || dts < -kTimeMax || pts > kTimeMax || pts < -kTimeMax) {
    ++stats_.refused;
    return refuse(TimelineRefusal::kTimeOutOfRange);
  }
  Track& track = *tracks_[id];
  Duration offset = wrapped_difference(pts - dts, track.wrap);
  if (offset.abs() > kReorderMax) offset = Duration();

  Duration previous = track.source_time;
  Duration time = unwrap(track, dts);
  if (!has_begun_) {
    has_begun_ = true;
    shared_shift_ = -(time + (track.kind == Kind::kVideo ? offset : Duration()));
    latest_out_ = Duration();
    latest_arrived_ = now;
    earliest_offset_ = now - Timestamp();
  }
  if (!track.has_clock) {
    track.has_clock = true;
    track.shift = shared_shift_;
    if ((time + track.shift - live_position(now)).abs() > config_.unrelated_clock)
      track.shift = live_position(now) - time;
  } else if (track.jump_pending) {
    if (auto refusal = settle_after_jump(track, now, time - previous)) {
      ++stats_.refused;
      return refuse(*refusal);
    }
  } else if (is_jump(track, now, time - previous)) {
    start_epoch(track, now);
  }

  if (!track.has_position) {
    track.reorder_delay = track.kind == Kind::kVideo && offset > Duration() ? offset : Duration();
    track.steps = {};
    track.step_count = 0;
  } else if (track.kind == Kind::kVideo) {
    note_step(track, time - previous);
  }
  track.arrived = now;
  auto placed = place(track, time + track.shift + track.reorder_delay);
  if (!placed) {
    ++stats_.refused;
    return refuse(TimelineRefusal::kOverlap);
  }
  track.last_out = *placed;
  if (*placed >= latest_out_) {
    latest_out_ = *placed;
    latest_arrived_ = now;
  }
  earliest_offset_ = std::min(earliest_offset_, now - Timestamp() - *placed);
  Duration shown = track.kind == Kind::kAudio
                       ? *placed
                       : *placed + composition_offset(track, offset - track.reorder_delay);
  return PlacedFrame{.dts = *placed,
                     .pts = shown,
                     .nominal_duration = is_steady(track) ? track.rate.times(1) : Duration(),
                     .epoch = epoch_};
}

Duration Timeline::frame_duration(TrackId id) const {
  if (id >= kTracksPerPublicationMax || !tracks_[id] || !is_steady(*tracks_[id])) return Duration();
  return tracks_[id]->rate.times(1);
}

Duration Timeline::unwrap(Track& track, Duration dts) {
  Duration reference = track.has_clock ? track.source_time : has_begun_ ? source_latest_ : dts;
  Duration time = reference + wrapped_difference(dts - reference, track.wrap);
  // Far from where any clock of this source has been for its whole life: begin a new count.
  if (time.abs() > kTimeMax * 2) time = dts;
  if (track.wrap != Duration::infinite() && track.has_clock && time > reference &&
      dts.ns() % track.wrap.ns() < reference.ns() % track.wrap.ns())
    ++stats_.wraps;
  track.source_time = time;
  source_latest_ = time;
  return time;
}

// Where a frame that is captured and arrives now belongs.
Duration Timeline::live_position(Timestamp now) const {
  return latest_out_ + std::max(Duration(), now - latest_arrived_);
}

bool Timeline::is_jump(const Track& track, Timestamp now, Duration step) const {
  if (step < -config_.backward_jump) return true;
  if (step <= config_.forward_jump) return false;
  // A track that was late may catch up by as much without having jumped.
  Duration late =
      track.has_position ? track.arrived - Timestamp() - track.last_out - earliest_offset_ : Duration();
  Duration explained = (now - track.arrived) + std::max(Duration(), late);
  return step - explained > config_.forward_jump;
}

void Timeline::start_epoch(Track& track, Timestamp now) {
  ++stats_.jumps;
  ++epoch_;
  jumped_at_ = now;
  Duration step = is_steady(track) ? track.rate.times(1) : Duration::milliseconds(33);
  Duration at = latest_out_ + std::max(step, now - latest_arrived_);
  shared_shift_ = at - track.source_time;
  for (auto& other : tracks_) {
    if (!other) continue;
    other->jump_pending = other->has_clock;
    other->has_position = false;
  }
  track.jump_pending = false;
  track.shift = shared_shift_;
  earliest_offset_ = now - Timestamp() - at;
}

std::optional<TimelineRefusal> Timeline::settle_after_jump(Track& track, Timestamp now, Duration step) {
  Duration expected = live_position(now);
  bool is_on_new_clock = (track.source_time + shared_shift_ - expected).abs() < Duration::seconds(2);
  bool is_on_old_clock = step > -config_.backward_jump && step < config_.forward_jump;
  if (!is_on_new_clock && is_on_old_clock && now - jumped_at_ < config_.jump_settles)
    return TimelineRefusal::kBetweenJumps;
  track.jump_pending = false;
  if (is_on_new_clock)
    track.shift = shared_shift_;
  else if (!is_on_old_clock || (track.source_time + track.shift - expected).abs() > config_.unrelated_clock)
    track.shift = expected - track.source_time;
  return std::nullopt;
}

void Timeline::note_step(Track& track, Duration step) {
  track.steps[track.step_next] = step;
  track.step_next = (track.step_next + 1) % Track::kStepsKept;
  track.step_count = std::min(track.step_count + 1, Track::kStepsKept);
  bool is_regular = false;
  if (track.rate.numerator > 0) {
    Duration frame = track.rate.times(1);
    is_regular = (step - frame).abs() <= std::min(config_.video_tolerance * 2, frame / 2);
  }
  track.irregular = track.irregular << 1 | (is_regular ? 0 : 1);
  bool is_time = track.rate.numerator == 0 ? track.step_count >= kStepsToGuess
                                           : std::popcount(track.irregular) > kIrregularMax;
  if (is_time) measure_rate(track);
}

// Takes the median step for the frame distance if nearly all steps agree with it.
void Timeline::measure_rate(Track& track) {
  std::array<Duration, Track::kStepsKept> sorted = track.steps;
  auto end = sorted.begin() + track.step_count;
  std::sort(sorted.begin(), end);
  Duration median = sorted[track.step_count / 2];
  if (median < kMinStep || median > Duration::seconds(10)) return;
  Duration tolerance = std::max(kRounding, std::min(median / 8, config_.video_tolerance));
  Duration sum;
  int agreeing = 0;
  for (auto step = sorted.begin(); step != end; ++step) {
    if ((*step - median).abs() > tolerance) continue;
    sum += *step;
    ++agreeing;
  }
  if (agreeing * 8 < track.step_count * 7) return;
  Duration mean = sum / agreeing;
  if (track.rate.numerator > 0 && (mean - track.rate.times(1)).abs() <= tolerance / agreeing + kMinStep)
    return;
  Duration error = kRounding / agreeing;
  track.rate = {1'000'000'000, mean.ns()};
  for (const auto& common : kCommonRates) {
    FrameRate rate{common.numerator, common.denominator};
    if ((rate.times(1) - mean).abs() > error) continue;
    track.rate = rate;
    break;
  }
  track.rate_is_guess = true;
  track.irregular = 0;
  if (track.has_position) regrid(track, track.last_out);
}

bool Timeline::is_steady(const Track& track) const {
  return track.rate.numerator > 0 && std::popcount(track.irregular) <= kIrregularMax;
}

void Timeline::regrid(Track& track, Duration at) {
  track.grid_origin = at;
  track.grid_index = 0;
  track.run_origin = at;
  track.run_frames = 0;
}

std::optional<Duration> Timeline::place(Track& track, Duration natural) {
  if (!track.has_position) {
    track.has_position = true;
    regrid(track, natural);
    return natural;
  }
  if (track.kind == Kind::kVideo) return place_video(track, natural);
  if (track.rate.numerator == 0) return std::max(natural, track.last_out + kMinStep);
  Duration predicted = track.grid_origin + track.rate.times(track.grid_index + 1);
  if (natural < predicted - config_.audio_tolerance) return std::nullopt;
  if (natural <= predicted + config_.audio_tolerance) {
    ++track.grid_index;
    return predicted;
  }
  ++stats_.regridded;
  regrid(track, natural);
  return natural;
}

Duration Timeline::place_video(Track& track, Duration natural) {
  if (natural <= track.last_out) ++stats_.backward_steps_repaired;
  if (!is_steady(track)) {
    Duration at = std::max(natural, track.last_out + kMinStep);
    regrid(track, at);
    return at;
  }
  Duration frame = track.rate.times(1);
  Duration tolerance = std::min(config_.video_tolerance, frame / 3);
  std::int64_t frames = std::max<std::int64_t>(1, (natural - track.last_out + frame / 2) / frame);
  Duration predicted = track.grid_origin + track.rate.times(track.grid_index + frames);
  track.run_frames += frames;
  if ((natural - predicted).abs() <= tolerance) {
    track.grid_index += frames;
    return predicted;
  }
  ++stats_.regridded;
  Duration near = std::clamp(predicted, natural - tolerance, natural + tolerance);
  Duration at = std::max(near, track.last_out + std::min(kMinStep, frame / 4));
  measure_rate(track);
  // Slow drift off the grid: the rate was a little wrong. Measured over a long run, it is no more.
  std::int64_t run = track.run_frames;
  if (run >= kRunToCorrect && at == near && track.rate.times(1) == frame) {
    Duration mean = (natural - track.run_origin) / run;
    Duration error = kRounding / run;
    FrameRate measured{1'000'000'000, mean.ns()};
    for (const auto& common : kCommonRates) {
      FrameRate rate{common.numerator, common.denominator};
      if ((rate.times(1) - mean).abs() <= error) {
        measured = rate;
        break;
      }
    }
    if ((measured.times(1) - frame).abs() < frame / 50) {
      track.rate = measured;
      track.rate_is_guess = true;
    }
  }
  regrid(track, at);
  return at;
}

// Snaps an offset that was rounded to milliseconds to whole frames, so that shown times are on the grid too.
Duration Timeline::composition_offset(const Track& track, Duration offset) const {
  if (!is_steady(track) || offset == Duration()) return offset;
  Duration frame = track.rate.times(1);
  std::int64_t frames = (offset + (offset < Duration() ? -frame / 2 : frame / 2)) / frame;
  Duration snapped = frames < 0 ? -track.rate.times(-frames) : track.rate.times(frames);
  return (snapped - offset).abs() <= kRounding ? snapped : offset;
}

void ClockMap::start(Duration media, Duration clock) {
  first_ = 0;
  size_ = 1;
  knots_[0] = {media, clock, 0};
  window_start_ = frontier_ = media;
  window_has_any_ = false;
}

Duration ClockMap::evaluate(const Knot& knot, Duration media) {
  Duration distance = media - knot.media;
  Duration bent = std::clamp(distance, Duration(), kBendLength);
  return knot.clock + distance +
         Duration::nanoseconds(std::llround(static_cast<double>(bent.ns()) * knot.rate));
}

Duration ClockMap::clock_at(Duration media) const {
  STOA_DCHECK(has_started());
  for (int i = size_ - 1; i > 0; --i) {
    const Knot& knot = knots_[(first_ + i) % kKnots];
    if (knot.media <= media) return evaluate(knot, media);
  }
  return evaluate(knots_[first_], media);
}

Duration ClockMap::media_at(Duration clock) const {
  STOA_DCHECK(has_started());
  // The map is within 1 % of a straight line, so a few steps are exact to the nanosecond range.
  Duration media = newest().media + (clock - newest().clock);
  for (int i = 0; i < 4; ++i) media += clock - clock_at(media);
  return media;
}

void ClockMap::observe(Duration media, Duration clock) {
  STOA_DCHECK(has_started());
  Duration offset = clock - media;
  if (!window_has_any_ || offset < least_offset_) least_offset_ = offset;
  window_has_any_ = true;
  frontier_ = std::max(frontier_, media);
  if (frontier_ - window_start_ < kWindow) return;
  Duration at = clock_at(frontier_);
  Duration error = least_offset_ - (at - frontier_);
  double limit = error.abs() > kFar ? kRateFarMax : kRateMax;
  double rate = std::clamp(error.as_seconds() / kBendLength.as_seconds(), -limit, limit);
  Knot knot{frontier_, at, rate};
  if (size_ == kKnots) {
    first_ = (first_ + 1) % kKnots;
    --size_;
  }
  knots_[(first_ + size_) % kKnots] = knot;
  ++size_;
  window_start_ = frontier_;
  window_has_any_ = false;
}

}  // namespace stoa::media
