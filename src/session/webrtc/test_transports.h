// A client's transport and a server's, and the network between them, in virtual time: sockets of the client
// that may be rebound by a NAT, cut off, or be TCP connections.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/datagram.h"
#include "crypto/srtp_kernel.h"
#include "proto/srtp/transform.h"
#include "session/webrtc/transport.h"
#include "sim/link.h"

namespace stoa::webrtc {

inline const SocketAddress kServerAddress{IpAddress::v4(192, 0, 2, 1), 7882};
inline constexpr WallTime kTestWall = WallTime::from_seconds(1'800'000'000);

// Keys cost time; the same do for all tests of a process.
inline const std::shared_ptr<const dtls::Identity>& test_identity(int number) {
  static const std::shared_ptr<const dtls::Identity> identities[3] = {
      dtls::Identity::make(kTestWall, Duration::seconds(86'400)),
      dtls::Identity::make(kTestWall, Duration::seconds(86'400)),
      dtls::Identity::make(kTestWall, Duration::seconds(86'400))};
  return identities[number];
}

inline ice::Credentials test_credentials(std::uint64_t seed) {
  Rng rng(seed);
  return ice::make_credentials([&](std::span<std::uint8_t> bytes) {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  });
}

inline ice::Candidate host_candidate(const SocketAddress& address, bool is_tcp = false) {
  auto transport = is_tcp ? ice::Transport::kTcpActive : ice::Transport::kUdp;
  auto type = ice::CandidateType::kHost;
  std::uint16_t preference = is_tcp ? ice::tcp_local_preference(type, transport, 0x1fff) : 65'535;
  return {.foundation = ice::make_foundation(type, transport, address.ip),
          .transport = transport,
          .priority = ice::candidate_priority(type, preference),
          .address = address};
}

// Datagrams as the network sees them, of batches as they are sent: act(local, remote, bytes).
template <typename Act>
void for_each_packet(const DatagramBatch& batch, Act&& act) {
  for (const DatagramTrain& train : batch.trains())
    for (Bytes rest = train.bytes; !rest.empty();) {
      const Bytes packet = rest.first(std::min<std::size_t>(rest.size(), train.segment_bytes));
      act(train.local, train.remote, packet);
      rest = rest.subspan(packet.size());
    }
}

// From event to event until `is_met`, or for `most`: next_event() is when step() has something to do. True
// when it is met.
template <typename NextEvent, typename Step>
bool run_until(sim::VirtualTime& time, Duration most, const std::function<bool()>& is_met,
               NextEvent&& next_event, Step&& step) {
  const Timestamp end = time.now() + most;
  int rounds = 0;
  while (!is_met()) {
    const Timestamp at = std::max(next_event(), time.now());
    if (at > end) {
      time.advance_to(end);
      return is_met();
    }
    if (at > time.now()) rounds = 0;
    // Nobody may ask to be called again and again at the same time.
    if (++rounds > 2000) {
      ADD_FAILURE() << "time stands still";
      return false;
    }
    time.advance_to(at);
    step();
  }
  return true;
}

// A transport and all that came out of it.
struct TestPeer {
  template <typename Event>
  std::size_t count() const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [](const DataEvent& e) { return std::holds_alternative<Event>(e); }));
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const DataEvent& event : events)
      if (auto* message = std::get_if<sctp::ChannelMessage>(&event))
        all.emplace_back(as_text(message->payload));
    return all;
  }

  std::unique_ptr<TransportShared> shared;
  std::unique_ptr<Transport> transport;
  TransportOutputs out;
  std::optional<TransportConnected> connected;
  std::optional<TransportClosed> closed;
  Timestamp closed_at;
  std::vector<DataEvent> events;
  std::vector<ice::Path> paths;  // Added and not removed.
  std::vector<Buffer> sent;      // The last few.
};

class TestTransports {
 public:
  struct Options {
    sim::Link::Config link;
    std::uint64_t seed = 1;
    dtls::Role server_role = dtls::Role::kServer;
    bool has_data = true;
    bool is_server_lite = true;   // Otherwise both are full agents, and this one is controlled.
    bool is_answer_late = false;  // Its candidates come by add_server_candidate().
    int expected_by_server = 1, expected_by_client = 0;  // Whose fingerprint.
    std::vector<dtls::SrtpProfile> client_profiles = dtls::all_srtp_profiles();
    std::size_t sockets = 1;
    bool is_tcp = false;  // The first socket.
    DataConfig server_data;
  };

  explicit TestTransports(Options given)
      : options(std::move(given)),
        transform(crypto::make_srtp_kernel()),
        to_server(time, options.link, Rng(options.seed * 2 + 1)),
        to_client(time, options.link, Rng(options.seed * 2 + 2)) {
    time.advance(Duration::seconds(1));
    bool is_server_active = options.server_role == dtls::Role::kClient;
    ice::Credentials server_ice = test_credentials(options.seed * 2);
    ice::Credentials client_ice = test_credentials(options.seed * 2 + 1);
    using Side = TransportConfig::Side;
    TransportConfig server_config{.side = options.is_server_lite ? Side::kServer : Side::kClient,
                                  .local_ice = server_ice,
                                  .dtls_role = options.server_role};
    server_config.full.role = ice::Role::kControlled;
    TransportConfig client_config{.side = Side::kClient,
                                  .local_ice = client_ice,
                                  .dtls_role = is_server_active ? dtls::Role::kServer : dtls::Role::kClient,
                                  .srtp_profiles = options.client_profiles};
    if (options.has_data) {
      server_config.data = options.server_data;
      client_config.data = DataConfig{};
    }
    RemoteTransport of_client{.ice = client_ice,
                              .fingerprints = {test_identity(options.expected_by_server)->fingerprint()}};
    RemoteTransport of_server{.ice = server_ice,
                              .is_ice_lite = options.is_server_lite,
                              .fingerprints = {test_identity(options.expected_by_client)->fingerprint()}};
    if (!options.is_answer_late) of_server.candidates = {host_candidate(kServerAddress, options.is_tcp)};
    make(server, test_identity(0), server_config, of_client, options.seed * 3);
    make(client, test_identity(1), client_config, of_server, options.seed * 3 + 1);
    if (!options.is_server_lite)
      server.transport->add_local_candidate(
          time.now(), {.local = 0, .candidate = host_candidate(kServerAddress)}, server.out);
    for (std::size_t i = 0; i < options.sockets; ++i) add_socket(i == 0 && options.is_tcp);
  }
  TestTransports() : TestTransports(Options()) {}

  // Another socket of the client; its number.
  std::uint32_t add_socket(bool is_tcp = false) {
    auto local = static_cast<std::uint32_t>(sockets.size());
    auto last = static_cast<std::uint8_t>(10 + local);
    sockets.push_back({{IpAddress::v4(198, 51, 100, last), 40'000}, is_tcp, false});
    ice::LocalCandidate candidate{.local = local,
                                  .candidate = host_candidate(sockets[local].seen_as, is_tcp)};
    if (is_tcp) candidate.peer = kServerAddress;
    client.transport->add_local_candidate(time.now(), candidate, client.out);
    sort();
    return local;
  }
  void add_server_candidate() {
    client.transport->add_remote_candidate(time.now(), host_candidate(kServerAddress, options.is_tcp),
                                           client.out);
    sort();
  }
  void add_client_candidates() {
    for (const Socket& socket : sockets)
      server.transport->add_remote_candidate(time.now(), host_candidate(socket.seen_as), server.out);
    sort();
  }
  // The NAT gives the socket another port.
  void rebind(std::uint32_t local) { ++sockets[local].seen_as.port; }

  // Until `is_done` or for `most` of virtual time. True when it is done.
  bool run(const std::function<bool()>& is_done, Duration most) {
    sort();
    auto next = [&] {
      return std::min({to_server.next_arrival(), to_client.next_arrival(), server.transport->next_deadline(),
                       client.transport->next_deadline()});
    };
    return run_until(time, most, is_done, next, [&] { step(); });
  }
  void run_for(Duration duration) {
    run([] { return false; }, duration);
  }
  bool connect(Duration most = Duration::seconds(10)) {
    return run([&] { return server.connected && client.connected; }, most);
  }
  bool run_until_closed(TestPeer& peer, Duration most = Duration::seconds(120)) {
    return run([&] { return peer.closed.has_value(); }, most);
  }

  void give_server(const ice::Path& path, Bytes bytes) { give(server, path, ice::Transport::kUdp, bytes); }
  void give(TestPeer& peer, const ice::Path& path, ice::Transport transport, Bytes bytes) {
    switch (kind_of(bytes)) {
      case DatagramKind::kStun:
        peer.transport->handle_stun(time.now(), path, transport, bytes, peer.out);
        break;
      case DatagramKind::kDtls: peer.transport->handle_dtls(time.now(), path, bytes, peer.out); break;
      default: break;
    }
    sort();
  }

  void sort() {
    sort(client, [&](const SendPacket& packet) {
      if (loses && loses(client, packet.bytes)) return;
      if (packet.path.remote != kServerAddress || packet.path.local >= sockets.size()) return;
      const Socket& socket = sockets[packet.path.local];
      if (!socket.is_cut) to_server.send(framed(packet.path.local, socket.seen_as, packet.bytes));
    });
    sort(server, [&](const SendPacket& packet) {
      if (loses && loses(server, packet.bytes)) return;
      for (std::uint32_t local = 0; local < sockets.size(); ++local) {
        if (sockets[local].seen_as == packet.path.remote && !sockets[local].is_cut)
          to_client.send(framed(local, kServerAddress, packet.bytes));
      }
    });
  }

  // A packet from one to the other as their contexts protect it, through no network. False when it does not
  // open.
  bool passes_media(TestPeer& from, TestPeer& to, std::uint16_t sequence_number) {
    srtp::SendContext* send = from.transport->send_context();
    srtp::ReceiveContext* receive = to.transport->receive_context();
    if (!send || !receive) return false;
    ByteWriter header;
    header.u8(0x80);
    header.u8(96);
    header.u16(sequence_number);
    header.u32(1000);
    header.u32(7);
    Buffer payload(100, 0x5a), packet(200);
    auto size = transform.protect(srtp::RtpToProtect{.context = send,
                                                     .header = header.view(),
                                                     .prefix = {},
                                                     .payload = payload,
                                                     .out = packet,
                                                     .outcome = {}});
    if (!size) return false;
    srtp::PacketToUnprotect opening{
        .context = receive, .packet = std::span(packet).first(*size), .outcome = {}};
    transform.unprotect(std::span(&opening, 1));
    if (!opening.outcome) return false;
    to.transport->confirm_peer(time.now());
    return std::equal(payload.begin(), payload.end(), packet.begin() + 12);
  }

  struct Socket {
    SocketAddress seen_as;
    bool is_tcp, is_cut;
  };

  Options options;
  sim::VirtualTime time;
  srtp::Transform transform;
  sim::Link to_server, to_client;
  TestPeer server, client;
  std::vector<Socket> sockets;  // Of the client.
  std::function<void(TestPeer&, const DataEvent&)> on_data;
  std::function<bool(const TestPeer& from, Bytes datagram)> loses;

 private:
  void make(TestPeer& peer, const std::shared_ptr<const dtls::Identity>& identity,
            const TransportConfig& config, const RemoteTransport& remote, std::uint64_t seed) {
    peer.shared = std::make_unique<TransportShared>();
    peer.shared->srtp = &transform.kernel();
    peer.shared->identity = identity;
    peer.transport = std::make_unique<Transport>(*peer.shared, config, remote, Rng(seed), time.now());
  }
  void step() {
    for (Buffer& bytes : to_server.take_arrived()) {
      auto [local, from, rest] = unframed(bytes);
      bool is_tcp = sockets[local].is_tcp;
      give(server, {is_tcp ? local + 1 : kUdpPath, from},
           is_tcp ? ice::Transport::kTcpPassive : ice::Transport::kUdp, rest);
    }
    for (Buffer& bytes : to_client.take_arrived()) {
      auto [local, from, rest] = unframed(bytes);
      give(client, {local, from}, ice::Transport::kUdp, rest);
    }
    for (TestPeer* peer : {&server, &client}) {
      if (peer->transport->next_deadline() <= time.now())
        peer->transport->handle_deadline(time.now(), peer->out);
    }
    sort();
  }
  static Buffer framed(std::uint32_t local, const SocketAddress& from, Bytes bytes) {
    ByteWriter frame;
    frame.u32(local);
    frame.bytes(from.ip.bytes());
    frame.u16(from.port);
    frame.bytes(bytes);
    return frame.take();
  }
  static std::tuple<std::uint32_t, SocketAddress, Bytes> unframed(Bytes frame) {
    ByteReader reader(frame);
    std::uint32_t local = reader.u32();
    IpAddress ip = *IpAddress::from_bytes(reader.take(4));
    std::uint16_t port = reader.u16();
    return {local, {ip, port}, reader.rest()};
  }
  template <typename Line>
  void sort(TestPeer& peer, const Line& line) {
    for (TransportOutput& output : peer.out.take()) {
      EXPECT_FALSE(peer.closed) << "an output after TransportClosed";
      std::visit(
          Overloaded{[&](SendPacket& packet) {
                       line(packet);
                       if (peer.sent.size() == 64) peer.sent.erase(peer.sent.begin());
                       peer.sent.push_back(std::move(packet.bytes));
                     },
                     [&](const PathAdded& added) { peer.paths.push_back(added.path); },
                     [&](const PathRemoved& removed) { EXPECT_EQ(std::erase(peer.paths, removed.path), 1u); },
                     [&](const TransportConnected& connected) {
                       EXPECT_FALSE(peer.connected);
                       EXPECT_TRUE(peer.transport->selected());
                       peer.connected = connected;
                     },
                     [&](const TransportClosed& closed) {
                       peer.closed = closed;
                       peer.closed_at = time.now();
                     },
                     [&](DataEvent& event) {
                       EXPECT_TRUE(peer.connected);
                       if (on_data) on_data(peer, event);
                       peer.events.push_back(std::move(event));
                     }},
          output);
    }
    EXPECT_EQ(peer.transport->is_closed(), peer.closed.has_value());
  }
};

}  // namespace stoa::webrtc
