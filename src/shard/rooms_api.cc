// What the server's API asks of the rooms that this shard owns.
#include <algorithm>
#include <utility>

#include "api/livekit/convert.h"
#include "api/livekit/data_packet.h"
#include "shard/rooms.h"

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

using Answer = Result<std::shared_ptr<const google::protobuf::Message>, livekit::TwirpError>;

template <typename Message>
Answer answer_with(Message message) {
  return std::make_shared<const Message>(std::move(message));
}
std::unexpected<livekit::TwirpError> not_found(const char* text) {
  return refuse(livekit::TwirpError{livekit::TwirpCode::kNotFound, text});
}

}  // namespace

void Rooms::handle_call(Timestamp now, WallTime wall, RoomCalled& called, RoomsOutputs& out) {
  if (const auto* list = std::get_if<pb::ListRoomsRequest>(&called.call->request)) {
    out.push(SendControlMail{RoomAnswered{called.question, list_rooms(*list)}});
    return;
  }
  const std::string& name = livekit::room_of(called.call->request);
  if (std::holds_alternative<pb::CreateRoomRequest>(called.call->request)) {
    OwnedRoom* owned = find_room(name);
    if (!owned && rooms_.size() < config_.rooms_max) owned = &open_room(now, wall, called.room);
    Answer answer = owned ? answer_with(livekit::to_wire(owned->room.info()))
                          : refuse(livekit::TwirpError{livekit::TwirpCode::kResourceExhausted,
                                                       "this server has as many rooms as it takes"});
    out.push(SendControlMail{RoomAnswered{called.question, std::move(answer)}});
    return handle_room_outputs(name, out);
  }
  OwnedRoom* owned = find_room(name);
  if (owned == nullptr) {
    out.push(SendControlMail{RoomAnswered{called.question, not_found("there is no such room")}});
    return;
  }
  if (auto* move = std::get_if<pb::MoveParticipantRequest>(&called.call->request))
    return move_out(now, wall, *owned, *move, called, out);
  if (const auto* rpc = std::get_if<pb::PerformRpcRequest>(&called.call->request)) {
    const std::string id = livekit::kServerRpcPrefix + std::to_string(called.question);
    Answer asked = answer_with(pb::PerformRpcResponse());
    if (owned->room.find_by_identity(rpc->destination_identity())) {
      owned->room.send_data(now, livekit::make_rpc_request(id, *rpc), owned->outputs);
    } else {
      asked = not_found("there is no such participant");
    }
    out.push(SendControlMail{RoomAnswered{called.question, std::move(asked)}});
    return handle_room_outputs(name, out);
  }
  Answer answer = call_room(now, wall, owned->room, called.call->request, owned->outputs);
  out.push(SendControlMail{RoomAnswered{called.question, std::move(answer)}});
  handle_room_outputs(name, out);
}

Answer Rooms::list_rooms(const pb::ListRoomsRequest& request) const {
  pb::ListRoomsResponse response;
  for (const auto& [name, owned] : rooms_) {
    const bool is_wanted =
        request.names_size() == 0 ||
        std::find(request.names().begin(), request.names().end(), name) != request.names().end();
    if (is_wanted) *response.add_rooms() = livekit::to_wire(owned->room.info());
  }
  return answer_with(std::move(response));
}

Answer Rooms::call_room(Timestamp now, WallTime wall, room::Room& room, const livekit::TwirpRequest& request,
                        room::Outputs& outputs) {
  auto refused = [](room::ApiRefusal refusal) { return refuse(livekit::error_of(refusal)); };
  return std::visit(
      Overloaded{
          [&](const pb::DeleteRoomRequest&) -> Answer {
            room.close(now, wall, room::LeaveReason::kRoomDeleted, outputs);
            return answer_with(pb::DeleteRoomResponse());
          },
          [&](const pb::ListParticipantsRequest&) -> Answer {
            pb::ListParticipantsResponse response;
            for (const room::SharedParticipant& one : room.participants())
              *response.add_participants() = livekit::to_wire(*one);
            return answer_with(std::move(response));
          },
          [&](const livekit::GetParticipant& get) -> Answer {
            auto id = room.find_by_identity(get.request.identity());
            room::SharedParticipant found = id ? room.participant(*id) : nullptr;
            if (!found) return not_found("there is no such participant");
            return answer_with(livekit::to_wire(*found));
          },
          [&](const livekit::RemoveParticipant& one) -> Answer {
            auto done = room.remove(now, wall, one.request.identity(), room::LeaveReason::kRemoved, outputs);
            if (!done) return refused(done.error());
            return answer_with(pb::RemoveParticipantResponse());
          },
          [&](const pb::MuteRoomTrackRequest& mute) -> Answer {
            auto track = room.mute(now, wall, mute.identity(), mute.track_sid(), mute.muted(), outputs);
            if (!track) return refused(track.error());
            pb::MuteRoomTrackResponse response;
            *response.mutable_track() = livekit::to_wire(*track);
            return answer_with(std::move(response));
          },
          [&](const pb::UpdateParticipantRequest& update) -> Answer {
            auto done =
                room.update_participant(now, wall, update.identity(), livekit::from_wire(update), outputs);
            if (!done) return refused(done.error());
            return answer_with(livekit::to_wire(**done));
          },
          [&](const pb::UpdateSubscriptionsRequest& update) -> Answer {
            auto done = room.update_subscriptions(now, wall, update.identity(), livekit::tracks_of(update),
                                                  update.subscribe(), outputs);
            if (!done) return refused(done.error());
            return answer_with(pb::UpdateSubscriptionsResponse());
          },
          [&](const pb::SendDataRequest& data) -> Answer {
            room.send_data(now, livekit::make_user_packet(data), outputs);
            return answer_with(pb::SendDataResponse());
          },
          [&](const pb::UpdateRoomMetadataRequest& update) -> Answer {
            auto done = room.update_metadata(now, wall, update.metadata(), outputs);
            if (!done) return refused(done.error());
            return answer_with(livekit::to_wire(*done));
          },
          [&](const pb::ForwardParticipantRequest& forward) -> Answer {
            auto done = room.forward(now, forward.identity(), forward.destination_room(), outputs);
            if (!done) return refused(done.error());
            return answer_with(pb::ForwardParticipantResponse());
          },
          [&](const auto&) -> Answer {
            return refuse(livekit::TwirpError{livekit::TwirpCode::kUnimplemented, "not served here"});
          },
      },
      request);
}

// ---- Moving: out of the room here, into one that another shard may own.

void Rooms::move_out(Timestamp now, WallTime wall, OwnedRoom& owned, const pb::MoveParticipantRequest& move,
                     const RoomCalled& called, RoomsOutputs& out) {
  const std::string name = owned.room.info().name;
  const std::string sid = owned.sid;
  auto luggage = owned.room.take_out(now, wall, move.identity(), owned.outputs);
  // What it is told of the old room goes before.
  handle_room_outputs(name, out);
  if (luggage) {
    send(owner_of(move.destination_room(), config_.shards),
         RoomEntered{called.question, sid, called.room, std::move(*luggage)}, out);
  } else {
    out.push(SendControlMail{RoomAnswered{called.question, refuse(livekit::error_of(luggage.error()))}});
  }
}

void Rooms::handle_entered(Timestamp now, WallTime wall, RoomEntered& entered, RoomsOutputs& out) {
  const std::string& name = entered.room.name;
  OwnedRoom* owned = find_room(name);
  if (!owned && rooms_.size() < config_.rooms_max) owned = &open_room(now, wall, entered.room);
  const room::ParticipantId before = entered.luggage.id;
  const ShardIndex shard = entered.luggage.shard;
  Result<room::Joined, room::JoinRefusal> joined = refuse(room::JoinRefusal::kFull);
  if (owned) joined = owned->room.put_in(now, wall, std::move(entered.luggage), owned->outputs);
  if (joined) {
    // Before what the new room says to it.
    send(shard,
         SeatMoved{entered.from_room, before, name, joined->room.sid, joined->participant, joined->self->sid},
         out);
    out.push(SendControlMail{RoomAnswered{entered.question, answer_with(pb::MoveParticipantResponse())}});
  } else {
    send(shard, SeatClosed{entered.from_room, before, room::LeaveReason::kRemoved}, out);
    out.push(SendControlMail{RoomAnswered{
        entered.question,
        refuse(livekit::TwirpError{livekit::TwirpCode::kResourceExhausted, "the other room takes nobody"})}});
  }
  if (owned) handle_room_outputs(name, out);
}

void Rooms::handle_seat_moved(Timestamp now, const SeatMoved& moved, RoomsOutputs& out) {
  Seat* seat = find_seat(moved.from_room, moved.before);
  if (seat == nullptr) return;
  Floor& floor = floors_[moved.to_sid];
  floor.seats[moved.after.value()] = {seat->id(), floor.presence.mark()};
  leave_floor(moved.from_room, moved.before);
  with_seat(seat, out, [&](Seat&, SeatOutputs& outputs) { seat->move(now, moved, floor.audible, outputs); });
}

}  // namespace stoa::shard
