// What a Transform has done, by value.
#pragma once

#include <array>
#include <cstdint>

#include "base/metric.h"
#include "proto/srtp/refusal.h"

namespace stoa::srtp {

struct DirectionStats {
  std::uint64_t rtp_packets = 0;
  std::uint64_t rtcp_packets = 0;
  std::array<std::uint64_t, kRefusals> refusals{};

  void count(Refusal refusal) { ++refusals[static_cast<std::size_t>(refusal)]; }
};

struct Stats {
  DirectionStats sent;
  DirectionStats received;

  void add(const Stats& other);
  // Counters named stoa_srtp_…_total.
  void append_samples(MetricSamples& samples) const;
};

}  // namespace stoa::srtp
