#include "bwe/queue_delay.h"

#include <algorithm>
#include <cmath>

namespace stoa::bwe {
namespace {

constexpr Duration kBasePart = Duration::seconds(5);
constexpr Duration kBasePartHeld = Duration::seconds(20);
constexpr Duration kLeast = Duration::milliseconds(50);
constexpr int kLeastPackets = 3;
constexpr Duration kJump = Duration::seconds(20);
constexpr double kNoiseWeight = 1.0 / 32;
constexpr int kNoiseFirst = 16;  // Samples that may be larger, as nothing is known yet.
constexpr double kNoiseStepNs = 1e6, kNoiseFirstStepNs = 4e6;
constexpr double kOfSecondDifference = 0.58;  // Of independent samples, the first difference.
constexpr int kNoiseSamplesMax = 32;          // As many as are counted.
constexpr double kNoiseMaxNs = 30e6;
constexpr double kSlowed = 0.7;  // Sent in so much of the time that it took to arrive.
constexpr Duration kRecentSpan = Duration::milliseconds(20);
constexpr std::int64_t kBusyNs = 5'000'000;

}  // namespace

bool QueueDelay::add(Timestamp sent, Duration arrived, std::uint32_t bytes) {
  std::int64_t delay = arrived.ns() - sent.ns();
  bool is_jump = is_known_ && Duration::nanoseconds(delay - last_ns_).abs() > kJump;
  if (is_jump) clear();
  if (!is_known_) {
    is_known_ = true;
    base_parts_.fill(delay);
    base_ns_ = delay;
    part_began_ = arrived;
    open_ = before_ = {delay, 0, arrived};
    newest_.fill(delay);
  }
  last_ns_ = delay;
  add_base(delay, arrived);
  add_standing(delay, arrived);
  newest_[newest_at_++ % kNewest] = delay;
  recent_[recent_count_++ % kRecent] = {arrived, delay, bytes};
  if (delay - base_ns_ <= kBusyNs + 2 * static_cast<std::int64_t>(noise_ns_)) {
    busy_since_ = Duration::infinite();
  } else if (busy_since_ == Duration::infinite()) {
    busy_since_ = arrived;
    busy_bytes_ = 0;
    busy_packets_ = 0;
  } else {
    busy_bytes_ += bytes;
    ++busy_packets_;
  }
  return !is_jump;
}

void QueueDelay::add_base(std::int64_t delay, Duration arrived) {
  Duration part_max = is_held_ ? kBasePartHeld : kBasePart;
  if (arrived - part_began_ >= part_max) {
    part_began_ = arrived;
    part_ = (part_ + 1) % kBaseParts;
    base_parts_[part_] = delay;
    base_ns_ = *std::min_element(base_parts_.begin(), base_parts_.end());
  }
  base_parts_[part_] = std::min(base_parts_[part_], delay);
  base_ns_ = std::min(base_ns_, delay);
}

void QueueDelay::add_standing(std::int64_t delay, Duration arrived) {
  if (open_.packets >= kLeastPackets && arrived - open_.began >= kLeast) {
    // A queue that grows or shrinks evenly is not noise, nor is one step of the path.
    std::int64_t step = open_.ns - before_.ns;
    double moved = std::abs(static_cast<double>(step - step_ns_)) * kOfSecondDifference;
    step_ns_ = step;
    double most = 3 * noise_ns_ + (noise_samples_ < kNoiseFirst ? kNoiseFirstStepNs : kNoiseStepNs);
    moved = std::min({moved, most, kNoiseMaxNs});
    noise_samples_ = std::min(noise_samples_ + 1, kNoiseSamplesMax);
    noise_ns_ += std::max(kNoiseWeight, 1.0 / (noise_samples_ + 1)) * (moved - noise_ns_);
    before_ = open_;
    open_ = {delay, 0, arrived};
  }
  open_.ns = std::min(open_.ns, delay);
  ++open_.packets;
}

Duration QueueDelay::standing() const {
  return Duration::nanoseconds(std::max<std::int64_t>(0, std::min(open_.ns, before_.ns) - base_ns_));
}

Duration QueueDelay::newest() const {
  return Duration::nanoseconds(
      std::max<std::int64_t>(0, *std::min_element(newest_.begin(), newest_.end()) - base_ns_));
}

void QueueDelay::forget_waiting() {
  open_ = before_ = {base_ns_, 0, open_.began};
  newest_.fill(base_ns_);
  recent_count_ = 0;
  restart_busy();
}

void QueueDelay::restart_busy() { busy_since_ = Duration::infinite(); }

std::optional<double> QueueDelay::newest_rate() const {
  if (recent_count_ < kRecent) return std::nullopt;
  auto recent = [&](std::size_t back) -> const Recent& { return recent_[(recent_count_ - back) % kRecent]; };
  std::uint64_t bytes = 0;
  Duration span, sent;
  for (std::size_t back = 1; back < kRecent; ++back) {
    const Recent &packet = recent(back), &before = recent(back + 1);
    Duration gap = packet.arrived - before.arrived;
    if (gap < Duration()) return std::nullopt;  // Overtaken: not a queue.
    span += gap;
    sent += gap - Duration::nanoseconds(packet.delay_ns - before.delay_ns);
    bytes += packet.bytes;
    if (back < 2 || span < kRecentSpan) continue;
    if (sent.as_seconds() > kSlowed * span.as_seconds()) return std::nullopt;
    return static_cast<double>(bytes) * 8 / span.as_seconds();
  }
  return std::nullopt;
}

}  // namespace stoa::bwe
