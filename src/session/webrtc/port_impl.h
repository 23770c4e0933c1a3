// A session as Port keeps it. port.cc: sessions' lives and the owner's commands; port_peer.cc: peers of
// meetings; port_wire.cc: whose a datagram is; port_metrics.cc: what is counted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/webrtc/port.h"

namespace stoa::webrtc {

// What a session that negotiates again has beside the others.
struct Port::Peer {
  PeerNegotiation negotiation;
  // Whose fingerprint its descriptions have for good.
  std::shared_ptr<const dtls::Identity> identity;
  bool makes_offers = false;  // Not we.
  bool is_tcp_only = false;   // Knows of the port's candidates over TCP alone.
  // Of ours: what the open offer has, where that is new.
  std::optional<ice::Credentials> offered_ice;
  Timestamp answer_due = Timestamp::never();  // Until there is a transport.
  // Checks that overtook the answer to our first offer: they wait for it (RFC 8445 §7.3).
  struct EarlyCheck {
    ice::Path path;
    Buffer bytes;
  };
  static constexpr std::size_t kEarlyChecksMax = 8, kEarlyCheckBytesMax = 512;
  std::vector<EarlyCheck> early;
  bool has_data = false, is_data_over = false;
};

struct Port::Session {
  // By its number.
  struct Outlet {
    StreamId source;
    payload::LayerIndex layer_max = payload::kLayersMax - 1;
    std::uint32_t frames_wanted = 0;
    // Of peers: whose it is, and the SSRC and the redundancy with which the sender has it.
    std::optional<std::uint64_t> key;
    std::uint32_t ssrc = 0;
    std::optional<std::uint8_t> red_payload_type;
  };

  SessionId id;
  SessionKind kind;
  // None: a peer that did not answer our first offer yet.
  std::optional<Transport> transport;
  IpAddress client;                    // Who made the offer.
  std::unique_ptr<Receiver> receiver;  // Of publishers, and of peers that make the offers.
  std::unique_ptr<Peer> peer;
  // Of viewers and peers.
  SenderConfig sender_config;
  SenderId sender;
  std::vector<Outlet> outlets;

  std::string remote_ufrag;
  std::vector<std::string> ufrags;  // Under which it is filed.
  std::vector<ice::Path> paths;     // Likewise.
  std::optional<ice::Path> path;    // Where media goes.
  std::size_t data_bytes = 0;       // As accounted for.
  bool is_connected = false, is_confirmed = false, is_touched = false;

  Session(SessionId its_id, SessionKind its_kind, const IpAddress& its_client)
      : id(its_id), kind(its_kind), client(its_client) {}
};

// What a transport of ours begins with.
struct Port::Opening {
  const ice::Credentials& local;
  const RemoteTransport& remote;
  dtls::Role role;
  const std::optional<sdp::AgreedData>& data;
};

std::string describe(const ice::Path& path);  // "192.0.2.1:5000 udp"
void add_to(ReceiverStats& sum, const ReceiverStats& stats);

}  // namespace stoa::webrtc
