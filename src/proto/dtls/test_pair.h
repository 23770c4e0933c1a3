// Two endpoints and the lines between them, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "proto/dtls/endpoint.h"
#include "sim/link.h"

namespace stoa::dtls {

inline constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);

inline std::shared_ptr<const Identity> make_test_identity() {
  return Identity::make(kWall, Duration::seconds(86'400));
}

// An endpoint and all that came out of it.
struct Side {
  Side(const Context& context, std::shared_ptr<const Identity> identity, const Config& config)
      : endpoint(context, std::move(identity), config) {}

  // Sorts what is in the box, datagrams to `line`.
  void sort(Timestamp now, const std::function<void(Bytes)>& line) {
    for (Output& output : out.take()) {
      EXPECT_FALSE(closed) << "an output after Closed";
      std::visit(Overloaded{[&](SendDatagram& send) {
                              sent_at.push_back(now);
                              sent_sizes.push_back(send.bytes.size());
                              line(send.bytes);
                            },
                            [&](Connected& c) {
                              EXPECT_FALSE(connected);
                              connected = c;
                              connected_at = now;
                            },
                            [&](ApplicationData& d) {
                              EXPECT_TRUE(connected);
                              data.push_back(std::move(d.bytes));
                            },
                            [&](Closed& c) {
                              closed = c;
                              closed_at = now;
                            }},
                 output);
    }
    EXPECT_EQ(endpoint.is_closed(), closed.has_value());
  }
  std::uint64_t count(Refusal refusal) const {
    return endpoint.stats().refusals[static_cast<std::size_t>(refusal)];
  }

  Endpoint endpoint;
  Outputs out;
  std::optional<Connected> connected;
  std::optional<Closed> closed;
  Timestamp connected_at, closed_at;
  std::vector<Buffer> data;
  std::vector<Timestamp> sent_at;
  std::vector<std::size_t> sent_sizes;
};

class Pair {
 public:
  struct Options {
    Config server{.role = Role::kServer}, client{.role = Role::kClient};  // Fingerprints are filled in.
    sim::Link::Config link;
    std::uint64_t seed = 1;
    std::shared_ptr<const Identity> server_identity;  // Made when absent.
    // For tests that lose chosen datagrams: false loses it.
    std::function<bool(Role from, Bytes datagram)> passes = [](Role, Bytes) { return true; };
  };

  explicit Pair(Options given)
      : options(std::move(given)),
        server_identity(options.server_identity ? options.server_identity : make_test_identity()),
        client_identity(make_test_identity()),
        to_server(time, options.link, Rng(options.seed)),
        to_client(time, options.link, Rng(options.seed + 1'000'000)),
        server(context, server_identity, with(options.server, client_identity)),
        client(context, client_identity, with(options.client, server_identity)) {}
  Pair() : Pair(Options()) {}

  void start() {
    server.endpoint.start(time.now(), server.out);
    client.endpoint.start(time.now(), client.out);
    sort();
  }
  // Until `limit` has passed or nothing is left to happen.
  void drive(Duration limit) {
    Timestamp until = time.now() + limit;
    for (;;) {
      Timestamp next = std::min({to_server.next_arrival(), to_client.next_arrival(),
                                 server.endpoint.next_deadline(), client.endpoint.next_deadline()});
      if (next > until) break;
      time.advance_to(std::max(next, time.now()));
      for (Buffer& bytes : to_server.take_arrived()) give(server, bytes);
      for (Buffer& bytes : to_client.take_arrived()) give(client, bytes);
      for (Side* side : {&server, &client}) {
        if (side->endpoint.next_deadline() <= time.now())
          side->endpoint.handle_deadline(time.now(), side->out);
      }
      sort();
    }
  }
  void connect() {
    start();
    drive(Duration::seconds(5));
    ASSERT_TRUE(server.connected && client.connected);
  }
  Result<void, Refusal> give(Side& side, Bytes bytes) {
    Result<void, Refusal> outcome = side.endpoint.handle_datagram(time.now(), bytes, side.out);
    sort();
    return outcome;
  }
  void sort() {
    server.sort(time.now(), [&](Bytes bytes) {
      if (options.passes(Role::kServer, bytes)) to_client.send(bytes);
    });
    client.sort(time.now(), [&](Bytes bytes) {
      if (options.passes(Role::kClient, bytes)) to_server.send(bytes);
    });
  }

  Options options;
  sim::VirtualTime time;
  Context context;
  std::shared_ptr<const Identity> server_identity, client_identity;
  sim::Link to_server, to_client;
  Side server, client;

 private:
  static Config with(Config config, const std::shared_ptr<const Identity>& peer) {
    if (config.peer_fingerprints.empty()) config.peer_fingerprints = {peer->fingerprint()};
    return config;
  }
};

inline Buffer text(std::string_view words) { return Buffer(words.begin(), words.end()); }

inline std::vector<std::uint8_t> key_bytes(const SrtpMasterKey& key) {
  std::vector<std::uint8_t> all(key.key().begin(), key.key().end());
  all.insert(all.end(), key.salt().begin(), key.salt().end());
  return all;
}

// A record with a header that is right for its body.
inline Buffer make_record(std::uint8_t type, std::uint16_t epoch, std::uint64_t sequence, Bytes body) {
  ByteWriter record;
  record.u8(type);
  record.u16(0xfefd);
  record.u16(epoch);
  record.u16(static_cast<std::uint16_t>(sequence >> 32));
  record.u32(static_cast<std::uint32_t>(sequence));
  record.u16(static_cast<std::uint16_t>(body.size()));
  record.bytes(body);
  return record.take();
}

}  // namespace stoa::dtls
