#include "session/webrtc/port.h"

#include <algorithm>
#include <utility>

#include "crypto/random.h"
#include "proto/rtp/packet.h"
#include "proto/sdp/fragment.h"

namespace stoa::webrtc {

struct Port::Session {
  SessionId id;
  Transport transport;
  std::unique_ptr<Receiver> receiver;  // Of publishers.
  // Of viewers.
  SenderConfig sender_config;
  SenderId sender;
  std::vector<StreamId> sources;  // By outlet.

  std::string remote_ufrag;
  std::vector<std::string> ufrags;  // Under which it is filed.
  std::vector<ice::Path> paths;     // Likewise.
  std::optional<ice::Path> path;    // Where media goes.
  bool is_connected = false, is_confirmed = false, is_over = false, is_touched = false;

  Session(const TransportShared& shared, TransportConfig config, RemoteTransport remote, Rng rng,
          Timestamp now)
      : transport(shared, std::move(config), std::move(remote), rng, now) {}
};

namespace {

const char* protocol_name(std::optional<dtls::SrtpProfile> profile) {
  return profile ? dtls::name_of(*profile) : "";
}

std::string describe(const ice::Path& path) {
  return path.remote.to_text() + (is_udp_path(path.local) ? " udp" : " tcp");
}

}  // namespace

Port::Port(const PortConfig& config, std::shared_ptr<const dtls::Identity> identity,
           std::unique_ptr<crypto::SrtpKernel> kernel, Rng rng)
    : config_(config),
      rng_(rng),
      transform_(std::move(kernel)),
      fan_out_(config.fan_out, transform_, Rng(rng_.next())),
      sessions_(config.sessions_max) {
  shared_.srtp = &transform_.kernel();
  shared_.identity = std::move(identity);
}

Port::~Port() = default;

LocalDescription Port::local_description(const ice::Credentials& ice) {
  // RFC 9429 §5.2.1: 63 bits.
  return {.ice = ice,
          .candidates = config_.candidates,
          .fingerprint = shared_.identity->fingerprint(),
          .session_id = rng_.next() >> 1};
}

Port::Session* Port::add_session(Timestamp now, const ice::Credentials& local, const RemoteTransport& remote,
                                 dtls::Role role, const std::optional<sdp::AgreedData>& data, SessionId& id) {
  TransportConfig config{.side = TransportConfig::Side::kServer, .local_ice = local, .dtls_role = role};
  config.lite = config_.ice;
  if (data)
    config.data = DataConfig{data->local_port, data->remote_port, data->send_message_bytes_max, config_.data};
  id = sessions_.insert(std::make_unique<Session>(shared_, std::move(config), remote, Rng(rng_.next()), now));
  Session* session = sessions_.find(id)->get();
  session->id = id;
  session->remote_ufrag = remote.ice.ufrag;
  session->ufrags.push_back(local.ufrag);
  by_ufrag_[local.ufrag] = id;
  ++counters_.opened;
  return session;
}

Result<OpenedPublisher, OpenFault> Port::open_publisher(Timestamp now, std::string_view offer) {
  if (sessions_.size() >= sessions_.limit()) return refuse(OpenFault{OpenRefusal::kFull, {}});
  ice::Credentials local = ice::make_credentials();
  auto answer = answer_publisher(offer, local_description(local), config_.publisher);
  if (!answer) return refuse(OpenFault{OpenRefusal::kBadOffer, answer.error()});
  OpenedPublisher opened{.session = {}, .answer = std::move(answer->answer), .etag = local.ufrag};
  Session* session =
      add_session(now, local, answer->remote, answer->dtls_role, answer->agreement.data, opened.session);
  session->receiver =
      std::make_unique<Receiver>(answer->agreement, config_.receiver,
                                 static_cast<std::uint32_t>(rng_.next() | 1), Rng(rng_.next()), now);
  file(*session);
  return opened;
}

Result<OpenedViewer, OpenFault> Port::open_viewer(Timestamp now, std::string_view offer,
                                                  std::span<const payload::RtpTrack> tracks) {
  if (sessions_.size() >= sessions_.limit()) return refuse(OpenFault{OpenRefusal::kFull, {}});
  ice::Credentials local = ice::make_credentials();
  std::string cname = crypto::make_base62(16);
  auto answer = answer_viewer(offer, tracks, local_description(local), cname, rng_);
  if (!answer) return refuse(OpenFault{OpenRefusal::kBadOffer, answer.error()});
  OpenedViewer opened{.session = {},
                      .answer = std::move(answer->answer),
                      .etag = local.ufrag,
                      .outlets = std::move(answer->outlets),
                      .left_out = std::move(answer->left_out),
                      .unseated = std::move(answer->unseated)};
  Session* session =
      add_session(now, local, answer->remote, answer->dtls_role, answer->agreement.data, opened.session);
  session->sender_config.cname = std::move(cname);
  session->sender_config.pacer.bits_per_second = config_.viewer_bits_per_second;
  for (const ViewerOutlet& outlet : opened.outlets) session->sender_config.outlets.push_back(outlet.config);
  session->sources.resize(opened.outlets.size());
  file(*session);
  return opened;
}

Result<Patched, PatchRefusal> Port::patch(Timestamp now, SessionId id, std::string_view text,
                                          bool may_restart, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found) return refuse(PatchRefusal::kNoSession);
  Session& session = **found;
  auto fragment = sdp::parse_fragment(text);
  if (!fragment) return refuse(PatchRefusal::kBadFragment);
  auto remote = fragment->credentials();
  std::string etag = session.transport.local_ice().ufrag;
  bool is_restart = remote && remote->ufrag != session.remote_ufrag;
  // Candidates are of no use to a lite agent: the peer's checks show where it is.
  if (!is_restart) return Patched{.fragment = "", .etag = etag};
  if (!may_restart) return refuse(PatchRefusal::kRestartNotMeant);

  ice::Credentials local = ice::make_credentials();
  session.remote_ufrag = remote->ufrag;
  session.transport.restart_ice(now, local, {remote->ufrag, remote->password}, transport_outputs_);
  // The generation before stays reachable until the peer has chosen a path with the new one.
  while (session.ufrags.size() > 1) {
    by_ufrag_.erase(session.ufrags.front());
    session.ufrags.erase(session.ufrags.begin());
  }
  session.ufrags.push_back(local.ufrag);
  by_ufrag_[local.ufrag] = id;
  handle_transport_outputs(now, session, out);

  sdp::Fragment answer;
  answer.ice = sdp::IceCredentials{local.ufrag, local.password};
  answer.is_ice_lite = true;
  answer.bundle = fragment->bundle;
  for (const sdp::FragmentSection& asked : fragment->sections) {
    sdp::FragmentSection section{.media_line = asked.media_line, .mid = asked.mid};
    for (const ice::Candidate& candidate : config_.candidates)
      if (auto converted = sdp::parse_candidate(ice::write_candidate(candidate)); converted && *converted)
        section.candidates.push_back(**converted);
    section.has_end_of_candidates = true;
    answer.sections.push_back(std::move(section));
    break;  // The first is the bundle's.
  }
  return Patched{.fragment = sdp::write(answer), .etag = local.ufrag};
}

void Port::close(Timestamp now, SessionId id, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found) return;
  (*found)->transport.close(now, transport_outputs_);
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

void Port::set_source(Timestamp now, SessionId viewer, std::size_t outlet, StreamId stream,
                      PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(viewer);
  if (!found || outlet >= (*found)->sources.size()) return;
  (*found)->sources[outlet] = stream;
  if (!(*found)->sender.is_set()) return;
  fan_out_.set_source(now, (*found)->sender, outlet, stream, fan_out_outputs_);
  handle_fan_out_outputs(out);
}

Result<void, sctp::Refusal> Port::send_data(Timestamp now, SessionId id, sctp::StreamId channel,
                                            sctp::MessageKind kind, SharedBytes payload, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found) return refuse(sctp::Refusal::kNotConnected);
  auto sent = (*found)->transport.send_data(now, channel, kind, std::move(payload), transport_outputs_);
  handle_transport_outputs(now, **found, out);
  return sent;
}

std::size_t Port::buffered_bytes(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  const sctp::DataChannels* data = found ? (*found)->transport.data() : nullptr;
  return data ? data->association().buffered_bytes() : 0;
}

void Port::set_identity(std::shared_ptr<const dtls::Identity> identity) {
  shared_.identity = std::move(identity);
}

void Port::handle_datagrams(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams,
                            PortOutputs& out) {
  counters_.datagrams += datagrams.size();
  std::size_t media = 0;
  for (const ReceivedDatagram& datagram : datagrams) {
    switch (kind_of(datagram.bytes)) {
      case DatagramKind::kStun: handle_stun(now, datagram, out); break;
      case DatagramKind::kDtls: handle_dtls(now, datagram, out); break;
      case DatagramKind::kMedia: ++media; break;
      case DatagramKind::kUnknown: ++counters_.unknown_kind; break;
    }
  }
  // Behind the rest, since the rest may bring the keys.
  if (media > 0) handle_media(now, wall, datagrams, out);
}

Port::Session* Port::find_by_path(const ice::Path& path) {
  auto found = by_path_.find(path);
  if (found == by_path_.end()) return nullptr;
  std::unique_ptr<Session>* session = sessions_.find(found->second);
  return session ? session->get() : nullptr;
}

void Port::handle_stun(Timestamp now, const ReceivedDatagram& datagram, PortOutputs& out) {
  ++counters_.stun;
  ice::Path path{datagram.local, datagram.remote};
  Session* session = nullptr;
  // The ufrag goes first: behind one NAT the same address may come to be another peer's.
  if (auto ufrag = ice::find_local_ufrag(datagram.bytes)) {
    auto found = by_ufrag_.find(std::string(*ufrag));
    if (found != by_ufrag_.end())
      if (std::unique_ptr<Session>* known = sessions_.find(found->second)) session = known->get();
  } else {
    session = find_by_path(path);
  }
  if (!session) {
    ++counters_.unknown_ufrag;
    return;
  }
  auto transport = is_udp_path(datagram.local) ? ice::Transport::kUdp : ice::Transport::kTcpPassive;
  session->transport.handle_stun(now, path, transport, datagram.bytes, transport_outputs_);
  handle_transport_outputs(now, *session, out);
}

void Port::handle_dtls(Timestamp now, const ReceivedDatagram& datagram, PortOutputs& out) {
  ++counters_.dtls;
  ice::Path path{datagram.local, datagram.remote};
  Session* session = find_by_path(path);
  if (!session) {
    ++counters_.unknown_path;
    return;
  }
  session->transport.handle_dtls(now, path, datagram.bytes, transport_outputs_);
  handle_transport_outputs(now, *session, out);
}

void Port::handle_media(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams,
                        PortOutputs& out) {
  opening_.clear();
  opening_of_.clear();
  opening_from_.clear();
  for (const ReceivedDatagram& datagram : datagrams) {
    if (kind_of(datagram.bytes) != DatagramKind::kMedia) continue;
    ++counters_.media;
    const ice::Path path{datagram.local, datagram.remote};
    Session* session = find_by_path(path);
    srtp::ReceiveContext* context = session ? session->transport.receive_context() : nullptr;
    if (!context) {
      ++counters_.unknown_path;
      continue;
    }
    opening_.push_back({.context = context, .packet = datagram.bytes, .outcome = refuse(srtp::Refusal{})});
    opening_of_.push_back(session);
    opening_from_.push_back(path);
  }
  transform_.unprotect(opening_);
  // Nothing below ends a session, so the pointers stay good.
  touched_.clear();
  for (std::size_t i = 0; i < opening_.size(); ++i) {
    if (!opening_[i].outcome) {
      ++counters_.not_authentic;
      continue;
    }
    Session& session = *opening_of_[i];
    if (!std::exchange(session.is_touched, true)) {
      touched_.push_back(&session);
      session.transport.handle_authentic_packet(now, opening_from_[i]);
    }
    if (!std::exchange(session.is_confirmed, true)) session.transport.confirm_peer(now);
    handle_opened(now, wall, session, opening_[i], out);
  }
  for (Session* session : touched_) {
    session->is_touched = false;
    if (session->receiver) {
      session->receiver->flush(now, receiver_outputs_);
      handle_receiver_outputs(*session, out);
    }
    file(*session);
  }
}

void Port::handle_opened(Timestamp now, WallTime wall, Session& session,
                         const srtp::PacketToUnprotect& packet, PortOutputs& out) {
  Bytes bytes = Bytes(packet.packet).first(*packet.outcome);
  if (!packet.is_rtcp) {
    if (session.receiver) (void)session.receiver->handle_rtp(now, bytes, packet.index, receiver_outputs_);
    return;
  }
  if (session.receiver) session.receiver->handle_rtcp(now, wall, bytes, receiver_outputs_);
  if (session.sender.is_set()) {
    fan_out_.handle_rtcp(now, wall, session.sender, bytes, fan_out_outputs_);
    handle_fan_out_outputs(out);
  }
}

void Port::handle_path_closed(Timestamp now, LocalPath local, const SocketAddress& remote, PortOutputs& out) {
  ice::Path path{local, remote};
  Session* session = find_by_path(path);
  if (!session) return;
  session->transport.handle_path_closed(now, path, transport_outputs_);
  handle_transport_outputs(now, *session, out);
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
    if (session.transport.next_deadline() <= now) session.transport.handle_deadline(now, transport_outputs_);
    handle_transport_outputs(now, session, out);
  }
  if (fan_out_.next_deadline() <= now) {
    fan_out_.handle_deadline(now, wall, fan_out_outputs_);
    handle_fan_out_outputs(out);
  }
}

Timestamp Port::next_deadline() const { return std::min(timers_.next(), fan_out_.next_deadline()); }

void Port::file(Session& session) {
  Timestamp at = session.transport.next_deadline();
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
                     // Who has the address last has it; the one before moved away or is gone.
                     if (Session* before = find_by_path(added.path); before && before != &session)
                       std::erase(before->paths, added.path);
                     by_path_[added.path] = session.id;
                     if (std::ranges::find(session.paths, added.path) == session.paths.end())
                       session.paths.push_back(added.path);
                     if (!is_udp_path(added.path.local)) out.push(PathProved{added.path.local});
                   },
                   [&](PathRemoved& removed) {
                     if (std::erase(session.paths, removed.path) == 0) return;
                     by_path_.erase(removed.path);
                     if (!is_udp_path(removed.path.local)) out.push(PathReleased{removed.path.local});
                   },
                   [&](TransportConnected&) {
                     // What came with it may have ended it.
                     if (!session.transport.selected()) return;
                     session.is_connected = true;
                     ++counters_.connected;
                     begin_media(now, session);
                     out.push(SessionConnected{session.id, describe(*session.transport.selected()),
                                               protocol_name(session.transport.srtp_profile())});
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
    remove(session);
    return;
  }
  if (session.transport.selected() != session.path) {
    session.path = session.transport.selected();
    if (session.sender.is_set() && session.path) fan_out_.set_path(session.sender, *session.path);
  }
  handle_fan_out_outputs(out);
  file(session);
}

void Port::begin_media(Timestamp now, Session& session) {
  if (session.sender_config.outlets.empty()) return;
  session.path = session.transport.selected();
  session.sender =
      fan_out_.add_sender(now, session.sender_config, *session.transport.send_context(), *session.path);
  if (!session.sender.is_set()) return;
  by_sender_[session.sender] = session.id;
  for (std::size_t i = 0; i < session.sources.size(); ++i)
    fan_out_.set_source(now, session.sender, i, session.sources[i], fan_out_outputs_);
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
               },
               output);
  }
}

void Port::send_rtcp(Session& session, Bytes packet, PortOutputs& out) {
  srtp::SendContext* context = session.transport.send_context();
  const std::optional<ice::Path>& path = session.transport.selected();
  if (!context || !path) return;
  Buffer bytes(packet.size() + srtp::kOverheadBytesMax);
  auto outcome = transform_.protect(srtp::RtcpToProtect{
      .context = context, .packet = packet, .out = bytes, .outcome = refuse(srtp::Refusal{})});
  if (!outcome) return;
  bytes.resize(*outcome);
  out.push(SendDatagram{path->local, path->remote, std::move(bytes)});
}

void Port::remove(Session& session) {
  if (session.sender.is_set()) {
    fan_out_.remove_sender(session.sender);
    by_sender_.erase(session.sender);
  }
  for (const ice::Path& path : session.paths) by_path_.erase(path);
  for (const std::string& ufrag : session.ufrags) by_ufrag_.erase(ufrag);
  if (session.receiver) {
    const ReceiverStats& stats = session.receiver->stats();
    ReceiverStats& sum = counters_.ended_receivers;
    sum.packets += stats.packets;
    sum.bytes += stats.bytes;
    sum.retransmitted += stats.retransmitted;
    sum.nacks_sent += stats.nacks_sent;
    sum.lost += stats.lost;
    sum.plis_sent += stats.plis_sent;
    for (int i = 0; i < kReceiveRefusals; ++i) sum.refused[i] += stats.refused[i];
  }
  timers_.set(session.id.value(), Timestamp::never());
  sessions_.erase(session.id);
}

std::string Port::etag(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found ? (*found)->transport.local_ice().ufrag : std::string();
}

const ReceiverStats* Port::receiver_stats(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found && (*found)->receiver ? &(*found)->receiver->stats() : nullptr;
}

}  // namespace stoa::webrtc
