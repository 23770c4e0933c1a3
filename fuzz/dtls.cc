// Two endpoints with bytes as actions: whoever sits on the line delivers, drops, doubles, reorders, changes
// and invents datagrams, and lets time pass. What must hold: outputs in their order and none after Closed, no
// datagram over the MTU, equal keys when both connect, and no data delivered that was not sent.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "base/assert.h"
#include "base/rng.h"
#include "proto/dtls/endpoint.h"

namespace {

using namespace stoa;
using namespace stoa::dtls;

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
  Context context;
  std::shared_ptr<const Identity> identities[2];
  World() {
    randomness = &rng;
    RAND_set_rand_method(&kSeeded);
    for (auto& identity : identities)
      identity = Identity::make(WallTime::from_seconds(1'800'000'000), Duration::seconds(86'400));
  }
};

class Driver {
 public:
  Driver(World& world, std::uint8_t flags)
      : mtu_(flags & 1 ? kMtuMin : kMtuDefault),
        endpoints_{make(world, Role::kServer, flags), make(world, Role::kClient, flags)} {
    for (int side : {0, 1}) {
      endpoints_[side].start(now_, out_);
      collect(side);
    }
  }

  void act(ByteReader& input) {
    std::uint8_t action = input.u8();
    int side = action >> 7;
    switch (action % 12) {
      case 0: deliver(side, input.take(std::min<std::size_t>(input.u8(), input.remaining()))); break;
      case 1: deliver_record(side, input); break;
      case 2: deliver_changed(side, input); break;
      case 3:
        if (!lines_[side].empty()) lines_[side].pop_front();
        break;
      case 4:
        if (!lines_[side].empty() && lines_[side].size() < kLineMax)
          lines_[side].push_back(lines_[side].front());
        break;
      case 5:
        if (!lines_[side].empty())
          std::rotate(lines_[side].begin(), lines_[side].begin() + 1, lines_[side].end());
        break;
      case 6: pass_time(Duration::milliseconds(input.u16())); break;
      case 7: send_data(side, input); break;
      case 8: {
        std::uint8_t rare = input.u8() % 16;
        if (rare == 0) endpoints_[side].close(out_);
        // A lie of the owner's may cost the handshake's last flight, and nothing else.
        if (rare == 1) endpoints_[side].confirm_peer(now_);
        collect(side);
        break;
      }
      case 9: drain(); break;
      default: deliver_next(side);
    }
  }

 private:
  static constexpr std::size_t kLineMax = 200;

  static Endpoint make(World& world, Role role, std::uint8_t flags) {
    bool is_server = role == Role::kServer;
    Config config{.role = role, .mtu = flags & 1 ? kMtuMin : kMtuDefault, .asks_cookie = (flags & 2) != 0};
    config.peer_fingerprints = {world.identities[is_server ? 1 : 0]->fingerprint()};
    if (flags & 4 && is_server) config.srtp_profiles = {SrtpProfile::kAes128CmHmacSha1_80};
    if (flags & 8) config.srtp_profiles = {};
    return {world.context, world.identities[is_server ? 0 : 1], config};
  }

  void deliver(int to, Bytes bytes) {
    bool was_closed = endpoints_[to].is_closed();
    auto outcome = endpoints_[to].handle_datagram(now_, bytes, out_);
    STOA_ASSERT(!was_closed || outcome);
    STOA_ASSERT(outcome || !ends_association(outcome.error()) || endpoints_[to].is_closed());
    collect(to);
  }
  void deliver_next(int to) {
    if (lines_[to].empty()) return;
    Buffer bytes = std::move(lines_[to].front());
    lines_[to].pop_front();
    deliver(to, bytes);
  }
  void deliver_changed(int to, ByteReader& input) {
    if (lines_[to].empty()) return;
    Buffer bytes = lines_[to].front();
    for (int changes = input.u8() % 4; changes >= 0; --changes)
      bytes[input.u16() % bytes.size()] ^= input.u8();
    bytes.resize(bytes.size() - std::min<std::size_t>(input.u8() % 8, bytes.size()));
    deliver(to, bytes);
  }
  void deliver_record(int to, ByteReader& input) {
    ByteWriter record;
    record.u8(static_cast<std::uint8_t>(20 + input.u8() % 5));
    record.u16(0xfefd);
    record.u16(input.u8() % 3);
    record.u16(0);
    record.u32(input.u16());
    Bytes body = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    record.u16(static_cast<std::uint16_t>(body.size()));
    record.bytes(body);
    deliver(to, record.view());
  }
  void send_data(int from, ByteReader& input) {
    Buffer bytes(1 + input.u8() % 64, input.u8());
    if (!endpoints_[from].send_data(bytes, out_)) return;
    sent_[from].push_back(std::move(bytes));
    collect(from);
  }
  void pass_time(Duration by) {
    now_ += by;
    for (int side : {0, 1}) {
      if (endpoints_[side].next_deadline() > now_) continue;
      endpoints_[side].handle_deadline(now_, out_);
      STOA_ASSERT(endpoints_[side].next_deadline() > now_);
      collect(side);
    }
  }
  void drain() {
    for (int i = 0; i < 100 && !(lines_[0].empty() && lines_[1].empty()); ++i) deliver_next(i % 2);
  }

  void collect(int side) {
    for (Output& output : out_.take()) {
      STOA_ASSERT(!closed_[side]);
      if (auto* send = std::get_if<SendDatagram>(&output)) {
        STOA_ASSERT(!send->bytes.empty() && send->bytes.size() <= mtu_);
        if (lines_[1 - side].size() < kLineMax) lines_[1 - side].push_back(std::move(send->bytes));
      } else if (auto* connected = std::get_if<Connected>(&output)) {
        STOA_ASSERT(!connected_[side]);
        connected_[side] = std::move(*connected);
        check_keys();
      } else if (auto* data = std::get_if<ApplicationData>(&output)) {
        STOA_ASSERT(connected_[side]);
        auto& sent = sent_[1 - side];
        auto found = std::find(sent.begin(), sent.end(), data->bytes);
        STOA_ASSERT(found != sent.end());
        sent.erase(found);
      } else {
        closed_[side] = true;
        STOA_ASSERT(endpoints_[side].next_deadline() == Timestamp::never());
      }
    }
    STOA_ASSERT(endpoints_[side].is_closed() == closed_[side]);
  }
  void check_keys() {
    if (!connected_[0] || !connected_[1]) return;
    STOA_ASSERT(connected_[0]->srtp.has_value() == connected_[1]->srtp.has_value());
    if (!connected_[0]->srtp) return;
    Bytes ours = connected_[0]->srtp->local.key(), theirs = connected_[1]->srtp->remote.key();
    STOA_ASSERT(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end()));
  }

  Timestamp now_;
  std::size_t mtu_;
  Endpoint endpoints_[2];  // Server, client.
  Outputs out_;
  std::deque<Buffer> lines_[2];  // To the server, to the client.
  std::vector<Buffer> sent_[2];
  std::optional<Connected> connected_[2];
  bool closed_[2] = {};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  world.rng = Rng(7);
  ByteReader input(Bytes(data + 1, size - 1));
  Driver driver(world, data[0]);
  for (int i = 0; i < 300 && !input.at_end(); ++i) driver.act(input);
  return 0;
}
