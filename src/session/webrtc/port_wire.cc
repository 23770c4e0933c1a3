// Whose a datagram is, and what is done with it.
#include <algorithm>
#include <utility>

#include "proto/rtp/packet.h"
#include "proto/stun/message.h"
#include "session/webrtc/port_impl.h"

namespace stoa::webrtc {
namespace {

// A success or an error (RFC 8489 §5: the higher bit of the class).
bool is_stun_answer(Bytes datagram) { return (datagram[0] & 0x01) != 0; }

std::uint32_t load_u32(Bytes bytes) { return ByteReader(bytes).u32(); }

}  // namespace

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

// A check says whose it is by its ufrag: behind one NAT the same address may come to be another peer's. An
// answer says it by the tag that our request had.
Port::Session* Port::find_by_stun(const ReceivedDatagram& datagram) {
  Bytes bytes = datagram.bytes;
  if (auto ufrag = ice::find_local_ufrag(bytes)) {
    auto found = by_ufrag_.find(std::string(*ufrag));
    std::unique_ptr<Session>* session = found == by_ufrag_.end() ? nullptr : sessions_.find(found->second);
    return session ? session->get() : nullptr;
  }
  if (bytes.size() >= stun::kHeaderBytes && is_stun_answer(bytes)) {
    std::unique_ptr<Session>* session = sessions_.find(sessions_.id_at(load_u32(bytes.subspan(8))));
    return session && (*session)->transport ? session->get() : nullptr;
  }
  return find_by_path({datagram.local, datagram.remote});
}

void Port::handle_stun(Timestamp now, const ReceivedDatagram& datagram, PortOutputs& out) {
  ++counters_.stun;
  ice::Path path{datagram.local, datagram.remote};
  Session* session = find_by_stun(datagram);
  if (!session) {
    auto ufrag = ice::find_local_ufrag(datagram.bytes);
    bool is_late = ufrag ? late_ufrags_.contains(now, std::string(*ufrag)) : late_paths_.contains(now, path);
    ++(is_late ? counters_.late : counters_.unknown_ufrag);
    return;
  }
  if (!session->transport) {
    std::vector<Peer::EarlyCheck>& early = session->peer->early;
    if (early.size() < Peer::kEarlyChecksMax && datagram.bytes.size() <= Peer::kEarlyCheckBytesMax)
      early.push_back({path, Buffer(datagram.bytes.begin(), datagram.bytes.end())});
    return;
  }
  Session* owner = find_by_path(path);
  bool is_udp = is_udp_path(datagram.local);
  if (owner && owner != session && (!is_udp || owner->transport->is_held(now, path))) {
    ++counters_.path_held;
    return;
  }
  const SessionId id = session->id;
  auto transport = is_udp ? ice::Transport::kUdp : ice::Transport::kTcpPassive;
  bool is_believed =
      session->transport->handle_stun(now, path, transport, datagram.bytes, transport_outputs_);
  handle_transport_outputs(now, *session, out);
  if (is_believed) claim(now, path, id, out);
}

// Gives a path to a session whose peer was just heard there. Anybody may write another's address into his
// checks, so who has proved to be there keeps it, until another proves the same (it is silent by then, or
// that one's checks would not have been heard); of those who have not, the one heard last has it.
void Port::claim(Timestamp now, const ice::Path& path, SessionId id, PortOutputs& out) {
  std::unique_ptr<Session>* found = sessions_.find(id);
  if (!found || !(*found)->transport->is_known(path)) return;
  Session& session = **found;
  Session* before = find_by_path(path);
  if (before == &session) return;
  bool was_proved = before && before->transport->is_proved(path);
  if (was_proved && !session.transport->is_proved(path)) return;
  if (before) std::erase(before->paths, path);
  by_path_[path] = id;
  session.paths.push_back(path);
  if (!was_proved) return;
  before->transport->handle_path_closed(now, path, transport_outputs_);
  handle_transport_outputs(now, *before, out);
}

void Port::handle_dtls(Timestamp now, const ReceivedDatagram& datagram, PortOutputs& out) {
  ++counters_.dtls;
  ice::Path path{datagram.local, datagram.remote};
  Session* session = find_by_path(path);
  if (!session) return count_unknown(now, path);
  session->transport->handle_dtls(now, path, datagram.bytes, transport_outputs_);
  handle_transport_outputs(now, *session, out);
}

void Port::count_unknown(Timestamp now, const ice::Path& path) {
  ++(late_paths_.contains(now, path) ? counters_.late : counters_.unknown_path);
}

void Port::handle_media(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams,
                        PortOutputs& out) {
  opening_.clear();
  opening_of_.clear();
  opening_from_.clear();
  opening_ecn_.clear();
  reporting_.clear();
  for (const ReceivedDatagram& datagram : datagrams) {
    if (kind_of(datagram.bytes) != DatagramKind::kMedia) continue;
    ++counters_.media;
    const ice::Path path{datagram.local, datagram.remote};
    Session* session = find_by_path(path);
    srtp::ReceiveContext* context = session ? session->transport->receive_context() : nullptr;
    if (!context) {
      count_unknown(now, path);
      continue;
    }
    opening_.push_back({.context = context, .packet = datagram.bytes, .outcome = refuse(srtp::Refusal{})});
    opening_of_.push_back(session);
    opening_from_.push_back(path);
    opening_ecn_.push_back(datagram.ecn);
    if (rtp::is_rtcp(datagram.bytes) && session->sender.is_set()) reporting_.push_back(session->sender);
  }
  fan_out_.expect_rtcp(reporting_);
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
      session.transport->handle_authentic_packet(now, opening_from_[i]);
    }
    if (!std::exchange(session.is_confirmed, true)) session.transport->confirm_peer(now);
    handle_opened(now, wall, session, opening_[i], opening_ecn_[i], out);
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
                         const srtp::PacketToUnprotect& packet, Ecn ecn, PortOutputs& out) {
  Bytes bytes = Bytes(packet.packet).first(*packet.outcome);
  if (session.receiver) {
    if (packet.is_rtcp) {
      session.receiver->handle_rtcp(now, wall, bytes, receiver_outputs_);
    } else {
      (void)session.receiver->handle_rtp(now, bytes, packet.index, receiver_outputs_, ecn);
    }
    // Now: the next packet of the batch may be another session's.
    if (!receiver_outputs_.empty()) handle_receiver_outputs(session, out);
  }
  if (!packet.is_rtcp) return;
  if (session.sender.is_set()) {
    fan_out_.handle_rtcp(now, wall, session.sender, bytes, fan_out_outputs_);
    handle_fan_out_outputs(out);
  }
}

void Port::handle_path_closed(Timestamp now, LocalPath local, const SocketAddress& remote, PortOutputs& out) {
  ice::Path path{local, remote};
  Session* session = find_by_path(path);
  if (!session) return;
  session->transport->handle_path_closed(now, path, transport_outputs_);
  handle_transport_outputs(now, *session, out);
}

}  // namespace stoa::webrtc
