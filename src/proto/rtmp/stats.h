// What connections have done, by value.
#pragma once

#include <array>
#include <cstdint>

#include "base/metric.h"
#include "proto/rtmp/refusal.h"

namespace stoa::rtmp {

struct Stats {
  std::uint64_t connections = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t audio_messages = 0;
  std::uint64_t video_messages = 0;
  std::uint64_t data_messages = 0;
  std::uint64_t commands = 0;
  std::uint64_t dropped_messages = 0;  // Of unknown type, or metadata that does not parse.
  std::array<std::uint64_t, kRefusals> refusals{};

  void add(const Stats& other);
  // Counters named stoa_rtmp_…_total.
  void append_samples(MetricSamples& samples) const;
};

}  // namespace stoa::rtmp
