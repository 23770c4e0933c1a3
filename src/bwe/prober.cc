#include "bwe/prober.h"

#include <algorithm>

namespace stoa::bwe {
namespace {

constexpr Duration kClusterMin = Duration::milliseconds(15), kClusterMax = Duration::milliseconds(80);
constexpr Duration kFirstMin = Duration::milliseconds(25);  // While nothing is known of jitter.
constexpr std::uint32_t kPacketsMin = 5;
constexpr double kComplete = 0.8;  // Of what was asked, answered.
constexpr Duration kAnswerWait = Duration::seconds(1);
constexpr Duration kSpanMin = Duration::milliseconds(1);
constexpr double kFasterMax = 2;  // Received so much faster than sent: measured in something else's burst.
constexpr double kUnhindered = 0.9;
constexpr std::int64_t kJitterNoises = 3;

}  // namespace

void Prober::request(Timestamp now, ProbeReason reason, double bits_per_second, Duration noise,
                     Duration longest) {
  Duration least = reason == ProbeReason::kPeriodic ? kClusterMin : kFirstMin;
  Duration length = std::clamp(noise * 12, least, std::max(least, std::min(longest, kClusterMax)));
  requested_ = Cluster();
  requested_.asked.bits_per_second = static_cast<std::uint64_t>(bits_per_second);
  requested_.asked.bytes_min = static_cast<std::uint32_t>(bits_per_second * length.as_seconds() / 8);
  requested_.asked.packets_min = kPacketsMin;
  requested_.reason = reason;
  requested_.noise = noise;
  requested_.began = now;
  is_requested_ = true;
}

void Prober::cancel() {
  is_requested_ = false;
  open_ = 0;
}

std::optional<ProbeCluster> Prober::take(Timestamp now) {
  if (!is_requested_) return std::nullopt;
  is_requested_ = false;
  const std::size_t index = next_id_ % kClusters;
  Cluster& cluster = clusters_[index];
  cluster = requested_;
  cluster.asked.id = next_id_;
  cluster.began = now;
  open_ |= static_cast<std::uint8_t>(1u << index);
  next_id_ = next_id_ == 0xffff ? 1 : static_cast<std::uint16_t>(next_id_ + 1);
  return cluster.asked;
}

bool Prober::is_busy(Timestamp now) const {
  for (std::size_t i = 0; i < kClusters; ++i)
    if (is_open(i) && now - clusters_[i].began < kAnswerWait) return true;
  return is_requested_;
}

Prober::Cluster* Prober::find(std::uint16_t id) {
  const std::size_t index = id % kClusters;
  return is_open(index) && clusters_[index].asked.id == id ? &clusters_[index] : nullptr;
}

void Prober::handle_sent(Timestamp now, std::uint16_t id, std::uint32_t bytes) {
  Cluster* cluster = find(id);
  if (!cluster) return;
  if (cluster->sent_packets == 0) cluster->first_sent = now;
  cluster->last_sent = now;
  cluster->last_sent_bytes = bytes;
  cluster->sent_bytes += bytes;
  ++cluster->sent_packets;
}

void Prober::handle_arrival(std::uint16_t id, Duration at, std::uint32_t bytes) {
  Cluster* cluster = find(id);
  if (!cluster) return;
  if (cluster->arrived_packets == 0 || at < cluster->first_arrived) {
    cluster->first_arrived = at;
    cluster->first_arrived_bytes = bytes;
  }
  cluster->last_arrived = cluster->arrived_packets == 0 ? at : std::max(cluster->last_arrived, at);
  cluster->arrived_bytes += bytes;
  ++cluster->arrived_packets;
}

void Prober::handle_loss(std::uint16_t id) {
  if (Cluster* cluster = find(id)) ++cluster->lost_packets;
}

std::optional<ProbeResult> Prober::take_result(Timestamp now) {
  for (std::size_t i = 0; i < kClusters; ++i) {
    if (!is_open(i)) continue;
    const Cluster& cluster = clusters_[i];
    if (now - cluster.began > kAnswerWait) close(i);
    if (cluster.arrived_packets < kComplete * cluster.asked.packets_min ||
        cluster.arrived_bytes < kComplete * cluster.asked.bytes_min)
      continue;
    // What is on its way still may belong to it.
    if (cluster.arrived_packets + cluster.lost_packets < cluster.sent_packets && is_open(i)) {
      bool is_whole = cluster.arrived_packets >= cluster.asked.packets_min &&
                      cluster.arrived_bytes >= cluster.asked.bytes_min;
      if (!is_whole) continue;
    }
    close(i);
    Duration sending = cluster.last_sent - cluster.first_sent;
    Duration receiving = cluster.last_arrived - cluster.first_arrived;
    if (sending < kSpanMin) continue;
    double sent = (cluster.sent_bytes - cluster.last_sent_bytes) * 8.0 / sending.as_seconds();
    double received = (cluster.arrived_bytes - cluster.first_arrived_bytes) * 8.0 /
                      std::max(receiving, kSpanMin).as_seconds();
    if (receiving < kSpanMin || received > kFasterMax * sent)
      return ProbeResult{.asked = static_cast<double>(cluster.asked.bits_per_second),
                         .is_bunched = true,
                         .reason = cluster.reason};
    // A pacer's quanta may be faster than what was asked for: of that nobody wants to know.
    double tried = std::min(sent, static_cast<double>(cluster.asked.bits_per_second));
    double unhindered_seconds = (cluster.arrived_bytes - cluster.first_arrived_bytes) * 8.0 / tried;
    double drawn_out_seconds = receiving.as_seconds() - unhindered_seconds;
    return ProbeResult{.bits_per_second = std::min(sent, received),
                       .asked = static_cast<double>(cluster.asked.bits_per_second),
                       .is_saturated = received < kUnhindered * tried,
                       .may_be_jitter = drawn_out_seconds <= (cluster.noise * kJitterNoises).as_seconds(),
                       .reason = cluster.reason};
  }
  return std::nullopt;
}

}  // namespace stoa::bwe
