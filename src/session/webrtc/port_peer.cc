// Peers of meetings: sessions that negotiate again while they are connected.
#include <algorithm>
#include <utility>

#include "crypto/random.h"
#include "session/webrtc/port_impl.h"

namespace stoa::webrtc {
namespace {

// SSRCs of all layers of all tracks, with what repairs them.
constexpr std::size_t kPeerStreamsMax = 2u * payload::kLayersMax * media::kTracksPerPublicationMax;

}  // namespace

Port::Session* Port::find_peer(SessionId id, bool makes_offers) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  const bool is_meant = found && (*found)->peer && (*found)->peer->makes_offers == makes_offers;
  return is_meant ? found->get() : nullptr;
}

std::unique_ptr<Port::Peer> Port::make_peer(bool makes_offers, const PeerTerms& terms) {
  PeerOptions options{.cname = crypto::make_base62(16),
                      .layers_max = config_.publisher.layers_max,
                      .video_bps_max = config_.publisher.video_bps_max};
  // RFC 9429 §5.2.1: 63 bits.
  return std::make_unique<Peer>(
      Peer{.negotiation = PeerNegotiation(std::move(options), rng_.next() >> 1, Rng(rng_.next())),
           .identity = shared_.identity,
           .makes_offers = makes_offers,
           .is_tcp_only = terms.is_tcp_only});
}

LocalDescription Port::local_description(const ice::Credentials& ice, const Peer& peer) {
  LocalDescription description = local_description(ice, *peer.identity);
  if (peer.is_tcp_only)
    std::erase_if(description.candidates,
                  [](const ice::Candidate& one) { return one.transport == ice::Transport::kUdp; });
  return description;
}

void Port::begin_peer(Session& session, std::unique_ptr<Peer> peer) {
  session.sender_config.cname = peer->negotiation.cname();
  session.sender_config.pacer.bits_per_second = config_.viewer_bits_per_second;
  session.peer = std::move(peer);
}

Result<PeerAnswered, OpenFault> Port::answer_peer(Timestamp now, SessionId id, std::string_view offer,
                                                  std::span<const PeerOutlet> outlets, const PeerTerms& terms,
                                                  PortOutputs& out,
                                                  std::span<const PeerPreference> preferences) {
  Session* session = nullptr;
  std::unique_ptr<Peer> opening;
  if (id.is_set()) {
    session = find_peer(id, true);
    if (!session) return refuse(count({OpenRefusal::kNoSession, {}}));
  } else {
    if (auto obstacle = find_obstacle(true, terms.client)) return refuse(*obstacle);
    opening = make_peer(true, terms);
  }
  Peer& peer = session ? *session->peer : *opening;
  peer.negotiation.prefer(preferences);
  const ice::Credentials fresh = ice::make_credentials();
  const ice::Credentials& local = session ? session->transport->local_ice() : fresh;
  auto answered = peer.negotiation.answer(offer, outlets, local_description(local, peer), fresh);
  if (!answered) {
    ++counters_.not_negotiated;
    return refuse(count({OpenRefusal::kBadOffer, answered.error()}));
  }
  if (!session) {
    session = &add_session(SessionKind::kPeer, terms.client);
    begin_peer(*session, std::move(opening));
    begin_transport(now, *session, {fresh, answered->remote, answered->dtls_role, answered->agreement.data});
    session->peer->has_data = answered->agreement.data.has_value();
    ReceiverConfig config = config_.receiver;
    config.streams_max = std::max(config.streams_max, kPeerStreamsMax);
    session->receiver = std::make_unique<Receiver>(
        sdp::Agreement(), config, static_cast<std::uint32_t>(rng_.next() | 1), Rng(rng_.next()), now);
  } else if (answered->restarts_ice) {
    restart_ice(now, *session, fresh, answered->remote.ice);
  }
  return finish_answer(now, *session, *answered, out);
}

PeerAnswered Port::finish_answer(Timestamp now, Session& session, PeerNegotiation::Answered& answered,
                                 PortOutputs& out) {
  ++counters_.negotiated;
  PeerAnswered result{.session = session.id,
                      .answer = std::move(answered.answer),
                      .tracks = std::move(answered.tracks),
                      .seats = {},
                      .unseated = std::move(answered.unseated),
                      .unsupported = std::move(answered.unsupported)};
  for (const SeatedOutlet& seated : session.peer->negotiation.seated()) result.seats.push_back(seated.seat);
  agree_on_data(now, session, answered.agreement.data);
  session.receiver->update(now, answered.agreement, answered.inbound, receiver_outputs_);
  handle_receiver_outputs(session, out);
  seat_outlets(now, session);
  handle_transport_outputs(now, session, out);
  return result;
}

Result<SessionId, OpenFault> Port::open_offering_peer(Timestamp now, const PeerTerms& terms) {
  if (auto obstacle = find_obstacle(true, terms.client)) return refuse(*obstacle);
  Session& session = add_session(SessionKind::kPeer, terms.client);
  begin_peer(session, make_peer(false, terms));
  session.peer->offered_ice = ice::make_credentials();
  session.ufrags.push_back(session.peer->offered_ice->ufrag);
  by_ufrag_[session.peer->offered_ice->ufrag] = session.id;
  session.peer->answer_due = now + config_.ice.first_path_timeout;
  file(session);
  return session.id;
}

std::optional<PeerOffered> Port::make_offer(Timestamp now, SessionId id, std::span<const PeerOutlet> outlets,
                                            bool restarts_ice, PortOutputs& out) {
  Session* session = find_peer(id, false);
  if (!session) return std::nullopt;
  Peer& peer = *session->peer;
  const bool had_offer = peer.negotiation.has_open_offer();
  if (session->transport && restarts_ice && !had_offer) peer.offered_ice = ice::make_credentials();
  const ice::Credentials& local = peer.offered_ice ? *peer.offered_ice : session->transport->local_ice();
  auto offered = peer.negotiation.offer(outlets, local_description(local, peer));
  seat_outlets(now, *session);
  handle_fan_out_outputs(out);
  if (!offered) return std::nullopt;
  PeerOffered result{
      .offer = std::move(offered->offer), .seats = {}, .unseated = std::move(offered->unseated)};
  for (const SeatedOutlet& seated : peer.negotiation.seated()) result.seats.push_back(seated.seat);
  return result;
}

Result<PeerAccepted, NegotiationFault> Port::accept_answer(Timestamp now, SessionId id,
                                                           std::string_view answer, PortOutputs& out) {
  Session* session = find_peer(id, false);
  if (!session)
    return refuse(NegotiationFault{NegotiationRefusal::kNotExpected, "There is no such session."});
  Peer& peer = *session->peer;
  auto accepted = peer.negotiation.accept(answer, peer.offered_ice.has_value());
  if (!accepted) {
    ++counters_.not_negotiated;
    return refuse(accepted.error());
  }
  ++counters_.negotiated;
  const std::optional<ice::Credentials> local = std::exchange(peer.offered_ice, std::nullopt);
  if (!session->transport) {
    peer.has_data = accepted->agreement.data.has_value();
    begin_transport(now, *session, {*local, accepted->remote, accepted->dtls_role, accepted->agreement.data});
  } else {
    if (local) restart_ice(now, *session, *local, accepted->remote.ice);
    agree_on_data(now, *session, accepted->agreement.data);
  }
  PeerAccepted result{.seats = {}, .rejected = std::move(accepted->rejected)};
  for (const SeatedOutlet& seated : peer.negotiation.seated())
    if (seated.config) result.seats.push_back(seated.seat);
  seat_outlets(now, *session);
  std::vector<Peer::EarlyCheck> early = std::move(peer.early);
  handle_transport_outputs(now, *session, out);
  for (Peer::EarlyCheck& check : early)
    handle_stun(now, {check.path.local, check.path.remote, check.bytes}, out);
  return result;
}

// Data channels may come with a later description. They end for good, since their association has one life;
// their section is accepted all the same: it may carry the transport of the bundle.
void Port::agree_on_data(Timestamp now, Session& session, const std::optional<sdp::AgreedData>& data) {
  Peer& peer = *session.peer;
  if (data && !peer.has_data && !peer.is_data_over) {
    peer.has_data = true;
    session.transport->begin_data(now, data_config(*data), transport_outputs_);
  } else if (!data && peer.has_data && !peer.is_data_over) {
    peer.is_data_over = true;
    session.transport->end_data(now, transport_outputs_);
  }
}

// Brings the sender to what was negotiated: those that are gone first, since their places may be taken.
void Port::seat_outlets(Timestamp now, Session& session) {
  const std::vector<SeatedOutlet> seated = session.peer->negotiation.seated();
  std::vector<const SeatedOutlet*> by_number(
      std::max(session.outlets.size(), seated.empty() ? 0 : seated.back().seat.outlet + 1));
  for (const SeatedOutlet& one : seated) by_number[one.seat.outlet] = &one;
  session.outlets.resize(by_number.size());
  for (std::size_t i = 0; i < by_number.size(); ++i) {
    Session::Outlet& outlet = session.outlets[i];
    const SeatedOutlet* one = by_number[i];
    const bool goes_on = one && one->config && one->config->ssrc == outlet.ssrc;
    if (goes_on && one->config->red_payload_type != outlet.red_payload_type) {
      outlet.red_payload_type = one->config->red_payload_type;
      fan_out_.set_red(session.sender, i, outlet.red_payload_type);
    }
    if (outlet.ssrc != 0 && !goes_on) {
      fan_out_.close_outlet(session.sender, i);
      outlet.ssrc = 0;
    }
    const auto key = one ? std::optional(one->seat.key) : std::nullopt;
    if (outlet.key != key) outlet = {.source = {}, .key = key};
  }
  if (!session.is_connected || !session.path) return;
  for (const SeatedOutlet& one : seated) {
    Session::Outlet& outlet = session.outlets[one.seat.outlet];
    if (!one.config || outlet.ssrc != 0) continue;
    if (!session.sender.is_set()) {
      session.sender =
          fan_out_.add_sender(now, session.sender_config, *session.transport->send_context(), *session.path);
      if (!session.sender.is_set()) return;
      by_sender_[session.sender] = session.id;
    }
    fan_out_.open_outlet(session.sender, one.seat.outlet, *one.config);
    outlet.ssrc = one.config->ssrc;
    outlet.red_payload_type = one.config->red_payload_type;
    fan_out_.set_layer_max(now, session.sender, one.seat.outlet, outlet.layer_max, fan_out_outputs_);
    fan_out_.set_frames_wanted(session.sender, one.seat.outlet, outlet.frames_wanted);
    fan_out_.set_source(now, session.sender, one.seat.outlet, outlet.source, fan_out_outputs_);
  }
}

// The end of a session that has no transport yet.
void Port::end_unanswered(Timestamp now, Session& session, TransportEnd end, PortOutputs& out) {
  ++counters_.closed[static_cast<std::size_t>(end)];
  out.push(SessionClosed{session.id, end, name_of(end), false});
  remove(now, session);
}

Result<sctp::StreamId, sctp::Refusal> Port::open_channel(Timestamp now, SessionId id,
                                                         sctp::ChannelSettings settings, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found || !(*found)->transport) return refuse(sctp::Refusal::kNotConnected);
  auto opened = (*found)->transport->open_channel(now, std::move(settings), transport_outputs_);
  handle_transport_outputs(now, **found, out);
  return opened;
}

void Port::set_demand(Timestamp now, SessionId id, const bwe::Demand& demand) {
  if (std::unique_ptr<Session>* found = sessions_.find(id))
    fan_out_.set_demand(now, (*found)->sender, demand);
}

std::optional<bwe::Target> Port::target(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found ? fan_out_.target((*found)->sender) : std::nullopt;
}

std::optional<OutletStats> Port::outlet_stats(SessionId id, std::size_t outlet) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found || outlet >= (*found)->outlets.size() || !(*found)->sender.is_set()) return std::nullopt;
  return fan_out_.stats((*found)->sender, outlet);
}

std::vector<TrackStats> Port::track_stats(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found && (*found)->receiver ? (*found)->receiver->track_stats() : std::vector<TrackStats>();
}

std::optional<Duration> Port::round_trip(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found) return std::nullopt;
  auto sent = fan_out_.round_trip((*found)->sender);
  return sent || !(*found)->receiver ? sent : (*found)->receiver->round_trip();
}

std::optional<Duration> Port::repair_time(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  return found && (*found)->receiver ? (*found)->receiver->repair_time() : std::nullopt;
}

std::string Port::path(SessionId id) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  const bool has_path = found && (*found)->transport && (*found)->transport->selected();
  return has_path ? describe(*(*found)->transport->selected()) : std::string();
}

}  // namespace stoa::webrtc
