// What participants publish.
#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {
namespace {

std::string letters_of(const TrackInfo& track) {
  std::string letters = track.kind == TrackKind::kVideo ? "V" : "A";
  switch (track.source) {
    case TrackSource::kCamera: return letters + "C";
    case TrackSource::kMicrophone: return letters + "M";
    case TrackSource::kScreenShare: return letters + "S";
    case TrackSource::kScreenShareAudio: return letters + "s";
    case TrackSource::kUnknown: break;
  }
  return letters + "U";
}

// Versions of one track differ, also where the clock stands still.
void stamp(TrackInfo& track, WallTime wall) {
  track.version = std::max(wall, track.version + Duration::microseconds(1));
}

bool is_short(std::string_view text) { return text.size() <= kShortTextBytesMax && is_text(text); }

bool are_short(const std::vector<VideoLayer>& layers) {
  return layers.size() <= kLayersMax &&
         std::all_of(layers.begin(), layers.end(), [](const VideoLayer& l) { return is_short(l.rid); });
}

bool are_short(const std::vector<TrackCodec>& codecs) {
  return codecs.size() <= kCodecsMax && std::all_of(codecs.begin(), codecs.end(), [](const TrackCodec& c) {
           return is_short(c.mime_type) && is_short(c.mid) && is_short(c.cid) && are_short(c.layers);
         });
}

bool is_announceable(const AnnounceTrack& command) {
  const TrackInfo& track = command.track;
  return is_short(command.cid) && is_short(track.stream) && track.name.size() <= kTrackNameBytesMax &&
         is_text(track.name) && are_short(track.layers) && are_short(track.codecs) &&
         track.audio_features.size() <= kFeaturesMax && track.packet_trailer_features.size() <= kFeaturesMax;
}

bool has_cid(const Track& track, std::string_view cid) {
  return track.cid == cid || std::any_of(track.info.codecs.begin(), track.info.codecs.end(),
                                         [&](const TrackCodec& codec) { return codec.cid == cid; });
}

// By the publisher's name, else by what it is, else the first.
std::size_t codec_of(const TrackInfo& track, const PublishTrack& command) {
  const auto& codecs = track.codecs;
  if (!command.cid.empty()) {
    for (std::size_t i = 0; i < codecs.size(); ++i)
      if (codecs[i].cid == command.cid) return i;
    for (std::size_t i = 0; i < codecs.size(); ++i)
      if (codecs[i].mime_type == command.media.mime_type) return i;
  }
  return 0;
}

}  // namespace

std::vector<TrackMedia> Track::places() const {
  std::vector<TrackMedia> there;
  for (const auto& one : media)
    if (one) there.push_back(*one);
  return there;
}

Track* Room::Impl::find_own(const Participant& p, std::string_view sid, TrackId* id) {
  Track* track = find_track(sid, id);
  return track && track->owner == p.id ? track : nullptr;
}

bool Room::Impl::has_room_for_publishers(std::size_t others) const {
  std::size_t most = config.limits.publishers_max;
  if (info.publishers_max > 0) most = std::min<std::size_t>(most, info.publishers_max);
  return others < most;
}

void Room::Impl::announce(WallTime wall, Participant& p, AnnounceTrack command, Outputs& out) {
  auto refused = [&](RequestOutcome why, const char* text) {
    to(p, TrackRefused{command.cid, command.request, why, text}, out);
  };
  if (!is_announceable(command))
    return refused(RequestOutcome::kLimitExceeded, "a text or list of the track is over its limit");
  if (!command.track.sid.empty()) return add_codec(wall, p, command, out);
  if (command.cid.empty()) return refused(RequestOutcome::kUnsupported, "a track needs a cid");
  for (TrackId id : p.tracks) {
    const Track& track = at(id);
    if (has_cid(track, command.cid)) return to(p, TrackAnnounced{command.cid, track.info}, out);
  }
  if (p.is_hidden() || !p.info.permissions.may_publish(command.track.source))
    return refused(RequestOutcome::kNotAllowed, "may not publish this source");
  if (p.tracks.size() >= kTracksMax)
    return refused(RequestOutcome::kLimitExceeded, "too many tracks of one participant");
  if (p.tracks.empty() && !has_room_for_publishers(announcers))
    return refused(RequestOutcome::kLimitExceeded, "too many publishers in the room");
  Track track;
  track.info = std::move(command.track);
  track.cid = command.cid;
  track.info.sid = make_sid("TR_" + letters_of(track.info));
  stamp(track.info, wall);
  TrackId id = insert_track(p, std::move(track));
  to(p, TrackAnnounced{command.cid, at(id).info}, out);
}

void Room::Impl::add_codec(WallTime wall, Participant& p, const AnnounceTrack& command, Outputs& out) {
  auto refused = [&](RequestOutcome why, const char* text) {
    to(p, TrackRefused{command.cid, command.request, why, text}, out);
  };
  Track* track = find_own(p, command.track.sid);
  if (!track) return refused(RequestOutcome::kNotFound, "no such track");
  if (command.track.codecs.empty()) return refused(RequestOutcome::kUnsupported, "no codec to add");
  std::vector<TrackCodec> codecs = track->info.codecs;
  for (const TrackCodec& added : command.track.codecs) {
    auto known = std::find_if(codecs.begin(), codecs.end(),
                              [&](const TrackCodec& c) { return c.mime_type == added.mime_type; });
    if (known == codecs.end()) {
      codecs.push_back(added);
    } else {
      if (!added.cid.empty()) known->cid = added.cid;
      if (!added.layers.empty()) known->layers = added.layers;
    }
  }
  if (codecs.size() > kCodecsMax) return refused(RequestOutcome::kLimitExceeded, "too many codecs");
  if (codecs != track->info.codecs) {
    track->info.codecs = std::move(codecs);
    stamp(track->info, wall);
    if (track->is_published) tell_change(p, out);
  }
  to(p, TrackAnnounced{command.cid, track->info}, out);
}

TrackId Room::Impl::insert_track(Participant& p, Track track) {
  track.owner = p.id;
  std::string sid = track.info.sid;
  TrackId id = tracks.insert(std::make_unique<Track>(std::move(track)));
  STOA_ASSERT(id.is_set());
  track_by_sid.emplace(std::move(sid), id);
  if (p.tracks.empty() && !p.is_forwarded) ++announcers;
  p.tracks.push_back(id);
  return id;
}

void Room::Impl::open_track(Timestamp now, Participant& p, TrackId id) {
  Track& track = at(id);
  track.is_published = true;
  p.is_public = true;
  if (p.published++ == 0) {
    ++publishers;
    count_changed(now);
  }
  fulfil_awaited(id);
  if (track.info.kind == TrackKind::kAudio) audible_changed(now);
}

void Room::Impl::publish(Timestamp now, WallTime wall, Participant& p, const PublishTrack& command,
                         Outputs& out) {
  TrackId id;
  Track* track = find_own(p, command.sid, &id);
  if (!track || !is_short(command.mid) || !is_short(command.media.mime_type)) return;
  TrackInfo& shown = track->info;
  if (shown.codecs.empty()) shown.codecs.push_back({{}, {}, track->cid, shown.layers, LayerMode::kUnknown});
  std::size_t codec = codec_of(shown, command);
  track->media.resize(shown.codecs.size());
  bool is_new = track->media[codec] != command.media;
  if (!is_new && shown.codecs[codec].mid == command.mid) return;
  track->media[codec] = command.media;
  shown.codecs[codec].mid = command.mid;
  shown.codecs[codec].mime_type = command.media.mime_type;
  stamp(shown, wall);
  bool was_published = track->is_published;
  if (!was_published) open_track(now, p, id);
  tell_change(p, out);
  if (!was_published) {
    happened(Happening::kTrackPublished, &p, track, out);
    settle_track(id, out);
  } else if (is_new) {
    retell_media(id, out);
  }
}

void Room::Impl::unpublish(Timestamp now, Participant& p, const UnpublishTrack& command, Outputs& out) {
  TrackId id;
  Track* track = find_own(p, command.sid, &id);
  if (!track) return;
  bool was_published = track->is_published;
  remove_track(now, p, id, out);
  if (was_published) tell_change(p, out);
}

void Room::Impl::remove_track(Timestamp now, Participant& p, TrackId id, Outputs& out) {
  Track& track = at(id);
  if (track.is_published) {
    forget_track(id, out);
    if (--p.published == 0) {
      --publishers;
      count_changed(now);
    }
    happened(Happening::kTrackUnpublished, &p, &track, out);
    if (track.info.kind == TrackKind::kAudio) {
      level_changed(now, p);
      audible_changed(now);
    }
  }
  track_by_sid.erase(track.info.sid);
  std::erase(p.tracks, id);
  if (p.tracks.empty() && !p.is_forwarded) --announcers;
  tracks.erase(id);
}

void Room::Impl::unpublish_forbidden(Timestamp now, Participant& p, bool all, Outputs& out) {
  for (TrackId id : std::vector(p.tracks)) {
    Track& track = at(id);
    if (!all && p.info.permissions.may_publish(track.info.source)) continue;
    to(p, TrackUnpublished{track.info.sid}, out);
    remove_track(now, p, id, out);
  }
}

void Room::Impl::mute(Timestamp now, WallTime wall, Participant& p, Track& track, bool is_muted,
                      Outputs& out) {
  if (track.info.is_muted == is_muted) return;
  track.info.is_muted = is_muted;
  track.level = 0;
  stamp(track.info, wall);
  if (!track.is_published) return;
  if (track.info.kind == TrackKind::kAudio) {
    level_changed(now, p);
    audible_changed(now);
  }
  tell_change(p, out);
}

void Room::Impl::update_track(WallTime wall, Participant& p, const UpdateTrack& command, Outputs& out) {
  Track* track = find_own(p, command.sid);
  if (!track || (command.audio_features && command.audio_features->size() > kFeaturesMax)) return;
  TrackInfo changed = track->info;
  if (command.width) changed.width = *command.width;
  if (command.height) changed.height = *command.height;
  if (command.audio_features) changed.audio_features = *command.audio_features;
  if (changed == track->info) return;
  track->info = std::move(changed);
  stamp(track->info, wall);
  if (track->is_published) tell_change(p, out);
}

}  // namespace stoa::room
