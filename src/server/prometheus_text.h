// /metrics: the samples of all shards and of control, added up, in the Prometheus text format 0.0.4.
#pragma once

#include <string>
#include <vector>

#include "base/metric.h"

namespace stoa::server {

// Samples of equal name and labels are summed.
std::string prometheus_text(const std::vector<MetricSamples>& groups);

}  // namespace stoa::server
