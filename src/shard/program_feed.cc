#include "shard/program_feed.h"

#include <algorithm>

#include "base/outbox.h"

namespace stoa::shard {

// Whether WebRTC carries the source's own frames, all of them.
bool ProgramFeed::Track::is_fit() const {
  return source.format->codec != media::Codec::kAac && !is_reordered && !is_held_back;
}

void ProgramFeed::handle_program(const live::ProgramOutput& item, Outputs& out) {
  if (const auto* told = std::get_if<live::ProgramTrack>(&item)) {
    Track& track = tracks_[told->track];
    // Another source may be on air: whether its pictures are reordered is seen anew.
    if (track.source.format != told->format) {
      track.is_reordered = track.has_long_groups = false;
      track.last_keyframe.reset();
    }
    track.source = *told;
    track.is_held_back = holds_back(track);
    return;
  }
  const auto* told = std::get_if<live::ProgramFrame>(&item);
  if (!told) return;
  auto found = tracks_.find(told->track);
  if (found == tracks_.end()) return;
  Track& track = found->second;
  const media::Frame frame{told->frame.dts, told->frame.pts, told->frame.is_keyframe, told->frame.payload};
  if (track.source.format->kind() == media::Kind::kVideo) {
    track.is_reordered = track.is_reordered || frame.pts != frame.dts;
    if (frame.is_keyframe) track.last_keyframe = frame.pts;
    if (!track.has_long_groups && track.last_keyframe && frame.pts - *track.last_keyframe > kGroupMax) {
      track.has_long_groups = true;
      track.is_held_back = holds_back(track);
    }
  }
  shown_until_ = std::max(shown_until_, frame.pts);
  if (track.feeder) {
    if (!track.is_fit() || !frame.is_keyframe) return;
    track.feeder.reset();
  }
  if (track.source.format->codec != media::Codec::kAac) send(track, track.source.format, frame, out);
}

void ProgramFeed::set_tracks(const std::vector<live::ProgramTrack>& tracks, Outputs& out) {
  std::erase_if(tracks_, [&](const auto& entry) {
    const bool is_there = std::ranges::find(tracks, entry.first, &live::ProgramTrack::track) != tracks.end();
    if (!is_there && entry.second.format) out.push_back(media::TrackEnded{entry.first});
    return !is_there;
  });
}

void ProgramFeed::set_ladder(const std::vector<media::Rung>& rungs,
                             const std::vector<media::TrackId>& held_back,
                             const std::vector<media::TrackId>& fit) {
  held_back_ = held_back;
  fit_ = fit;
  for (auto& [id, track] : tracks_) track.is_held_back = holds_back(track);
  std::vector<Rung> now;
  for (const media::Rung& rung : rungs) {
    const Rung* known = find_rung(rung.id);
    now.push_back({rung, known ? known->format : nullptr});
  }
  for (const Rung& before : rungs_)
    if (std::ranges::find(rungs, before.rung.id, &media::Rung::id) == rungs.end()) let_go(before.rung.id);
  rungs_ = std::move(now);
}

// Sound that playlists have in another codec is what WebRTC wants.
bool ProgramFeed::holds_back(const Track& track) const {
  const auto has = [&](const std::vector<media::TrackId>& all) {
    return std::ranges::find(all, track.source.track) != all.end();
  };
  return track.source.format->kind() == media::Kind::kVideo && has(held_back_) &&
         (track.has_long_groups || !has(fit_));
}

void ProgramFeed::let_go(media::RungId id) {
  for (auto& [track_id, track] : tracks_) {
    if (track.feeder != id) continue;
    track.feeder.reset();
    track.waits_for_keyframe = true;
  }
}

void ProgramFeed::handle_rung_ended(media::RungId id) {
  handle_rung_format(id, nullptr);
  let_go(id);
}

void ProgramFeed::handle_worker_gone() {
  for (Rung& rung : rungs_) {
    rung.format = nullptr;
    let_go(rung.rung.id);
  }
}

bool ProgramFeed::can_feed(const media::Rung& rung) {
  // H.264 is what every browser takes.
  return rung.codec == media::Codec::kOpus || rung.codec == media::Codec::kH264;
}

bool ProgramFeed::may_improve() const {
  return std::ranges::any_of(rungs_, [&](const Rung& rung) {
    const auto track = tracks_.find(rung.rung.of);
    return can_feed(rung.rung) && track != tracks_.end() && !track->second.is_fit();
  });
}

bool ProgramFeed::is_realtime_only(media::RungId id) const {
  const Rung* rung = find_rung(id);
  return rung && is_realtime_only(rung->rung);
}

void ProgramFeed::handle_rung_format(media::RungId id, std::shared_ptr<const media::Format> format) {
  auto found = std::ranges::find(rungs_, id, [](const Rung& rung) { return rung.rung.id; });
  if (found == rungs_.end() || (format && format->codec != found->rung.codec)) return;
  found->format = std::move(format);
}

void ProgramFeed::handle_rung_frame(media::RungId id, const media::Frame& frame, Outputs& out) {
  const Rung* rung = find_rung(id);
  if (!rung || !rung->format || frame.pts > shown_until_ + kAheadMax) return;
  auto found = tracks_.find(rung->rung.of);
  if (found == tracks_.end() || found->second.is_fit()) return;
  Track& track = found->second;
  if (track.feeder != id) {
    if (!frame.is_keyframe || !is_better(track, rung->rung)) return;
    track.feeder = id;
  }
  // A worker that begins anew makes again what was sent.
  if (track.last_pts && frame.pts <= *track.last_pts) {
    track.waits_for_keyframe = rung->rung.kind() == media::Kind::kVideo;
    return;
  }
  send(track, rung->format, {frame.pts, frame.pts, frame.is_keyframe, frame.payload}, out);
}

bool ProgramFeed::is_better(const Track& track, const media::Rung& rung) const {
  if (!can_feed(rung)) return false;
  if (rung.kind() == media::Kind::kAudio) return !track.feeder;
  const Rung* feeder = track.feeder ? find_rung(*track.feeder) : nullptr;
  return !feeder || rung.width * rung.height > feeder->rung.width * feeder->rung.height;
}

void ProgramFeed::send(Track& track, const std::shared_ptr<const media::Format>& format,
                       const media::Frame& frame, Outputs& out) {
  if (track.waits_for_keyframe && !frame.is_keyframe) return;
  track.waits_for_keyframe = false;
  track.last_pts = std::max(track.last_pts.value_or(frame.pts), frame.pts);
  if (track.format != format) {
    track.format = format;
    out.push_back(media::TrackFormat{.track = track.source.track,
                                     .format = format,
                                     .name = track.source.name,
                                     .language = track.source.language});
  }
  out.push_back(media::TrackFrame{track.source.track, frame});
}

const ProgramFeed::Rung* ProgramFeed::find_rung(media::RungId id) const {
  auto found = std::ranges::find(rungs_, id, [](const Rung& rung) { return rung.rung.id; });
  return found == rungs_.end() ? nullptr : &*found;
}

}  // namespace stoa::shard
