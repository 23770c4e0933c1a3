// From one room to another: moving, and being shown elsewhere.
#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {

Luggage Room::Impl::pack(const Participant& p) const {
  Luggage luggage;
  const ParticipantInfo& shown = p.info;
  luggage.wish = {
      shown.identity,     shown.name,        shown.metadata,   shown.attributes,      shown.kind,
      shown.kind_details, shown.permissions, p.auto_subscribe, shown.client_protocol, shown.capabilities};
  luggage.sid = shown.sid;
  luggage.shard = p.shard;
  luggage.id = p.id;
  luggage.state = shown.state;
  luggage.joined_at = shown.joined_at;
  luggage.subscribers = p.subscribers;
  for (TrackId id : p.tracks) {
    const Track& track = at(id);
    if (!track.is_published) {
      luggage.announced.push_back(track.info);
      luggage.announced_cids.push_back(track.cid);
      continue;
    }
    luggage.tracks.emplace_back(track.info, track.places());
    luggage.track_cids.push_back(track.cid);
  }
  return luggage;
}

Result<Luggage, ApiRefusal> Room::take_out(Timestamp now, WallTime wall, std::string_view identity,
                                           Outputs& out) {
  Impl& room = *impl_;
  Participant* p = room.find(identity);
  if (!p) return refuse(ApiRefusal::kNoParticipant);
  if (p->is_forwarded) return refuse(ApiRefusal::kNotAllowed);
  Luggage luggage = room.pack(*p);
  room.tracks.for_each([&](TrackId id, std::unique_ptr<Track>& track) {
    if (p->subscribed.test(id.index)) room.to(*p, Unsubscribed{track->info.sid}, out);
  });
  // What was told of its going counts, too: versions only grow.
  luggage.version = p->info.version + 1;
  room.take_away(now, wall, *p, LeaveReason::kMigration, out);
  return luggage;
}

void Room::Impl::unpack_tracks(Timestamp now, Participant& p, Luggage& luggage) {
  auto insert = [&](TrackInfo& shown, std::vector<std::string>& cids, std::size_t i) {
    if (track_by_sid.contains(shown.sid) || p.tracks.size() >= kTracksMax) return TrackId{};
    Track track;
    track.info = std::move(shown);
    if (i < cids.size()) track.cid = std::move(cids[i]);
    return insert_track(p, std::move(track));
  };
  for (std::size_t i = 0; i < luggage.tracks.size(); ++i) {
    auto& [shown, media] = luggage.tracks[i];
    TrackId id = insert(shown, luggage.track_cids, i);
    if (!id.is_set()) continue;
    Track& track = at(id);
    for (TrackMedia& one : media) place_media(track, std::move(one));
    open_track(now, p, id);
  }
  for (std::size_t i = 0; i < luggage.announced.size(); ++i)
    insert(luggage.announced[i], luggage.announced_cids, i);
}

// By what it is: places come without those of codecs that are announced alone.
void Room::Impl::place_media(Track& track, TrackMedia media) const {
  const auto& codecs = track.info.codecs;
  track.media.resize(std::max<std::size_t>(codecs.size(), 1));
  for (std::size_t i = 0; i < codecs.size(); ++i)
    if (!track.media[i] && codecs[i].mime_type == media.mime_type) {
      track.media[i] = std::move(media);
      return;
    }
  if (!track.media[0]) track.media[0] = std::move(media);
}

Result<Joined, JoinRefusal> Room::Impl::put_in(Timestamp now, WallTime wall, Luggage luggage, Outputs& out) {
  if (auto refusal = refusal_of(luggage.wish)) return refuse(*refusal);
  if (luggage.shard >= seats.size()) return refuse(JoinRefusal::kBadWish);
  Participant* old = find(luggage.wish.identity);
  bool has_tracks = !luggage.tracks.empty() || !luggage.announced.empty();
  bool old_announces = old && !old->is_forwarded && !old->tracks.empty();
  if (has_tracks && !has_room_for_publishers(announcers - (old_announces ? 1 : 0)))
    return refuse(JoinRefusal::kFull);
  begin(out);
  if (old) leave(now, wall, *old, LeaveReason::kDuplicateIdentity, true, out);
  std::unique_ptr<Participant> made = make_participant(std::move(luggage.wish), luggage.joined_at);
  made->info.sid = luggage.sid;
  made->info.state = luggage.state;
  made->info.version = luggage.version;
  made->shard = luggage.shard;
  take_grants(*made, std::move(luggage.subscribers));
  Participant& p = admit(now, std::move(made));
  unpack_tracks(now, p, luggage);
  tell_change(p, out, false);
  to(p, Moved{room_info(), p.shared, others_of(p)}, out);
  if (p.is_active()) {
    happened(Happening::kParticipantJoined, &p, nullptr, out);
    greet(p, out);
  }
  for (TrackId id : p.tracks) {
    if (!at(id).is_published) continue;
    happened(Happening::kTrackPublished, &p, &at(id), out);
    settle_track(id, out);
  }
  return joined(p);
}

Result<Joined, JoinRefusal> Room::put_in(Timestamp now, WallTime wall, Luggage luggage, Outputs& out) {
  return impl_->put_in(now, wall, std::move(luggage), out);
}

Result<void, ApiRefusal> Room::forward(Timestamp, std::string_view identity, const std::string& to_room,
                                       Outputs& out) {
  Participant* p = impl_->find(identity);
  if (!p) return refuse(ApiRefusal::kNoParticipant);
  if (p->is_forwarded || p->is_hidden()) return refuse(ApiRefusal::kNotAllowed);
  bool is_new = std::find(p->forwards.begin(), p->forwards.end(), to_room) == p->forwards.end();
  if (to_room.empty() || to_room == impl_->info.name || (is_new && p->forwards.size() >= kForwardsMax))
    return refuse(ApiRefusal::kBadValue);
  if (is_new) p->forwards.push_back(to_room);
  impl_->tell_forward(*p, to_room, false, out);
  return {};
}

void Room::stop_forwarding(Timestamp, std::string_view identity, const std::string& to_room, Outputs& out) {
  Participant* p = impl_->find(identity);
  if (p && std::erase(p->forwards, to_room) > 0) impl_->tell_forward(*p, to_room, true, out);
}

Result<void, JoinRefusal> Room::handle_forward(Timestamp now, WallTime wall, const ForwardChanged& forward,
                                               Outputs& out) {
  return impl_->handle_forward(now, wall, forward, out);
}

Result<void, JoinRefusal> Room::Impl::handle_forward(Timestamp now, WallTime wall,
                                                     const ForwardChanged& forward, Outputs& out) {
  if (has_ended) return refuse(JoinRefusal::kEnded);
  if (!forward.participant) return refuse(JoinRefusal::kBadWish);
  Participant* p = find(forward.participant->identity);
  bool is_shown_here = p && p->is_forwarded && p->forwarded_from == forward.from_room;
  if (forward.is_gone) {
    if (is_shown_here) {
      take_away(now, wall, *p, forward.participant->left_for, out);
    } else if (p && !p->is_forwarded && std::erase(p->forwards, forward.from_room) > 0) {
      tell_forward(*p, forward.from_room, true, out);
    }
    return {};
  }
  if (p && !is_shown_here) return refuse(JoinRefusal::kBadWish);
  if (p && p->info.sid != forward.participant->sid) {
    take_away(now, wall, *p, LeaveReason::kUnknown, out);
    p = nullptr;
  }
  if (!p) {
    if (participants.size() >= config.limits.participants_max) return refuse(JoinRefusal::kFull);
    begin(out);
    auto made = std::make_unique<Participant>();
    made->info = *forward.participant;
    made->info.tracks.clear();
    made->info.permissions.is_hidden = false;
    made->is_forwarded = true;
    made->forwarded_from = forward.from_room;
    made->shard = config.shard;
    p = &admit(now, std::move(made));
  }
  update_forwarded(now, *p, forward, out);
  return {};
}

void Room::Impl::update_forwarded(Timestamp now, Participant& p, const ForwardChanged& forward,
                                  Outputs& out) {
  const ParticipantInfo& shown = *forward.participant;
  for (TrackId id : std::vector(p.tracks)) {
    const std::string& sid = at(id).info.sid;
    if (std::none_of(shown.tracks.begin(), shown.tracks.end(),
                     [&](const TrackInfo& track) { return track.sid == sid; }))
      remove_track(now, p, id, out);
  }
  std::uint32_t version = p.info.version;
  p.info = shown;
  p.info.permissions.is_hidden = false;
  p.info.version = std::max(version + 1, shown.version) - 1;  // And one more when told.
  std::vector<TrackId> retold;
  for (const TrackInfo& info_there : shown.tracks) {
    TrackId id;
    Track* track = find_own(p, info_there.sid, &id);
    if (!track) {
      if (track_by_sid.contains(info_there.sid) || p.tracks.size() >= kTracksMax) continue;
      Track fresh;
      fresh.info = info_there;
      id = insert_track(p, std::move(fresh));
      track = &at(id);
    }
    track->info = info_there;
    std::vector<TrackMedia> before = track->places();
    track->media.clear();
    for (const auto& [sid, media] : forward.media)
      if (sid == info_there.sid)
        for (const TrackMedia& one : media) place_media(*track, one);
    if (!track->is_published) {
      open_track(now, p, id);
    } else if (track->places() != before) {
      retold.push_back(id);
    }
  }
  take_grants(p, forward.subscribers);
  tell_change(p, out);
  for (TrackId id : retold) retell_media(id, out);
  for (TrackId id : p.tracks) settle_track(id, out);
}

}  // namespace stoa::room
