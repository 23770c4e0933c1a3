#include "live/source.h"

#include <algorithm>
#include <utility>

namespace stoa::live {
namespace {

// Without video nothing but a little sound is kept. With it, frames may be out of order by this much.
constexpr Duration kAudioKept = Duration::seconds(1);
constexpr Duration kInterleaving = Duration::milliseconds(50);
constexpr Duration kKeptMax = Duration::seconds(12);

}  // namespace

void Source::handle_format(const media::TrackFormat& announced) {
  if (announced.track >= media::kTracksPerPublicationMax || !announced.format) return;
  auto& slot = tracks_[announced.track];
  if (!slot) slot.emplace();
  slot->format = announced.format;
  slot->name = announced.name;
  slot->language = announced.language;
  slot->has_ended = false;
  timeline_.handle_format(announced.track, *announced.format, announced.clock_wrap);
}

void Source::handle_track_ended(media::TrackId track) {
  if (track < media::kTracksPerPublicationMax && tracks_[track]) tracks_[track]->has_ended = true;
}

std::optional<SourceFrame> Source::handle_frame(Timestamp now, WallTime wall,
                                                const media::TrackFrame& event) {
  auto place = timeline_.handle_frame(now, event.track, event.frame.dts, event.frame.pts);
  // A source that sends what cannot be used is still there.
  if (!has_frames_)
    first_frame_at_ = steady_since_ = now;
  else if (now - last_frame_at_ >= config_.silence)
    steady_since_ = now;
  has_frames_ = true;
  last_frame_at_ = now;
  if (!place) return std::nullopt;
  Track& track = *tracks_[event.track];
  track.has_frames = true;
  track.has_ended = false;
  bool is_keyframe = event.frame.is_keyframe || track.format->kind() == media::Kind::kAudio;
  return SourceFrame{now, wall, event.track, *place, is_keyframe, track.format, event.frame.payload};
}

std::optional<media::TrackId> Source::leading_video() const {
  for (int i = 0; i < media::kTracksPerPublicationMax; ++i) {
    const auto& track = tracks_[i];
    if (track && !track->has_ended && track->format->kind() == media::Kind::kVideo)
      return static_cast<media::TrackId>(i);
  }
  return std::nullopt;
}

void Source::keep(SourceFrame frame) {
  if (!kept_.empty() && kept_.back().place.epoch != frame.place.epoch) drop_kept();
  auto leading = leading_video();
  if (leading && frame.track == *leading && frame.is_keyframe) {
    Duration from = frame.place.dts - kInterleaving;
    std::erase_if(kept_, [&](const SourceFrame& old) {
      bool is_needed = old.track != *leading && old.place.dts >= from;
      if (!is_needed) kept_bytes_ -= old.payload.size();
      return !is_needed;
    });
    has_kept_keyframe_ = true;
  }
  kept_bytes_ += frame.payload.size();
  kept_.push_back(std::move(frame));
  bool is_whole = leading && has_kept_keyframe_;
  while (!is_whole && kept_.size() > 1 && kept_.back().place.dts - kept_.front().place.dts > kAudioKept) {
    kept_bytes_ -= kept_.front().payload.size();
    kept_.pop_front();
  }
  if (kept_bytes_ > config_.cache_bytes || kept_.size() > config_.cache_frames ||
      kept_.back().place.dts - kept_.front().place.dts > kKeptMax) {
    frames_not_kept_ += kept_.size();
    drop_kept();
  }
}

std::deque<SourceFrame> Source::take_kept() {
  kept_bytes_ = 0;
  has_kept_keyframe_ = false;
  return std::exchange(kept_, {});
}

void Source::drop_kept() { take_kept(); }

void Source::drop_sound_before(Timestamp arrival) {
  if (leading_video()) return;
  while (kept_.size() > 1 && kept_.front().arrived < arrival) {
    kept_bytes_ -= kept_.front().payload.size();
    kept_.pop_front();
  }
}

bool Source::is_ready(Timestamp now) const {
  if (!has_frames_ || kept_.empty()) return false;
  Duration waited = now - first_frame_at_;
  if (leading_video()) {
    bool is_without_video =
        waited >= config_.keyframe_wait && std::ranges::any_of(kept_, [](const auto& frame) {
          return frame.format->kind() == media::Kind::kAudio;
        });
    if (!has_kept_keyframe_) return is_without_video;
  }
  bool has_audio = false, has_video = false, has_all = true;
  for (const auto& track : tracks_) {
    if (!track || track->has_ended) continue;
    if (!track->has_frames)
      has_all = false;
    else
      (track->format->kind() == media::Kind::kAudio ? has_audio : has_video) = true;
  }
  if (!has_audio && !has_video) return false;  // What is kept is of tracks that are over.
  return waited >= (has_all && has_audio && has_video ? config_.start_wait_min : config_.start_wait);
}

Timestamp Source::ready_deadline(Timestamp now) const {
  if (!has_frames_) return Timestamp::never();
  for (Duration wait : {config_.start_wait_min, config_.start_wait, config_.keyframe_wait})
    if (now < first_frame_at_ + wait) return first_frame_at_ + wait;
  return Timestamp::never();
}

}  // namespace stoa::live
