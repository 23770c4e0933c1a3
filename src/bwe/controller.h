// How much the path to one receiver carries: what a sender does about congestion, in one machine.
//
// The sender says what left (`handle_sent`) and what the receiver said of it (`handle_feedback`); it gets a
// Target, and clusters of packets to probe with. Which media goes out of it is the allocator's (allocator.h),
// when each packet goes is the pacer's (pacer.h).
//
// Inside: what was sent (sent_history.h); how fast it arrived (throughput.h); how long the queue is
// (queue_delay.h); whether loss is of congestion (loss_model.h); whether the sender had enough to send
// (app_limit.h); what was probed (prober.h); all of it made one rate (rate_control.h).
//
// draft-ietf-rmcat-gcc-02 and what its implementations have learned since; RFC 8888 for ECN.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/time.h"

namespace stoa::bwe {

inline constexpr std::uint16_t kNoProbe = 0;

// A packet that has just left. `sequence` counts all packets of the transport, one by one.
struct SentPacket {
  std::int64_t sequence = 0;
  std::uint32_t bytes = 0;  // With IP and UDP headers.
  std::uint16_t probe = kNoProbe;
};

struct Arrival {
  std::int64_t sequence = 0;
  Duration at;             // On the receiver's clock, whose origin means nothing.
  bool is_marked = false;  // ECN: congestion experienced (RFC 3168 §5).
};
// One feedback packet: it speaks of [first_sequence, first_sequence + count); what is not among the arrivals
// had not arrived. What was told before may be told again.
struct Feedback {
  std::int64_t first_sequence = 0;
  std::uint32_t count = 0;
  std::span<const Arrival> arrivals;  // By sequence.
};

struct Config {
  std::uint64_t start_bits_per_second = 300'000;
  std::uint64_t min_bits_per_second = 30'000;
  std::uint64_t max_bits_per_second = 50'000'000;
  bool reacts_to_ecn = false;
};

// What the sender has to send: probing is for finding room that it could use, and for nothing else.
struct Demand {
  std::uint64_t sends_bits_per_second = 0;  // Media that it is given now.
  // What would let it send one step more (the next layer with its margin). 0: it sends all there is.
  std::uint64_t next_bits_per_second = 0;
  std::uint64_t all_bits_per_second = 0;  // All that there is to send.
  bool operator==(const Demand&) const = default;
};

struct Target {
  std::uint64_t bits_per_second = 0;  // That the path carries, of all packets together.
  std::uint64_t pacing_bits_per_second = 0;
  Duration round_trip;  // Smoothed; zero: not known.
  double loss = 0;      // 0 to 1, of the last second or so.
  bool is_app_limited = false;
  bool is_congested = false;  // Queues grow.
  bool is_told = false;       // The receiver has said what arrives (feedback, or REMB).
  bool has_room = false;      // All that there is to send fits, with something to spare.
  bool is_silent = false;     // Feedback that is due does not come: the path may be gone.
};

// To be sent at this rate as soon as there is something to send, of media, retransmissions and padding,
// until both minima are reached; packets that belong to it carry its id.
struct ProbeCluster {
  std::uint16_t id = kNoProbe;
  std::uint64_t bits_per_second = 0;
  std::uint32_t bytes_min = 0;
  std::uint32_t packets_min = 0;
};

// What feedback said that could not be, or said twice. A peer that makes these grow is broken or hostile.
struct FeedbackCounts {
  std::uint64_t feedback = 0;
  std::uint64_t unknown = 0;      // Packets never sent, or too long ago.
  std::uint64_t duplicates = 0;   // Packets that had been told to have arrived.
  std::uint64_t late = 0;         // Packets that had been told to be missing.
  std::uint64_t clock_jumps = 0;  // Times from another clock: what was learned of delay is forgotten.
};

class Controller {
 public:
  Controller(const Config& config, Timestamp now);
  ~Controller();
  Controller(Controller&&) noexcept;
  Controller& operator=(Controller&&) noexcept;

  // Requires: sequence is one more than that of the packet before.
  void handle_sent(Timestamp now, const SentPacket& packet);
  void handle_feedback(Timestamp now, const Feedback& feedback);
  // REMB: no more than this, as long as it is repeated. Of a receiver without feedback it is the estimate.
  void handle_remb(Timestamp now, std::uint64_t bits_per_second);
  // Of receiver reports: all there is of a receiver without feedback. `loss`: 0 to 1.
  void handle_report(Timestamp now, double loss, std::optional<Duration> round_trip);
  // Another path: what is known of the old one says nothing of it.
  void handle_route_change(Timestamp now);
  void set_demand(Timestamp now, const Demand& demand);

  void handle_deadline(Timestamp now);
  Timestamp next_deadline() const;

  // What the next call touches, asked for ahead of it (base/prefetch.h).
  void prefetch_sent() const;                // Of handle_sent(), …
  void prefetch_place(Timestamp now) const;  // … and then where it writes.
  void prefetch_feedback() const;            // Of handle_feedback().

  const Target& target() const;
  const FeedbackCounts& counts() const;
  // A cluster to begin with now, if there is one. The one before ends.
  std::optional<ProbeCluster> take_probe(Timestamp now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::bwe
