// When to send faster than the target for a moment, and what that has shown.
//
// Clusters go out at the start (three times the start rate, then twice what was shown, until it is not),
// when what is asked rises, after an outage, and, unlike in GCC, every few seconds at half as much again on a
// full link as well: 15 ms that say within 4 s that the link has become wider, at 1 % of its bytes and no
// more queue than a frame makes. A cluster that fills a link shows the link's rate only when nobody shares
// it, so of the periodic ones only those count that came as fast as was asked.
//
// A flow that is small beside others is hardly slowed by them, whatever it asks: where a link is shared even
// that says little. A sender that fills what it may therefore goes one step at a time: the next cluster waits
// until the rise has stood for kAgainAfter (controller.cc) without a queue, and on a path that was full a
// second cluster confirms the first, which jitter may have pressed together; a step that fills the path then
// counts for what it showed. (Five flows, queue delay under 20 ms in 400 of 400 runs, without it in 355.) At
// the start, for new demand and after an outage clusters follow each other at once, and what jitter bunched,
// so that it says nothing, is asked again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "bwe/controller.h"

namespace stoa::bwe {

enum class ProbeReason : std::uint8_t { kStart, kPeriodic, kStep, kDemand, kRecovery };

struct ProbeResult {
  double bits_per_second = 0;
  double asked = 0;            // Bits a second.
  bool is_saturated = false;   // It came slower than sent and asked for: this is what the path carries,
  bool may_be_jitter = false;  // or jitter, which alone could have drawn it out as much.
  bool is_bunched = false;     // It came so much faster than sent that it says nothing: only `asked` is set.
  ProbeReason reason = ProbeReason::kStart;
};

class Prober {
 public:
  // `noise`: of the delays; clusters are long against it, but where something is known of the path no longer
  // than `longest`.
  void request(Timestamp now, ProbeReason reason, double bits_per_second, Duration noise,
               Duration longest = Duration::infinite());
  void cancel();  // What has not begun, and what went unanswered.
  std::optional<ProbeCluster> take(Timestamp now);
  bool has_requested() const { return is_requested_; }
  // Whether a cluster is being sent or waits to be judged.
  bool is_busy(Timestamp now) const;

  void handle_sent(Timestamp now, std::uint16_t id, std::uint32_t bytes);
  void handle_arrival(std::uint16_t id, Duration at, std::uint32_t bytes);
  void handle_loss(std::uint16_t id);
  // The end of a feedback packet.
  std::optional<ProbeResult> take_result(Timestamp now);
  // What is needed while no cluster is under way, this and what is before it (base/prefetch.h).
  const void* end_of_head() const { return &clusters_; }

 private:
  static constexpr std::size_t kClusters = 4;
  struct Cluster {
    ProbeCluster asked;
    ProbeReason reason = ProbeReason::kStart;
    Duration noise;
    Timestamp began, first_sent, last_sent;
    Duration first_arrived, last_arrived;
    std::uint32_t sent_bytes = 0, sent_packets = 0, last_sent_bytes = 0;
    std::uint32_t arrived_bytes = 0, arrived_packets = 0, first_arrived_bytes = 0;
    std::uint32_t lost_packets = 0;
  };

  bool is_open(std::size_t index) const { return (open_ >> index & 1) != 0; }
  void close(std::size_t index) { open_ &= static_cast<std::uint8_t>(~(1u << index)); }
  Cluster* find(std::uint16_t id);

  std::uint16_t next_id_ = 1;
  bool is_requested_ = false;
  std::uint8_t open_ = 0;  // A bit for each of …
  std::array<Cluster, kClusters> clusters_{};
  Cluster requested_;
};

}  // namespace stoa::bwe
