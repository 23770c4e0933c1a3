#include "bwe/pacer.h"

#include <algorithm>

namespace stoa::bwe {
namespace {

constexpr std::int64_t kBitsPerByteSecond = 8'000'000'000;  // Bits and nanoseconds to bytes.
// Packets of a probe follow one another: in larger steps its rate could not be told from a faster one.
constexpr Duration kProbeQuantum = Duration::milliseconds(1);
// What goes at once where the path has room takes no longer than this at the pacer's own rate: on a thin line
// sound would wait behind it.
constexpr Duration kRoomTime = Duration::milliseconds(50);

std::size_t bytes_in(std::uint64_t bits_per_second, Duration time) {
  return static_cast<std::size_t>(static_cast<unsigned __int128>(bits_per_second) *
                                  static_cast<std::uint64_t>(time.ns()) / kBitsPerByteSecond);
}

}  // namespace

std::uint64_t Pacer::rate() const {
  if (probe_) return std::max<std::uint64_t>(1, *probe_);
  const std::int64_t hurry = std::clamp<std::int64_t>(wait_ / kWaitAimed, 1, kHurryMax);
  return std::max<std::uint64_t>(1, config_.bits_per_second * static_cast<std::uint64_t>(hurry));
}

std::size_t Pacer::burst_bytes() const {
  const Duration quantum = probe_ ? kProbeQuantum : config_.quantum;
  std::size_t least = config_.burst_bytes_min;
  if (has_room_ && !probe_)
    least = std::max(least, std::min(config_.burst_bytes_room, bytes_in(config_.bits_per_second, kRoomTime)));
  return std::clamp(bytes_in(rate(), quantum), least, std::max(least, config_.burst_bytes_max));
}

void Pacer::set_probe(Timestamp now, std::optional<std::uint64_t> bits_per_second) {
  (void)budget(now);
  probe_ = bits_per_second;
  // What is saved up is not taken along, and no debt is paid first: sound that goes meanwhile, whatever the
  // budget, would make the probe look slow.
  if (probe_) budget_bytes_ = 1;
}

std::int64_t Pacer::budget(Timestamp now) {
  const auto full = static_cast<std::int64_t>(burst_bytes());
  const Duration passed = now - updated_at_;
  if (passed > Duration()) {
    updated_at_ = now;
    const __int128 earned = static_cast<__int128>(rate()) * passed.ns() + rest_;
    const __int128 bytes = earned / kBitsPerByteSecond;
    rest_ = static_cast<std::int64_t>(earned % kBitsPerByteSecond);
    budget_bytes_ = bytes >= full - budget_bytes_ ? full : budget_bytes_ + static_cast<std::int64_t>(bytes);
  }
  return budget_bytes_ = std::min(budget_bytes_, full);
}

Duration Pacer::time_of(std::uint64_t bytes) const {
  return Duration::from_seconds(static_cast<double>(bytes) * 8 / static_cast<double>(rate()));
}

Timestamp Pacer::next_release(Timestamp now) const {
  const std::uint64_t bits_per_second = rate();
  const std::size_t quantum_bytes = bytes_in(bits_per_second, probe_ ? kProbeQuantum : config_.quantum);
  const auto wanted = static_cast<std::int64_t>(std::clamp<std::size_t>(quantum_bytes, 1, burst_bytes()));
  if (budget_bytes_ >= wanted) return now;
  const __int128 wait = (static_cast<__int128>(wanted - budget_bytes_) * kBitsPerByteSecond +
                         static_cast<__int128>(bits_per_second) - 1) /
                        static_cast<__int128>(bits_per_second);
  return std::max(now, updated_at_ + Duration::nanoseconds(static_cast<std::int64_t>(wait)));
}

}  // namespace stoa::bwe
