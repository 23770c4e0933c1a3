// A server's transport with bytes as actions: datagrams of a real client in any order, from any path, whole,
// changed or invented; time, restarts, data, connections that end. What must hold: paths that are announced
// before they are used or let go, outputs in their order and none after the end, no datagram over the MTU and
// a bounded number of them, deadlines that move on, bounded memory.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "base/assert.h"
#include "base/rng.h"
#include "session/webrtc/transport.h"

namespace {

using namespace stoa;
using namespace stoa::webrtc;

constexpr std::size_t kPathsMax = 4;
constexpr std::size_t kLineMax = 64;
constexpr std::size_t kSentMax = 256;  // For one input.
constexpr std::size_t kHeldBytesMax = 4u << 20;
const SocketAddress kServer{IpAddress::v4(192, 0, 2, 1), 7882};

// So that a crash is found again from its input.
Rng* randomness = nullptr;
int give_random(unsigned char* bytes, int count) {
  for (int i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(randomness->next());
  return 1;
}
int always() { return 1; }
const RAND_METHOD kSeeded = {nullptr, give_random, nullptr, nullptr, give_random, always};

struct World {
  Rng rng{1};
  std::unique_ptr<crypto::SrtpKernel> kernel = crypto::make_openssl_srtp_kernel();
  TransportShared server, client;
  World() {
    randomness = &rng;
    RAND_set_rand_method(&kSeeded);
    for (TransportShared* shared : {&server, &client}) {
      shared->srtp = kernel.get();
      shared->identity =
          dtls::Identity::make(WallTime::from_seconds(1'800'000'000), Duration::seconds(86'400));
    }
  }
};

ice::Credentials credentials(char side, int generation) {
  return {std::string(4, side) + std::to_string(generation), std::string(24, side)};
}

// A transport, and the promises of transport.h.
class Judged {
 public:
  Judged(const TransportShared& shared, const TransportConfig& config, const RemoteTransport& remote,
         std::uint64_t seed, Timestamp now)
      : transport(shared, config, remote, Rng(seed), now) {}

  // `asked_from`: STUN is answered where it came from, believed or not.
  void settle(std::optional<ice::Path> asked_from = std::nullopt) {
    std::size_t sent = 0;
    for (TransportOutput& output : out.take()) {
      STOA_ASSERT(!is_closed);
      if (auto* packet = std::get_if<SendPacket>(&output)) {
        STOA_ASSERT(++sent <= kSentMax && packet->bytes.size() <= dtls::kMtuDefault);
        bool is_stun = kind_of(packet->bytes) == DatagramKind::kStun;
        STOA_ASSERT(is_stun || knows(packet->path));
        STOA_ASSERT(!is_stun || !asked_from || packet->path == *asked_from);
        line.push_back(std::move(*packet));
        if (line.size() > kLineMax) line.pop_front();
      } else if (auto* added = std::get_if<PathAdded>(&output)) {
        STOA_ASSERT(!knows(added->path));
        paths.push_back(added->path);
      } else if (auto* removed = std::get_if<PathRemoved>(&output)) {
        STOA_ASSERT(knows(removed->path));
        std::erase(paths, removed->path);
      } else if (std::holds_alternative<TransportConnected>(output)) {
        STOA_ASSERT(!is_connected && transport.selected());
        STOA_ASSERT(transport.send_context() && transport.receive_context());
        is_connected = true;
      } else if (std::holds_alternative<TransportClosed>(output)) {
        is_closed = true;
      } else {
        STOA_ASSERT(is_connected);
      }
    }
    STOA_ASSERT(transport.is_closed() == is_closed);
    STOA_ASSERT(transport.is_connected() == (is_connected && !is_closed));
    STOA_ASSERT(!transport.selected() || transport.is_known(*transport.selected()));
    STOA_ASSERT(!is_closed || (paths.empty() && transport.next_deadline() == Timestamp::never()));
    STOA_ASSERT(is_connected || transport.send_context() == nullptr);
    STOA_ASSERT(transport.held_bytes() <= kHeldBytesMax);
    for (const ice::Path& path : paths) STOA_ASSERT(transport.is_known(path));
  }
  bool knows(const ice::Path& path) const {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  }

  Transport transport;
  TransportOutputs out;
  std::vector<ice::Path> paths;
  std::deque<SendPacket> line;
  bool is_connected = false, is_closed = false;
};

class Driver {
 public:
  Driver(World& world, std::uint8_t flags)
      : server_(world.server, server_config(flags), of_client(world), 1, now_),
        client_(world.client, client_config(flags), of_server(world), 2, now_) {
    for (std::uint32_t local : {0u, 1u}) {
      ice::Candidate host{.foundation = "h",
                          .priority = ice::candidate_priority(ice::CandidateType::kHost, 65'535),
                          .address = address_of(local)};
      client_.transport.add_local_candidate(now_, {.local = local, .candidate = host, .peer = {}},
                                            client_.out);
      client_.settle();
    }
  }

  void act(ByteReader& input) {
    switch (input.u8() % 13) {
      case 0: return pass(Duration::milliseconds(input.u16()), false);
      case 1: return pass(Duration::milliseconds(4 * input.u8()), true);
      case 2: return deliver(input, false);
      case 3: return deliver(input, true);
      case 4: return deliver_changed(input);
      case 5: return invent(input);
      case 6: return deliver_to_client();
      case 7:
        if (!client_.line.empty()) client_.line.pop_front();
        return;
      case 8: return close_path(input);
      case 9: return restart(input);
      case 10: return server_.transport.confirm_peer(now_);
      case 11: return talk(input);
      default:
        if (input.u8() == 0) server_.transport.close(now_, server_.out), server_.settle();
    }
  }

 private:
  static TransportConfig server_config(std::uint8_t flags) {
    TransportConfig config{.side = TransportConfig::Side::kServer, .local_ice = credentials('s', 0)};
    config.dtls_role = flags & 1 ? dtls::Role::kClient : dtls::Role::kServer;
    config.lite.paths_max = kPathsMax;
    if (flags & 2) config.data = DataConfig{};
    return config;
  }
  static TransportConfig client_config(std::uint8_t flags) {
    TransportConfig config{.side = TransportConfig::Side::kClient, .local_ice = credentials('c', 0)};
    config.dtls_role = flags & 1 ? dtls::Role::kServer : dtls::Role::kClient;
    if (flags & 4) config.data = DataConfig{};
    return config;
  }
  static RemoteTransport of_client(const World& world) {
    return {.ice = credentials('c', 0),
            .is_ice_lite = false,
            .fingerprints = {world.client.identity->fingerprint()},
            .candidates = {}};
  }
  static RemoteTransport of_server(const World& world) {
    return {.ice = credentials('s', 0),
            .is_ice_lite = true,
            .fingerprints = {world.server.identity->fingerprint()},
            .candidates = {server_candidate()}};
  }
  static ice::Candidate server_candidate() {
    return {.foundation = "s",
            .priority = ice::candidate_priority(ice::CandidateType::kHost, 65'535),
            .address = kServer};
  }
  static SocketAddress address_of(std::uint32_t local) {
    return {IpAddress::v4(198, 51, 100, static_cast<std::uint8_t>(1 + local)), 5000};
  }
  static ice::Path path_from(std::uint8_t what) { return {what / 8 % 4u, address_of(what % 8u)}; }

  void give_server(const ice::Path& path, Bytes datagram) {
    auto transport = path.local == kUdpPath ? ice::Transport::kUdp : ice::Transport::kTcpPassive;
    if (kind_of(datagram) == DatagramKind::kStun) {
      server_.transport.handle_stun(now_, path, transport, datagram, server_.out);
      std::optional<ice::Path> asked_from = path;
      server_.settle(asked_from);
    } else {
      server_.transport.handle_dtls(now_, path, datagram, server_.out);
      server_.settle();
    }
    STOA_ASSERT(server_.paths.size() <= kPathsMax);
  }
  void give_client(const ice::Path& path, Bytes datagram) {
    if (kind_of(datagram) == DatagramKind::kStun) {
      client_.transport.handle_stun(now_, path, ice::Transport::kUdp, datagram, client_.out);
    } else {
      client_.transport.handle_dtls(now_, path, datagram, client_.out);
    }
    client_.settle();
  }
  void deliver(ByteReader& input, bool is_elsewhere) {
    if (client_.line.empty()) return;
    SendPacket packet = client_.line.front();
    std::uint8_t what = input.u8();
    if (what < 128) client_.line.pop_front();
    give_server(is_elsewhere ? path_from(what) : ice::Path{kUdpPath, address_of(packet.path.local)},
                packet.bytes);
  }
  void deliver_changed(ByteReader& input) {
    if (client_.line.empty()) return;
    SendPacket packet = client_.line.front();
    packet.bytes[input.u16() % packet.bytes.size()] ^= static_cast<std::uint8_t>(input.u8() | 1);
    give_server({kUdpPath, address_of(packet.path.local)}, packet.bytes);
  }
  void invent(ByteReader& input) {
    ice::Path path = path_from(input.u8());
    Bytes datagram = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    give_server(path, datagram);
  }
  void deliver_to_client() {
    if (server_.line.empty()) return;
    SendPacket packet = std::move(server_.line.front());
    server_.line.pop_front();
    for (std::uint32_t local : {0u, 1u})
      if (packet.path.remote == address_of(local)) give_client({local, kServer}, packet.bytes);
  }
  void exchange() {
    for (int i = 0; i < 200 && !(client_.line.empty() && server_.line.empty()); ++i) {
      if (!client_.line.empty()) {
        SendPacket packet = std::move(client_.line.front());
        client_.line.pop_front();
        give_server({kUdpPath, address_of(packet.path.local)}, packet.bytes);
      }
      deliver_to_client();
    }
  }
  void pass(Duration duration, bool delivers) {
    Timestamp end = now_ + duration;
    for (int i = 0;; ++i) {
      STOA_ASSERT(i < 20'000);  // A deadline that does not move on.
      if (delivers) exchange();
      Timestamp next = std::min(server_.transport.next_deadline(), client_.transport.next_deadline());
      if (next > end) break;
      now_ = std::max(now_, next);
      server_.transport.handle_deadline(now_, server_.out);
      server_.settle();
      client_.transport.handle_deadline(now_, client_.out);
      client_.settle();
    }
    now_ = end;
  }
  void close_path(ByteReader& input) {
    std::uint8_t what = input.u8();
    bool is_known = what >= 128 && !server_.paths.empty();
    ice::Path path = is_known ? server_.paths[what % server_.paths.size()] : path_from(what);
    server_.transport.handle_path_closed(now_, path, server_.out);
    server_.settle();
    STOA_ASSERT(!server_.knows(path));
  }
  void restart(ByteReader& input) {
    int next = ++generation_;
    server_.transport.restart_ice(now_, credentials('s', next), credentials('c', next), server_.out);
    server_.settle();
    if (input.u8() % 4 == 0) return;  // The client never hears of it.
    client_.transport.restart_ice(now_, credentials('c', next), credentials('s', next), client_.out);
    client_.transport.add_remote_candidate(now_, server_candidate(), client_.out);
    client_.settle();
  }
  void talk(ByteReader& input) {
    std::uint8_t what = input.u8();
    Judged& side = what & 1 ? server_ : client_;
    auto channel = static_cast<sctp::StreamId>(what >> 4);
    if (what & 2) {
      (void)side.transport.open_channel(now_, {.label = "x", .protocol = {}}, side.out);
    } else if (what & 4) {
      side.transport.close_channel(now_, channel, side.out);
    } else {
      (void)side.transport.send_data(now_, channel, sctp::MessageKind::kBytes,
                                     SharedBytes(Buffer(input.u8() * 16u, 0x55)), side.out);
    }
    side.settle();
  }

  Timestamp now_ = Timestamp() + Duration::seconds(1);
  Judged server_, client_;
  int generation_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  world.rng = Rng(1);
  ByteReader input(Bytes(data, std::min<std::size_t>(size, 512)));
  Driver driver(world, input.u8());
  while (input.ok() && !input.at_end()) driver.act(input);
  return 0;
}
