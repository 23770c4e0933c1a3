// What the server's API asks of a room.
#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {

std::vector<SharedParticipant> Room::participants() const {
  std::vector<SharedParticipant> all;
  all.reserve(impl_->participants.size());
  impl_->participants.for_each(
      [&](ParticipantId, const std::unique_ptr<Participant>& p) { all.push_back(p->shared); });
  return all;
}

Result<void, ApiRefusal> Room::remove(Timestamp now, WallTime wall, std::string_view identity,
                                      LeaveReason reason, Outputs& out) {
  Participant* p = impl_->find(identity);
  if (!p) return refuse(ApiRefusal::kNoParticipant);
  impl_->leave(now, wall, *p, reason, true, out);
  return {};
}

Result<TrackInfo, ApiRefusal> Room::mute(Timestamp now, WallTime wall, std::string_view identity,
                                         std::string_view track, bool is_muted, Outputs& out) {
  Participant* p = impl_->find(identity);
  if (!p) return refuse(ApiRefusal::kNoParticipant);
  Track* found = impl_->find_own(*p, track);
  if (!found) return refuse(ApiRefusal::kNoTrack);
  if (found->info.is_muted == is_muted) return found->info;
  if (p->is_forwarded || (!is_muted && !impl_->config.may_unmute_remotely))
    return refuse(ApiRefusal::kNotAllowed);
  impl_->to(*p, TrackMuted{found->info.sid, is_muted}, out);
  impl_->mute(now, wall, *p, *found, is_muted, out);
  return found->info;
}

Result<SharedParticipant, ApiRefusal> Room::update_participant(Timestamp now, WallTime wall,
                                                               std::string_view identity,
                                                               const ParticipantUpdate& update,
                                                               Outputs& out) {
  Participant* p = impl_->find(identity);
  if (!p) return refuse(ApiRefusal::kNoParticipant);
  if (p->is_forwarded) return refuse(ApiRefusal::kNotAllowed);
  if (!impl_->is_within_limits(*p, update)) return refuse(ApiRefusal::kBadValue);
  impl_->update(now, wall, *p, update, out);
  return p->shared;
}

Result<void, ApiRefusal> Room::update_subscriptions(Timestamp, WallTime, std::string_view identity,
                                                    std::span<const std::string> tracks, bool is_wanted,
                                                    Outputs& out) {
  Impl& room = *impl_;
  Participant* p = room.find(identity);
  if (!p) return refuse(ApiRefusal::kNoParticipant);
  if (p->is_forwarded) return refuse(ApiRefusal::kNotAllowed);
  for (const std::string& sid : tracks) {
    auto publisher = room.by_sid.find(sid);
    if (publisher == room.by_sid.end()) {
      room.subscribe(*p, sid, is_wanted, out);
      continue;
    }
    for (TrackId id : room.find(publisher->second)->tracks) {
      const Track& track = room.at(id);
      if (track.is_published && track.owner != p->id) room.subscribe(*p, track.info.sid, is_wanted, out);
    }
  }
  return {};
}

void Room::send_data(Timestamp, const SendData& data, Outputs& out) { impl_->send_data(nullptr, data, out); }

Result<RoomInfo, ApiRefusal> Room::update_metadata(Timestamp, WallTime, std::string metadata, Outputs& out) {
  Impl& room = *impl_;
  if (metadata.size() > kMetadataBytesMax || !is_text(metadata)) return refuse(ApiRefusal::kBadValue);
  if (!room.has_ended && std::exchange(room.info.metadata, metadata) != metadata) room.tell_room(out);
  return room.room_info();
}

void Room::set_recorded(Timestamp, bool is_recorded, Outputs& out) {
  if (impl_->has_ended || std::exchange(impl_->info.is_recorded, is_recorded) == is_recorded) return;
  impl_->tell_room(out);
}

}  // namespace stoa::room
