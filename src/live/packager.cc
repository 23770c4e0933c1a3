#include "live/packager.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "base/assert.h"

namespace stoa::live {
namespace {

// A hole that cannot be bridged by a longer last sample becomes a GAP part if it is longer than this.
constexpr Duration kAudioHoleMax = Duration::milliseconds(100);

std::uint64_t bits_per_second(std::size_t bytes, Duration duration) {
  if (duration <= Duration()) return 0;
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(bytes) * 8 / duration.as_seconds()));
}

}  // namespace

Packager::Packager(std::string name, std::shared_ptr<const media::Format> format, std::string label,
                   std::string language, const PlaylistLimits& playlist_limits, const PackagerLimits& limits,
                   const media::ClockMap& wall)
    : name_(std::move(name)),
      format_(std::move(format)),
      label_(std::move(label)),
      language_(std::move(language)),
      playlist_limits_(playlist_limits),
      limits_(limits),
      wall_(wall),
      timescale_(media::timescale_of(*format_)) {
  Duration target = playlist_limits_.part_target;
  part_ticks_ = target.ns() * timescale_ / 1'000'000'000;
  part_ticks_min_ = (target.ns() * timescale_ / 100 * 85 + 999'999'999) / 1'000'000'000 + 1;
  limits_.window = std::max(limits_.window, playlist_limits_.target_duration() * 3);
  inits_.push_back({0, media::write_init_section(*format_, language_)});
}

void Packager::start(std::uint64_t msn, Duration at, bool has_discontinuity, std::uint64_t discontinuities) {
  STOA_ASSERT(!has_started_);
  has_started_ = true;
  part_start_ = ticks(at);
  gap_end_ = at;
  discontinuity_sequence_ = discontinuities;
  open_segment(msn, has_discontinuity);
}

void Packager::set_format(std::shared_ptr<const media::Format> format) {
  bool is_same = format_->is_same_as(*format);
  STOA_ASSERT(format->kind() == format_->kind());
  if (!is_same) {
    std::int64_t timescale = media::timescale_of(*format);
    if (timescale != timescale_) {
      // Round up, so that decode time does not go back.
      Duration at = time(part_start_);
      timescale_ = timescale;
      part_start_ = ticks(at);
      if (time(part_start_) < at) ++part_start_;
      Duration target = playlist_limits_.part_target;
      part_ticks_ = target.ns() * timescale_ / 1'000'000'000;
      part_ticks_min_ = (target.ns() * timescale_ / 100 * 85 + 999'999'999) / 1'000'000'000 + 1;
    }
    // A section that nothing refers to yet is replaced.
    if (inits_.back().number > 0 && !(has_listed_init_ && last_listed_init_ == init_number_) &&
        (!has_started_ || open_.init_number != init_number_ || open_.parts.empty()))
      inits_.pop_back();
    else
      ++init_number_;
    inits_.push_back({init_number_, media::write_init_section(*format, language_)});
    if (has_started_ && !segment_has_content()) open_.init_number = init_number_;
  }
  format_ = std::move(format);
}

void Packager::open_segment(std::uint64_t msn, bool has_discontinuity) {
  open_ = {};
  open_.media_sequence_number = msn;
  open_.init_number = init_number_;
  open_.has_discontinuity = has_discontinuity;
  open_bytes_ = 0;
  segment_start_ = time(part_start_);
  follows_discontinuity_ = has_discontinuity;
}

void Packager::start_segment(Duration until, bool has_discontinuity) {
  STOA_ASSERT(segment_has_content());
  if (!samples_.empty()) close_part(ticks(until), true);
  std::uint64_t msn = open_.media_sequence_number + 1;
  complete_segment();
  open_segment(msn, has_discontinuity);
}

void Packager::set_discontinuity() {
  STOA_ASSERT(open_.parts.empty());
  open_.has_discontinuity = true;
}

Duration Packager::end() const { return time(samples_.empty() ? part_start_ : last_end_); }
Duration Packager::closed_end() const { return time(part_start_); }

bool Packager::needs_gap_before(Duration dts) const {
  std::int64_t at = ticks(dts);
  std::int64_t from = samples_.empty() ? part_start_ : last_end_;
  if (at <= from || (!samples_.empty() && at - part_start_ <= part_ticks_)) return false;
  if (samples_.empty() && follows_discontinuity_ && !segment_has_parts() && time(at - from) <= kAudioHoleMax)
    return false;
  Duration hole = kind() == media::Kind::kAudio ? std::min(kAudioHoleMax, playlist_limits_.part_target)
                                                : playlist_limits_.part_target;
  return time(at - from) > hole;
}

Packager::Appended Packager::append(const ChannelFrame& frame) {
  STOA_DCHECK(has_started_ && !has_ended_);
  ++stats_.frames;
  std::size_t size = frame.payload.size();
  bool fits = size <= limits_.frame_bytes && sample_bytes_ + size <= limits_.part_bytes &&
              segment_bytes() + size <= limits_.segment_bytes && !(skips_to_keyframe_ && !frame.is_keyframe);
  std::int64_t at = std::max<std::int64_t>(0, ticks(frame.dts));
  if (!samples_.empty()) {
    last_step_ = std::clamp<std::int64_t>(at - last_start_, 1, part_ticks_);
    std::int64_t until = std::max(at, last_start_ + 1);
    if (until - part_start_ <= part_ticks_)
      last_end_ = until;
    else
      close_part(part_start_ + part_ticks_, false);
  }
  if (!fits || samples_.size() >= static_cast<std::size_t>(limits_.samples_per_part)) {
    ++stats_.frames_over_limit;
    skips_to_keyframe_ = kind() == media::Kind::kVideo;
    return Appended::kOverLimit;
  }
  skips_to_keyframe_ = false;
  if (follows_discontinuity_ && !segment_has_content() && at > part_start_) {
    part_start_ = at;
    segment_start_ = time(at);
  }
  follows_discontinuity_ = false;
  bool is_steady = frame.nominal_duration > Duration();
  std::int64_t nominal_end =
      is_steady ? ticks(frame.dts + frame.nominal_duration) : at + std::max<std::int64_t>(1, last_step_);
  if (!samples_.empty() && std::max(nominal_end, last_end_ + 1) - part_start_ > part_ticks_)
    close_part(last_end_, false);
  std::int64_t start = samples_.empty() ? part_start_ : last_end_;
  if (!samples_.empty()) samples_.back().duration = static_cast<std::uint32_t>(start - last_start_);
  std::int64_t offset =
      std::clamp<std::int64_t>(ticks(frame.pts) - start, std::numeric_limits<std::int32_t>::min(),
                               std::numeric_limits<std::int32_t>::max());
  samples_.push_back({.duration = 1,
                      .composition_offset = static_cast<std::int32_t>(offset),
                      .is_keyframe = frame.is_keyframe,
                      .payload = frame.payload});
  sample_bytes_ += size;
  part_is_independent_ |= frame.is_keyframe;
  last_start_ = start;
  last_end_ = std::max(nominal_end, start + 1);
  if (!is_steady) return Appended::kYes;
  // The next frame will not fit: this part is done the moment its last frame is here.
  if (ticks(frame.dts + frame.nominal_duration * 2) - part_start_ > part_ticks_) close_part(last_end_, false);
  return Appended::kYes;
}

void Packager::close_part(std::int64_t end, bool may_be_short) {
  std::int64_t limit = part_start_ + part_ticks_;
  if (!may_be_short && !part_is_independent_) end = std::max(end, part_start_ + part_ticks_min_);
  end = std::clamp(end, std::min(last_start_ + 1, limit), limit);
  samples_.back().duration = static_cast<std::uint32_t>(std::max<std::int64_t>(1, end - last_start_));
  Part part;
  part.number = next_part_number_;
  part.duration = Duration::from_ticks(end - part_start_, timescale_);
  part.is_independent = part_is_independent_;
  part.body = media::write_chunk(++chunk_sequence_, static_cast<std::uint64_t>(part_start_), samples_);
  std::int64_t start = part_start_;
  part_start_ = end;
  samples_.clear();
  sample_bytes_ = 0;
  part_is_independent_ = false;
  add_part(std::move(part), start);
}

void Packager::add_part(Part part, std::int64_t start) {
  if (open_.parts.empty()) {
    segment_start_ = open_.start = time(start);
    open_.program_date_time = WallTime::from_us(wall_.clock_at(open_.start).us());
    bool map_changes = has_listed_init_ && last_listed_init_ != open_.init_number;
    last_listed_init_ = open_.init_number;
    has_listed_init_ = true;
    write_segment_start(name_, open_, map_changes, open_lines_);
    open_.parts.reserve(8);
  }
  write_part(name_, part, open_lines_);
  ++stats_.parts;
  if (part.is_gap) ++stats_.gap_parts;
  stats_.media_bytes += part.body.size();
  open_bytes_ += part.body.size();
  held_bytes_ += part.body.size();
  ++next_part_number_;
  open_.parts.push_back(std::move(part));
  open_.duration = time(part_start_) - open_.start;
  if (listed_from_ == kept_.size()) measure_bitrate();
  has_news_ = true;
}

void Packager::finish_part() {
  if (!samples_.empty()) close_part(last_end_, true);
}

void Packager::fill_gap(Duration until) {
  finish_part();
  std::int64_t to = ticks(until);
  std::int64_t length = to - part_start_;
  if (length <= 0) return;
  follows_discontinuity_ = false;
  std::int64_t count = (length + part_ticks_ - 1) / part_ticks_;
  std::int64_t origin = part_start_;
  for (std::int64_t i = 1; i <= count; ++i) {
    std::int64_t start = part_start_;
    part_start_ = origin + length / count * i + length % count * i / count;
    Part part;
    part.number = next_part_number_;
    part.duration = Duration::from_ticks(part_start_ - start, timescale_);
    part.is_gap = true;
    add_part(std::move(part), start);
  }
  gap_end_ = time(part_start_);
}

void Packager::complete_segment() {
  STOA_ASSERT(!open_.parts.empty());
  open_.is_complete = true;
  open_.is_gap = std::ranges::all_of(open_.parts, &Part::is_gap);
  write_segment_end(name_, open_, open_lines_);
  ++stats_.segments;
  listed_duration_ += open_.duration;
  kept_.push_back(
      {std::make_shared<const Segment>(std::move(open_)), std::move(open_lines_), open_bytes_, {}});
  open_ = {};
  trim_window();
  measure_bitrate();
  has_news_ = true;
}

void Packager::finish() {
  finish_part();
  STOA_ASSERT(!has_ended_);
  has_ended_ = true;
  has_news_ = next_part_number_ > 0;
  if (open_.parts.empty()) return;  // Nothing begun: the list ends with the last complete segment.
  complete_segment();
}

// Rules G9, G10 and G11: oldest segments leave the list when the rest is long enough, and may be fetched
// for their own duration and that of the longest list that held them after that.
void Packager::trim_window() {
  longest_list_ = std::max(longest_list_, listed_duration_);
  Duration now = time(part_start_);
  Duration least = playlist_limits_.target_duration() * 3;
  auto unlist_oldest = [&] {
    Kept& oldest = kept_[listed_from_++];
    listed_duration_ -= oldest.segment->duration;
    if (oldest.segment->has_discontinuity) ++discontinuity_sequence_;
    oldest.let_go_at = now + oldest.segment->duration + longest_list_;
    oldest.lines = {};
  };
  while (listed_from_ + 1 < kept_.size() &&
         listed_duration_ - kept_[listed_from_].segment->duration >= limits_.window)
    unlist_oldest();
  while (listed_from_ > 0 && kept_.front().let_go_at <= now) let_go_oldest();
  while (held_bytes_ > limits_.window_bytes) {
    if (listed_from_ > 0)
      let_go_oldest();
    else if (kept_.size() > 1 && listed_duration_ - kept_.front().segment->duration >= least)
      unlist_oldest();
    else
      break;
  }
}

void Packager::let_go_oldest() {
  held_bytes_ -= kept_.front().bytes;
  kept_.pop_front();
  --listed_from_;
  std::uint64_t oldest = kept_.empty() ? init_number_ : kept_.front().segment->init_number;
  while (inits_.size() > 1 && inits_.front().number < oldest) inits_.erase(inits_.begin());
}

void Packager::measure_bitrate() {
  std::uint64_t peak = 0;
  std::size_t bytes = 0;
  Duration duration;
  auto count = [&](const Segment& segment, std::size_t size) {
    if (size == 0) return;
    peak = std::max(peak, bits_per_second(size, segment.duration));
    bytes += size;
    duration += segment.duration;
  };
  for (std::size_t i = listed_from_; i < kept_.size(); ++i) count(*kept_[i].segment, kept_[i].bytes);
  if (bytes == 0) count(open_, open_bytes_);
  if (bytes == 0) return;
  peak_bitrate_ = std::max<std::uint64_t>(1, peak);
  mean_bitrate_ = std::max<std::uint64_t>(1, bits_per_second(bytes, duration));
}

Duration Packager::window_start() const {
  return listed_from_ < kept_.size() ? kept_[listed_from_].segment->start : segment_start_;
}

RenditionReport Packager::report() const {
  if (!open_.parts.empty())
    return {name_, open_.media_sequence_number, static_cast<std::int64_t>(open_.parts.size()) - 1};
  if (listed_from_ == kept_.size()) return {name_, open_.media_sequence_number, -1};
  const Segment& last = *kept_.back().segment;
  return {name_, last.media_sequence_number, static_cast<std::int64_t>(last.parts.size()) - 1};
}

std::shared_ptr<const Rendition> Packager::take_snapshot(std::span<const RenditionReport> others) {
  has_news_ = false;
  auto rendition = std::make_shared<Rendition>();
  rendition->name = name_;
  rendition->format = format_;
  rendition->label = label_;
  rendition->language = language_;
  auto narrow = [](std::uint64_t rate) {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(rate, std::numeric_limits<std::uint32_t>::max()));
  };
  rendition->bitrate = narrow(peak_bitrate_);
  rendition->bitrate_mean = narrow(mean_bitrate_);
  RenditionReport own = report();
  rendition->last_msn = own.last_msn;
  rendition->last_part = own.last_part;
  rendition->last_is_complete = open_.parts.empty() && listed_from_ < kept_.size();
  rendition->next_part_number = next_part_number_;
  rendition->part_target = playlist_limits_.part_target;
  rendition->target_duration_s = playlist_limits_.target_duration_s;
  rendition->has_ended = has_ended_;
  rendition->init_sections = inits_;
  rendition->retained.reserve(kept_.size() + 1);
  for (const auto& kept : kept_) rendition->retained.push_back(kept.segment);
  if (!open_.parts.empty()) rendition->retained.push_back(std::make_shared<const Segment>(open_));

  MediaPlaylist playlist{.name = name_, .limits = playlist_limits_};
  line_refs_.clear();
  for (std::size_t i = listed_from_; i < kept_.size(); ++i) line_refs_.push_back(&kept_[i].lines);
  if (!open_.parts.empty()) line_refs_.push_back(&open_lines_);
  // Distances from the end in EXTINF time; for skipping without the incomplete segment, to be careful.
  Duration after = listed_duration_;
  std::size_t skippable = 0, without_parts = 0;
  for (std::size_t i = listed_from_; i < kept_.size(); ++i) {
    after -= kept_[i].segment->duration;
    if (after > playlist_limits_.can_skip_until()) ++skippable;
    if (after + open_.duration < playlist_limits_.parts_listed()) break;
    ++without_parts;
  }
  playlist.media_sequence = listed_from_ < kept_.size() ? kept_[listed_from_].segment->media_sequence_number
                                                        : open_.media_sequence_number;
  playlist.discontinuity_sequence = discontinuity_sequence_;
  playlist.segments = line_refs_;
  playlist.first_with_parts = without_parts;
  playlist.next_part_number = next_part_number_;
  playlist.hints_map =
      !has_ended_ && open_.parts.empty() && has_listed_init_ && open_.init_number != last_listed_init_;
  playlist.next_init_number = open_.init_number;
  playlist.reports = others;
  playlist.has_ended = has_ended_;
  rendition->playlist = SharedBytes(write_media_playlist(playlist, 0));
  if (skippable > 0 && !has_ended_)
    rendition->playlist_delta = SharedBytes(write_media_playlist(playlist, skippable));
  return rendition;
}

}  // namespace stoa::live
