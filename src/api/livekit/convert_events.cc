// What a room tells, as messages to a client.
#include <utility>

#include "api/livekit/convert.h"

namespace stoa::livekit {
namespace {

using Message = std::optional<pb::SignalResponse>;

// One function for each event; what is no message of its own falls to the last.
struct Translator {
  ClientTraits traits;

  Message operator()(const room::Answered& event) const {
    bool is_ok = event.outcome == room::RequestOutcome::kDone;
    bool is_wanted = is_ok ? traits.wants_ok_responses() : traits.takes_unknown_messages();
    if (event.request == 0 || !is_wanted) return std::nullopt;
    pb::SignalResponse response;
    pb::RequestResponse& answer = *response.mutable_request_response();
    answer.set_request_id(event.request);
    answer.set_reason(to_wire(event.outcome));
    answer.set_message(event.text);
    return response;
  }
  Message operator()(const room::TrackAnnounced& event) const {
    pb::SignalResponse response;
    response.mutable_track_published()->set_cid(event.cid);
    *response.mutable_track_published()->mutable_track() = to_wire(event.track);
    return response;
  }
  Message operator()(const room::TrackRefused& event) const {
    if (!traits.takes_unknown_messages()) return std::nullopt;
    pb::SignalResponse response;
    pb::RequestResponse& answer = *response.mutable_request_response();
    answer.set_request_id(event.request);
    answer.set_reason(to_wire(event.why));
    answer.set_message(event.text);
    answer.mutable_add_track()->set_cid(event.cid);
    return response;
  }
  Message operator()(const room::TrackMuted& event) const {
    pb::SignalResponse response;
    response.mutable_mute()->set_sid(event.sid);
    response.mutable_mute()->set_muted(event.is_muted);
    return response;
  }
  Message operator()(const room::TrackUnpublished& event) const {
    pb::SignalResponse response;
    response.mutable_track_unpublished()->set_track_sid(event.sid);
    return response;
  }
  Message operator()(const room::SubscribeFailed& event) const {
    pb::SignalResponse response;
    response.mutable_subscription_response()->set_track_sid(event.track);
    response.mutable_subscription_response()->set_err(
        event.why == room::SubscribeRefusal::kTrackNotFound ? pb::SE_TRACK_NOTFOUND : pb::SE_UNKNOWN);
    return response;
  }
  Message operator()(const room::SubscriptionAllowed& event) const {
    pb::SignalResponse response;
    pb::SubscriptionPermissionUpdate& update = *response.mutable_subscription_permission_update();
    update.set_participant_sid(event.publisher_sid);
    update.set_track_sid(event.track);
    update.set_allowed(event.is_allowed);
    return response;
  }
  Message operator()(const room::FirstSubscriber& event) const {
    if (!traits.takes_unknown_messages()) return std::nullopt;
    pb::SignalResponse response;
    response.mutable_track_subscribed()->set_track_sid(event.track);
    return response;
  }
  Message operator()(const room::Removed& event) const {
    return make_leave(event.reason, action_after(event.reason), traits);
  }
  Message operator()(const room::Moved& event) const {
    if (!traits.can_be_moved()) return std::nullopt;
    pb::SignalResponse response;
    pb::RoomMovedResponse& moved = *response.mutable_room_moved();
    *moved.mutable_room() = to_wire(event.room);
    if (event.self) *moved.mutable_participant() = to_wire(*event.self);
    for (const room::SharedParticipant& other : event.others)
      if (other) *moved.add_other_participants() = to_wire(*other);
    return response;
  }
  Message operator()(const room::ParticipantsChanged& event) const {
    pb::SignalResponse response;
    for (const room::SharedParticipant& participant : event.participants)
      if (participant) *response.mutable_update()->add_participants() = to_wire(*participant);
    if (!response.has_update()) return std::nullopt;
    return response;
  }
  Message operator()(const room::RoomChanged& event) const {
    pb::SignalResponse response;
    *response.mutable_room_update()->mutable_room() = to_wire(event.room);
    return response;
  }
  Message operator()(const room::SpeakersChanged& event) const {
    if (event.speakers.empty()) return std::nullopt;
    pb::SignalResponse response;
    for (const room::SpeakerLevel& speaker : event.speakers)
      *response.mutable_speakers_changed()->add_speakers() = to_wire(speaker);
    return response;
  }
  Message operator()(const room::QualityChanged& event) const {
    if (event.qualities.empty()) return std::nullopt;
    pb::SignalResponse response;
    for (const room::QualityChanged::Quality& quality : event.qualities)
      *response.mutable_connection_quality()->add_updates() = to_wire(quality, traits);
    return response;
  }
  template <typename Other>
  Message operator()(const Other&) const {
    return std::nullopt;
  }
};

}  // namespace

pb::LeaveRequest::Action action_after(room::LeaveReason reason) {
  switch (reason) {
    case room::LeaveReason::kServerShutdown:
    case room::LeaveReason::kStateMismatch:
    case room::LeaveReason::kMigration:
    case room::LeaveReason::kConnectionTimeout:
    case room::LeaveReason::kMediaFailure: return pb::LeaveRequest::RECONNECT;
    default: return pb::LeaveRequest::DISCONNECT;
  }
}

std::optional<pb::SignalResponse> event_to_response(const room::Event& event, ClientTraits traits) {
  return std::visit(Translator{traits}, event);
}

pb::SignalResponse make_leave(room::LeaveReason reason, pb::LeaveRequest::Action action,
                              ClientTraits traits) {
  pb::SignalResponse response;
  pb::LeaveRequest& leave = *response.mutable_leave();
  leave.set_reason(to_wire(reason));
  // Older clients know only whether to come back, which they do by joining anew.
  leave.set_can_reconnect(action != pb::LeaveRequest::DISCONNECT);
  if (traits.knows_leave_action()) leave.set_action(action);
  return response;
}

}  // namespace stoa::livekit
