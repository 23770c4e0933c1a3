// A bad network between real sockets: it stands between WebRTC clients and servers and does to their
// datagrams what the simulator's path (sim/path.h) does in virtual time, by the clock.
//
//   client ── port P of the shaper ── a socket of the shaper for each client ── port S of the server
//
// The server is told to announce P (`rtc_announced_port`), or a page puts P into what it is told. A client is
// who sends from one address to one port; the server sees each at an address of its own. All share one
// bottleneck in each direction, or each has its own. One thread; the clock is read here and nowhere below.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "shape_command.h"
#include "shape_socket.h"
#include "sim/path.h"
#include "stats.h"
#include "world.h"

namespace stoa::bench {

struct ShaperOptions {
  IpAddress listen = IpAddress::v4(127, 0, 0, 1);
  std::uint16_t port = 0;  // Of the first; the others count up. 0: the kernel chooses.
  std::size_t ports = 1;
  std::vector<SocketAddress> servers;  // One for each port; may come later.
  sim::PathConfig up, down;            // Towards the server, towards clients.
  bool is_per_client = false;
  // Where sockets towards servers are bound, the next at each handover; empty: where the route says.
  std::vector<IpAddress> from;
  std::uint64_t seed = 1;
};

// What happened in one direction. Bytes are those of the wire: with headers of UDP and IPv4.
struct ShapeCounters {
  std::uint64_t packets = 0, bytes = 0;                      // That came.
  std::uint64_t delivered_packets = 0, delivered_bytes = 0;  // With duplicates.
  std::uint64_t dropped = 0;                                 // By queues, too long ones included.
  std::uint64_t lost = 0, marked = 0, corrupted = 0, duplicated = 0, held_back = 0;
  Samples queue_ms;  // That delivered packets waited.
};

// This program's own failings.
struct ShapeFaults {
  std::uint64_t refused = 0;      // Datagrams that the kernel did not take.
  std::uint64_t unread = 0;       // That it dropped since a socket of ours was full.
  std::uint64_t turned_away = 0;  // No room: too many clients, too many bytes under way; or no server yet.
  Samples late_ms;                // How much later than it should a datagram was sent.
};

class Shaper {
 public:
  static constexpr std::size_t kPortsMax = 256;
  static constexpr std::size_t kClientsMax = 1024;
  static constexpr std::size_t kBytesMax = 256u << 20;  // Under way, over all paths.
  static constexpr Duration kClientIdle = Duration::seconds(300);

  static Result<std::unique_ptr<Shaper>, Failure> open(ShaperOptions options);

  std::uint16_t port() const { return listeners_.front().address().port; }  // The first.
  std::size_t clients() const { return clients_.size(); }
  // From now on.
  Result<void, Failure> handle_command(const ShapeCommand& command);
  // turn() comes back when something can be read there, and says so.
  void watch(int fd) { poller_.add(fd, EPOLLIN, kWatched); }
  // Waits for what comes first, at most until `until_ns` (CLOCK_MONOTONIC), and does what is due.
  bool turn(std::int64_t until_ns);

  // Since they were taken last.
  ShapeCounters take_up() { return take_counters(up_); }
  ShapeCounters take_down() { return take_counters(down_); }
  ShapeFaults take_faults() { return std::exchange(faults_, {}); }
  // How long a datagram sent now would wait; of many bottlenecks the longest.
  Duration queue_delay_up() const;
  Duration queue_delay_down() const;
  // Forgets clients that have been silent for kClientIdle.
  void drop_idle();

 private:
  static constexpr std::uint64_t kWatched = ~0ull, kFirstClient = 1 << 16;

  struct Carried {
    std::uint64_t client = 0;
    std::uint8_t ecn = 0;
    std::shared_ptr<const Buffer> bytes;  // A duplicate shares them.
  };
  using Path = sim::Path<Carried>;
  struct Direction {
    sim::PathConfig config;
    std::unique_ptr<Path> shared;
    sim::PathStats ended, taken;  // Of paths that are gone; what take_counters() has given.
    ShapeCounters counters;
  };
  struct Client {
    std::size_t port = 0;  // Counted from the first.
    SocketAddress address;
    ShapeSocket socket;
    Timestamp last;
    std::unique_ptr<Path> up, down;  // Of its own; none: the shared.
  };

  explicit Shaper(ShaperOptions options);
  bool open_listeners();
  Timestamp now() const { return Timestamp::from_ns(now_ns()); }
  Client* find_client(std::size_t port, const SocketAddress& from);
  bool open_socket(std::uint64_t id, Client& client);
  std::unique_ptr<Path> make_path(const Direction& direction);
  std::optional<ShapeDatagram> receive(ShapeSocket& socket);
  void read_listener(std::size_t port);
  void read_client(std::uint64_t id);
  void carry(Direction& direction, Path& path, std::uint64_t client, const ShapeDatagram& datagram);
  std::shared_ptr<const Buffer> keep(Bytes bytes);
  void deliver(Timestamp now);
  void deliver(Timestamp now, Direction& direction, Path& path, bool is_up);
  void configure(Direction& direction, bool is_up);
  Timestamp next_deadline() const;
  ShapeCounters take_counters(Direction& direction);
  template <typename Visit>
  void for_each_path(const Visit& visit) const;

  ShaperOptions options_;
  Rng rng_;
  std::size_t bytes_ = 0;  // Of datagrams that are kept.
  Direction up_, down_;
  Timestamp start_;
  std::int64_t clock_offset_ns_ =
      0;              // From CLOCK_REALTIME, which the kernel stamps with, to CLOCK_MONOTONIC.
  Timestamp latest_;  // What paths were told last.
  Poller poller_;
  std::vector<ShapeSocket> listeners_;
  std::map<std::pair<std::size_t, SocketAddress>, std::uint64_t> client_ids_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t next_client_ = kFirstClient;
  std::size_t from_ = 0;
  ShapeFaults faults_;
};

}  // namespace stoa::bench
