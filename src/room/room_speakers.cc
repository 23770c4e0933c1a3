// Who speaks, whose sound is passed on, and how good connections are.
#include <algorithm>
#include <cmath>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {
namespace {

// Levels are news when they pass one of these steps: else every breath would be told to everybody.
constexpr float kLevelSteps = 8;
float step_of(float level) { return std::ceil(level * kLevelSteps); }

}  // namespace

void Room::Impl::level_changed(Timestamp now, Participant& p) {
  if (p.is_forwarded) return;
  if (!std::exchange(p.is_level_new, true)) new_levels.push_back(p.id);
  Timestamp next = has_told_speakers ? speakers_told_at + config.limits.speaker_interval : now;
  speakers_due = std::min(speakers_due, std::max(now, next));
}

void Room::Impl::set_levels(Timestamp now, Participant& p, const ReportLevels& report) {
  for (const ReportLevels::Level& reported : report.levels) {
    Track* track = find_own(p, reported.track);
    if (!track || !track->is_open_audio()) continue;
    float level = std::isfinite(reported.level) ? std::clamp(reported.level, 0.f, 1.f) : 0;
    if (std::exchange(track->level, level) != level) level_changed(now, p);
  }
}

void Room::Impl::tell_speakers(Timestamp now, Outputs& out) {
  speakers_due = Timestamp::never();
  SpeakersChanged news;
  for (ParticipantId id : std::exchange(new_levels, {})) {
    Participant* p = find(id);
    if (!p || !std::exchange(p->is_level_new, false)) continue;
    float level = 0;
    for (TrackId track : p->tracks) {
      const Track& t = at(track);
      if (t.is_open_audio()) level = std::max(level, t.level);
    }
    if (step_of(level) == step_of(p->told_level)) continue;
    p->told_level = level;
    news.speakers.push_back({p->info.sid, level, level > 0});
  }
  settle_audible(now, out);
  if (news.speakers.empty()) return;
  std::stable_sort(news.speakers.begin(), news.speakers.end(),
                   [](const SpeakerLevel& a, const SpeakerLevel& b) { return a.level > b.level; });
  has_told_speakers = true;
  speakers_told_at = now;
  to_all(std::move(news), nullptr, out);
}

// At once: of who is gone nothing can be told later.
void Room::Impl::fall_silent(Participant& p, const Participant* except, Outputs& out) {
  for (TrackId id : p.tracks) at(id).level = 0;
  if (std::exchange(p.told_level, 0.f) > 0) to_all(SpeakersChanged{{{p.info.sid, 0, false}}}, except, out);
}

// The loudest of these, and for a while those who were.
void Room::Impl::choose_audible(Timestamp now, std::vector<Track*>& open) {
  for (Track* track : open)
    if (track->is_among_loudest) track->audible_until = now + kAudibleFor;
  std::size_t most = std::min(config.limits.loudest_max, open.size());
  std::stable_sort(open.begin(), open.end(), [](const Track* a, const Track* b) {
    if (a->level != b->level) return a->level > b->level;
    if (a->is_among_loudest != b->is_among_loudest) return a->is_among_loudest;
    return a->is_audible && !b->is_audible;
  });
  for (std::size_t i = 0; i < open.size(); ++i) {
    Track& track = *open[i];
    track.is_among_loudest = i < most;
    track.is_audible = track.is_among_loudest || (track.is_audible && now < track.audible_until);
    if (track.is_audible && !track.is_among_loudest) audible_due = std::min(audible_due, track.audible_until);
  }
}

void Room::Impl::settle_audible(Timestamp now, Outputs& out) {
  audible_due = Timestamp::never();
  std::vector<Track*> open;
  std::map<std::uint32_t, std::vector<std::string>> audible;  // By shard.
  tracks.for_each([&](TrackId, std::unique_ptr<Track>& track) {
    if (!track->is_published || track->info.kind != TrackKind::kAudio) return;
    const Participant& owner = *find(track->owner);
    if (owner.is_forwarded) {
      for (const TrackMedia& media : track->places()) audible[media.place.shard].push_back(track->info.sid);
      return;
    }
    audible.try_emplace(owner.shard);
    if (track->is_open_audio()) {
      open.push_back(track.get());
    } else {
      track->is_among_loudest = track->is_audible = false;
    }
  });
  if (open.size() > config.limits.loudest_max) {
    choose_audible(now, open);
    for (Track* track : open)
      if (track->is_audible) audible[find(track->owner)->shard].push_back(track->info.sid);
  } else {
    for (Track* track : open) track->is_among_loudest = track->is_audible = false;
    audible.clear();
  }
  for (auto& [shard, sids] : audible) {
    std::sort(sids.begin(), sids.end());
    sids.erase(std::unique(sids.begin(), sids.end()), sids.end());
  }
  for (const auto& [shard, sids] : told_audible)
    if (!audible.contains(shard)) out.push(AudibleTracks{shard, false, {}});
  for (const auto& [shard, sids] : audible) {
    auto told = told_audible.find(shard);
    if (told == told_audible.end() || told->second != sids) out.push(AudibleTracks{shard, true, sids});
  }
  told_audible = std::move(audible);
}

void Room::Impl::set_quality(Timestamp now, Participant& p, const ReportQuality& report) {
  p.quality = report;
  if (report.quality == p.told_quality && !p.is_quality_new) return;
  if (!std::exchange(p.is_quality_new, true)) new_qualities.push_back(p.id);
  Timestamp next = has_told_quality ? quality_told_at + kQualityInterval : now;
  quality_due = std::min(quality_due, std::max(now, next));
}

void Room::Impl::tell_qualities(Timestamp now, Outputs& out) {
  quality_due = Timestamp::never();
  QualityChanged for_all;
  bool has_news = false;
  for (ParticipantId id : std::exchange(new_qualities, {})) {
    Participant* p = find(id);
    if (!p || !std::exchange(p->is_quality_new, false) || p->quality.quality == p->told_quality) continue;
    p->told_quality = p->quality.quality;
    has_news = true;
    QualityChanged::Quality news{p->info.sid, p->quality.quality, p->quality.mos};
    if (is_known_to_all(*p)) {
      for_all.qualities.push_back(std::move(news));
    } else {
      to_knowing(QualityChanged{{std::move(news)}}, *p, true, out);
    }
  }
  if (!for_all.qualities.empty()) to_all(std::move(for_all), nullptr, out);
  if (!has_news) return;
  has_told_quality = true;
  quality_told_at = now;
}

}  // namespace stoa::room
