// What endpoints have done, by value.
#pragma once

#include <array>
#include <cstdint>

#include "base/metric.h"
#include "proto/dtls/refusal.h"

namespace stoa::dtls {

struct Stats {
  std::uint64_t handshakes_started = 0;
  std::uint64_t handshakes_done = 0;
  std::uint64_t flights_retransmitted = 0;  // By our timer.
  std::uint64_t datagrams_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t data_messages_received = 0;
  std::uint64_t data_messages_sent = 0;
  std::array<std::uint64_t, kRefusals> refusals{};

  void add(const Stats& other);
  // Counters named stoa_dtls_…_total.
  void append_samples(MetricSamples& samples) const;
};

}  // namespace stoa::dtls
