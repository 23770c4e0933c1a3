// What clients and the server's API ask, as commands of a room.
#include <utility>

#include "api/livekit/convert.h"

namespace stoa::livekit {
namespace {

template <typename Request>
std::vector<std::string> all_tracks_of(const Request& request) {
  std::vector<std::string> tracks(request.track_sids().begin(), request.track_sids().end());
  for (const pb::ParticipantTracks& participant : request.participant_tracks())
    tracks.insert(tracks.end(), participant.track_sids().begin(), participant.track_sids().end());
  return tracks;
}

template <typename Request>
room::RoomInfo with_settings(const Request& request, room::RoomInfo room) {
  if (!request.name().empty()) room.name = request.name();
  if (!request.metadata().empty()) room.metadata = request.metadata();
  if (request.empty_timeout() > 0) room.empty_timeout = Duration::seconds(request.empty_timeout());
  if (request.departure_timeout() > 0)
    room.departure_timeout = Duration::seconds(request.departure_timeout());
  if (request.max_participants() > 0) room.participants_max = request.max_participants();
  return room;
}

}  // namespace

room::MuteTrack from_wire(const pb::MuteTrackRequest& request) { return {request.sid(), request.muted()}; }

room::Subscribe from_wire(const pb::UpdateSubscription& request) {
  return {all_tracks_of(request), request.subscribe()};
}

room::SetSubscribers from_wire(const pb::SubscriptionPermission& request) {
  room::SetSubscribers subscribers;
  subscribers.everybody = request.all_participants();
  for (const pb::TrackPermission& permission : request.track_permissions()) {
    subscribers.permissions.push_back(
        {.participant_sid = permission.participant_sid(),
         .participant_identity = permission.participant_identity(),
         .all_tracks = permission.all_tracks(),
         .tracks = {permission.track_sids().begin(), permission.track_sids().end()}});
  }
  return subscribers;
}

room::UpdateSelf from_wire(const pb::UpdateParticipantMetadata& request) {
  room::UpdateSelf update;
  if (!request.metadata().empty()) update.metadata = request.metadata();
  if (!request.name().empty()) update.name = request.name();
  update.attributes = {request.attributes().begin(), request.attributes().end()};
  update.request = request.request_id();
  return update;
}

room::UpdateTrack from_wire(const pb::UpdateLocalAudioTrack& request) {
  room::UpdateTrack update;
  update.sid = request.track_sid();
  std::vector<std::uint32_t>& features = update.audio_features.emplace();
  for (int feature : request.features()) features.push_back(static_cast<std::uint32_t>(feature));
  return update;
}

room::UpdateTrack from_wire(const pb::UpdateLocalVideoTrack& request) {
  room::UpdateTrack update;
  update.sid = request.track_sid();
  update.width = request.width();
  update.height = request.height();
  return update;
}

TrackSettings from_wire(const pb::UpdateTrackSettings& request) {
  TrackSettings settings;
  settings.tracks = {request.track_sids().begin(), request.track_sids().end()};
  settings.wish.is_disabled = request.disabled();
  settings.wish.quality = from_wire(request.quality());
  settings.wish.width = request.width();
  settings.wish.height = request.height();
  settings.wish.frames_per_second = request.fps();
  settings.wish.priority = request.priority();
  return settings;
}

room::JoinWish make_join_wish(const AccessGrant& grant, const JoinParams& params) {
  room::JoinWish wish;
  wish.identity = grant.identity;
  wish.name = grant.name;
  wish.metadata = grant.metadata;
  wish.attributes = grant.attributes;
  wish.kind = grant.kind;
  wish.kind_details = grant.kind_details;
  wish.permissions = permissions_of(grant);
  wish.auto_subscribe = params.auto_subscribe;
  if (!params.publish.empty()) {
    wish.identity += '#' + params.publish;
    wish.auto_subscribe = false;
  }
  if (wish.permissions.can_update_metadata) {
    if (!params.metadata.empty()) wish.metadata = params.metadata;
    for (const auto& [key, text] : params.attributes) wish.attributes.insert_or_assign(key, text);
  }
  wish.client_protocol = static_cast<std::uint32_t>(std::max(params.client.client_protocol(), 0));
  for (int capability : params.client.capabilities())
    wish.capabilities.push_back(static_cast<std::uint32_t>(capability));
  return wish;
}

room::ParticipantUpdate from_wire(const pb::UpdateParticipantRequest& request) {
  room::ParticipantUpdate update;
  if (!request.metadata().empty()) update.metadata = request.metadata();
  if (!request.name().empty()) update.name = request.name();
  update.attributes = {request.attributes().begin(), request.attributes().end()};
  if (request.has_permission()) update.permissions = from_wire(request.permission());
  return update;
}

room::RoomInfo from_wire(const pb::CreateRoomRequest& request, room::RoomInfo defaults) {
  return with_settings(request, std::move(defaults));
}
room::RoomInfo from_wire(const pb::RoomConfiguration& configuration, room::RoomInfo defaults) {
  std::string name = defaults.name;
  room::RoomInfo room = with_settings(configuration, std::move(defaults));
  room.name = std::move(name);
  return room;
}

std::vector<std::string> tracks_of(const pb::UpdateSubscriptionsRequest& request) {
  return all_tracks_of(request);
}

}  // namespace stoa::livekit
