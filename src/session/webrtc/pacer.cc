#include "session/webrtc/pacer.h"

#include <algorithm>

namespace stoa::webrtc {
namespace {

constexpr std::int64_t kBitsPerByteSecond = 8'000'000'000;  // Bits and nanoseconds to bytes.

}  // namespace

std::int64_t Pacer::budget(Timestamp now) {
  const auto full = static_cast<std::int64_t>(config_.burst_bytes);
  const Duration passed = now - updated_at_;
  if (passed <= Duration()) return budget_bytes_;
  updated_at_ = now;
  const __int128 earned = static_cast<__int128>(config_.bits_per_second) * passed.ns() + rest_;
  const __int128 bytes = earned / kBitsPerByteSecond;
  rest_ = static_cast<std::int64_t>(earned % kBitsPerByteSecond);
  budget_bytes_ = bytes >= full - budget_bytes_ ? full : budget_bytes_ + static_cast<std::int64_t>(bytes);
  return budget_bytes_;
}

Duration Pacer::time_of(std::uint64_t bytes) const {
  return Duration::from_seconds(static_cast<double>(bytes) * 8 /
                                static_cast<double>(std::max<std::uint64_t>(1, config_.bits_per_second)));
}

Timestamp Pacer::next_release(Timestamp now) const {
  const auto rate = std::max<std::int64_t>(1, static_cast<std::int64_t>(config_.bits_per_second));
  const std::int64_t quantum_bytes =
      static_cast<std::int64_t>(static_cast<__int128>(rate) * config_.quantum.ns() / kBitsPerByteSecond);
  const std::int64_t wanted = std::clamp<std::int64_t>(
      quantum_bytes, 1, std::max<std::int64_t>(1, static_cast<std::int64_t>(config_.burst_bytes)));
  if (budget_bytes_ >= wanted) return now;
  const __int128 wait =
      (static_cast<__int128>(wanted - budget_bytes_) * kBitsPerByteSecond + rate - 1) / rate;
  return std::max(now, updated_at_ + Duration::nanoseconds(static_cast<std::int64_t>(wait)));
}

}  // namespace stoa::webrtc
