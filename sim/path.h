// One direction of an emulated path: a bottleneck with its queue, then a line with delay and faults.
//
// Time is an argument, so the same path runs in virtual time and, in a shaper between real sockets, by a
// clock. What happens to a packet, in this order: MTU; the queue (tail drop or CoDel, ECN); the bottleneck at
// the capacity of the moment; loss, corruption, duplication; delay, jitter, reordering. Several flows share a
// path by sending into it.
//
//   Path<Media> path(config, Rng(seed), start);
//   path.send(now, 1200, media);
//   while (auto arrival = path.take_arrived(now)) …arrival->payload…
//
// In steady state nothing is allocated. Jitter: RFC 8868 §4.5; burst loss: Gilbert and Elliott.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sim/codel.h"
#include "sim/ring.h"

namespace stoa::sim {

// More than this waiting or on the line is dropped.
inline constexpr std::size_t kPathPacketsMax = 100'000;
inline constexpr std::uint64_t kPathMtuMax = 65'535;
// Slower than this is no path, and the time it takes could not be counted.
inline constexpr std::uint64_t kCapacityMin = 1000;

// Holds from `at` on, counted from the path's start.
struct CapacityStep {
  Duration at;
  std::uint64_t bits_per_second = 0;  // 0: an outage; the queue waits. Else at least kCapacityMin.
};
struct DelayStep {
  Duration at;
  Duration delay;
};

enum class Marking : std::uint8_t {
  kNone,
  kThreshold,  // What waited longer than PathConfig::mark_above.
  kCodel,      // What CoDel would drop.
};

struct PathConfig {
  // Both by time, the first at zero. Empty: no limit, no delay.
  std::vector<CapacityStep> capacity;
  std::vector<DelayStep> delay;

  // What would wait longer than this at the capacity of the moment (in an outage: at that before it) is
  // dropped, but one packet may always wait. Or so many bytes may wait, when queue_bytes_max is not 0.
  Duration queue_max = Duration::milliseconds(300);
  std::uint64_t queue_bytes_max = 0;
  std::optional<Codel::Config> codel;
  Marking marking = Marking::kNone;  // Of packets whose sender can ECN.
  Duration mark_above;

  // Added to the delay: a Gaussian with mean jitter/2 and deviation jitter/6, truncated to [0, jitter].
  Duration jitter;
  bool keeps_order = true;  // Jitter and shorter routes never let a packet overtake another.

  // Probabilities, of each packet.
  double loss = 0;
  double burst_enter = 0, burst_leave = 1,
         burst_loss = 1;  // Of the bad state that packets are in now and then.
  double reordering = 0;  // Held back by reordering_delay, whatever keeps_order says.
  Duration reordering_delay = Duration::milliseconds(20);
  double duplication = 0;
  double corruption = 0;  // Arrives damaged.

  std::uint32_t mtu_bytes = kPathMtuMax;  // Longer packets are dropped.
};

struct PathStats {
  std::uint64_t sent = 0, delivered = 0;    // delivered: with duplicates.
  std::uint64_t too_long = 0, dropped = 0;  // dropped: by the queue.
  std::uint64_t lost = 0, marked = 0, corrupted = 0, duplicated = 0, held_back = 0;
  std::uint64_t served_bytes = 0;  // That went through the bottleneck.
};

// A path for packets that are a number and a length; Path below carries what they stand for.
class PathCore {
 public:
  struct Packet {
    std::uint32_t id = 0;
    std::uint32_t bytes = 0;
    bool can_ecn = false;
  };
  struct Outcome {
    Packet packet;
    Timestamp at;
    Duration waited;  // In the queue.
    bool is_delivered = false;
    bool is_marked = false;
    bool is_corrupt = false;
    bool is_last = true;  // No duplicate follows.
  };

  PathCore(const PathConfig& config, Rng rng, Timestamp start = {});

  // False when it is dropped at once. Time never goes back.
  bool send(Timestamp now, const Packet& packet);
  // The next that has come to its end by `now`, in order of `at`.
  std::optional<Outcome> take_outcome(Timestamp now);
  // From now on; times in it are still counted from the start. What is waiting waits on, what is on the line,
  // or being sent, comes when it would have come.
  void configure(Timestamp now, const PathConfig& config);
  // When take_outcome() may have something, or has something to do.
  Timestamp next_deadline() const {
    const Timestamp at = line_.empty() ? Timestamp::never() : line_.front().at;
    return queue_.empty() ? at : std::min(at, free_at_);
  }

  std::uint64_t capacity(Timestamp now) const;
  std::uint64_t queued_bytes() const { return queued_bytes_; }
  // How long a packet sent now would wait if the capacity stayed as it is; in an outage as it was before.
  Duration queue_delay(Timestamp now) const;
  const PathStats& stats() const { return stats_; }

 private:
  struct Waiting {
    Packet packet;
    Timestamp since;
  };

  void serve(Timestamp now);
  void transmit(Timestamp begin, const Waiting& waiting, bool is_marked);
  bool is_lost();
  Duration draw_jitter();
  Timestamp finish_of(Timestamp begin, std::uint64_t bytes);
  bool has_place(Timestamp now, std::uint32_t bytes) const;
  Duration delay_at(Timestamp at) const;
  void add_outcome(const Outcome& outcome);

  PathConfig config_;
  Rng rng_;
  Timestamp start_;
  std::optional<Codel> codel_;
  Ring<Waiting> queue_;
  Ring<Outcome> line_;  // By time of arrival.
  std::uint64_t queued_bytes_ = 0;
  Timestamp free_at_;  // When the bottleneck has sent what it began.
  std::uint64_t in_service_bytes_ = 0;
  Timestamp last_arrival_;  // Nothing that keeps order comes before it.
  bool is_in_burst_ = false;
  PathStats stats_;
};

// Payload: copied when duplicated, otherwise moved.
template <typename Payload>
class Path {
 public:
  struct Arrival {
    Timestamp at;
    std::uint32_t bytes = 0;
    Duration waited;  // In the bottleneck's queue.
    bool is_marked = false;
    bool is_corrupt = false;
    Payload payload;
  };

  explicit Path(const PathConfig& config, Rng rng, Timestamp start = {}) : core_(config, rng, start) {}

  // `bytes`: on the wire, with IP and UDP headers. False when it is dropped at once.
  bool send(Timestamp now, std::uint32_t bytes, Payload payload, bool can_ecn = false) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(payloads_.size()));
      payloads_.emplace_back();
    }
    std::uint32_t id = free_.back();
    if (!core_.send(now, {id, bytes, can_ecn})) return false;
    free_.pop_back();
    payloads_[id] = std::move(payload);
    return true;
  }
  // The next that arrived by `now`, in order of arrival.
  std::optional<Arrival> take_arrived(Timestamp now) {
    while (auto outcome = core_.take_outcome(now)) {
      std::uint32_t id = outcome->packet.id;
      if (outcome->is_last) free_.push_back(id);
      if (!outcome->is_delivered) continue;
      Arrival arrival{outcome->at,        outcome->packet.bytes, outcome->waited,
                      outcome->is_marked, outcome->is_corrupt,   {}};
      if (outcome->is_last) {
        arrival.payload = std::move(payloads_[id]);
      } else {
        arrival.payload = payloads_[id];
      }
      return arrival;
    }
    return std::nullopt;
  }
  void configure(Timestamp now, const PathConfig& config) { core_.configure(now, config); }
  Timestamp next_deadline() const { return core_.next_deadline(); }

  std::uint64_t capacity(Timestamp now) const { return core_.capacity(now); }
  std::uint64_t queued_bytes() const { return core_.queued_bytes(); }
  Duration queue_delay(Timestamp now) const { return core_.queue_delay(now); }
  const PathStats& stats() const { return core_.stats(); }

 private:
  PathCore core_;
  std::vector<Payload> payloads_;
  std::vector<std::uint32_t> free_;
};

}  // namespace stoa::sim
