// Between what a room says (room/) and what clients say (wire.h).
//
// `to_wire` is told, `from_wire` is asked. What a client sends has no limits here: room/ refuses what is over
// its own. Numbers of enumerations that are not known become the harmless one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/livekit/grant.h"
#include "api/livekit/join_params.h"
#include "api/livekit/traits.h"
#include "api/livekit/wire.h"
#include "base/result.h"
#include "room/events.h"
#include "room/info.h"
#include "room/layer_choice.h"
#include "room/room.h"

namespace stoa::livekit {

// ---- Values.

pb::Room to_wire(const room::RoomInfo& room);
pb::ParticipantInfo to_wire(const room::ParticipantInfo& participant);
pb::TrackInfo to_wire(const room::TrackInfo& track);
pb::VideoLayer to_wire(const room::VideoLayer& layer);
pb::ParticipantPermission to_wire(const room::Permissions& permissions);
pb::SpeakerInfo to_wire(const room::SpeakerLevel& speaker);
pb::ConnectionQualityInfo to_wire(const room::QualityChanged::Quality& quality, ClientTraits traits);
pb::DisconnectReason to_wire(room::LeaveReason reason);
pb::VideoQuality to_wire(room::Quality quality);
pb::RequestResponse::Reason to_wire(room::RequestOutcome outcome);

room::Permissions from_wire(const pb::ParticipantPermission& permission);
room::TrackInfo from_wire(const pb::TrackInfo& track);
room::VideoLayer from_wire(const pb::VideoLayer& layer);
room::Quality from_wire(pb::VideoQuality quality);
room::TrackSource from_wire(pb::TrackSource source);
pb::TrackSource to_wire(room::TrackSource source);
room::LeaveReason from_wire(pb::DisconnectReason reason);

// ---- What clients ask.

room::AnnounceTrack from_wire(const pb::AddTrackRequest& request);
room::MuteTrack from_wire(const pb::MuteTrackRequest& request);
room::Subscribe from_wire(const pb::UpdateSubscription& request);
room::SetSubscribers from_wire(const pb::SubscriptionPermission& request);
room::UpdateSelf from_wire(const pb::UpdateParticipantMetadata& request);
room::UpdateTrack from_wire(const pb::UpdateLocalAudioTrack& request);
room::UpdateTrack from_wire(const pb::UpdateLocalVideoTrack& request);
struct TrackSettings {
  std::vector<std::string> tracks;
  room::TrackWish wish;
};
TrackSettings from_wire(const pb::UpdateTrackSettings& request);

// Who comes in, by the token and by what the client says of itself; metadata and attributes of its own only
// with can_update_own_metadata (else passed over).
room::JoinWish make_join_wish(const AccessGrant& grant, const JoinParams& params);

// ---- What the server's API asks.

room::ParticipantUpdate from_wire(const pb::UpdateParticipantRequest& request);
// `defaults` with what is set in the request.
room::RoomInfo from_wire(const pb::CreateRoomRequest& request, room::RoomInfo defaults);
room::RoomInfo from_wire(const pb::RoomConfiguration& configuration, room::RoomInfo defaults);
std::vector<std::string> tracks_of(const pb::UpdateSubscriptionsRequest& request);

// ---- What clients are told.

// Those events that are one message: update, room_update, speakers_changed, connection_quality,
// track_published, track_unpublished, mute, request_response, subscription_permission_update,
// subscription_response, track_subscribed, leave, room_moved (its token is
// to be set by the caller).
// Nothing: those that concern media or data (Subscribed, Unsubscribed, DataArrived), and what this client
// does not want to be told.
std::optional<pb::SignalResponse> event_to_response(const room::Event& event, ClientTraits traits);
// What a client that is put out for this should do: come back anew, or stay away.
pb::LeaveRequest::Action action_after(room::LeaveReason reason);
// A leave: with what the client should do after it.
pb::SignalResponse make_leave(room::LeaveReason reason, pb::LeaveRequest::Action action, ClientTraits traits);

}  // namespace stoa::livekit
