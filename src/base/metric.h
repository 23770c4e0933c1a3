// How a module tells its numbers: by value, when asked. server/ turns the samples of all shards into the
// Prometheus text of /metrics (samples of equal name and labels are added up).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace stoa {

enum class MetricKind { kCounter, kGauge };

struct MetricSample {
  const char* name;  // Prometheus name with unit: stoa_rtmp_bytes_received_total.
  const char* help;
  MetricKind kind;
  std::vector<std::pair<const char*, std::string>>
      labels;  // Few values each: never a viewer, never an address.
  double value;
};

using MetricSamples = std::vector<MetricSample>;

}  // namespace stoa
