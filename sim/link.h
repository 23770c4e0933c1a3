// Two machines and a bad line between them, in virtual time: the harness under every protocol test.
//
// A `Link` carries messages one way with latency, jitter, loss, duplication and reordering drawn from a
// seed. `Link::Config::is_stream` makes it a TCP-like pipe: nothing is lost or reordered, but bytes are cut
// and merged at random, since a byte stream promises nothing about where reads end.
//
//   VirtualTime time;
//   Link to_server(time, {.latency = Duration::milliseconds(20), .is_stream = true}, Rng(seed));
//   to_server.send(bytes);
//   while (auto next = earliest(to_server.next_arrival(), server.next_deadline()); next !=
//   Timestamp::never())
//     { time.advance_to(next); for (auto& b : to_server.take_arrived()) server.handle_bytes(time.now(), b,
//     out); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"

namespace stoa::sim {

// The clock of a simulation. It moves only when told to, never back.
class VirtualTime {
 public:
  explicit VirtualTime(WallTime wall_at_start = WallTime::from_seconds(1'767'225'600))
      : wall_at_start_(wall_at_start) {}
  Timestamp now() const { return now_; }
  WallTime wall() const { return wall_at_start_ + (now_ - Timestamp()); }
  void advance(Duration by) { advance_to(now_ + by); }
  void advance_to(Timestamp to) {
    STOA_ASSERT(to >= now_ && to != Timestamp::never());
    now_ = to;
  }

 private:
  Timestamp now_;
  WallTime wall_at_start_;
};

inline Timestamp earliest(Timestamp a, Timestamp b) { return std::min(a, b); }

class Link {
 public:
  struct Config {
    Duration latency = Duration::milliseconds(10);
    Duration jitter;         // Added to the latency, uniform in [0, jitter].
    double loss = 0;         // Probability that a datagram vanishes.
    double duplication = 0;  // Probability that it arrives twice.
    double reordering = 0;   // Probability that it is held back by `reordering_delay`.
    Duration reordering_delay = Duration::milliseconds(20);
    bool is_stream = false;                    // Cut and merge instead of lose and reorder.
    std::size_t cut_bytes_max = 4096;          // Longest run of bytes that one read returns (stream only).
    std::size_t queue_messages_max = 100'000;  // More in flight than this are dropped (datagrams only).
  };
  struct Stats {
    std::size_t sent = 0, delivered = 0, lost = 0, duplicated = 0, reordered = 0;
  };

  Link(const VirtualTime& time, const Config& config, Rng rng) : time_(time), config_(config), rng_(rng) {}

  void send(Bytes message);
  // Of what is sent from here on.
  void set_latency(Duration latency) { config_.latency = latency; }
  // When take_arrived() will have something; Timestamp::never() when nothing is in flight.
  Timestamp next_arrival() const { return in_flight_.empty() ? Timestamp::never() : in_flight_.front().at; }
  // Everything due by now, in order of arrival.
  std::vector<Buffer> take_arrived();
  const Stats& stats() const { return stats_; }

 private:
  struct Message {
    Timestamp at;
    std::size_t order;
    Buffer bytes;
    bool operator<(const Message& other) const {
      return at != other.at ? at < other.at : order < other.order;
    }
  };
  void enqueue(Timestamp at, Bytes bytes);

  const VirtualTime& time_;
  Config config_;
  Rng rng_;
  Stats stats_;
  std::vector<Message> in_flight_;  // Sorted by arrival.
  std::size_t order_ = 0;
  Timestamp stream_arrival_;  // A stream never overtakes itself.
};

}  // namespace stoa::sim
