#include "session/webrtc/port.h"

#include <algorithm>
#include <utility>

#include "crypto/random.h"
#include "proto/sdp/fragment.h"
#include "session/webrtc/port_impl.h"

namespace stoa::webrtc {

namespace {

const char* protocol_name(std::optional<dtls::SrtpProfile> profile) {
  return profile ? dtls::name_of(*profile) : "";
}

}  // namespace

std::string describe(const ice::Path& path) {
  return path.remote.to_text() + (is_udp_path(path.local) ? " udp" : " tcp");
}

Port::Port(const PortConfig& config, std::shared_ptr<const dtls::Identity> identity,
           std::unique_ptr<crypto::SrtpKernel> kernel, Rng rng)
    : config_(config),
      rng_(rng),
      transform_(std::move(kernel)),
      fan_out_(config.fan_out, transform_, Rng(rng_.next())),
      sessions_(config.sessions_max),
      unconnected_(config.unconnected) {
  shared_.srtp = &transform_.kernel();
  shared_.identity = std::move(identity);
}

Port::~Port() = default;

LocalDescription Port::local_description(const ice::Credentials& ice, const dtls::Identity& identity) {
  // RFC 9429 §5.2.1: 63 bits.
  return {.ice = ice,
          .candidates = config_.candidates,
          .fingerprint = identity.fingerprint(),
          .session_id = rng_.next() >> 1};
}

OpenFault Port::count(OpenFault fault) {
  ++counters_.refused[static_cast<std::size_t>(fault.refusal)];
  return fault;
}

std::optional<OpenFault> Port::find_obstacle(bool is_publisher, const IpAddress& client) {
  if (sessions_.size() >= sessions_.limit()) return count({OpenRefusal::kFull, {}});
  if (!is_publisher) {
    if (viewers_.total() >= viewers_max(sessions_.limit())) return count({OpenRefusal::kFull, {}});
    if (viewers_.of(client) >= config_.viewers_per_address_max)
      return count({OpenRefusal::kTooManyViewersOfAddress, {}});
  }
  auto room = unconnected_.check(is_publisher, client);
  if (room) return std::nullopt;
  bool is_of_address = room.error() == UnconnectedRefusal::kTooManyOfAddress;
  return count({is_of_address ? OpenRefusal::kTooManyOfAddress : OpenRefusal::kTooManyUnconnected, {}});
}

// Requires: room for it (find_obstacle).
Port::Session& Port::add_session(SessionKind kind, const IpAddress& client) {
  SessionId id = sessions_.insert(nullptr);
  std::unique_ptr<Session>& session = *sessions_.find(id);
  session = std::make_unique<Session>(id, kind, client);
  unconnected_.add(client);
  if (kind == SessionKind::kViewer) viewers_.add(client);
  ++counters_.opened;
  return *session;
}

DataConfig Port::data_config(const sdp::AgreedData& data) const {
  return {data.local_port, data.remote_port, data.send_message_bytes_max, config_.data};
}

void Port::begin_transport(Timestamp now, Session& session, const Opening& opening) {
  TransportConfig config{
      .side = TransportConfig::Side::kServer, .local_ice = opening.local, .dtls_role = opening.role};
  config.lite = config_.ice;
  config.lite.request_tag = session.id.index;
  if (session.kind == SessionKind::kViewer)
    config.lite.first_path_timeout = config_.viewer_first_path_timeout;
  if (session.peer) {
    config.lite.lost_timeout = config_.peer_lost_timeout;
    config.identity = session.peer->identity;
  }
  if (opening.data) config.data = data_config(*opening.data);
  session.transport.emplace(shared_, std::move(config), opening.remote, Rng(rng_.next()), now);
  session.remote_ufrag = opening.remote.ice.ufrag;
  if (!by_ufrag_.emplace(opening.local.ufrag, session.id).second) return;  // Known since it was offered.
  session.ufrags.push_back(opening.local.ufrag);
}

Result<OpenedPublisher, OpenFault> Port::open_publisher(Timestamp now, std::string_view offer,
                                                        const IpAddress& client) {
  if (auto obstacle = find_obstacle(true, client)) return refuse(*obstacle);
  ice::Credentials local = ice::make_credentials();
  auto answer = answer_publisher(offer, local_description(local, *shared_.identity), config_.publisher);
  if (!answer) return refuse(count({OpenRefusal::kBadOffer, answer.error()}));
  OpenedPublisher opened{.session = {}, .answer = std::move(answer->answer), .etag = local.ufrag};
  Session& session = add_session(SessionKind::kPublisher, client);
  opened.session = session.id;
  begin_transport(now, session, {local, answer->remote, answer->dtls_role, answer->agreement.data});
  session.receiver =
      std::make_unique<Receiver>(answer->agreement, config_.receiver,
                                 static_cast<std::uint32_t>(rng_.next() | 1), Rng(rng_.next()), now);
  file(session);
  return opened;
}

Result<OpenedViewer, OpenFault> Port::open_viewer(Timestamp now, std::string_view offer,
                                                  std::span<const payload::RtpTrack> tracks,
                                                  const IpAddress& client) {
  if (auto obstacle = find_obstacle(false, client)) return refuse(*obstacle);
  ice::Credentials local = ice::make_credentials();
  std::string cname = crypto::make_base62(16);
  auto answer = answer_viewer(offer, tracks, local_description(local, *shared_.identity), cname, rng_);
  if (!answer) return refuse(count({OpenRefusal::kBadOffer, answer.error()}));
  OpenedViewer opened{.session = {},
                      .answer = std::move(answer->answer),
                      .etag = local.ufrag,
                      .outlets = std::move(answer->outlets),
                      .left_out = std::move(answer->left_out),
                      .unseated = std::move(answer->unseated)};
  Session& session = add_session(SessionKind::kViewer, client);
  opened.session = session.id;
  begin_transport(now, session, {local, answer->remote, answer->dtls_role, answer->agreement.data});
  session.sender_config.cname = std::move(cname);
  session.sender_config.pacer.bits_per_second = config_.viewer_bits_per_second;
  for (const ViewerOutlet& outlet : opened.outlets) session.sender_config.outlets.push_back(outlet.config);
  session.outlets.resize(opened.outlets.size());
  file(session);
  return opened;
}

void Port::restart_ice(Timestamp now, Session& session, const ice::Credentials& local,
                       const ice::Credentials& remote) {
  session.remote_ufrag = remote.ufrag;
  session.transport->restart_ice(now, local, remote, transport_outputs_);
  // The generation before stays reachable until the peer has chosen a path with the new one.
  while (session.ufrags.size() > 1) {
    by_ufrag_.erase(session.ufrags.front());
    late_ufrags_.add(now, session.ufrags.front());
    session.ufrags.erase(session.ufrags.begin());
  }
  session.ufrags.push_back(local.ufrag);
  by_ufrag_[local.ufrag] = session.id;
}

Result<Patched, PatchRefusal> Port::patch(Timestamp now, SessionId id, std::string_view text,
                                          bool may_restart, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found || (*found)->peer) return refuse(PatchRefusal::kNoSession);
  Session& session = **found;
  auto fragment = sdp::parse_fragment(text);
  if (!fragment) return refuse(PatchRefusal::kBadFragment);
  auto remote = fragment->credentials();
  std::string etag = session.transport->local_ice().ufrag;
  bool is_restart = remote && remote->ufrag != session.remote_ufrag;
  // Candidates are of no use to a lite agent: the peer's checks show where it is.
  if (!is_restart) return Patched{.fragment = "", .etag = etag};
  if (!may_restart) return refuse(PatchRefusal::kRestartNotMeant);

  ice::Credentials local = ice::make_credentials();
  restart_ice(now, session, local, {remote->ufrag, remote->password});
  handle_transport_outputs(now, session, out);

  sdp::Fragment answer;
  answer.ice = sdp::IceCredentials{local.ufrag, local.password};
  answer.is_ice_lite = true;
  answer.bundle = fragment->bundle;
  std::vector<sdp::Candidate> candidates;
  for (const ice::Candidate& candidate : config_.candidates)
    if (auto converted = sdp::parse_candidate(ice::write_candidate(candidate)); converted && *converted)
      candidates.push_back(**converted);
  if (fragment->sections.empty()) {
    answer.candidates = std::move(candidates);
    answer.has_end_of_candidates = true;
  } else {  // The first is the bundle's.
    answer.sections.push_back({.media_line = fragment->sections[0].media_line,
                               .mid = fragment->sections[0].mid,
                               .candidates = std::move(candidates),
                               .has_end_of_candidates = true});
  }
  return Patched{.fragment = sdp::write(answer), .etag = local.ufrag};
}

void Port::close(Timestamp now, SessionId id, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found) return;
  if (!(*found)->transport) return end_unanswered(now, **found, TransportEnd::kLocal, out);
  (*found)->transport->close(now, transport_outputs_);
  handle_transport_outputs(now, **found, out);
}

void Port::close_all(Timestamp now, PortOutputs& out) {
  std::vector<SessionId> all;
  sessions_.for_each([&](SessionId id, auto&) { all.push_back(id); });
  for (SessionId id : all) close(now, id, out);
}

void Port::request_keyframe(Timestamp now, SessionId publisher, media::TrackId track,
                            payload::LayerIndex layer, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(publisher);
  if (!found || !(*found)->receiver) return;
  (*found)->receiver->request_keyframe(now, track, layer, receiver_outputs_);
  handle_receiver_outputs(**found, out);
}

void Port::set_source(Timestamp now, SessionId receiver, std::size_t outlet, StreamId stream,
                      PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(receiver);
  if (!found || outlet >= (*found)->outlets.size()) return;
  (*found)->outlets[outlet].source = stream;
  if (!(*found)->sender.is_set()) return;
  fan_out_.set_source(now, (*found)->sender, outlet, stream, fan_out_outputs_);
  handle_fan_out_outputs(out);
}

void Port::set_layer_max(Timestamp now, SessionId receiver, std::size_t outlet, payload::LayerIndex layer,
                         PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(receiver);
  if (!found || outlet >= (*found)->outlets.size()) return;
  (*found)->outlets[outlet].layer_max = layer;
  if (!(*found)->sender.is_set()) return;
  fan_out_.set_layer_max(now, (*found)->sender, outlet, layer, fan_out_outputs_);
  handle_fan_out_outputs(out);
}

void Port::set_frames_wanted(SessionId receiver, std::size_t outlet, std::uint32_t frames_per_second) {
  std::unique_ptr<Session>* found = sessions_.find(receiver);
  if (!found || outlet >= (*found)->outlets.size()) return;
  (*found)->outlets[outlet].frames_wanted = frames_per_second;
  if ((*found)->sender.is_set()) fan_out_.set_frames_wanted((*found)->sender, outlet, frames_per_second);
}

Result<void, sctp::Refusal> Port::send_data(Timestamp now, SessionId id, sctp::StreamId channel,
                                            sctp::MessageKind kind, SharedBytes payload, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found || !(*found)->transport) return refuse(sctp::Refusal::kNotConnected);
  auto sent = (*found)->transport->send_data(now, channel, kind, std::move(payload), transport_outputs_);
  handle_transport_outputs(now, **found, out);
  return sent;
}

std::size_t Port::queued_data_bytes(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  const sctp::DataChannels* data = found && (*found)->transport ? (*found)->transport->data() : nullptr;
  return data ? data->association().queued_bytes() : 0;
}

void Port::set_identity(std::shared_ptr<const dtls::Identity> identity) {
  shared_.identity = std::move(identity);
}

void Port::handle_deadline(Timestamp now, WallTime wall, PortOutputs& out) {
  while (auto due = timers_.take_due(now)) {
    std::unique_ptr<Session>* found = sessions_.find(SessionId::from_value(*due));
    if (!found) continue;
    Session& session = **found;
    if (session.receiver && session.receiver->next_deadline() <= now) {
      session.receiver->handle_deadline(now, wall, receiver_outputs_);
      handle_receiver_outputs(session, out);
    }
    if (!session.transport) {
      end_unanswered(now, session, TransportEnd::kNoPath, out);
      continue;
    }
    if (session.transport->next_deadline() <= now)
      session.transport->handle_deadline(now, transport_outputs_);
    handle_transport_outputs(now, session, out);
  }
  if (fan_out_.next_deadline() <= now) {
    fan_out_.handle_deadline(now, wall, fan_out_outputs_);
    handle_fan_out_outputs(out);
  }
}

Timestamp Port::next_deadline() const { return std::min(timers_.next(), fan_out_.next_deadline()); }

void Port::file(Session& session) {
  Timestamp at = session.transport ? session.transport->next_deadline() : session.peer->answer_due;
  if (session.receiver && session.is_connected) at = std::min(at, session.receiver->next_deadline());
  timers_.set(session.id.value(), at);
}

// Everything that follows from a transport's input; the session may be gone afterwards.
void Port::handle_transport_outputs(Timestamp now, Session& session, PortOutputs& out) {
  std::optional<TransportClosed> closed;
  for (TransportOutput& output : transport_outputs_.take()) {
    std::visit(Overloaded{
                   [&](SendPacket& send) {
                     out.push(SendDatagram{send.path.local, send.path.remote, std::move(send.bytes)});
                   },
                   [&](PathAdded& added) {
                     if (!is_udp_path(added.path.local)) out.push(PathProved{added.path.local});
                   },
                   [&](PathRemoved& removed) {
                     if (std::erase(session.paths, removed.path) == 0) return;
                     by_path_.erase(removed.path);
                     late_paths_.add(now, removed.path);
                     if (!is_udp_path(removed.path.local)) out.push(PathReleased{removed.path.local});
                   },
                   [&](TransportConnected&) {
                     // What came with it may have ended it.
                     if (!session.transport->selected()) return;
                     session.is_connected = true;
                     unconnected_.remove(session.client);
                     ++counters_.connected;
                     begin_media(now, session);
                     out.push(SessionConnected{session.id, describe(*session.transport->selected()),
                                               protocol_name(session.transport->srtp_profile())});
                   },
                   [&](TransportClosed& end) { closed = end; },
                   [&](DataEvent& event) { out.push(DataReceived{session.id, std::move(event)}); },
               },
               output);
  }
  if (closed) {
    ++counters_.closed[static_cast<std::size_t>(closed->end)];
    std::string why = name_of(closed->end);
    if (closed->dtls) why += std::string(" (") + dtls::name_of(*closed->dtls) + ')';
    out.push(SessionClosed{session.id, closed->end, std::move(why), session.is_connected});
    remove(now, session);
    return;
  }
  if (session.transport->selected() != session.path) {
    const bool had_path = session.path.has_value();
    session.path = session.transport->selected();
    if (session.sender.is_set()) fan_out_.set_path(session.sender, session.path);
    if (session.peer && session.is_connected) {
      if (!session.path) out.push(SessionPathLost{session.id});
      if (session.path && !had_path) out.push(SessionPathBack{session.id});
      seat_outlets(now, session);
    }
  }
  handle_fan_out_outputs(out);
  file(session);
  account_data(session, session.transport->data_bytes());
  bound_data(now, out);
}

void Port::account_data(Session& session, std::size_t bytes) {
  if (bytes == session.data_bytes) return;
  if (session.data_bytes > 0) by_data_bytes_.erase({session.data_bytes, session.id.value()});
  if (bytes > 0) by_data_bytes_.emplace(bytes, session.id.value());
  data_bytes_ += bytes - session.data_bytes;
  session.data_bytes = bytes;
}

// Whoever's input it was that filled the shard, the session that holds most pays for it.
void Port::bound_data(Timestamp now, PortOutputs& out) {
  if (data_bytes_ <= config_.data_bytes_max) return;
  Session& heaviest = **sessions_.find(SessionId::from_value(by_data_bytes_.rbegin()->second));
  ++counters_.data_ended;
  if (heaviest.peer) heaviest.peer->is_data_over = true;
  heaviest.transport->end_data(now, transport_outputs_);
  handle_transport_outputs(now, heaviest, out);  // Comes here again.
}

void Port::begin_media(Timestamp now, Session& session) {
  if (session.peer) {
    session.path = session.transport->selected();
    return seat_outlets(now, session);
  }
  if (session.sender_config.outlets.empty()) return;
  session.path = session.transport->selected();
  session.sender =
      fan_out_.add_sender(now, session.sender_config, *session.transport->send_context(), *session.path);
  if (!session.sender.is_set()) return;
  by_sender_[session.sender] = session.id;
  for (std::size_t i = 0; i < session.outlets.size(); ++i) {
    fan_out_.set_layer_max(now, session.sender, i, session.outlets[i].layer_max, fan_out_outputs_);
    fan_out_.set_frames_wanted(session.sender, i, session.outlets[i].frames_wanted);
    fan_out_.set_source(now, session.sender, i, session.outlets[i].source, fan_out_outputs_);
  }
}

void Port::handle_receiver_outputs(Session& session, PortOutputs& out) {
  for (ReceiverOutput& output : receiver_outputs_.take()) {
    std::visit(Overloaded{
                   [&](SendRtcp& send) { send_rtcp(session, send.packet, out); },
                   [&](auto& event) { out.push(Published{session.id, std::move(event)}); },
               },
               output);
  }
}

void Port::handle_fan_out_outputs(PortOutputs& out) {
  for (FanOutOutput& output : fan_out_outputs_.take()) {
    std::visit(Overloaded{
                   [&](SendReport& report) {
                     auto found = by_sender_.find(report.sender);
                     if (found == by_sender_.end()) return;
                     if (std::unique_ptr<Session>* session = sessions_.find(found->second))
                       send_rtcp(**session, report.packet, out);
                   },
                   [&](StreamKeyframeWanted& wanted) { out.push(wanted); },
                   [&](SenderBandwidth& bandwidth) {
                     if (auto found = by_sender_.find(bandwidth.sender); found != by_sender_.end())
                       out.push(SessionBandwidth{found->second, bandwidth.target});
                   },
               },
               output);
  }
}

void Port::send_rtcp(Session& session, Bytes packet, PortOutputs& out) {
  srtp::SendContext* context = session.transport ? session.transport->send_context() : nullptr;
  if (!context) return;
  const std::optional<ice::Path>& path = session.transport->selected();
  if (!path) return;
  Buffer bytes(packet.size() + srtp::kOverheadBytesMax);
  auto outcome = transform_.protect(srtp::RtcpToProtect{
      .context = context, .packet = packet, .out = bytes, .outcome = refuse(srtp::Refusal{})});
  if (!outcome) return;
  bytes.resize(*outcome);
  out.push(SendDatagram{path->local, path->remote, std::move(bytes)});
}

void Port::remove(Timestamp now, Session& session) {
  account_data(session, 0);
  if (!session.is_connected) unconnected_.remove(session.client);
  if (session.kind == SessionKind::kViewer) viewers_.remove(session.client);
  if (session.sender.is_set()) {
    fan_out_.remove_sender(session.sender);
    by_sender_.erase(session.sender);
  }
  for (const ice::Path& path : session.paths) {
    by_path_.erase(path);
    late_paths_.add(now, path);
  }
  for (const std::string& ufrag : session.ufrags) {
    by_ufrag_.erase(ufrag);
    late_ufrags_.add(now, ufrag);
  }
  if (session.receiver) add_to(counters_.ended_receivers, session.receiver->stats());
  timers_.set(session.id.value(), Timestamp::never());
  sessions_.erase(session.id);
}

const char* name_of(OpenRefusal refusal) {
  switch (refusal) {
    case OpenRefusal::kFull: return "full";
    case OpenRefusal::kBadOffer: return "bad_offer";
    case OpenRefusal::kTooManyUnconnected: return "too_many_unconnected";
    case OpenRefusal::kTooManyOfAddress: return "too_many_of_address";
    case OpenRefusal::kTooManyViewersOfAddress: return "too_many_viewers_of_address";
    case OpenRefusal::kNoSession: return "no_session";
  }
  return "unknown";
}

std::string Port::etag(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found && (*found)->transport ? (*found)->transport->local_ice().ufrag : std::string();
}

const ReceiverStats* Port::receiver_stats(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found && (*found)->receiver ? &(*found)->receiver->stats() : nullptr;
}

}  // namespace stoa::webrtc
