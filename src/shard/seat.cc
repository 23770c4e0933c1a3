// The seat's signalling.
#include "shard/seat.h"

#include <algorithm>
#include <utility>

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

// Clients treat "now" in milliseconds.
std::int64_t milliseconds_of(WallTime wall) { return wall.ms(); }

// How long a client that simulates speaking speaks at most.
constexpr std::int32_t kSimulatedSpeechMaxS = 60;
constexpr double kRequestBytes = 2048;  // A frame of so many bytes counts as another one.
constexpr std::size_t kTracksPerRequestMax = 1'000;
constexpr std::uint16_t kNormalClosure = 1000, kPolicyViolation = 1008, kGoingAway = 1001;

TokenBucket::Rate description_rate(const SeatConfig& config) {
  return {config.description_bytes_per_second, config.description_burst_bytes};
}

}  // namespace

const SharedBytes* RenderedEvent::frame(bool is_text, const livekit::ClientTraits& traits) {
  // The few clients that are older than this say so in what they are told of quality alone.
  const std::size_t form = (is_text ? 1u : 0u) + (traits.knows_lost_quality() ? 0u : 2u);
  auto& cached = frames_[form];
  if (!cached) {
    auto response = livekit::event_to_response(event_, traits);
    cached.emplace();
    if (response) *cached = livekit::write_signal(*response, is_text);
  }
  return *cached ? &**cached : nullptr;
}

Seat::Seat(const SeatWorld& world, Opening opening, Rng rng)
    : world_(world),
      rng_(rng),
      id_(opening.id),
      params_(std::move(opening.params)),
      grant_(std::move(opening.grant)),
      traits_(params_->traits()),
      signal_(opening.signal),
      client_(opening.client),
      room_(opening.joined.room.name),
      participant_(opening.joined.participant),
      participant_sid_(opening.joined.self->sid),
      room_info_(std::move(opening.joined.room)),
      self_(std::move(opening.joined.self)),
      others_at_start_(std::move(opening.joined.others)),
      is_single_(params_->is_single_connection),
      is_tcp_only_(opening.is_tcp_only),
      offer_id_(static_cast<std::uint32_t>(1 + rng_.below(256))),
      audible_(std::move(opening.audible)) {}

Seat::~Seat() = default;

void Seat::log(LogLevel level, std::string text, SeatOutputs& out) const {
  out.push(LogLine{level, "rooms", "room " + room_ + ", " + self_->identity + ": " + std::move(text)});
}

void Seat::send(const pb::SignalResponse& response, SeatOutputs& out) const {
  if (signal_) out.push(SeatFrame{*signal_, livekit::write_signal(response, is_text_), is_text_});
}

void Seat::command(room::Command asked, SeatOutputs& out) { out.push(SeatCommand{std::move(asked)}); }

// What join and reconnect answers have in common.
template <typename Response>
void Seat::describe_server(Response& response) const {
  for (const api::IceServer& server : world_.config.ice_servers) {
    pb::ICEServer& one = *response.add_ice_servers();
    one.add_urls(server.url);
    one.set_username(server.username);
    one.set_credential(server.credential);
  }
  response.mutable_client_configuration()->set_resume_connection(pb::ENABLED);
  pb::ServerInfo& info = *response.mutable_server_info();
  info.set_edition(pb::ServerInfo::Standard);
  info.set_version(livekit::kServerVersion);
  info.set_protocol(livekit::kProtocol);
  info.set_region(world_.config.region);
  info.set_node_id(world_.config.node_id);
}

void Seat::start(Timestamp now, SeatOutputs& out) {
  requests_ = TokenBucket(world_.config.request_burst, now);
  descriptions_ = TokenBucket(description_rate(world_.config).most, now);
  data_packets_ = TokenBucket(world_.config.data_packets_per_second, now);
  data_bytes_ = TokenBucket(world_.config.data_bytes_per_second, now);
  token_at_ = now + world_.config.token_interval;
  report_at_ = now + world_.config.report_interval;
  send_join(out);
  out.push(SeatTokenWanted{});
  for (const pb::AddTrackRequest& request : params_->add_track_requests) handle_add_track(request, out);
  if (is_single_) {
    if (params_->publisher_offer) handle_offer(now, *params_->publisher_offer, out);
    return;
  }
  auto opened = world_.port.open_offering_peer(now, {client_, is_tcp_only_});
  if (!opened) return lose_media(webrtc::name_of(opened.error().refusal), out);
  subscriber_ = *opened;
  out.push(SeatSession{subscriber_});
  offer(now, out);
}

void Seat::send_join(SeatOutputs& out) {
  pb::SignalResponse response;
  pb::JoinResponse& join = *response.mutable_join();
  *join.mutable_room() = livekit::to_wire(room_info_);
  *join.mutable_participant() = livekit::to_wire(*self_);
  for (const room::SharedParticipant& other : others_at_start_)
    *join.add_other_participants() = livekit::to_wire(*other);
  join.set_server_version(livekit::kServerVersion);
  join.set_server_region(world_.config.region);
  join.set_subscriber_primary(!is_single_ && traits_.is_subscriber_primary() &&
                              self_->permissions.can_subscribe);
  join.set_ping_timeout(static_cast<std::int32_t>(world_.config.ping_timeout.as_seconds()));
  join.set_ping_interval(static_cast<std::int32_t>(world_.config.ping_interval.as_seconds()));
  join.set_fast_publish(!is_single_ && traits_.takes_fast_publish() && self_->permissions.can_publish);
  for (const char* mime : {"audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9", "video/AV1"})
    join.add_enabled_publish_codecs()->set_mime(mime);
  describe_server(join);
  send(response, out);
  others_at_start_.clear();
}

void Seat::send_leave(room::LeaveReason reason, bool may_come_back, SeatOutputs& out) {
  send(livekit::make_leave(reason, may_come_back ? pb::LeaveRequest::RECONNECT : pb::LeaveRequest::DISCONNECT,
                           traits_),
       out);
}

void Seat::put_out(room::LeaveReason reason, bool may_come_back, SeatOutputs& out) {
  send_leave(reason, may_come_back, out);
  command(room::Leave{reason}, out);
}

void Seat::resume(Timestamp now, SeatResumed& resumed, SeatOutputs& out) {
  signal_ = resumed.join.signal;
  signal_lost_at_ = Timestamp::never();
  is_text_ = false;
  client_ = resumed.join.client;
  grant_ = resumed.join.grant;
  self_ = resumed.snapshot.self;
  room_info_ = resumed.snapshot.room;
  params_ = resumed.join.params;
  log(LogLevel::kInfo, "resumed", out);

  pb::SignalResponse response;
  describe_server(*response.mutable_reconnect());
  response.mutable_reconnect()->set_last_message_seq(last_sequence_);
  send(response, out);
  pb::SignalResponse everybody;
  pb::ParticipantUpdate& update = *everybody.mutable_update();
  *update.add_participants() = livekit::to_wire(*self_);
  for (const room::SharedParticipant& other : resumed.snapshot.others)
    *update.add_participants() = livekit::to_wire(*other);
  if (traits_.takes_departed_participants())
    for (const room::SharedParticipant& gone : resumed.snapshot.gone)
      *update.add_participants() = livekit::to_wire(*gone);
  send(everybody, out);
  pb::SignalResponse room_update;
  *room_update.mutable_room_update()->mutable_room() = livekit::to_wire(room_info_);
  send(room_update, out);
  if (std::exchange(drops_next_resume_, false)) return cut_signal(now, kGoingAway, out);
  if (has_told_states_) tell_stream_states(out);
  out.push(SeatTokenWanted{});
  if (is_single_) {
    if (params_->publisher_offer) handle_offer(now, *params_->publisher_offer, out);
    if (params_->sync_state) handle_sync_state(now, *params_->sync_state, out);
  } else {
    needs_offer_ = wants_restart_ = true;
    // What was on its way when signalling was lost is said again.
    if (!open_offer_.empty()) send_offer(out);
  }
}

void Seat::handle_signal_lost(Timestamp now, SeatOutputs& out) {
  signal_.reset();
  signal_lost_at_ = now;
  log(LogLevel::kDebug, "signalling lost", out);
}

void Seat::cut_signal(Timestamp now, std::uint16_t code, SeatOutputs& out) {
  if (signal_) out.push(SeatSignalClosed{*signal_, code});
  handle_signal_lost(now, out);
}

// A client that asks more than it should is told so and out: it would be served at the cost of others.
bool Seat::takes_request(Timestamp now, std::size_t bytes, SeatOutputs& out) {
  const SeatConfig& config = world_.config;
  const auto length = static_cast<double>(bytes);
  double cost = 1 + length / kRequestBytes;
  // A description that we asked for is as long as our asking makes it.
  const bool owes_description = !open_offer_.empty() || is_offer_asked_;
  if (owes_description && descriptions_.has(now, length, description_rate(config))) {
    descriptions_.take(length);
    cost = 1;
  }
  if (requests_.has(now, cost, {config.requests_per_second, config.request_burst})) {
    requests_.take(cost);
    return true;
  }
  ++world_.counters.floods;
  log(LogLevel::kWarning, "too many messages", out);
  send_leave(room::LeaveReason::kStateMismatch, false, out);
  cut_signal(now, kPolicyViolation, out);
  command(room::Leave{room::LeaveReason::kStateMismatch}, out);
  return false;
}

void Seat::handle_frame(Timestamp now, WallTime wall, Bytes frame, bool is_text, SeatOutputs& out) {
  ++world_.counters.frames;
  is_text_ = is_text;
  if (is_closed_ || !takes_request(now, frame.size(), out)) return;
  auto request = livekit::parse_signal(frame, is_text);
  if (!request) {
    ++world_.counters.bad_frames;
    log(LogLevel::kDebug, std::string("a frame that does not read: ") + livekit::name_of(request.error()),
        out);
    return;
  }
  handle_request(now, wall, *request, out);
}

void Seat::handle_request(Timestamp now, WallTime wall, const pb::SignalRequest& request, SeatOutputs& out) {
  switch (request.message_case()) {
    case pb::SignalRequest::kOffer: return handle_offer(now, request.offer(), out);
    case pb::SignalRequest::kAnswer: return handle_answer(now, request.answer(), out);
    case pb::SignalRequest::kTrickle: return;  // Checks show where the peer is.
    case pb::SignalRequest::kAddTrack: return handle_add_track(request.add_track(), out);
    case pb::SignalRequest::kMute: return mute(livekit::from_wire(request.mute()), out);
    case pb::SignalRequest::kSubscription: return ask_subscriptions(request.subscription(), out);
    case pb::SignalRequest::kTrackSetting: return handle_settings(now, request.track_setting(), out);
    case pb::SignalRequest::kLeave: {
      log(LogLevel::kInfo, "left", out);
      const room::LeaveReason reason = livekit::from_wire(request.leave().reason());
      return command(
          room::Leave{reason == room::LeaveReason::kUnknown ? room::LeaveReason::kByParticipant : reason},
          out);
    }
    case pb::SignalRequest::kSubscriptionPermission:
      return command(livekit::from_wire(request.subscription_permission()), out);
    case pb::SignalRequest::kSyncState: return handle_sync_state(now, request.sync_state(), out);
    case pb::SignalRequest::kSimulate: return handle_simulate(now, request.simulate(), out);
    case pb::SignalRequest::kPing: return handle_ping(wall, request.ping(), false, out);
    case pb::SignalRequest::kPingReq: return handle_ping(wall, request.ping_req().timestamp(), true, out);
    case pb::SignalRequest::kUpdateMetadata:
      return command(livekit::from_wire(request.update_metadata()), out);
    case pb::SignalRequest::kUpdateAudioTrack:
      return command(livekit::from_wire(request.update_audio_track()), out);
    case pb::SignalRequest::kUpdateVideoTrack:
      return command(livekit::from_wire(request.update_video_track()), out);
    default: return;  // Old, new, or of what is not served.
  }
}

void Seat::handle_ping(WallTime wall, std::int64_t sent_at, bool is_new, SeatOutputs& out) {
  pb::SignalResponse response;
  if (is_new) {
    response.mutable_pong_resp()->set_last_ping_timestamp(sent_at);
    response.mutable_pong_resp()->set_timestamp(milliseconds_of(wall));
  } else {
    response.set_pong(milliseconds_of(wall));
  }
  send(response, out);
}

void Seat::handle_add_track(const pb::AddTrackRequest& request, SeatOutputs& out) {
  if (request.type() == pb::DATA) return;
  auto prefer = [&](webrtc::PeerPreference preference) {
    if (preferences_.size() >= kPreferencesMax) preferences_.erase(preferences_.begin());
    preferences_.push_back(std::move(preference));
  };
  if (request.type() == pb::AUDIO) {
    // The last word on a track counts. What is encrypted end to end cannot be taken apart here.
    std::erase_if(preferences_, [&](const auto& known) { return known.track_id == request.cid(); });
    const bool is_plain = request.encryption() == pb::Encryption::NONE;
    prefer({.track_id = request.cid(), .encoding = {}, .has_red = is_plain && !request.disable_red()});
  }
  for (const pb::SimulcastCodec& codec : request.simulcast_codecs()) {
    auto encoding = payload::find_encoding(codec.codec());
    if (!encoding || !payload::is_video(*encoding)) continue;
    prefer({.track_id = codec.cid().empty() ? request.cid() : codec.cid(), .encoding = encoding});
  }
  command(livekit::from_wire(request), out);
}

void Seat::ask_subscriptions(const pb::UpdateSubscription& request, SeatOutputs& out) {
  room::Subscribe asked = livekit::from_wire(request);
  if (asked.tracks.size() > kTracksPerRequestMax) asked.tracks.resize(kTracksPerRequestMax);
  command(std::move(asked), out);
}

void Seat::handle_settings(Timestamp now, const pb::UpdateTrackSettings& request, SeatOutputs& out) {
  livekit::TrackSettings settings = livekit::from_wire(request);
  std::vector<Subscription*> changed;
  for (const std::string& sid : settings.tracks) {
    auto found = subscriptions_.find(sid);
    if (found == subscriptions_.end() || found->second.wish == settings.wish) continue;
    found->second.wish = settings.wish;
    changed.push_back(&found->second);
  }
  if (changed.empty()) return;
  // First what there is room for: publishers are not asked for what does not fit.
  share_budget(now, out);
  for (Subscription* subscription : changed) feed(now, *subscription);
}

// After a resume: what the client believes. A track that it publishes and that is not known here must be
// published anew, which only a client that joins anew does.
void Seat::handle_sync_state(Timestamp now, const pb::SyncState& state, SeatOutputs& out) {
  for (const pb::TrackPublishedResponse& published : state.publish_tracks()) {
    if (announced_.contains(published.track().sid())) continue;
    log(LogLevel::kInfo, "publishes what is not known here: it is to join anew", out);
    return put_out(room::LeaveReason::kStateMismatch, true, out);
  }
  if (state.subscription().track_sids_size() > 0 || state.subscription().participant_tracks_size() > 0)
    ask_subscriptions(state.subscription(), out);
  for (const std::string& sid : state.track_sids_disabled()) {
    auto found = subscriptions_.find(sid);
    if (found == subscriptions_.end()) continue;
    found->second.wish.is_disabled = true;
    feed(now, found->second);
  }
  share_budget(now, out);
  replay(now, state);
}

void Seat::handle_simulate(Timestamp now, const pb::SimulateScenario& scenario, SeatOutputs& out) {
  auto cut = [&] { cut_signal(now, kGoingAway, out); };
  switch (scenario.scenario_case()) {
    case pb::SimulateScenario::kSpeakerUpdate:
      simulated_speech_until_ =
          now + Duration::seconds(std::clamp(scenario.speaker_update(), 0, kSimulatedSpeechMaxS));
      return;
    case pb::SimulateScenario::kNodeFailure:
      // As if the process were gone: nothing is said.
      cut();
      return command(room::Leave{room::LeaveReason::kStateMismatch}, out);
    case pb::SimulateScenario::kMigration:
      send(livekit::make_leave(room::LeaveReason::kMigration, pb::LeaveRequest::RECONNECT, traits_), out);
      cut();
      return command(room::Leave{room::LeaveReason::kMigration}, out);
    case pb::SimulateScenario::kServerLeave:
      send_leave(room::LeaveReason::kServerShutdown, false, out);
      cut();
      return command(room::Leave{room::LeaveReason::kServerShutdown}, out);
    case pb::SimulateScenario::kSubscriberBandwidth:
      return set_budget(now, scenario.subscriber_bandwidth(), out);
    case pb::SimulateScenario::kSwitchCandidateProtocol:  // It joins anew by itself.
      return out.push(SeatTransportWanted{scenario.switch_candidate_protocol() != pb::UDP});
    case pb::SimulateScenario::kDisconnectSignalOnResume:
    case pb::SimulateScenario::kDisconnectSignalOnResumeNoMessages: drops_next_resume_ = true; return cut();
    case pb::SimulateScenario::kLeaveRequestFullReconnect:
      send_leave(room::LeaveReason::kUnknown, true, out);
      cut();
      return command(room::Leave{room::LeaveReason::kStateMismatch}, out);
    default: return;
  }
}

void Seat::handle_event(Timestamp now, RenderedEvent& event, SeatOutputs& out) {
  if (is_closed_) return;
  handle_own_event(now, event.event(), out);
  if (const auto* moved = std::get_if<room::Moved>(&event.event())) {
    moved_ = *moved;
    self_ = moved->self;
    room_info_ = moved->room;
    return out.push(SeatTokenWanted{});
  }
  const SharedBytes* frame = signal_ ? event.frame(is_text_, traits_) : nullptr;
  if (frame == nullptr) return;
  if (!moved_) {
    out.push(SeatFrame{*signal_, *frame, is_text_});
  } else if (held_frames_.size() < kHeldFramesMax) {
    held_frames_.push_back({*signal_, *frame, is_text_});
  } else {
    held_frames_.clear();
    log(LogLevel::kWarning, "too much happened before it was told that it was moved", out);
    put_out(room::LeaveReason::kStateMismatch, true, out);
  }
}

// What an event means for media, before the client is told.
void Seat::handle_own_event(Timestamp now, const room::Event& event, SeatOutputs& out) {
  std::visit(Overloaded{
                 [&](const room::TrackAnnounced& announced) {
                   Announced& own = announced_[announced.track.sid];
                   own.info = announced.track;
                   own.cids.clear();
                   for (const room::TrackCodec& codec : announced.track.codecs)
                     if (!codec.cid.empty()) own.cids.push_back(codec.cid);
                   if (std::ranges::find(own.cids, announced.cid) == own.cids.end())
                     own.cids.push_back(announced.cid);
                   match_media(now, out);
                 },
                 [&](const room::TrackUnpublished& gone) {
                   for (auto& [id, media] : own_)
                     if (media.sid == gone.sid) unpublish(media);
                   announced_.erase(gone.sid);
                 },
                 [&](const room::TrackMuted& muted) {
                   if (auto own = announced_.find(muted.sid); own != announced_.end())
                     own->second.was_muted = muted.is_muted;
                 },
                 [&](const room::Subscribed& subscribed) { subscribe(now, subscribed, out); },
                 [&](const room::Unsubscribed& gone) { unsubscribe(now, gone.track, out); },
                 [&](const room::DataArrived& data) { deliver(now, data); },
                 [&](const room::RoomChanged& changed) { room_info_ = changed.room; },
                 [&](const room::ParticipantsChanged& changed) {
                   for (const room::SharedParticipant& one : changed.participants) {
                     if (one->sid == self_->sid) handle_self_changed(one);
                     note_muted(now, *one, out);
                   }
                 },
                 [&](const room::SpeakersChanged& changed) { speakers_.note(now, changed); },
                 [&](const auto&) {},
             },
             event);
}

void Seat::move(Timestamp now, const SeatMoved& moved, Audible audible, SeatOutputs& out) {
  room_ = moved.to_room;
  room_info_.sid = moved.to_sid;
  participant_ = moved.after;
  participant_sid_ = moved.after_sid;
  for (auto& [sid, subscription] : subscriptions_) drop_subscription(now, subscription);
  subscriptions_.clear();
  waiting_.clear();
  needs_offer_ = has_section_to_free_ = true;
  reported_.reset();
  speakers_.clear();
  limits_.room = {};
  handle_audible(std::move(audible));
  // What it said while it was in neither room was heard by nobody.
  if (is_active_) command(room::BecomeActive{}, out);
  for (auto& [id, media] : own_)
    if (!media.name.empty()) publish(now, media, out);
  for (const auto& [sid, own] : announced_)
    if (own.was_muted) command(room::MuteTrack{sid, *own.was_muted}, out);
  if (!signal_) signal_lost_at_ = now;
}

void Seat::handle_token(const std::string& token, const std::string& room, SeatOutputs& out) {
  if (room != room_) return;  // Of the room that it was in.
  if (auto moved = std::exchange(moved_, std::nullopt)) {
    auto told = livekit::event_to_response(*moved, traits_);
    if (told) {
      told->mutable_room_moved()->set_token(token);
      send(*told, out);
    }
    for (SeatFrame& frame : std::exchange(held_frames_, {})) out.push(std::move(frame));
    return;
  }
  if (token.empty()) return;
  pb::SignalResponse response;
  response.set_refresh_token(token);
  send(response, out);
}

void Seat::handle_audible(Audible audible) {
  audible_ = std::move(audible);
  for (auto& [id, media] : own_) set_gate(media);
}

// What is muted is not passed on, whatever its client sends. Sound that few hear for others that are louder
// neither.
void Seat::set_gate(const OwnMedia& media) {
  if (media.name.empty()) return;
  auto own = announced_.find(media.sid);
  const bool is_muted = own != announced_.end() && own->second.info.is_muted;
  const bool is_heard = media.peer.kind == media::Kind::kVideo || !audible_ ||
                        std::ranges::find(*audible_, media.sid) != audible_->end();
  world_.hub.set_gate(media.name, !is_muted && is_heard, world_.hub_outputs);
}

void Seat::mute(room::MuteTrack asked, SeatOutputs& out) {
  if (auto own = announced_.find(asked.sid); own != announced_.end()) own->second.was_muted = asked.is_muted;
  command(std::move(asked), out);
}

void Seat::handle_self_changed(const room::SharedParticipant& self) {
  self_ = self;
  for (const room::TrackInfo& track : self_->tracks)
    if (auto own = announced_.find(track.sid); own != announced_.end())
      own->second.info.is_muted = track.is_muted;
  for (const auto& [id, media] : own_) set_gate(media);
}

void Seat::close(Timestamp now, SeatOutputs& out) {
  if (std::exchange(is_closed_, true)) return;
  for (auto& [id, media] : own_)
    if (!media.name.empty()) world_.hub.unpublish(std::exchange(media.name, {}), world_.hub_outputs);
  for (auto& [sid, subscription] : subscriptions_) drop_subscription(now, subscription);
  subscriptions_.clear();
  for (webrtc::SessionId session : sessions()) world_.port.close(now, session, world_.port_outputs);
  if (signal_) out.push(SeatSignalClosed{*signal_, kNormalClosure});
  signal_.reset();
}

std::vector<webrtc::SessionId> Seat::sessions() const {
  std::vector<webrtc::SessionId> all;
  if (publisher_.is_set()) all.push_back(publisher_);
  if (subscriber_.is_set() && subscriber_ != publisher_) all.push_back(subscriber_);
  return all;
}

void Seat::handle_deadline(Timestamp now, SeatOutputs& out) {
  told_deadline_ = Timestamp::never();
  if (is_closed_) return;
  if (now >= token_at_) {
    token_at_ = now + world_.config.token_interval;
    if (signal_) out.push(SeatTokenWanted{});
  }
  if (now >= report_at_) {
    report_at_ = now + world_.config.report_interval;
    measure(now, out);
  }
  if (now >= levels_at_) report_levels(now, out);
  if (now >= budget_at_) {
    measure_rates(now);
    share_budget(now, out);
  }
  if (now >= allocator_.next_deadline()) {
    allocator_.handle_deadline(now);
    carry_out(now, out);
  }
  if (signal_lost_at_ != Timestamp::never()) {
    const SeatConfig& config = world_.config;
    Timestamp until =
        signal_lost_at_ + (is_active_ ? config.resume_timeout : config.resume_timeout_without_media);
    if (now < until) return;
    signal_lost_at_ = Timestamp::never();
    log(LogLevel::kInfo, "did not come back", out);
    command(room::Leave{room::LeaveReason::kSignalClosed}, out);
  }
}

std::optional<Timestamp> Seat::take_deadline() {
  const Timestamp at = next_deadline();
  if (std::exchange(told_deadline_, at) == at) return std::nullopt;
  return at;
}

Timestamp Seat::next_deadline() const {
  if (is_closed_) return Timestamp::never();
  Timestamp at = std::min({token_at_, report_at_, levels_at_, budget_at_, allocator_.next_deadline()});
  if (signal_lost_at_ != Timestamp::never())
    at = std::min(at, signal_lost_at_ + (is_active_ ? world_.config.resume_timeout
                                                    : world_.config.resume_timeout_without_media));
  return at;
}

}  // namespace stoa::shard
