// What associations have done, by value.
#pragma once

#include <array>
#include <cstdint>

#include "base/metric.h"
#include "proto/sctp/refusal.h"

namespace stoa::sctp {

struct Stats {
  std::uint64_t packets_received = 0, packets_sent = 0;
  std::uint64_t bytes_received = 0, bytes_sent = 0;
  std::uint64_t chunks_sent = 0;  // DATA and I-DATA, the first time.
  std::uint64_t chunks_retransmitted = 0;
  std::uint64_t duplicates_received = 0;  // DATA that had come before.
  std::uint64_t messages_sent = 0;        // Taken from the caller.
  std::uint64_t messages_received = 0;    // Delivered.
  std::uint64_t messages_given_up = 0;    // For their reliability's sake.
  std::uint64_t timeouts = 0;             // T3-rtx.
  std::uint64_t fast_retransmits = 0;     // Times fast recovery was entered.
  std::uint64_t restarts = 0;             // The peer began anew.
  std::array<std::uint64_t, kRefusals> refusals{};

  void add(const Stats& other);
  // Counters named stoa_sctp_…_total.
  void append_samples(MetricSamples& samples) const;
};

}  // namespace stoa::sctp
