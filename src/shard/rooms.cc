#include "shard/rooms.h"

#include <algorithm>
#include <utility>

#include "proto/http/semantics.h"

namespace stoa::shard {

namespace {

constexpr std::uint16_t kGoingAway = 1001;

// What clients look for when a token is good.
constexpr const char* kValid = "success";

RequestDenied denial_of(room::JoinRefusal refusal) {
  switch (refusal) {
    case room::JoinRefusal::kFull: return {503, "the room has as many participants as it takes"};
    case room::JoinRefusal::kBadWish: return {400, "identity, name, metadata or attributes are over a limit"};
    case room::JoinRefusal::kEnded: return {404, "the room has just ended"};
  }
  return {400, "refused"};
}

}  // namespace

Rooms::Rooms(const RoomsConfig& config, webrtc::Port& port, webrtc::PortOutputs& port_outputs, Rng rng)
    : config_(config),
      rng_(rng),
      hub_(config.index, port),
      world_{config_.index, port, port_outputs, hub_, hub_outputs_, config_.seat, seat_counters_},
      seats_(config.seats_max),
      node_egress_(config.node_egress_max) {
  config_.seat.has_egress_budget = config.node_egress_max != 0 || config.room_egress_max != 0;
}

Rooms::~Rooms() = default;

void Rooms::send(ShardIndex to, Mail mail, RoomsOutputs& out) { out.push(SendMail{to, std::move(mail)}); }

void Rooms::refuse_request(api::RequestKey key, const RequestDenied& why, RoomsOutputs& out) {
  ++counters_.refused;
  http::Response response = http::make_text_response(why.status, why.text);
  if (why.status == 503) response.headers.add("retry-after", "2");
  out.push(api::Answer{key, std::move(response)});
}

// ---- Requests to join.

void Rooms::handle_request(Timestamp now, api::RequestKey key, const http::Request& request,
                           RoomsOutputs& out) {
  auto params = livekit::parse_join(request);
  if (!params) return refuse_request(key, {params.error().status, params.error().text}, out);
  if (!params->is_validate && !http::is_websocket_upgrade(request))
    return refuse_request(key, {404, "this is for WebSocket clients"}, out);
  if (is_stopping_) return refuse_request(key, {503, "the server is stopping"}, out);
  if (joining_.size() >= config_.joins_max) return refuse_request(key, {503, "too many are joining"}, out);
  Joining joining{.params = std::make_shared<const livekit::JoinParams>(std::move(*params)),
                  .client = IpAddress::parse(request.peer_address).value_or(IpAddress()),
                  .until = now + config_.join_timeout};
  out.push(
      SendControlMail{JoinAsked{config_.index, key, joining.params->token, joining.params->is_reconnect}});
  timers_.set({TimerKind::kJoining, "", key}, joining.until);
  joining_[key] = std::move(joining);
}

void Rooms::handle_cancelled(api::RequestKey key) {
  if (joining_.erase(key) > 0) timers_.set({TimerKind::kJoining, "", key}, Timestamp::never());
}

void Rooms::handle_decided(JoinDecided& decided, RoomsOutputs& out) {
  auto found = joining_.find(decided.request);
  if (found == joining_.end()) return;
  const Joining& joining = found->second;
  if (decided.decision && !joining.params->is_validate) {
    const std::string& room = (*decided.decision)->room.name;
    return send(
        owner_of(room, config_.shards),
        JoinWanted{{config_.index, decided.request}, joining.params, *decided.decision, joining.client}, out);
  }
  if (decided.decision) {
    out.push(api::Answer{decided.request, http::make_text_response(200, kValid)});
  } else {
    refuse_request(decided.request, decided.decision.error(), out);
  }
  handle_cancelled(decided.request);
}

void Rooms::handle_refused(JoinRefused& refused, RoomsOutputs& out) {
  auto found = joining_.find(refused.request);
  if (found == joining_.end()) return;
  const livekit::ClientTraits traits = found->second.params->traits();
  handle_cancelled(refused.request);
  if (!refused.may_join_anew) return refuse_request(refused.request, refused.why, out);
  // Said over the WebSocket: only so does a client that resumes come again at once.
  out.push(AcceptSocket{refused.request});
  out.push(SendSocket{refused.request,
                      livekit::write_signal(livekit::make_leave(room::LeaveReason::kStateMismatch,
                                                                livekit::pb::LeaveRequest::RECONNECT, traits),
                                            false),
                      false});
  out.push(CloseSocket{refused.request, kGoingAway});
}

// ---- WebSockets.

void Rooms::handle_signal_message(api::RequestKey key, Bytes message, bool is_text, RoomsOutputs& out) {
  auto found = signals_.find(key);
  if (found == signals_.end()) return;
  send(found->second.shard,
       SignalHeard{found->second.seat, {config_.index, key}, SharedBytes::copy_of(message), is_text}, out);
}

void Rooms::handle_signal_closed(api::RequestKey key, RoomsOutputs& out) {
  auto found = signals_.find(key);
  if (found == signals_.end()) return;
  send(found->second.shard, SignalLost{found->second.seat, {config_.index, key}}, out);
  signals_.erase(found);
}

// ---- Rooms that are owned here.

Rooms::OwnedRoom* Rooms::find_room(const std::string& name) {
  auto found = rooms_.find(name);
  return found == rooms_.end() ? nullptr : found->second.get();
}

void Rooms::handle_join_wanted(Timestamp now, WallTime wall, JoinWanted& wanted, RoomsOutputs& out) {
  const std::string& name = wanted.grant->room.name;
  OwnedRoom* owned = find_room(name);
  if (wanted.params->is_reconnect) {
    if (owned) return resume(wall, *owned, wanted, out);
    return send(wanted.signal.shard, JoinRefused{wanted.signal.request, {404, "no such participant"}, true},
                out);
  }
  if (!owned) {
    if (rooms_.size() >= config_.rooms_max)
      return send(wanted.signal.shard, JoinRefused{wanted.signal.request, {503, "too many rooms"}, false},
                  out);
    owned = &open_room(now, wall, wanted.grant->room);
  }
  room::JoinWish wish = livekit::make_join_wish(*wanted.grant->access, *wanted.params);
  auto joined = owned->room.join(now, wall, std::move(wish), owned->outputs);
  const SignalAddress signal = wanted.signal;
  // First what others are told: whoever had this identity before is out by then.
  handle_room_outputs(name, out);
  if (joined) {
    ++counters_.joins;
    const ShardIndex seat = joined->shard;
    owned = find_room(name);
    const bool is_tcp_only = owned && owned->tcp_only.contains(joined->self->identity);
    send(seat, SeatOpened{std::move(wanted), std::move(*joined), is_tcp_only}, out);
  } else {
    send(signal.shard, JoinRefused{signal.request, denial_of(joined.error()), false}, out);
  }
}

Rooms::OwnedRoom& Rooms::open_room(Timestamp now, WallTime wall, const room::RoomInfo& info) {
  room::RoomConfig config{.limits = config_.limits,
                          .shard = config_.index,
                          .shards = config_.shards,
                          .may_unmute_remotely = config_.may_unmute_remotely};
  auto owned =
      std::make_unique<OwnedRoom>(info, config, config_.room_egress_max, now, wall, Rng(rng_.next()));
  return *rooms_.emplace(info.name, std::move(owned)).first->second;
}

void Rooms::resume(WallTime wall, OwnedRoom& owned, JoinWanted& wanted, RoomsOutputs& out) {
  auto refuse_resume = [&](std::string why) {
    send(wanted.signal.shard, JoinRefused{wanted.signal.request, {404, std::move(why)}, true}, out);
  };
  auto id = owned.room.find_by_sid(wanted.params->participant_sid);
  if (!id) return refuse_resume("no such participant");
  room::SharedParticipant self = owned.room.participant(*id);
  if (!self || self->identity != wanted.grant->access->identity) return refuse_resume("another identity");
  auto snapshot = owned.room.snapshot(*id, wall - Duration::seconds(120));
  if (!snapshot) return refuse_resume("no such participant");
  ++counters_.resumes;
  const std::uint32_t shard = owned.room.shard_of(*id);
  send(shard, SeatResumed{std::move(wanted), *id, std::move(*snapshot)}, out);
}

void Rooms::handle_room_outputs(const std::string& name, RoomsOutputs& out) {
  OwnedRoom* owned = find_room(name);
  if (owned == nullptr) return;
  bool has_ended = false;
  for (room::Output& output : owned->outputs.take()) {
    std::visit(
        Overloaded{
            [&](room::ToParticipant& to) {
              send(to.shard,
                   RoomTold{owned->sid,
                            std::make_shared<const room::Event>(std::move(to.event)),
                            {to.participant},
                            {}},
                   out);
            },
            [&](room::ToShard& to) {
              send(to.shard, RoomTold{owned->sid, std::move(to.event), std::move(to.only), to.except}, out);
            },
            [&](room::AudibleTracks& audible) {
              send(audible.shard, RoomAudible{owned->sid, audible.is_limited, std::move(audible.tracks)},
                   out);
            },
            [&](room::Happened& happened) { out.push(SendControlMail{RoomHappened{std::move(happened)}}); },
            [&](room::ForwardChanged& forward) {
              const ShardIndex owner = owner_of(forward.to_room, config_.shards);
              send(owner, RoomForwarded{std::move(forward)}, out);
            },
            [&](room::Left& left) {
              send(left.shard, SeatClosed{owned->sid, left.participant, left.reason}, out);
            },
            [&](room::Ended&) { has_ended = true; },
        },
        output);
  }
  if (has_ended) return drop_room(name);
  timers_.set({TimerKind::kRoom, name, 0}, owned->room.next_deadline());
}

void Rooms::drop_room(const std::string& name) {
  timers_.set({TimerKind::kRoom, name, 0}, Timestamp::never());
  rooms_.erase(name);
}

// ---- Seats that are served here.

Seat* Rooms::find_seat(std::uint64_t id) {
  std::unique_ptr<Seat>* found = seats_.find(SlotId<struct SeatTag>::from_value(id));
  return found ? found->get() : nullptr;
}

Seat* Rooms::find_seat(const std::string& room_sid, room::ParticipantId participant) {
  auto floor = floors_.find(room_sid);
  if (floor == floors_.end()) return nullptr;
  auto found = floor->second.seats.find(participant.value());
  return found == floor->second.seats.end() ? nullptr : find_seat(found->second.seat);
}

void Rooms::leave_floor(const std::string& room_sid, room::ParticipantId participant) {
  auto floor = floors_.find(room_sid);
  if (floor == floors_.end()) return;
  floor->second.seats.erase(participant.value());
  if (!floor->second.seats.empty()) return;
  timers_.set({TimerKind::kFloor, room_sid}, Timestamp::never());
  floors_.erase(floor);
}

void Rooms::handle_seat_opened(Timestamp now, SeatOpened& opened, RoomsOutputs& out) {
  const SignalAddress signal = opened.join.signal;
  const std::string room = opened.joined.room.name, sid = opened.joined.room.sid;
  const room::ParticipantId participant = opened.joined.participant;
  auto id = seats_.insert(nullptr);
  if (!id.is_set()) {
    send(signal.shard, JoinRefused{signal.request, {503, "too many participants"}, false}, out);
    return send(
        owner_of(room, config_.shards),
        RoomAsked{room, participant, opened.joined.self->sid, room::Leave{room::LeaveReason::kJoinFailure}},
        out);
  }
  Floor& floor = floors_[sid];
  floor.seats[participant.value()] = {id.value(), floor.presence.mark()};
  *seats_.find(id) = std::make_unique<Seat>(world_,
                                            Seat::Opening{.id = id.value(),
                                                          .params = opened.join.params,
                                                          .grant = opened.join.grant,
                                                          .signal = signal,
                                                          .client = opened.join.client,
                                                          .joined = std::move(opened.joined),
                                                          .audible = floor.audible,
                                                          .is_tcp_only = opened.is_tcp_only},
                                            Rng(rng_.next()));
  send(signal.shard, SignalAccepted{signal.request, config_.index, id.value()}, out);
  with_seat(find_seat(id.value()), out, [&](Seat& seat, SeatOutputs& outputs) {
    seat.start(now, outputs);
    seat.handle_egress(now, floor.egress, node_share_, outputs);
  });
  begin_egress(now);
}

void Rooms::handle_seat_resumed(Timestamp now, SeatResumed& resumed, RoomsOutputs& out) {
  const SignalAddress signal = resumed.join.signal;
  Seat* seat = find_seat(resumed.snapshot.room.sid, resumed.participant);
  if (seat == nullptr)
    return send(signal.shard, JoinRefused{signal.request, {404, "no such participant"}, true}, out);
  send(signal.shard, SignalAccepted{signal.request, config_.index, seat->id()}, out);
  // The WebSocket before this one is closed first, by its own address.
  if (seat->signal()) close_signal(*seat->signal(), kGoingAway, out);
  Floor& floor = floors_.at(resumed.snapshot.room.sid);
  floor.seats.at(resumed.participant.value()).mark = floor.presence.mark();
  with_seat(seat, out, [&](Seat&, SeatOutputs& outputs) { seat->resume(now, resumed, outputs); });
}

void Rooms::handle_seat_closed(Timestamp now, const SeatClosed& closed, RoomsOutputs& out) {
  Seat* seat = find_seat(closed.room, closed.participant);
  with_seat(seat, out, [&](Seat&, SeatOutputs& outputs) { seat->close(now, outputs); });
  if (seat) remove_seat(seat->id());
}

void Rooms::remove_seat(std::uint64_t id) {
  Seat* seat = find_seat(id);
  if (seat == nullptr) return;
  leave_floor(seat->room_sid(), seat->participant());
  ended_allocators_ += seat->allocator().counters();
  for (webrtc::SessionId session : seat->sessions()) by_session_.erase(session.value());
  timers_.set({TimerKind::kSeat, "", id}, Timestamp::never());
  seats_.erase(SlotId<struct SeatTag>::from_value(id));
}

void Rooms::handle_told(Timestamp now, const RoomTold& told, RoomsOutputs& out) {
  auto floor = floors_.find(told.room);
  if (floor == floors_.end()) return;
  const auto& seats = floor->second.seats;
  Presence& presence = floor->second.presence;
  const auto* changed = std::get_if<room::ParticipantsChanged>(told.event.get());
  // What waits is for everybody who is here.
  const bool is_for_all = told.only.empty() && (!told.except || !seats.contains(told.except->value()));
  if (changed && is_for_all && seats.size() >= kCrowdSeats && Presence::may_wait(*told.event)) {
    presence.add(now, *changed);
    return timers_.set({TimerKind::kFloor, told.room}, presence.due());
  }
  const auto* data = std::get_if<room::DataArrived>(told.event.get());
  if (changed || (data && presence.has(data->from_sid))) tell_presence(now, told.room, floor->second, out);
  RenderedEvent event(*told.event);
  auto tell = [&](Seat* seat) {
    with_seat(seat, out, [&](Seat&, SeatOutputs& outputs) { seat->handle_event(now, event, outputs); });
  };
  if (!told.only.empty()) {
    for (room::ParticipantId participant : told.only) tell(find_seat(told.room, participant));
    return;
  }
  for (const auto& [participant, place] : seats)
    if (!told.except || told.except->value() != participant) tell(find_seat(place.seat));
}

// One frame for all but those who came meanwhile: they are told what they do not know yet.
void Rooms::tell_presence(Timestamp now, const std::string& room_sid, Floor& floor, RoomsOutputs& out) {
  if (floor.presence.is_empty()) return;
  const Presence gathered = std::exchange(floor.presence, floor.presence.next());
  timers_.set({TimerKind::kFloor, room_sid}, Timestamp::never());
  const room::Event whole = gathered.since(gathered.first());
  RenderedEvent for_all(whole);
  const auto tell = [&](std::uint64_t seat_id, RenderedEvent& news) {
    with_seat(find_seat(seat_id), out,
              [&](Seat& seat, SeatOutputs& outputs) { seat.handle_event(now, news, outputs); });
  };
  for (const auto& [participant, place] : floor.seats) {
    if (place.mark <= gathered.first()) {
      tell(place.seat, for_all);
      continue;
    }
    room::ParticipantsChanged rest = gathered.since(place.mark);
    if (rest.participants.empty()) continue;
    const room::Event event = std::move(rest);
    RenderedEvent for_one(event);
    tell(place.seat, for_one);
  }
}

void Rooms::handle_audible(RoomAudible& audible) {
  auto found = floors_.find(audible.room);
  if (found == floors_.end()) return;
  Floor& floor = found->second;
  floor.audible = audible.is_limited
                      ? std::make_shared<const std::vector<std::string>>(std::move(audible.tracks))
                      : nullptr;
  for (const auto& [participant, place] : floor.seats)
    if (Seat* seat = find_seat(place.seat)) seat->handle_audible(floor.audible);
}

void Rooms::close_signal(const SignalAddress& signal, std::uint16_t code, RoomsOutputs& out) {
  send(signal.shard, SignalClosed{signal.request, code}, out);
}

void Rooms::handle_seat_outputs(Seat& seat, SeatOutputs& outputs, RoomsOutputs& out) {
  const std::string& room = seat.room();
  for (SeatOutput& output : outputs.take()) {
    std::visit(
        Overloaded{
            [&](SeatCommand& asked) {
              send(owner_of(room, config_.shards),
                   RoomAsked{room, seat.participant(), seat.participant_sid(), std::move(asked.command)},
                   out);
            },
            [&](SeatFrame& frame) {
              send(frame.to.shard, SignalSent{frame.to.request, std::move(frame.frame), frame.is_text}, out);
            },
            [&](SeatSignalClosed& closed) { close_signal(closed.to, closed.code, out); },
            [&](SeatTokenWanted&) {
              out.push(
                  SendControlMail{TokenWanted{config_.index, seat.id(), seat.grant(), seat.self(), room}});
            },
            [&](SeatTransportWanted& wanted) {
              send(owner_of(room, config_.shards),
                   TransportAsked{room, seat.self()->identity, wanted.is_tcp_only}, out);
            },
            [&](SeatRpcAnswered& answered) {
              out.push(SendControlMail{RpcAnswered{room, seat.self()->identity, std::move(answered.reply)}});
            },
            [&](SeatSession& opened) { by_session_[opened.session.value()] = seat.id(); },
            [&](LogLine& line) { out.push(std::move(line)); },
        },
        output);
  }
  if (auto at = seat.take_deadline()) timers_.set({TimerKind::kSeat, "", seat.id()}, *at);
  if (seat.wants_flush()) touched_.push_back(seat.id());
}

// What one output leads to may put out more.
void Rooms::flush(Timestamp now, RoomsOutputs& out) {
  while (!hub_outputs_.empty() || !touched_.empty()) {
    handle_hub_outputs(now, out);
    for (std::uint64_t id : std::exchange(touched_, {})) {
      Seat* seat = find_seat(id);
      if (seat == nullptr || !seat->wants_flush()) continue;
      with_seat(seat, out, [&](Seat&, SeatOutputs& outputs) { seat->flush(now, outputs); });
    }
  }
}

Seat* Rooms::find_publisher(const std::string& name) {
  auto publisher = hub_.find_publisher(name);
  auto id = publisher ? by_session_.find(publisher->value()) : by_session_.end();
  return id == by_session_.end() ? nullptr : find_seat(id->second);
}

void Rooms::handle_hub_outputs(Timestamp now, RoomsOutputs& out) {
  for (HubOutput& output : hub_outputs_.take()) {
    std::visit(Overloaded{
                   [&](RelayToOwner& relay) { send(relay.shard, Mail(std::move(relay.message)), out); },
                   [&](RelayToSubscriber& relay) { send(relay.shard, Mail(std::move(relay.message)), out); },
                   [&](FeedChanged& changed) {
                     for (TrackHub::Listener id : hub_.listeners(changed.name))
                       with_seat(find_seat(id), out, [&](Seat& seat, SeatOutputs&) {
                         seat.handle_feed_changed(now, changed.name);
                       });
                   },
                   [&](QualityNews& news) {
                     with_seat(find_publisher(news.name), out, [&](Seat& seat, SeatOutputs& outputs) {
                       seat.handle_quality_news(news.name, news.quality, outputs);
                     });
                   },
                   [&](CodecNews& news) {
                     with_seat(find_publisher(news.name), out, [&](Seat& seat, SeatOutputs& outputs) {
                       seat.handle_codec_news(news.name, news.mime_type, outputs);
                     });
                   },
               },
               output);
  }
}

// ---- Mail.

bool Rooms::handle_mail(Timestamp now, WallTime wall, Mail& mail, RoomsOutputs& out) {
  const bool is_ours = std::visit(
      Overloaded{
          [&](JoinDecided& decided) { return handle_decided(decided, out), true; },
          [&](JoinWanted& wanted) { return handle_join_wanted(now, wall, wanted, out), true; },
          [&](JoinRefused& refused) { return handle_refused(refused, out), true; },
          [&](SeatOpened& opened) { return handle_seat_opened(now, opened, out), true; },
          [&](SeatResumed& resumed) { return handle_seat_resumed(now, resumed, out), true; },
          [&](SeatClosed& closed) { return handle_seat_closed(now, closed, out), true; },
          [&](SignalAccepted& accepted) { return handle_accepted(accepted, out), true; },
          [&](SignalSent& sent) {
            out.push(SendSocket{sent.request, std::move(sent.frame), sent.is_text});
            return true;
          },
          [&](SignalClosed& closed) {
            signals_.erase(closed.request);
            out.push(CloseSocket{closed.request, closed.code});
            return true;
          },
          [&](SignalHeard& heard) {
            Seat* seat = find_seat(heard.seat);
            if (seat == nullptr || seat->signal() != heard.from) return true;
            with_seat(seat, out, [&](Seat&, SeatOutputs& outputs) {
              seat->handle_frame(now, wall, heard.frame.bytes(), heard.is_text, outputs);
            });
            return true;
          },
          [&](SignalLost& lost) {
            Seat* seat = find_seat(lost.seat);
            if (seat == nullptr || seat->signal() != lost.from) return true;
            with_seat(seat, out,
                      [&](Seat&, SeatOutputs& outputs) { seat->handle_signal_lost(now, outputs); });
            return true;
          },
          [&](RoomAsked& asked) {
            OwnedRoom* owned = find_room(asked.room);
            const auto info = owned ? owned->room.participant(asked.participant) : nullptr;
            if (info == nullptr || info->sid != asked.participant_sid) return true;
            owned->room.handle(now, wall, asked.participant, std::move(asked.command), owned->outputs);
            handle_room_outputs(asked.room, out);
            return true;
          },
          [&](TransportAsked& asked) {
            OwnedRoom* owned = find_room(asked.room);
            if (owned == nullptr) return true;
            if (!asked.is_tcp_only) {
              owned->tcp_only.erase(asked.identity);
            } else if (owned->tcp_only.size() < OwnedRoom::kTcpOnlyMax) {
              owned->tcp_only.insert(asked.identity);
            }
            return true;
          },
          [&](EgressWanted& wanted) { return handle_egress_wanted(wanted, out), true; },
          [&](EgressShared& shared) { return handle_egress_shared(now, shared, out), true; },
          [&](RoomTold& told) { return handle_told(now, told, out), true; },
          [&](RoomAudible& audible) { return handle_audible(audible), true; },
          [&](RoomForwarded& forwarded) { return handle_forwarded(now, wall, forwarded, out), true; },
          [&](RoomEntered& entered) { return handle_entered(now, wall, entered, out), true; },
          [&](SeatMoved& moved) { return handle_seat_moved(now, moved, out), true; },
          [&](RoomCalled& called) { return handle_call(now, wall, called, out), true; },
          [&](RoomsQueried& queried) { return handle_query(queried, out), true; },
          [&](SeatsQueried& queried) { return handle_seats_query(now, queried, out), true; },
          [&](TokenMade& made) {
            with_seat(find_seat(made.seat), out, [&](Seat& seat, SeatOutputs& outputs) {
              seat.handle_token(made.token, made.room, outputs);
            });
            return true;
          },
          [&](relay::ToOwner& message) {
            const bool is_track =
                std::visit([](const auto& one) { return relay::is_room_track(one.publication); }, message);
            if (is_track) hub_.handle(now, message, world_.port_outputs, hub_outputs_);
            return is_track;
          },
          [&](relay::ToSubscriber& message) {
            const bool is_track =
                std::visit([](const auto& one) { return relay::is_room_track(one.publication); }, message);
            if (is_track) hub_.handle(now, message, hub_outputs_);
            return is_track;
          },
          [](auto&) { return false; },
      },
      mail);
  return is_ours;
}

void Rooms::handle_accepted(const SignalAccepted& accepted, RoomsOutputs& out) {
  auto found = joining_.find(accepted.request);
  if (found == joining_.end()) {
    // Its client went away meanwhile.
    return send(accepted.shard, SignalLost{accepted.seat, {config_.index, accepted.request}}, out);
  }
  handle_cancelled(accepted.request);
  signals_[accepted.request] = {accepted.shard, accepted.seat};
  out.push(AcceptSocket{accepted.request});
}

void Rooms::handle_forwarded(Timestamp now, WallTime wall, const RoomForwarded& forwarded,
                             RoomsOutputs& out) {
  const std::string& name = forwarded.forward.to_room;
  OwnedRoom* owned = find_room(name);
  if (owned == nullptr) return;
  (void)owned->room.handle_forward(now, wall, forwarded.forward, owned->outputs);
  handle_room_outputs(name, out);
}

// ---- Media.

void Rooms::handle_port_event(Timestamp now, webrtc::PortOutput& event, RoomsOutputs& out) {
  if (auto* wanted = std::get_if<webrtc::StreamKeyframeWanted>(&event))
    return hub_.handle_keyframe_wanted(now, *wanted, world_.port_outputs, hub_outputs_);
  auto with = [&](webrtc::SessionId session, auto&& act) {
    auto found = by_session_.find(session.value());
    if (found != by_session_.end()) with_seat(find_seat(found->second), out, act);
  };
  std::visit(Overloaded{
                 [&](webrtc::SessionConnected& connected) {
                   with(connected.session, [&](Seat& seat, SeatOutputs& outputs) {
                     seat.handle_connected(connected.session, outputs);
                   });
                 },
                 [&](webrtc::SessionBandwidth& bandwidth) {
                   with(bandwidth.session, [&](Seat& seat, SeatOutputs& outputs) {
                     seat.handle_bandwidth(now, bandwidth.session, bandwidth.target, outputs);
                   });
                 },
                 [&](webrtc::SessionPathLost& lost) {
                   with(lost.session, [&](Seat& seat, SeatOutputs&) { seat.handle_path(false); });
                 },
                 [&](webrtc::SessionPathBack& back) {
                   with(back.session, [&](Seat& seat, SeatOutputs&) { seat.handle_path(true); });
                 },
                 [&](webrtc::SessionClosed& closed) {
                   with(closed.session, [&](Seat& seat, SeatOutputs& outputs) {
                     seat.handle_session_closed(now, closed, outputs);
                   });
                   by_session_.erase(closed.session.value());
                 },
                 [&](webrtc::Published& published) {
                   with(published.session, [&](Seat& seat, SeatOutputs& outputs) {
                     seat.handle_published(now, published, outputs);
                   });
                 },
                 [&](webrtc::DataReceived& data) {
                   with(data.session,
                        [&](Seat& seat, SeatOutputs& outputs) { seat.handle_data(now, data, outputs); });
                 },
                 [](auto&) {},
             },
             event);
}

void Rooms::handle_deadline(Timestamp now, WallTime wall, RoomsOutputs& out) {
  while (auto due = timers_.take_due(now)) {
    switch (due->kind) {
      case TimerKind::kJoining:
        if (joining_.erase(due->id) > 0) {
          ++counters_.timed_out;
          refuse_request(due->id, {503, "the server did not come to it in time"}, out);
        }
        break;
      case TimerKind::kRoom:
        if (OwnedRoom* owned = find_room(due->name)) {
          owned->room.handle_deadline(now, wall, owned->outputs);
          handle_room_outputs(due->name, out);
        }
        break;
      case TimerKind::kFloor:
        if (auto floor = floors_.find(due->name); floor != floors_.end())
          tell_presence(now, due->name, floor->second, out);
        break;
      case TimerKind::kEgress: report_egress(now, out); break;
      case TimerKind::kSeat:
        with_seat(find_seat(due->id), out,
                  [&](Seat& seat, SeatOutputs& outputs) { seat.handle_deadline(now, outputs); });
        break;
    }
  }
  hub_.handle_deadline(now, hub_outputs_);
}

void Rooms::close_all(Timestamp now, WallTime wall, RoomsOutputs& out) {
  is_stopping_ = true;
  for (const auto& [key, joining] : std::exchange(joining_, {}))
    refuse_request(key, {503, "the server is stopping"}, out);
  std::vector<std::string> names;
  for (const auto& [name, owned] : rooms_) names.push_back(name);
  for (const std::string& name : names) {
    OwnedRoom* owned = find_room(name);
    owned->room.close(now, wall, room::LeaveReason::kServerShutdown, owned->outputs);
    handle_room_outputs(name, out);
  }
}

}  // namespace stoa::shard
